#include "manager/control_params.h"

#include <fmt/format.h>

namespace adit::manager {

std::optional<chain::Hash256> ControlParams::hash(std::string_view key) {
    constexpr std::size_t kHexDigits = 64;
    const auto hex = optional_text(key, kHexDigits);
    if (!hex) return std::nullopt;
    auto hash = chain::Hash256::from_rpc_hex(*hex);
    if (!hash) refuse(fmt::format("\"{}\" must be a transaction id of 64 hex digits", key));
    return hash;
}

}  // namespace adit::manager
