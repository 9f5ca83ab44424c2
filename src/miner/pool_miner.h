// A complete miner: one StratumClient and one CpuMiner, with statistics of what really happened.
// Used by `adit miner`, by the demo's virtual miners and by end-to-end tests. All methods are safe
// from any thread but must not be called from its own events.
#pragma once

#include "miner/cpu_miner.h"
#include "miner/stratum_client.h"

#include <map>

namespace adit::miner {

struct PoolMinerSettings {
    ConnectionSettings connection;
    CpuMinerSettings cpu;
};

struct PoolMinerStats {
    bool connected = false;  // authorized right now
    std::uint64_t hashes = 0;
    double mining_s = 0;  // time spent connected and with a job, for the mean hash rate
    std::uint64_t jobs = 0;
    std::uint64_t found = 0;     // shares handed in
    std::uint64_t accepted = 0;  // answered true
    std::uint64_t known = 0;     // sent again after a loss, and the pool had it already
    std::uint64_t lost = 0;      // never answered
    std::map<std::string, std::uint64_t> rejected;  // by the pool's words
    std::uint64_t stale = 0;                        // rejected with code 21
    std::uint64_t blocks_found = 0;                 // hashes that met the network target
    std::uint64_t blocks_accepted = 0;              // of these, shares that the pool answered true
    std::uint64_t reconnects = 0;                   // connections after the first
    double accepted_difficulty = 0;                 // sum over accepted shares
    double difficulty = 0;                          // of the present job
    std::string last_problem;  // why the connection was lost last, empty if never

    std::uint64_t rejected_total() const {
        std::uint64_t sum = 0;
        for (const auto& [reason, count] : rejected)
            sum += count;
        return sum;
    }
};

// Called on the client's thread. Unset functions are not called.
struct PoolMinerEvents {
    std::function<void(const ShareReply&)> on_reply;
    std::function<void(const PoolJob&)> on_job;
    std::function<void(std::string_view text)> on_message;
    std::function<void(std::string_view why, std::uint32_t pause_ms)> on_lost;
    std::function<void(ProtocolError error, std::string_view detail)> on_refused;
};

class PoolMiner {
 public:
    // The clock must outlive the miner. Nothing happens before start().
    PoolMiner(PoolMinerSettings settings, const base::Clock& clock, PoolMinerEvents events = {});
    ~PoolMiner();  // stops
    PoolMiner(const PoolMiner&) = delete;
    PoolMiner& operator=(const PoolMiner&) = delete;

    void start();
    // Stops hashing, waits up to drain_ms for outstanding answers, closes. Idempotent.
    void stop(std::uint32_t drain_ms = 0);
    PoolMinerStats stats() const;
    // See StratumClient.
    void drop_connection();

 private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace adit::miner
