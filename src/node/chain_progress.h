// Where the chain stands within its difficulty period, as the first node that answers says. Blocks
// the calling thread for seconds at most, or until the token ends it.
#pragma once

#include "chain/network.h"
#include "metrics/forecast_models.h"
#include "node/node_settings.h"

#include <optional>
#include <stop_token>
#include <vector>

namespace adit::node {

// nullopt: no node answers, or the chain has no periods (regtest).
std::optional<metrics::ChainProgress> chain_progress(const std::vector<NodeSettings>& nodes,
                                                     chain::Network network, std::stop_token stop);

}  // namespace adit::node
