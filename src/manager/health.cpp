#include "manager/health.h"

#include <algorithm>

namespace adit::manager {

std::string_view name_of(HealthState state) {
    switch (state) {
        case HealthState::healthy:
            return "healthy";
        case HealthState::degraded:
            return "degraded";
        case HealthState::unhealthy:
            return "unhealthy";
        case HealthState::unknown:
            return "unknown";
    }
    return "unknown";
}

HealthState overall_health(const std::vector<PartHealth>& parts) {
    auto overall = HealthState::healthy;
    for (const auto& part : parts) {
        if (part.vital && part.state == HealthState::unhealthy) return HealthState::unhealthy;
        if (part.state != HealthState::healthy) overall = HealthState::degraded;
    }
    return overall;
}

// One part and what its probes have shown. Guarded by the monitor's mutex, but for the probe
// itself.
struct HealthMonitor::Part {
    struct Recent {
        bool failed = false;
        bool slow = false;
    };

    Part(std::unique_ptr<Probe> its_probe, metrics::Registry& registry)
        : probe(std::move(its_probe)),
          labels{{"part", std::string(probe->part())}},
          took(registry.histogram("adit_health_probe_ms", "How long probes of a part took.",
                                  metrics::latency_bounds_ms(), labels)),
          failures(registry.counter("adit_health_probe_failures_total",
                                    "Probes of a part that failed.", labels)),
          state(registry.gauge("adit_health_part",
                               "0 healthy, 1 degraded, 2 unhealthy, 3 not probed yet.", labels)) {
        state.set(static_cast<double>(HealthState::unknown));
    }

    const std::unique_ptr<Probe> probe;
    const metrics::Labels labels;
    metrics::Histogram& took;
    metrics::Counter& failures;
    metrics::Gauge& state;
    std::deque<Recent> recent;  // the newest last
    ProbeOutcome last;
    double last_ms = 0;
    std::int64_t probed_ms = 0;
    std::string last_error;
    std::int64_t last_error_ms = 0;
};

HealthMonitor::HealthMonitor(std::vector<std::unique_ptr<Probe>> probes, HealthSettings settings,
                             metrics::Registry& registry, const base::Clock& clock,
                             base::Logger& logger)
    : settings_(settings),
      clock_(clock),
      logger_(logger),
      overall_(registry.gauge("adit_health", "The pool: 0 healthy, 1 degraded, 2 unhealthy.")) {
    for (auto& probe : probes)
        parts_.push_back(std::make_unique<Part>(std::move(probe), registry));
    overall_.set(static_cast<double>(overall_health(report().parts)));
}

HealthMonitor::~HealthMonitor() {
    stop();
}

void HealthMonitor::start() {
    thread_ = std::jthread([this](std::stop_token stop) { loop(std::move(stop)); });
}

void HealthMonitor::stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

void HealthMonitor::loop(std::stop_token stop) {
    while (!stop.stop_requested()) {
        (void)round({INT64_MAX, stop});
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, std::chrono::milliseconds(settings_.interval_ms),
                       [] { return false; });
    }
}

Outcome<void> HealthMonitor::round(const CallLimits& limits) {
    const std::lock_guard one_at_a_time(round_mutex_);
    for (auto& part : parts_) {
        if (limits.stop.stop_requested()) {
            return std::unexpected(
                OperationRefusal{RefusalKind::cancelled, "the health check was broken off"});
        }
        const auto begin_ms = clock_.steady_ms();
        if (begin_ms >= limits.deadline_ms) {
            return std::unexpected(OperationRefusal{
                RefusalKind::deadline,
                fmt::format("the time was up before \"{}\" could be probed", part->probe->part())});
        }
        const auto begin_ns = clock_.steady_ns();
        const auto most_ms = std::min(limits.deadline_ms - begin_ms, settings_.probe_limit_ms);
        const auto outcome = part->probe->run({begin_ms + most_ms, limits.stop});
        // What was broken off says nothing about the part.
        if (limits.stop.stop_requested()) continue;
        note(*part, outcome, static_cast<double>(clock_.steady_ns() - begin_ns) * 1e-6);
    }
    overall_.set(static_cast<double>(report().state));
    return {};
}

