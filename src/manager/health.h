// Operation 5, the health of the pool's parts. Each part has a probe that does a small real piece
// of its work; the monitor runs all probes at a steady pace and on demand, keeps what they took and
// how they failed, and judges by the rules below (docs/manager.md):
//
//   unhealthy   the last kFailuresInRow probes failed, or the only one so far
//   degraded    a probe of the last kRecent failed, one of the last three was slower than the
//   part's
//               limit, or the part works and says what is wrong with it
//   healthy     otherwise
//
// The pool is unhealthy when a part is that miners cannot do without, degraded when any part is not
// healthy. A part that has not been probed yet is unknown and counts as degraded.
//
// Owns one thread between start() and stop(); everything else is safe from any thread. A probe that
// hangs delays the others for its deadline at most.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "manager/operation.h"
#include "metrics/registry.h"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace adit::manager {

enum class HealthState : std::uint8_t { healthy = 0, degraded = 1, unhealthy = 2, unknown = 3 };
std::string_view name_of(HealthState state);

// What one probe found.
struct ProbeOutcome {
    std::string error;   // a sentence: the piece of work failed; empty: it was done
    std::string note;    // a sentence: done, but something is wrong; empty: nothing is
    std::string remedy;  // what to do about either; may be empty
    std::optional<std::uint64_t> queue_depth;  // what waits for the part; nullopt: it has no queue
};

// A part's small real piece of work.
class Probe {
 public:
    virtual ~Probe() = default;
    virtual std::string_view part() const = 0;
    // Whether miners cannot be served without the part.
    virtual bool is_vital() const = 0;
    // Slower than this is worth a word, in milliseconds.
    virtual double slow_ms() const = 0;
    // Ends by the limits. One call at a time.
    virtual ProbeOutcome run(const CallLimits& limits) = 0;
};

struct PartHealth {
    std::string part;
    HealthState state = HealthState::unknown;
    bool vital = false;
    std::uint64_t probes = 0;  // since start
    std::uint64_t failures = 0;
    double error_rate = 0;  // of the last kRecent probes
    double last_ms = 0;
    double p50_ms = 0;  // since start; upper bounds of the histogram's buckets
    double p99_ms = 0;
    std::optional<std::uint64_t> queue_depth;
    std::string last_error;          // empty: none since start
    std::int64_t last_error_ms = 0;  // wall clock
    std::int64_t probed_ms = 0;      // wall clock of the last probe; 0: none
    std::string note;
    std::string recommendation;  // cause and remedy; empty: nothing to do
};

struct HealthReport {
    HealthState state = HealthState::unknown;
    std::int64_t at_ms = 0;  // wall clock
    std::vector<PartHealth> parts;
};

struct HealthSettings {
    std::int64_t interval_ms = 10'000;
    std::int64_t probe_limit_ms = 5'000;  // of each probe
};

class HealthMonitor {
 public:
    static constexpr std::size_t kFailuresInRow = 3;
    static constexpr std::size_t kRecent = 20;

    HealthMonitor(std::vector<std::unique_ptr<Probe>> probes, HealthSettings settings,
                  metrics::Registry& registry, const base::Clock& clock, base::Logger& logger);
    ~HealthMonitor();  // stop()
    HealthMonitor(const HealthMonitor&) = delete;
    HealthMonitor& operator=(const HealthMonitor&) = delete;

    void start();
    // Ends the probe under way by its stop token and waits for it. Idempotent.
    void stop();

    // Probes every part now, one after the other; waits for a round that runs already.
    Outcome<HealthReport> check(const CallLimits& limits);
    // As of the last probes; costs nothing.
    HealthReport report() const;

 private:
    struct Part;
    void loop(std::stop_token stop);
    Outcome<void> round(const CallLimits& limits);
    void note(Part& part, const ProbeOutcome& outcome, double took_ms);
    HealthState judge(const Part& part) const;
    PartHealth health_of(const Part& part) const;

    const HealthSettings settings_;
    const base::Clock& clock_;
    base::Logger& logger_;
    metrics::Gauge& overall_;

    std::mutex round_mutex_;    // one round at a time
    mutable std::mutex mutex_;  // guards what the parts remember
    std::vector<std::unique_ptr<Part>> parts_;
    std::condition_variable_any wake_;
    std::jthread thread_;
};

// The rule for the pool as a whole.
HealthState overall_health(const std::vector<PartHealth>& parts);

}  // namespace adit::manager
