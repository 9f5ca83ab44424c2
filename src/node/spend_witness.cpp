#include "node/spend_witness.h"

#include "node/chain_info.h"
#include "node/json.h"
#include "node/wallet_errors.h"

#include <algorithm>

namespace adit::node {
namespace {

using Seen = std::expected<void, std::string>;

std::unexpected<std::string> no(std::string why) {
    return std::unexpected(std::move(why));
}

// What is to be seen.
struct Spend {
    chain::OutPoint outpoint;
    chain::Hash256 txid;
    chain::Hash256 block;
    std::int32_t min_confirmations = 1;
};

// The node is on the chain, whole, and the block lies deep enough in its best chain. A block that
// is only beside it is not enough, also where a node counts confirmations there (bcoin): the node
// must name it at its height.
Seen in_best_chain(RpcClient& client, chain::Network network, const Spend& spend, int timeout_ms) {
    const auto info = ask_chain_info(client, network, timeout_ms);
    if (!info) return no(info.error().message);
    if (!info->right_chain) {
        return no(
            fmt::format("it is on chain \"{}\"; take it out of the configuration", info->chain));
    }
    if (!info->synced) {
        return no(fmt::format("it is synchronising and has {} of {} blocks; wait for it",
                              info->blocks, info->headers));
    }
    const auto hash = spend.block.rpc_hex();
    const auto reply = client.call("getblockheader", fmt::format(R"(["{}",true])", hash));
    if (!reply) {
        if (is_code(reply.error(), rpc_error::kInvalidAddressOrKey)) {
            return no(fmt::format("it does not know block {}", hash));
        }
        return no(reply.error().message);
    }
    const auto depth = json_int(reply->result(), "confirmations");
    const auto height = json_int(reply->result(), "height");
    if (!depth || !height || *height < 0 || *height > INT32_MAX) {
        return no("its answer to getblockheader has no confirmations and height");
    }
    if (*depth < 1 || *height > info->blocks) {
        return no(fmt::format("block {} is not in its best chain", hash));
    }
    const auto confirmations = std::min<std::int64_t>(*depth, info->blocks - *height + 1);
    if (confirmations < spend.min_confirmations) {
        return no(fmt::format("it has block {} only {} deep instead of {}; wait for more blocks",
                              hash, confirmations, spend.min_confirmations));
    }
    const auto there = ask_hash(client, static_cast<std::int32_t>(*height), timeout_ms);
    if (!there) return no(there.error().message);
    if (*there != spend.block) return no(fmt::format("block {} is not in its best chain", hash));
    return {};
}

std::expected<chain::Block, std::string> raw_block(RpcClient& client, const chain::Hash256& hash) {
    // A number for Bitcoin Core and what follows it; bcoin reads 0 as false.
    const auto reply = client.call("getblock", fmt::format(R"(["{}",0])", hash.rpc_hex()));
    if (!reply) {
        const auto& error = reply.error();
        if (error.message.find("pruned") != std::string::npos) {
            return no(
                fmt::format("it has pruned block {}; prune less there, or take the node out "
                            "of the configuration ({})",
                            hash.rpc_hex(), error.message));
        }
        return no(error.message);
    }
    std::string_view hex;
    if (reply->result().get(hex) != simdjson::SUCCESS) return no("its getblock gave no hex");
    const auto bytes = base::from_hex(hex);
    if (!bytes) return no("its getblock gave no hex");
    auto block = chain::parse_block(*bytes);
    if (!block) {
        return no(fmt::format("its getblock gave no block ({})", chain::describe(block.error())));
    }
    return *std::move(block);
}

// The block proves itself: its header hashes to the block's hash and meets its target, and its
// transactions to the header's root.
Seen holds_spend(const chain::Block& block, const Spend& spend) {
    const auto hash = block.header.hash();
    const auto target = chain::target_from_compact(block.header.bits);
    if (hash != spend.block || !target || !target->met_by(hash)) {
        return no(fmt::format("its getblock gave another block than {}", spend.block.rpc_hex()));
    }
    std::vector<chain::Hash256> ids;
    const chain::Transaction* spender = nullptr;
    for (const auto& transaction : block.transactions) {
        ids.push_back(transaction.txid());
        if (ids.back() == spend.txid) spender = &transaction;
    }
    bool mutated = false;
    if (chain::merkle_root(std::move(ids), &mutated) != block.header.merkle_root || mutated) {
        return no(fmt::format("the transactions that it gives are not those of block {}",
                              spend.block.rpc_hex()));
    }
    if (spender == nullptr) {
        return no(fmt::format("transaction {} is not in block {}", spend.txid.rpc_hex(),
                              spend.block.rpc_hex()));
    }
    if (std::ranges::find(spender->inputs, spend.outpoint, &chain::TxInput::previous) ==
        spender->inputs.end()) {
        return no(fmt::format("transaction {} does not spend output {}:{}", spend.txid.rpc_hex(),
                              spend.outpoint.txid.rpc_hex(), spend.outpoint.index));
    }
    return {};
}

Seen has_seen(const NodeSettings& node, chain::Network network, const Spend& spend,
              int timeout_ms) {
    RpcLimits limits;
    limits.timeout_ms = timeout_ms;
    RpcClient client(node, limits);
    if (auto in_chain = in_best_chain(client, network, spend, timeout_ms); !in_chain) {
        return in_chain;
    }
    const auto block = raw_block(client, spend.block);
    if (!block) return no(block.error());
    return holds_spend(*block, spend);
}

}  // namespace

ChainWitness::ChainWitness(std::vector<NodeSettings> nodes, chain::Network network, int timeout_ms)
    : network_(network), timeout_ms_(timeout_ms), nodes_(std::move(nodes)) {}

void ChainWitness::set_nodes(std::vector<NodeSettings> nodes) {
    const std::lock_guard lock(mutex_);
    nodes_ = std::move(nodes);
}

std::expected<void, std::string> ChainWitness::all_have_seen(const chain::OutPoint& outpoint,
                                                             const chain::Hash256& txid,
                                                             const chain::Hash256& block,
                                                             std::int32_t min_confirmations) {
    std::vector<NodeSettings> nodes;
    {
        const std::lock_guard lock(mutex_);
        nodes = nodes_;
    }
    if (nodes.empty()) return no("there is no node that could be asked");
    const Spend spend{outpoint, txid, block, std::max(min_confirmations, 1)};
    for (const auto& node : nodes) {
        if (const auto seen = has_seen(node, network_, spend, timeout_ms_); !seen) {
            return no(fmt::format("node {}: {}", node.label(), seen.error()));
        }
    }
    return {};
}

}  // namespace adit::node
