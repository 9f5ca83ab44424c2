// The results of the pool manager's operations as machines see them: JSON as compact text, the same
// over REST, the control socket and with --json of `adit manager`. Times are milliseconds. Pure.
#pragma once

#include "manager/health.h"

#include <string>

namespace adit::manager {

std::string health_json(const HealthReport& report);
// {"error":{"code":"wrong_state","message":"..."}}
std::string refusal_json(const OperationRefusal& refusal);

}  // namespace adit::manager
