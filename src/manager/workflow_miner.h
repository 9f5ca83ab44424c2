// The workflow's miner for real: one Stratum connection to a listener of the pool, one hashing
// thread, and a gate between them that lets through no more shares than were ordered. Owned and
// called by the workflow's thread; has a thread for the connection and one for hashing.
#pragma once

#include "manager/workflow.h"

namespace adit::manager {

struct WorkflowMinerSettings {
    std::string listener;  // bound; "0.0.0.0:3333" is tried as 127.0.0.1
    bool tls = false;
    bool proxy_protocol = false;
    std::string user;
};

// Throws std::exception when TLS cannot be set up.
std::unique_ptr<WorkflowMiner> stratum_workflow_miner(const WorkflowMinerSettings& settings,
                                                      const base::Clock& clock);

}  // namespace adit::manager
