// The pool manager's operations by name, so that the control socket, REST and the command line all
// do the same. Values; what they call outlives them.
#pragma once

#include "manager/operation.h"

#include <functional>
#include <string>
#include <vector>

namespace adit::manager {

class PoolManager;

struct Operation {
    // "workflow.report": manager.workflow.report of the control socket, and
    // /api/v1/manager/workflow/report.
    std::string name;
    std::string summary;  // one sentence
    // Parameters and result are JSON as text; blocks until done or the limits end it.
    std::function<Outcome<std::string>(const std::string& params, const CallLimits&)> run;
    bool often = false;  // asked several times a second: leaves no line in the log
};

std::vector<Operation> operations_of(PoolManager& pool);

}  // namespace adit::manager