void HealthMonitor::note(Part& part, const ProbeOutcome& outcome, double took_ms) {
    const std::lock_guard lock(mutex_);
    const auto before = judge(part);
    const bool failed = !outcome.error.empty();
    part.took.observe(took_ms);
    part.last = outcome;
    part.last_ms = took_ms;
    part.probed_ms = clock_.wall_ms();
    if (failed) {
        part.failures.add();
        part.last_error = outcome.error;
        part.last_error_ms = part.probed_ms;
    }
    part.recent.push_back({failed, took_ms > part.probe->slow_ms()});
    if (part.recent.size() > kRecent) part.recent.pop_front();
    const auto after = judge(part);
    part.state.set(static_cast<double>(after));
    if (before == after || (before == HealthState::unknown && after == HealthState::healthy))
        return;
    const auto health = health_of(part);
    if (after == HealthState::healthy) {
        logger_.info("health", "well again", {{"part", health.part}});
    } else {
        logger_.warning("health", "a part is not well",
                        {{"part", health.part},
                         {"state", name_of(after)},
                         {"recommendation", health.recommendation}});
    }
}

HealthState HealthMonitor::judge(const Part& part) const {
    const auto& recent = part.recent;
    if (recent.empty()) return HealthState::unknown;
    const auto row = std::min(kFailuresInRow, recent.size());
    const auto newest =
        std::ranges::subrange(recent.end() - static_cast<std::ptrdiff_t>(row), recent.end());
    const bool all_failed = std::ranges::all_of(newest, &Part::Recent::failed);
    if (all_failed && (row == kFailuresInRow || row == 1)) return HealthState::unhealthy;
    const bool any_slow = std::ranges::any_of(newest, &Part::Recent::slow);
    const bool any_failed = std::ranges::any_of(recent, &Part::Recent::failed);
    if (any_failed || any_slow || !part.last.note.empty()) return HealthState::degraded;
    return HealthState::healthy;
}

PartHealth HealthMonitor::health_of(const Part& part) const {
    PartHealth health;
    health.part = part.probe->part();
    health.state = judge(part);
    health.vital = part.probe->is_vital();
    health.probes = part.took.count();
    health.failures = part.failures.value();
    health.last_ms = part.last_ms;
    health.p50_ms = part.took.quantile(0.5);
    health.p99_ms = part.took.quantile(0.99);
    health.queue_depth = part.last.queue_depth;
    health.last_error = part.last_error;
    health.last_error_ms = part.last_error_ms;
    health.probed_ms = part.probed_ms;
    health.note = part.last.note;
    if (!part.recent.empty()) {
        const auto failed = std::ranges::count_if(part.recent, &Part::Recent::failed);
        health.error_rate = static_cast<double>(failed) / static_cast<double>(part.recent.size());
    }
    if (health.state == HealthState::healthy || health.state == HealthState::unknown) return health;
    const auto& remedy = part.last.remedy;
    if (!part.last.error.empty()) {
        health.recommendation = part.last.error + (remedy.empty() ? "" : "; " + remedy);
    } else if (!part.last.note.empty()) {
        health.recommendation = part.last.note + (remedy.empty() ? "" : "; " + remedy);
    } else if (health.error_rate > 0) {
        health.recommendation =
            fmt::format("works again, but {:.0f} % of the last probes failed: {}",
                        100 * health.error_rate, health.last_error);
    } else {
        health.recommendation = fmt::format(
            "took {:.0f} ms, more than {:.0f} ms; look at the load of this machine "
            "and of its disk",
            health.last_ms, part.probe->slow_ms());
    }
    return health;
}

Outcome<HealthReport> HealthMonitor::check(const CallLimits& limits) {
    if (const auto done = round(limits); !done) return std::unexpected(done.error());
    return report();
}

HealthReport HealthMonitor::report() const {
    HealthReport report;
    report.at_ms = clock_.wall_ms();
    const std::lock_guard lock(mutex_);
    for (const auto& part : parts_)
        report.parts.push_back(health_of(*part));
    report.state = overall_health(report.parts);
    return report;
}

}  // namespace adit::manager
