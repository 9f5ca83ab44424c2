// The operations of the pool manager, as far as they are more than asking one part.
#include "manager/own_listener.h"
#include "manager/pool_manager_parts.h"

namespace adit::manager {

Outcome<ProtocolReport> PoolManager::Parts::check_protocol(const CallLimits& limits) {
    if (const auto runs = require_running(); !runs) return std::unexpected(runs.error());
    const std::unique_lock alone(protocol_mutex, std::try_to_lock);
    if (!alone) {
        return std::unexpected(OperationRefusal{
            RefusalKind::unavailable, "a protocol check runs already; ask again when it is done"});
    }
    ProtocolCheckSettings settings;
    settings.name = fmt::format("{}.{}", config.pool.address, kCheckWorker);
    auto report = manager::check_protocol(
        own_listeners(config, server->addresses()), settings,
        [this] {
            return connection_counts(server->sweep(),
                                     server->budget().counts(clock.steady_ms()).max, registry);
        },
        limits, clock);
    // A pool that ends meanwhile closes connections, and rightly so.
    if (const auto runs = require_running(); !runs) return std::unexpected(runs.error());
    return report;
}

Outcome<ProtocolReport> PoolManager::coordinate_stratum_protocol(const CallLimits& limits) {
    return parts_->check_protocol(limits);
}

Outcome<HealthReport> PoolManager::coordinate_component_health_check(const CallLimits& limits) {
    if (const auto runs = parts_->require_running(); !runs) return std::unexpected(runs.error());
    return parts_->health->check(limits);
}

Outcome<MetricsReport> PoolManager::coordinate_real_time_metrics(const MetricsQuery& query) const {
    if (const auto runs = parts_->require_running(); !runs) return std::unexpected(runs.error());
    return parts_->metrics->report(query);
}

Outcome<AdmissionReport> PoolManager::coordinate_concurrent_miners(const AdmissionRequest& request,
                                                                   const CallLimits& limits) {
    if (const auto runs = parts_->require_running(); !runs) return std::unexpected(runs.error());
    if (limits.stop.stop_requested()) {
        return std::unexpected(OperationRefusal{RefusalKind::cancelled, "the call was broken off"});
    }
    if (parts_->clock.steady_ms() >= limits.deadline_ms) {
        return std::unexpected(OperationRefusal{RefusalKind::deadline, "the time was up"});
    }
    return parts_->admission->answer(request);
}

Outcome<WorkflowReport> PoolManager::execute_complete_mining_workflow(
    const WorkflowRequest& request, const CallLimits& limits) {
    if (const auto runs = parts_->require_running(); !runs) return std::unexpected(runs.error());
    return parts_->workflows->run(request, limits);
}

Outcome<WorkflowReport> PoolManager::begin_workflow(const WorkflowRequest& request,
                                                    std::int64_t limit_ms) {
    if (const auto runs = parts_->require_running(); !runs) return std::unexpected(runs.error());
    return parts_->workflows->begin(request, limit_ms);
}

Outcome<WorkflowReport> PoolManager::workflow_report(std::uint64_t run) const {
    if (const auto runs = parts_->require_running(); !runs) return std::unexpected(runs.error());
    return parts_->workflows->report(run);
}

Outcome<WorkflowReport> PoolManager::cancel_workflow(std::uint64_t run) {
    if (const auto runs = parts_->require_running(); !runs) return std::unexpected(runs.error());
    return parts_->workflows->cancel(run);
}

Outcome<HealthReport> PoolManager::health() const {
    if (const auto runs = parts_->require_running(); !runs) return std::unexpected(runs.error());
    return parts_->health->report();
}

}  // namespace adit::manager
