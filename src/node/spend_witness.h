// What every configured node says about a transaction that spends an outpoint, as
// ledger::SpendWitness: decided by the raw block that each of them gives, not by what they say of
// it. all_have_seen() blocks on the nodes, one after the other, over connections of its own. Both
// functions may be called from any thread.
#pragma once

#include "chain/network.h"
#include "ledger/wallet.h"
#include "node/node_settings.h"

#include <mutex>
#include <vector>

namespace adit::node {

class ChainWitness final : public ledger::SpendWitness {
 public:
    // timeout_ms: of each call of a node.
    ChainWitness(std::vector<NodeSettings> nodes, chain::Network network, int timeout_ms = 30'000);

    // Which nodes are asked from the next call on. With none, nothing has ever been seen.
    void set_nodes(std::vector<NodeSettings> nodes);

    std::expected<void, std::string> all_have_seen(const chain::OutPoint& outpoint,
                                                   const chain::Hash256& txid,
                                                   const chain::Hash256& block,
                                                   std::int32_t min_confirmations) override;

 private:
    const chain::Network network_;
    const int timeout_ms_;
    std::mutex mutex_;
    std::vector<NodeSettings> nodes_;
};

}  // namespace adit::node
