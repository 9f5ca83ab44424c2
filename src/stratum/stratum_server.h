// The public face of the Stratum layer: listeners, shards and their sessions as one thing that is
// started, given jobs, and drained. Methods are safe from any thread and return at once unless they
// say otherwise.
#pragma once

#include "job/job.h"
#include "share/refusal.h"
#include "stratum/session_settings.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace adit::stratum {

// One authorized name of one connection. Numbers count from the connection's beginning.
struct WorkerSnapshot {
    std::string account;  // the canonical address
    std::string worker;   // may be empty
    std::string agent;    // what the firmware calls itself; may be empty
    std::string peer;     // "address:port"
    double difficulty = 0;
    // Hashes per second estimated from accepted shares. Of the whole connection: a name that shares
    // its connection with others has 0 and the connection's first name has it all.
    double hashrate = 0;
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;
    std::int64_t connected_ms = 0;    // ago
    std::int64_t last_share_ms = -1;  // ago; -1: none yet
};

struct ServerSnapshot {
    std::size_t connections = 0;
    std::size_t subscribed = 0;
    std::size_t authorized = 0;  // subscribed and authorized: these receive work
    std::uint64_t accepted = 0;  // shares since the start, committed
    std::array<std::uint64_t, share::kRefusalCount> refused{};  // by share::Refusal
    double hashrate = 0;  // hashes per second, summed over connections
    job::JobId job = 0;   // the newest job; 0 before the first
};

class StratumServer {
 public:
    virtual ~StratumServer() = default;

    // Opens the listeners and starts the shards. Throws std::runtime_error, which names the
    // address, when a listener cannot be opened. Call once.
    virtual void start() = 0;

    // Phase one of the end: no new connections; those that are there go on.
    virtual void stop_accepting() = 0;
    // Phase two: takes no more shares, waits until every accepted one is committed and answered or
    // the deadline is reached, then closes everything. Blocks. True when all were answered.
    virtual bool drain(std::chrono::steady_clock::time_point deadline) = 0;

    // Publishes a job to every session of every shard.
    virtual void set_job(job::JobRef job) = 0;

    // New settings; sessions take them at their next retarget. The network cannot change.
    virtual void reload(std::shared_ptr<const SessionSettings> settings) = 0;

    virtual ServerSnapshot snapshot() const = 0;
    // At most `limit` workers, in no particular order.
    virtual std::vector<WorkerSnapshot> workers(std::size_t limit) const = 0;
};

}  // namespace adit::stratum
