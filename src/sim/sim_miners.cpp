#include "sim/sim_miners.h"

#include "chain/block.h"
#include "chain/sha256.h"

#include <algorithm>
#include <random>

namespace adit::sim {
namespace {

constexpr std::size_t kLanes = 4;
constexpr int kHashesPerLook = 4'096;  // between looks at the clock
constexpr std::uint64_t kSmallestPart = 4;
constexpr std::uint64_t kLargestPart = 16;

}  // namespace

double measure_hashes_per_s(const base::Clock& clock, std::int64_t measure_ms) {
    const auto& kernel = chain::sha256_kernel();
    std::array<std::array<std::uint8_t, chain::kHeaderSize>, kLanes> headers{};
    std::array<std::array<std::uint8_t, 32>, kLanes> hashes{};
    const std::uint8_t* data[kLanes];
    std::array<std::uint8_t, 32>* out[kLanes];
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        headers[lane][0] = static_cast<std::uint8_t>(lane);
        data[lane] = headers[lane].data();
        out[lane] = &hashes[lane];
    }
    const auto start = clock.steady_ns();
    const auto end = start + measure_ms * 1'000'000;
    std::uint64_t done = 0;
    auto now = start;
    while (now < end) {
        for (int i = 0; i < kHashesPerLook; i += kLanes) {
            chain::sha256d_80(kernel, data, kLanes, out);
            headers[0][1] ^= hashes[3][0];  // each round depends on the one before
        }
        done += kHashesPerLook;
        now = clock.steady_ns();
    }
    return static_cast<double>(done) * 1e9 /
           static_cast<double>(std::max<std::int64_t>(now - start, 1));
}

std::vector<double> uneven_rates(double total, int n, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<double> rates;
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        const auto part = kSmallestPart + random() % (kLargestPart - kSmallestPart + 1);
        rates.push_back(static_cast<double>(part));
        sum += rates.back();
    }
    for (auto& rate : rates)
        rate *= total / sum;
    return rates;
}

SimMiners::SimMiners(SimMinersSettings settings, const base::Clock& clock)
    : settings_(std::move(settings)), clock_(clock) {
    const auto rates = uneven_rates(settings_.hashes_per_s, settings_.workers, settings_.seed);
    for (std::size_t i = 0; i < rates.size(); ++i) {
        const auto& account = settings_.accounts.at(i % settings_.accounts.size());
        Rig rig{fmt::format("{}.rig-{}", account, i + 1), rates[i], nullptr};
        rig.miner = make(rig);
        rigs_.push_back(std::move(rig));
    }
}

SimMiners::~SimMiners() {
    stop();
}

std::unique_ptr<miner::PoolMiner> SimMiners::make(const Rig& rig) const {
    miner::PoolMinerSettings settings;
    settings.connection.pool = settings_.pool;
    settings.connection.client.user = rig.name;
    settings.connection.client.password = settings_.password;
    settings.cpu.threads = 1;
    settings.cpu.hashes_per_s = rig.hashes_per_s;
    return std::make_unique<miner::PoolMiner>(std::move(settings), clock_);
}

void SimMiners::start() {
    if (std::exchange(running_, true)) return;
    for (auto& rig : rigs_)
        rig.miner->start();
}

void SimMiners::stop(std::uint32_t drain_ms) {
    if (!std::exchange(running_, false)) return;
    // All at once, so that the whole drain takes no longer than one.
    std::vector<std::jthread> stopping;
    for (auto& rig : rigs_) {
        stopping.emplace_back([&rig, drain_ms] { rig.miner->stop(drain_ms); });
    }
}

void SimMiners::restart(std::size_t worker) {
    auto& rig = rigs_.at(worker);
    rig.miner->stop();
    rig.miner = make(rig);
    if (running_) rig.miner->start();
}

std::vector<SimMiners::Worker> SimMiners::workers() const {
    std::vector<Worker> all;
    for (const auto& rig : rigs_)
        all.push_back({rig.name, rig.hashes_per_s, rig.miner->stats()});
    return all;
}

}  // namespace adit::sim
