// The coinbase of a block of the chain, proven: what a node answers is believed only when it hashes
// up to the merkle root in the block's own header. Functions use the given client and block like
// it.
#pragma once

#include "chain/amount.h"
#include "chain/block.h"
#include "node/rpc_client.h"

#include <expected>

namespace adit::node {

struct BlockCoinbase {
    base::Bytes raw;  // serialised, as the node gave it
    chain::Transaction transaction;
};

// `header` is the block's, checked against its hash (ask_header). Asks for the list of ids and the
// transaction alone where the node can give a transaction by its block (Bitcoin Core; 200 KB a
// block on the main chain), else for the whole block (4 MB). `by_id` is whether to try the former;
// it becomes false when the node cannot. Answers that prove nothing are RpcErrorKind::malformed.
std::expected<BlockCoinbase, RpcError> ask_coinbase(RpcClient& client, const chain::Hash256& hash,
                                                    const chain::BlockHeader& header, bool& by_id,
                                                    int timeout_ms);

// The sum of all outputs; nullopt when an output or the sum is no amount.
std::optional<chain::Amount> value_of(const chain::Transaction& coinbase);

}  // namespace adit::node
