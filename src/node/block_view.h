// What one node says of one block, in calls, for ledger::decide_block. Functions use the given
// client and block like it.
#pragma once

#include "ledger/block_rules.h"
#include "node/chain_info.h"

namespace adit::node {

// A view without an answer: what is known of the node before a block is asked about.
ledger::NodeView view_of_chain(const std::string& node, const ChainInfo& info);
ledger::NodeView view_of_trouble(const std::string& node, const RpcError& error);

// Completes a view with what the node says of this block: getblockheader HASH true, getblockhash,
// and getblockheader of a rival. Being in the best chain takes both the confirmations and the
// block's hash at its height (bcoin counts confirmations on side branches too), and depths are the
// lesser of what the node says directly and what follows from its height. A node that contradicts
// itself, also because its chain changed between two answers, has not answered.
std::expected<ledger::NodeView, RpcError> ask_view(RpcClient& client, ledger::NodeView view,
                                                   const chain::Hash256& hash, std::int32_t height,
                                                   int timeout_ms);

}  // namespace adit::node
