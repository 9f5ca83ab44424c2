// The results of the pool manager's operations as machines see them: JSON as compact text, the same
// over REST, the control socket and with --json of `adit manager`. Times are milliseconds. Pure.
#pragma once

#include "base/json_fields.h"
#include "manager/health.h"
#include "manager/metrics_desk.h"

#include <string>

namespace adit::manager {

std::string health_json(const HealthReport& report);
std::string metrics_json(const MetricsReport& report);
std::string alert_json(const metrics::AlertEvent& event);
// What to look at, from the fields of a request: "series" (names), "history" ("1s", "1m" or
// "1h"), "from_s" and "to_s". Faults are left to fields.finish().
MetricsQuery metrics_query(base::JsonFields& fields);
// {"error":{"code":"wrong_state","message":"..."}}
std::string refusal_json(const OperationRefusal& refusal);

}  // namespace adit::manager
