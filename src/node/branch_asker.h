// Which blocks lie on the branch that ends in a given tip: asks the nodes, in their order, for the
// hashes at some heights, and believes the first one that has this tip as its best block both
// before and after it was asked. Used by one thread at a time; cancel() from any.
#pragma once

#include "chain/hash.h"
#include "chain/network.h"
#include "metrics/registry.h"
#include "node/node_settings.h"
#include "node/rpc_client.h"

#include <map>
#include <memory>
#include <set>
#include <vector>

namespace adit::node {

class BranchAsker {
 public:
    BranchAsker(chain::Network network, const std::vector<NodeSettings>& nodes,
                metrics::Registry& registry, int timeout_ms = 5'000);

    // The hashes at these heights, which must not be above the tip's. The error is a sentence: no
    // node has this tip as its best block at present, or one that has it did not answer.
    std::expected<std::map<std::int32_t, chain::Hash256>, std::string> hashes(
        const chain::Hash256& tip, const std::set<std::int32_t>& heights);

    // Ends the call under way and makes later ones fail.
    void cancel();

 private:
    using Hashes = std::map<std::int32_t, chain::Hash256>;
    std::expected<Hashes, RpcError> ask(RpcClient& client, const chain::Hash256& tip,
                                        const std::set<std::int32_t>& heights);
    std::expected<void, RpcError> expect_tip(RpcClient& client, const chain::Hash256& tip);

    chain::Network network_;
    int timeout_ms_;
    std::vector<std::unique_ptr<RpcMetrics>> metrics_;
    std::vector<std::unique_ptr<RpcClient>> clients_;
};

}  // namespace adit::node
