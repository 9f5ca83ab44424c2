#include "miner/pool_miner.h"

namespace adit::miner {

struct PoolMiner::Parts {
    const base::Clock& clock;
    PoolMinerEvents events;
    std::optional<CpuMiner> cpu;
    std::optional<StratumClient> client;
    CpuMinerSettings cpu_settings;

    mutable std::mutex mutex;
    PoolMinerStats stats;              // under mutex
    std::uint64_t connections = 0;     // under mutex
    std::int64_t mining_since_ns = 0;  // under mutex; 0: not mining
    std::int64_t mined_ns = 0;         // under mutex; of ended stretches
    bool stopped = false;

    Parts(PoolMinerSettings settings, const base::Clock& time, PoolMinerEvents sinks)
        : clock(time), events(std::move(sinks)), cpu_settings(settings.cpu) {
        ClientEvents wiring;
        wiring.on_ready = [this](bool) { on_ready(); };
        wiring.on_job = [this](const PoolJobRef& job) { on_job(job); };
        wiring.on_reply = [this](const ShareReply& reply) { on_reply(reply); };
        wiring.on_message = events.on_message;
        wiring.on_lost = [this](std::string_view why, std::uint32_t ms) { on_lost(why, ms); };
        wiring.on_refused = events.on_refused;
        client.emplace(std::move(settings.connection), std::move(wiring));
    }

    void on_ready() {
        const std::lock_guard lock(mutex);
        stats.connected = true;
        if (++connections > 1) ++stats.reconnects;
    }

    void on_job(const PoolJobRef& job) {
        {
            const std::lock_guard lock(mutex);
            ++stats.jobs;
            stats.difficulty = job->difficulty.value();
            if (mining_since_ns == 0) mining_since_ns = clock.steady_ns();
        }
        cpu->set_job(job);
        if (events.on_job) events.on_job(*job);
    }

    void on_share(Share share) {
        {
            const std::lock_guard lock(mutex);
            ++stats.found;
            if (share.block) ++stats.blocks_found;
        }
        if (client->submit(std::move(share))) return;
        const std::lock_guard lock(mutex);
        ++stats.lost;
    }

    void on_reply(const ShareReply& reply) {
        {
            const std::lock_guard lock(mutex);
            count(reply);
        }
        if (events.on_reply) events.on_reply(reply);
    }

    void count(const ShareReply& reply) {
        constexpr int kStale = 21;
        switch (reply.outcome) {
            case ShareOutcome::accepted:
                ++stats.accepted;
                stats.accepted_difficulty += reply.share.job->difficulty.value();
                if (reply.share.block) ++stats.blocks_accepted;
                return;
            case ShareOutcome::rejected: {
                // A pool must not make the table grow without bound.
                constexpr std::size_t kMaxReasons = 64;
                const bool room = stats.rejected.size() < kMaxReasons;
                ++stats.rejected[room || stats.rejected.contains(reply.reason) ? reply.reason
                                                                               : "other"];
                if (reply.code == kStale) ++stats.stale;
                return;
            }
            case ShareOutcome::known:
                ++stats.known;
                return;
            case ShareOutcome::lost:
                ++stats.lost;
                return;
        }
    }

    void on_lost(std::string_view why, std::uint32_t pause_ms) {
        cpu->clear_job();
        {
            const std::lock_guard lock(mutex);
            stats.connected = false;
            stats.last_problem = why;
            end_stretch();
        }
        if (events.on_lost) events.on_lost(why, pause_ms);
    }

    void end_stretch() {
        if (mining_since_ns == 0) return;
        mined_ns += clock.steady_ns() - mining_since_ns;
        mining_since_ns = 0;
    }
};

PoolMiner::PoolMiner(PoolMinerSettings settings, const base::Clock& clock, PoolMinerEvents events)
    : parts_(std::make_unique<Parts>(std::move(settings), clock, std::move(events))) {}

PoolMiner::~PoolMiner() {
    stop();
}

void PoolMiner::start() {
    Parts& parts = *parts_;
    if (parts.cpu || parts.stopped) return;
    parts.cpu.emplace(parts.cpu_settings, parts.clock,
                      [&parts](Share share) { parts.on_share(std::move(share)); });
    parts.client->start();
}

void PoolMiner::stop(std::uint32_t drain_ms) {
    Parts& parts = *parts_;
    if (parts.stopped) return;
    parts.stopped = true;
    if (parts.cpu) parts.cpu->stop();
    {
        const std::lock_guard lock(parts.mutex);
        parts.end_stretch();
    }
    parts.client->stop(drain_ms);
    const std::lock_guard lock(parts.mutex);
    parts.stats.connected = false;
}

PoolMinerStats PoolMiner::stats() const {
    const Parts& parts = *parts_;
    const std::lock_guard lock(parts.mutex);
    PoolMinerStats result = parts.stats;
    result.hashes = parts.cpu ? parts.cpu->hashes() : 0;
    auto mined_ns = parts.mined_ns;
    if (parts.mining_since_ns != 0) mined_ns += parts.clock.steady_ns() - parts.mining_since_ns;
    result.mining_s = static_cast<double>(mined_ns) * 1e-9;
    return result;
}

void PoolMiner::drop_connection() {
    parts_->client->drop_connection();
}

}  // namespace adit::miner
