// The outputs of a transaction as JSON-RPC names them. Pure.
#pragma once

#include "sim/rpc_params.h"

namespace adit::sim {

// [{"ADDRESS": amount}, ..., {"data": "HEX"}], or one object of the same (whose order is that of
// the addresses, not the caller's).
RpcFailure read_outputs(const nlohmann::json& value, std::vector<chain::TxOutput>& outputs);

}  // namespace adit::sim
