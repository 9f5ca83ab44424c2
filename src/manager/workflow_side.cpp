#include "manager/workflow_side.h"

#include "manager/workflow_miner.h"
#include "stratum/worker_name.h"

namespace adit::manager {

std::string connections_used_up(std::size_t most) {
    return fmt::format(
        "the limit of connections is reached (limits.miners = {}); raise it, or add an instance",
        most);
}

Outcome<WorkflowNames> workflow_names(const std::string& user, const PoolConfig& pool) {
    const auto name =
        stratum::parse_worker_name(user.empty() ? pool.address : user, chain::params(pool.chain));
    if (!name) {
        return std::unexpected(OperationRefusal{
            RefusalKind::bad_request,
            fmt::format("\"{}\" is no name to mine under: {}", user, name.error())});
    }
    return WorkflowNames{name->account,
                         name->worker.empty() ? std::string(Workflow::kWorker) : name->worker};
}

const ProbedListener& easiest_listener(const std::vector<ProbedListener>& listeners) {
    return *std::ranges::min_element(listeners, {}, [](const ProbedListener& listener) {
        return (listener.tls ? 2 : 0) + (listener.proxy_protocol ? 1 : 0);
    });
}

WorkflowDesk::Work workflow_work(WorkflowSources sources, std::vector<ProbedListener> listeners,
                                 PoolConfig pool, const base::Clock& clock) {
    const auto view = std::make_shared<LiveWorkflowPool>(std::move(sources), clock);
    return [view, listener = easiest_listener(listeners), pool = std::move(pool), &clock](
               const WorkflowRequest& request, const CallLimits& limits,
               const Workflow::Progress& progress) -> Outcome<WorkflowReport> {
        const auto names = workflow_names(request.user, pool);
        if (!names) return std::unexpected(names.error());
        if (request.shares == 0 || request.shares > WorkflowRequest::kMostShares) {
            return std::unexpected(OperationRefusal{
                RefusalKind::bad_request,
                fmt::format("1 to {} shares can be asked for", WorkflowRequest::kMostShares)});
        }
        WorkflowMinerSettings settings;
        settings.listener = listener.address;
        settings.tls = listener.tls;
        settings.proxy_protocol = listener.proxy_protocol;
        settings.user = fmt::format("{}.{}", names->account, names->worker);
        Workflow workflow(request, names->account, names->worker,
                          stratum_workflow_miner(settings, clock), *view, clock, progress);
        return workflow.run(limits);
    };
}

}  // namespace adit::manager
