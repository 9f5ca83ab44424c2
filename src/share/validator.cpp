#include "share/validator.h"

#include "base/check.h"

#include <algorithm>
#include <limits>

namespace adit::share {

namespace {

using job::kExtranonce1Size;
using job::kExtranonce2Size;

constexpr std::size_t kLanes = chain::kSha256Lanes;
constexpr std::size_t kExtraSize = 1 + kExtranonce1Size + kExtranonce2Size;
constexpr std::size_t kBlock = 64;  // bytes of a SHA-256 block

// One share on its way through the kernel. The coinbase after the job's midstate is taken as one or
// two blocks assembled here (head's rest, variant, extranonces, the tail's front) and then the rest
// of the job's padded tail where it lies: a tail of any size costs no copy.
struct Lane {
    const CheckRequest* request;
    CheckResult* result;
    chain::Sha256State state;
    std::size_t front_blocks = 0;
    const std::uint8_t* back;
    std::size_t back_blocks = 0;
    std::array<std::uint8_t, 2 * kBlock> front;
    chain::Sha256Digest node;  // the coinbase's txid, folded up to the merkle root
    std::array<std::uint8_t, chain::kHeaderSize> header;
};

std::size_t blocks_of(const job::Job& job) {
    return (job.head_rest.size() + kExtraSize + job.padded_tail.size()) / kBlock;
}

// Lanes can be interleaved when their messages have equally many blocks in front and in total.
bool same_shape(const job::Job& a, const job::Job& b) {
    return &a == &b || (a.head_rest.size() == b.head_rest.size() && blocks_of(a) == blocks_of(b));
}

void load(Lane& lane) {
    const auto& job = *lane.request->job;
    const auto& choice = lane.request->choice;
    auto* out = lane.front.data();
    std::memcpy(out, job.head_rest.data(), job.head_rest.size());
    out += job.head_rest.size();
    *out++ = choice.variant;
    base::store_be32(out, choice.extranonce1);
    out += kExtranonce1Size;
    std::memcpy(out, choice.extranonce2.data(), kExtranonce2Size);
    out += kExtranonce2Size;

    const auto filled = static_cast<std::size_t>(out - lane.front.data());
    lane.front_blocks = (filled + kBlock - 1) / kBlock;
    // The padded message is whole blocks, so the padded tail always reaches that far.
    const auto taken = lane.front_blocks * kBlock - filled;
    std::memcpy(out, job.padded_tail.data(), taken);
    lane.back = job.padded_tail.data() + taken;
    lane.back_blocks = (job.padded_tail.size() - taken) / kBlock;
    lane.state = job.midstate.state;
}

// Leaves each coinbase's txid in its lane's node.
void hash_coinbases(const chain::Sha256Kernel& kernel, std::span<Lane> lanes) {
    std::array<chain::Sha256State*, kLanes> states;
    std::array<const std::uint8_t*, kLanes> data;
    std::array<chain::Sha256Digest*, kLanes> out;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
        load(lanes[i]);
        states[i] = &lanes[i].state;
        data[i] = lanes[i].front.data();
        out[i] = &lanes[i].node;
    }
    const auto compress = kernel.compress[lanes.size() - 1];
    compress(states.data(), data.data(), lanes[0].front_blocks);
    for (std::size_t i = 0; i < lanes.size(); ++i)
        data[i] = lanes[i].back;
    if (lanes[0].back_blocks != 0) compress(states.data(), data.data(), lanes[0].back_blocks);
    kernel.finish[lanes.size() - 1](states.data(), out.data());
}

// Folds every lane's branches onto its node. Lanes of different jobs may have different numbers of
// branches: all climb as far as the lowest tree goes, then those that are done drop out.
void fold_branches(const chain::Sha256Kernel& kernel, std::span<Lane> lanes) {
    static_assert(sizeof(chain::Hash256) == sizeof(chain::Sha256Digest), "branches are digests");
    std::array<const chain::Sha256Digest*, kLanes> branches;
    std::array<chain::Sha256Digest*, kLanes> nodes;
    std::size_t level = 0;
    for (;;) {
        std::size_t count = 0;
        auto lowest = std::numeric_limits<std::size_t>::max();
        for (auto& lane : lanes) {
            const auto& all = lane.request->job->branches;
            if (all.size() <= level) continue;
            lowest = std::min(lowest, all.size());
            branches[count] = &all[level].bytes;
            nodes[count++] = &lane.node;
        }
        if (count == 0) return;
        chain::sha256d_climb(kernel, nodes.data(), branches.data(), lowest - level, count);
        level = lowest;
    }
}

void hash_headers(const chain::Sha256Kernel& kernel, std::span<Lane> lanes) {
    std::array<const std::uint8_t*, kLanes> data;
    std::array<chain::Sha256Digest*, kLanes> out;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
        auto& lane = lanes[i];
        const auto& job = *lane.request->job;
        const auto& choice = lane.request->choice;
        auto* at = lane.header.data();
        base::store_le(at, choice.version);
        std::memcpy(at + 4, job.source->previous.bytes.data(), 32);
        std::memcpy(at + 36, lane.node.data(), 32);
        base::store_le(at + 68, choice.ntime);
        base::store_le(at + 72, job.bits);
        base::store_le(at + 76, choice.nonce);
        data[i] = at;
        out[i] = &lane.result->hash.bytes;
    }
    chain::sha256d_80(kernel, data.data(), lanes.size(), out.data());
}

void check_lanes(const chain::Sha256Kernel& kernel, std::span<Lane> lanes) {
    hash_coinbases(kernel, lanes);
    fold_branches(kernel, lanes);
    hash_headers(kernel, lanes);
    for (auto& lane : lanes) {
        lane.result->meets_share = lane.request->share_target.met_by(lane.result->hash);
        lane.result->meets_network = lane.request->job->network_target.met_by(lane.result->hash);
    }
}

}  // namespace

void Validator::check(std::span<const CheckRequest> requests,
                      std::span<CheckResult> results) const {
    ADIT_CHECK(requests.size() == results.size(), "one result for each request");
    constexpr std::size_t kWindow = 64;
    while (!requests.empty()) {
        const auto window = std::min(requests.size(), kWindow);
        std::uint64_t done = 0;
        for (std::size_t first = 0; first < window; ++first) {
            if (done >> first & 1) continue;
            // This request and up to three more of the window that fit beside it.
            std::array<Lane, kLanes> lanes;
            std::size_t count = 0;
            for (std::size_t i = first; i < window && count < kLanes; ++i) {
                if (done >> i & 1) continue;
                if (!same_shape(*requests[first].job, *requests[i].job)) continue;
                lanes[count].request = &requests[i];
                lanes[count++].result = &results[i];
                done |= std::uint64_t{1} << i;
            }
            check_lanes(*kernel_, std::span(lanes).first(count));
        }
        requests = requests.subspan(window);
        results = results.subspan(window);
    }
}

std::optional<std::uint32_t> roll_version(std::uint32_t job_version, std::uint32_t mask,
                                          std::uint32_t version_bits) {
    if ((version_bits & ~mask) != 0) return std::nullopt;
    return (job_version & ~mask) | version_bits;
}

std::optional<Refusal> check_time(const job::Job& job, std::uint32_t ntime,
                                  std::int64_t wall_seconds) {
    constexpr std::int64_t kPastJob = 7'000;
    constexpr std::int64_t kPastClock = 7'200;
    if (ntime < job.min_time) return Refusal::time_too_old;
    if (ntime > job.ntime + kPastJob || ntime > wall_seconds + kPastClock) {
        return Refusal::time_too_new;
    }
    return std::nullopt;
}

}  // namespace adit::share
