// The result of the protocol check as machines see it: compact JSON, as the others in
// manager_json.h. Pure.
#pragma once

#include "manager/protocol_check.h"

#include <string>

namespace adit::manager {

std::string protocol_json(const ProtocolReport& report);

}  // namespace adit::manager
