// The mining workflow put together from the running pool's parts. Internal to the manager.
#pragma once

#include "manager/config.h"
#include "manager/own_listener.h"
#include "manager/workflow_desk.h"
#include "manager/workflow_pool.h"

namespace adit::manager {

// What a miner is told when the limit of connections is reached.
std::string connections_used_up(std::size_t most);

// Who a run's miner is: the account's one spelling, and the worker.
struct WorkflowNames {
    std::string account;
    std::string worker;
};
Outcome<WorkflowNames> workflow_names(const std::string& user, const PoolConfig& pool);

// The listener that is easiest to reach: plain TCP without a PROXY header, if there is one.
// `listeners` is not empty.
const ProbedListener& easiest_listener(const std::vector<ProbedListener>& listeners);

// What is in the sources and the clock outlive the work.
WorkflowDesk::Work workflow_work(WorkflowSources sources, std::vector<ProbedListener> listeners,
                                 PoolConfig pool, const base::Clock& clock);

}  // namespace adit::manager
