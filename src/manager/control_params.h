// The parameters of a control request, read strictly (base/json_fields.h). Values; used by one
// thread.
#pragma once

#include "base/json_fields.h"
#include "chain/hash.h"

#include <optional>
#include <string_view>

namespace adit::manager {

class ControlParams : public base::JsonFields {
 public:
    // A JSON object as text.
    explicit ControlParams(std::string_view json)
        : base::JsonFields(json, "parameter of this method") {}

    // nullopt: not there, or no good.
    std::optional<chain::Hash256> hash(std::string_view key);
};

}  // namespace adit::manager
