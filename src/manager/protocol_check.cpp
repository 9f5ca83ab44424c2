#include "manager/protocol_check.h"

#include "manager/protocol_talk.h"
#include "net/metrics.h"
#include "stratum/shard.h"

namespace adit::manager {

std::string_view name_of(StepVerdict verdict) {
    switch (verdict) {
        case StepVerdict::conforms:
            return "conforms";
        case StepVerdict::violates:
            return "violates";
        case StepVerdict::not_tried:
            return "not_tried";
    }
    return "not_tried";
}

ConnectionCounts connection_counts(const stratum::ServerSnapshot& now, std::uint64_t limit,
                                   metrics::Registry& registry) {
    using net::CloseReason;
    using net::RefuseReason;
    net::Metrics net(registry);  // the server's own: names are unique
    const stratum::ServerMetrics stratum(registry);
    ConnectionCounts counts;
    counts.connections = now.connections;
    counts.subscribed = now.subscribed;
    counts.authorized = now.authorized;
    counts.limit = limit;
    counts.turned_away_full = net.refused(RefuseReason::max_connections).value();
    counts.turned_away_address = net.refused(RefuseReason::per_address).value();
    counts.turned_away_banned = net.refused(RefuseReason::filtered).value();
    // TLS and PROXY handshakes that never end are known to net alone.
    counts.reaped_idle = stratum.reaped_idle.value();
    counts.reaped_half_open = net.closes(CloseReason::timeout).value() - counts.reaped_idle;
    counts.reaped_dead = net.closes(CloseReason::reset).value();
    counts.reaped_not_reading = net.closes(CloseReason::output_limit).value();
    counts.handshakes_failed = net.closes(CloseReason::handshake_failed).value();
    counts.bans = net.closes(CloseReason::banned).value();
    return counts;
}

std::size_t ProtocolReport::violations() const {
    std::size_t sum = 0;
    for (const auto& listener : listeners)
        sum += listener.violations.size();
    return sum;
}

Outcome<ProtocolReport> check_protocol(const std::vector<ProbedListener>& listeners,
                                       const ProtocolCheckSettings& settings,
                                       const std::function<ConnectionCounts()>& counts,
                                       const CallLimits& limits, const base::Clock& clock) {
    const Stopwatch watch(clock);
    ProtocolReport report;
    report.at_ms = clock.wall_ms();
    report.counts = counts();
    const auto turned_away = [](std::string_view address) {
        return std::unexpected(OperationRefusal{
            RefusalKind::unavailable,
            fmt::format("{} turned the check away as it turns away any miner now, because a limit "
                        "is reached; raise limits.miners or limits.per_ip, or add an instance",
                        address)});
    };
    for (const auto& listener : listeners) {
        const auto before = counts();
        if (before.connections >= before.limit) return turned_away(listener.address);
        auto checked = check_listener(listener, settings, limits, clock);
        if (!checked) return std::unexpected(std::move(checked.error()));
        if (!checked->was_answered && counts().turned_away() > before.turned_away()) {
            return turned_away(listener.address);
        }
        report.listeners.push_back(std::move(*checked));
    }
    report.took_ms = watch.ms();
    return report;
}

}  // namespace adit::manager
