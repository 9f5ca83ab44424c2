#include "manager/operation_table.h"

#include "manager/admission_json.h"
#include "manager/manager_json.h"
#include "manager/pool_manager.h"
#include "manager/protocol_json.h"
#include "manager/workflow_json.h"

namespace adit::manager {
namespace {

// A call whose parameters are good, and what its result is as JSON.
template <class Result>
Outcome<std::string> json_of(const Outcome<Result>& outcome,
                             std::string (*as_json)(const Result&)) {
    if (!outcome) return std::unexpected(outcome.error());
    return as_json(*outcome);
}

// The first fault of the parameters, as a refusal.
std::optional<OperationRefusal> refusal_of(base::JsonFields& fields) {
    auto fault = fields.finish();
    if (!fault) return std::nullopt;
    return OperationRefusal{RefusalKind::bad_request, std::move(*fault)};
}

constexpr std::string_view kParameter = "parameter of this operation";

Outcome<std::string> health(PoolManager& pool, const std::string& params,
                            const CallLimits& limits) {
    base::JsonFields fields(params, kParameter);
    const bool cached = fields.flag("cached");
    if (auto refusal = refusal_of(fields)) return std::unexpected(std::move(*refusal));
    return json_of(cached ? pool.health() : pool.coordinate_component_health_check(limits),
                   health_json);
}

Outcome<std::string> metrics(PoolManager& pool, const std::string& params, const CallLimits&) {
    base::JsonFields fields(params, kParameter);
    const auto query = metrics_query(fields);
    if (auto refusal = refusal_of(fields)) return std::unexpected(std::move(*refusal));
    return json_of(pool.coordinate_real_time_metrics(query), metrics_json);
}

Outcome<std::string> protocol(PoolManager& pool, const std::string& params,
                              const CallLimits& limits) {
    base::JsonFields fields(params, kParameter);
    if (auto refusal = refusal_of(fields)) return std::unexpected(std::move(*refusal));
    return json_of(pool.coordinate_stratum_protocol(limits), protocol_json);
}

template <AdmissionRequest (*read)(base::JsonFields&)>
Outcome<std::string> miners(PoolManager& pool, const std::string& params,
                            const CallLimits& limits) {
    base::JsonFields fields(params, kParameter);
    const auto request = read(fields);
    if (auto refusal = refusal_of(fields)) return std::unexpected(std::move(*refusal));
    return json_of(pool.coordinate_concurrent_miners(request, limits), admission_json);
}

constexpr std::int64_t kWorkflowS = 60;  // most that a workflow takes when nobody names a time
constexpr std::int64_t kBlockWorkflowS = 300;
constexpr std::int64_t kMostWorkflowS = 86'400;

// Begins it and answers at once: others shall not wait for a miner.
Outcome<std::string> workflow(PoolManager& pool, const std::string& params, const CallLimits&) {
    base::JsonFields fields(params, kParameter);
    const auto wanted = workflow_request(fields);
    const auto limit_s = fields.integer("limit_s", 1, kMostWorkflowS)
                             .value_or(wanted.block ? kBlockWorkflowS : kWorkflowS);
    if (auto refusal = refusal_of(fields)) return std::unexpected(std::move(*refusal));
    return json_of(pool.begin_workflow(wanted, limit_s * 1'000), workflow_json);
}

Outcome<std::uint64_t> run_of(const std::string& params) {
    base::JsonFields fields(params, kParameter);
    fields.require("run");
    const auto run = fields.integer("run", 1, INT64_MAX);
    if (auto refusal = refusal_of(fields)) return std::unexpected(std::move(*refusal));
    return static_cast<std::uint64_t>(*run);
}

Outcome<std::string> workflow_report(PoolManager& pool, const std::string& params,
                                     const CallLimits&) {
    const auto run = run_of(params);
    if (!run) return std::unexpected(run.error());
    return json_of(pool.workflow_report(*run), workflow_json);
}

Outcome<std::string> workflow_cancel(PoolManager& pool, const std::string& params,
                                     const CallLimits&) {
    const auto run = run_of(params);
    if (!run) return std::unexpected(run.error());
    return json_of(pool.cancel_workflow(*run), workflow_json);
}

}  // namespace

std::vector<Operation> operations_of(PoolManager& pool) {
    using Work = Outcome<std::string> (*)(PoolManager&, const std::string&, const CallLimits&);
    std::vector<Operation> table;
    const auto add = [&](const char* name, const char* summary, Work work) {
        table.push_back(
            {name, summary, [&pool, work](const std::string& params, const CallLimits& limits) {
                 return work(pool, params, limits);
             }});
    };
    add("health", "Probes every part by a small real piece of its work", health);
    add("metrics", "Metrics with rates and history, active alerts, forecasts", metrics);
    add("protocol", "Checks the Stratum protocol on every listener", protocol);
    add("miners", "Says whether so many miners have room, and what binds",
        miners<admission_request>);
    add("reserve", "Holds room for expected miners", miners<reserve_request>);
    add("release", "Gives such room back", miners<release_request>);
    add("workflow", "Mines as a miner does and follows the shares; answers with the run's number",
        workflow);
    add("workflow.report", "How far a run has come", workflow_report);
    table.back().often = true;
    add("workflow.cancel", "Ends a run", workflow_cancel);
    return table;
}

}  // namespace adit::manager
