// The workflow's report and request as machines see them (docs/manager.md). Pure.
#pragma once

#include "base/json_fields.h"
#include "manager/workflow.h"

#include <string>

namespace adit::manager {

std::string workflow_json(const WorkflowReport& report);
// From the fields "user", "shares" and "block" of a request; faults are left to fields.finish().
WorkflowRequest workflow_request(base::JsonFields& fields);

}  // namespace adit::manager
