// Operation 1, a live check of the Stratum protocol on the pool's own listeners. Each listener is
// met as a miner meets it: PROXY header and TLS where it wants them, the opening, work, one good
// share, and messages that have to be refused in a certain way and must not end the connection.
// docs/manager.md lists the steps. Nothing is assumed: a step that could not be tried says why.
//
// One connection to one listener at a time, about ten bad messages each; a connection is banned for
// 200 within a minute, and every check opens its own. Runs on the caller's thread and keeps
// nothing; safe from any thread.
#pragma once

#include "base/clock.h"
#include "manager/operation.h"
#include "manager/own_listener.h"
#include "metrics/registry.h"
#include "stratum/stratum_server.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace adit::manager {

struct ProtocolCheckSettings {
    std::string name;                   // to authorize and submit with: ADDRESS.WORKER
    int answer_limit_ms = 5'000;        // of each answer
    int mining_limit_ms = 3'000;        // of the search for a good share
    double suggest_difficulty = 1e-12;  // the pool answers with its minimum
};
// The worker of the pool's own address that checks are made with.
inline constexpr std::string_view kCheckWorker = "adit-check";

enum class StepVerdict : std::uint8_t { conforms = 0, violates = 1, not_tried = 2 };
std::string_view name_of(StepVerdict verdict);

struct ProtocolStep {
    std::string step;
    StepVerdict verdict = StepVerdict::not_tried;
    double ms = 0;         // from what was sent to its answer; 0 when not tried
    std::string expected;  // in words
    std::string came;      // the answer, printable and cut; or why there is none
};

struct ListenerProtocol {
    std::string address;
    bool tls = false;
    bool proxy_protocol = false;
    bool was_answered = false;  // at all
    std::vector<ProtocolStep> steps;
    std::vector<std::string> violations;  // sentences
};

// Connections of the pool, after those that were due have been reaped; totals are since its start.
struct ConnectionCounts {
    std::uint64_t connections = 0;  // now, as the next two
    std::uint64_t subscribed = 0;
    std::uint64_t authorized = 0;
    std::uint64_t limit = 0;                // limits.miners
    std::uint64_t turned_away_full = 0;     // the limit was reached
    std::uint64_t turned_away_address = 0;  // limits.per_ip was
    std::uint64_t turned_away_banned = 0;
    std::uint64_t reaped_half_open = 0;    // not ready within limits.handshake_s
    std::uint64_t reaped_idle = 0;         // silent for limits.idle_s
    std::uint64_t reaped_dead = 0;         // reset, or no answer to keep-alives
    std::uint64_t reaped_not_reading = 0;  // their output piled up
    std::uint64_t handshakes_failed = 0;   // PROXY header or TLS
    std::uint64_t bans = 0;

    std::uint64_t turned_away() const {
        return turned_away_full + turned_away_address + turned_away_banned;
    }
};
ConnectionCounts connection_counts(const stratum::ServerSnapshot& now, std::uint64_t limit,
                                   metrics::Registry& registry);

struct ProtocolReport {
    std::int64_t at_ms = 0;  // wall clock
    double took_ms = 0;
    std::vector<ListenerProtocol> listeners;
    ConnectionCounts counts;  // before the check began

    std::size_t violations() const;
};

// One listener. The refusal is the deadline or the stop token; what is wrong with the listener is
// in the result.
Outcome<ListenerProtocol> check_listener(const ProbedListener& listener,
                                         const ProtocolCheckSettings& settings,
                                         const CallLimits& limits, const base::Clock& clock);

// All of them, one after the other. `counts` is asked before and, when a listener does not answer,
// after: a connection that a limit turned away is no violation but a refusal of the check.
Outcome<ProtocolReport> check_protocol(const std::vector<ProbedListener>& listeners,
                                       const ProtocolCheckSettings& settings,
                                       const std::function<ConnectionCounts()>& counts,
                                       const CallLimits& limits, const base::Clock& clock);

}  // namespace adit::manager
