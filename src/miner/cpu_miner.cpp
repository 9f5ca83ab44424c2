#include "miner/cpu_miner.h"

#include "miner/pace.h"

namespace adit::miner {

namespace {

constexpr std::uint64_t kLanes = chain::kSha256Lanes;
constexpr std::uint64_t kFullChunk = 8192;  // a few milliseconds between looks at the job

// How much to hash between two waits: about a twentieth of a second's worth, in whole groups of
// lanes.
std::uint64_t chunk_for(double hashes_per_s) {
    if (hashes_per_s <= 0) return kFullChunk;
    const double wanted = std::clamp(hashes_per_s / 20, 1.0, static_cast<double>(kFullChunk));
    return (static_cast<std::uint64_t>(wanted) + kLanes - 1) / kLanes * kLanes;
}

}  // namespace

struct CpuMiner::State {
    const base::Clock& clock;
    Deliver deliver;
    const chain::Sha256Kernel& kernel = chain::sha256_kernel();
    double thread_rate;
    std::atomic<std::uint64_t> next_unit;
    std::atomic<std::uint64_t> hashes{0};

    std::mutex mutex;
    std::condition_variable changed;
    PoolJobRef job;                            // under mutex
    bool stopping = false;                     // under mutex
    std::atomic<std::uint64_t> generation{0};  // changes with job and stopping
    std::vector<std::thread> threads;

    State(const CpuMinerSettings& settings, const base::Clock& time, Deliver sink)
        : clock(time),
          deliver(std::move(sink)),
          thread_rate(settings.hashes_per_s / std::max(settings.threads, 1U)),
          next_unit(settings.first_unit) {
        for (unsigned i = 0; i < std::max(settings.threads, 1U); ++i) {
            threads.emplace_back([this] { run(); });
        }
    }

    // Waits for a job; nullptr when it is time to end.
    PoolJobRef wait_for_job(std::uint64_t& seen) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return stopping || job; });
        seen = generation;
        return stopping ? nullptr : job;
    }

    void wait_ns(std::int64_t ns) {
        if (ns <= 0) return;
        std::unique_lock lock(mutex);
        changed.wait_for(lock, std::chrono::nanoseconds(ns), [this] { return stopping; });
    }

    void run() {
        std::optional<Pace> pace;
        if (thread_rate > 0) pace.emplace(thread_rate);
        std::uint64_t seen = 0;
        while (const auto present = wait_for_job(seen))
            scan_unit(present, seen, pace);
    }

    // Works on one unit until it is used up or the job changes.
    void scan_unit(const PoolJobRef& present, std::uint64_t seen, std::optional<Pace>& pace) {
        const auto chunk = chunk_for(thread_rate);
        const auto unit = make_unit(present, next_unit.fetch_add(1), kernel);
        std::vector<Share> found;
        for (std::uint64_t offset = 0; offset < kNoncesPerUnit && generation == seen;) {
            const auto count = std::min(chunk, kNoncesPerUnit - offset);
            scan(unit, offset, count, kernel, found);
            offset += count;
            hashes.fetch_add(count, std::memory_order_relaxed);
            for (auto& share : found)
                deliver(std::move(share));
            found.clear();
            if (pace) wait_ns(pace->after(count, clock.steady_ns()));
        }
    }

    void change(PoolJobRef next, bool end) {
        {
            const std::lock_guard lock(mutex);
            job = std::move(next);
            stopping = stopping || end;
            ++generation;
        }
        changed.notify_all();
    }
};

CpuMiner::CpuMiner(CpuMinerSettings settings, const base::Clock& clock, Deliver deliver)
    : state_(std::make_unique<State>(settings, clock, std::move(deliver))) {}

CpuMiner::~CpuMiner() {
    stop();
}

void CpuMiner::set_job(PoolJobRef job) {
    state_->change(std::move(job), false);
}

void CpuMiner::clear_job() {
    state_->change(nullptr, false);
}

void CpuMiner::stop() {
    state_->change(nullptr, true);
    for (auto& thread : state_->threads) {
        if (thread.joinable()) thread.join();
    }
}

std::uint64_t CpuMiner::hashes() const {
    return state_->hashes.load(std::memory_order_relaxed);
}

unsigned CpuMiner::threads() const {
    return static_cast<unsigned>(state_->threads.size());
}

}  // namespace adit::miner
