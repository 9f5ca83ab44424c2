#include "manager/good_share.h"

#include "miner/scanner.h"

#include <algorithm>

namespace adit::manager {
namespace {

constexpr std::uint64_t kFirstHashes = 1 << 16;  // enough to know how fast this processor is
constexpr std::uint64_t kStepHashes = 1 << 14;   // between looks at the clock
constexpr double kSureFactor = 3;  // a search of this many times the mean finds in 95 % of cases
constexpr std::uint64_t kMostUnits = 256;  // about a minute, whatever the clock says
constexpr std::uint64_t kPoorHashes = 64;
// Units that the good share's search does not reach.
constexpr std::uint64_t kPoorUnit = 1 << 20;

std::string too_hard(const miner::PoolJob& job, double needed_s, double hashes_per_s) {
    return fmt::format(
        "not tried: difficulty {} needs about {:.3g} s here ({:.3g} hashes a second on one core)",
        job.difficulty.wire(), needed_s, hashes_per_s);
}

}  // namespace

ShareSearch find_good_share(const miner::PoolJobRef& job, int limit_ms, const CallLimits& limits,
                            const base::Clock& clock) {
    const auto& kernel = chain::sha256_kernel();
    const auto begin_ns = clock.steady_ns();
    const double expected = chain::hashes_of(chain::work_of(job->share_target));
    std::vector<miner::Share> found;
    std::uint64_t hashes = 0;
    for (std::uint64_t number = 0; number < kMostUnits; ++number) {
        const auto unit = miner::make_unit(job, number, kernel);
        for (std::uint64_t from = 0; from < miner::kNoncesPerUnit; from += kStepHashes) {
            miner::scan(unit, from, kStepHashes, kernel, found);
            hashes += kStepHashes;
            if (!found.empty()) return {std::move(found.front()), {}};
            if (limits.stop.stop_requested() || clock.steady_ms() >= limits.deadline_ms) {
                return {std::nullopt, "not tried: the call ended before"};
            }
            const double spent_s = static_cast<double>(clock.steady_ns() - begin_ns) * 1e-9;
            if (hashes < kFirstHashes || spent_s <= 0) continue;
            const double rate = static_cast<double>(hashes) / spent_s;
            const double limit_s = limit_ms * 1e-3;
            if (kSureFactor * expected / rate > limit_s) {
                return {std::nullopt, too_hard(*job, expected / rate, rate)};
            }
            if (spent_s > limit_s) {
                return {std::nullopt,
                        fmt::format("not tried: {} hashes in {:.1f} s found none of difficulty {}",
                                    hashes, spent_s, job->difficulty.wire())};
            }
        }
    }
    return {std::nullopt, fmt::format("not tried: {} hashes found none", hashes)};
}

std::optional<miner::Share> find_poor_share(const miner::PoolJobRef& job) {
    auto easy = std::make_shared<miner::PoolJob>(*job);
    easy->share_target = chain::Difficulty::from_double(0x1p-40)->target();
    const auto& kernel = chain::sha256_kernel();
    std::vector<miner::Share> found;
    miner::scan(miner::make_unit(easy, kPoorUnit, kernel), 0, kPoorHashes, kernel, found);
    if (found.empty()) return std::nullopt;
    const auto poorest = std::ranges::max_element(
        found, {}, [](const miner::Share& share) { return base::U256::from_le(share.hash.bytes); });
    if (job->share_target.met_by(poorest->hash)) return std::nullopt;
    poorest->job = job;
    return *poorest;
}

}  // namespace adit::manager
