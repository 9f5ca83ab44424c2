// What a node says of its chain: getblockchaininfo checked and reduced to what the pool decides on,
// and the few other calls about single blocks. Functions use the given client and block like it.
#pragma once

#include "base/u256.h"
#include "chain/block.h"
#include "chain/network.h"
#include "node/rpc_client.h"

#include <expected>
#include <string>

namespace adit::node {

// The best block of a node.
struct Tip {
    chain::Hash256 hash;
    std::int32_t height = -1;
    base::U256 chainwork;           // zero when the node does not say (btcd)
    std::uint32_t median_time = 0;  // seconds, of the last 11 blocks (BIP113)
    chain::BlockHeader header;

    bool known() const { return height >= 0; }
    // More work than other; by height when one of the two does not say its work.
    bool beats(const Tip& other) const;
};

struct ChainInfo {
    std::string chain;         // as the node calls it
    bool right_chain = false;  // it is the configured network
    std::int32_t blocks = 0;
    std::int32_t headers = 0;
    chain::Hash256 best;
    base::U256 chainwork;
    std::uint32_t median_time = 0;
    bool initial_download = false;
    // Not downloading the chain and at most two blocks behind its own headers. On regtest
    // initialblockdownload is ignored, since it stays true there while blocks are old. A node that
    // does not say whether it is downloading (bcoin) is when verificationprogress is below 0.999.
    bool synced = false;
};

// getblockchaininfo. Absurd or missing fields are RpcErrorKind::malformed.
std::expected<ChainInfo, RpcError> ask_chain_info(RpcClient& client, chain::Network network,
                                                  int timeout_ms);
// getblockheader: the header of a block the node knows, checked against its hash and its target.
std::expected<chain::BlockHeader, RpcError> ask_header(RpcClient& client,
                                                       const chain::Hash256& hash, int timeout_ms);
// The height of a block as its own coinbase proves it (BIP34): getblock with the whole block,
// checked against its hash and merkle root. 0 for the genesis block, without asking. malformed when
// the block proves nothing (version 1, or no height in its coinbase).
std::expected<std::int32_t, RpcError> ask_proven_height(RpcClient& client, chain::Network network,
                                                        const chain::Hash256& hash, int timeout_ms);
// getblockhash: the block of the node's best chain at this height.
std::expected<chain::Hash256, RpcError> ask_hash(RpcClient& client, std::int32_t height,
                                                 int timeout_ms);

}  // namespace adit::node
