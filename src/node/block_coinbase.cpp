#include "node/block_coinbase.h"

#include "node/json.h"

namespace adit::node {
namespace {

std::unexpected<RpcError> malformed(std::string what) {
    return std::unexpected(RpcError{RpcErrorKind::malformed, 0, std::move(what)});
}

std::expected<BlockCoinbase, RpcError> parse_coinbase(base::Bytes raw, const chain::Hash256& txid) {
    auto transaction = chain::parse_transaction(raw);
    if (!transaction || !transaction->is_coinbase()) {
        return malformed("the first transaction of a block is no coinbase");
    }
    if (transaction->txid() != txid) {
        return malformed("the node gives another transaction than the block's coinbase");
    }
    return BlockCoinbase{std::move(raw), std::move(*transaction)};
}

// The ids of getblock HASH 1, proven by the header's merkle root; the first is the coinbase's.
std::expected<chain::Hash256, RpcError> first_id(const Json& block,
                                                 const chain::BlockHeader& header) {
    const auto list = json_as<simdjson::dom::array>(block, "tx");
    std::vector<chain::Hash256> ids;
    if (list) {
        for (const auto entry : *list) {
            std::string_view hex;
            const auto id = entry.get(hex) == simdjson::SUCCESS ? chain::Hash256::from_rpc_hex(hex)
                                                                : std::nullopt;
            if (!id) return malformed("getblock gave a list of something else than ids");
            ids.push_back(*id);
        }
    }
    if (ids.empty()) return malformed("getblock gave no list of ids");
    const auto first = ids[0];
    if (chain::merkle_root(std::move(ids)) != header.merkle_root) {
        return malformed("getblock gave ids that are not the block's");
    }
    return first;
}

// nullopt: the node cannot give a transaction by its block.
std::expected<std::optional<BlockCoinbase>, RpcError> ask_by_id(RpcClient& client,
                                                                const chain::Hash256& hash,
                                                                const chain::BlockHeader& header,
                                                                int timeout_ms) {
    const auto ids =
        client.call("getblock", fmt::format(R"(["{}",1])", hash.rpc_hex()), timeout_ms);
    if (!ids) return std::unexpected(ids.error());
    const auto first = first_id(ids->result(), header);
    if (!first) return std::unexpected(first.error());
    const auto raw = client.call(
        "getrawtransaction", fmt::format(R"(["{}",false,"{}"])", first->rpc_hex(), hash.rpc_hex()),
        timeout_ms);
    if (!raw && raw.error().kind != RpcErrorKind::rpc) return std::unexpected(raw.error());
    std::string_view hex;
    if (!raw || raw->result().get(hex) != simdjson::SUCCESS) return std::nullopt;
    auto bytes = base::from_hex(hex);
    if (!bytes) return malformed("getrawtransaction gave no hex");
    auto coinbase = parse_coinbase(std::move(*bytes), *first);
    if (!coinbase) return std::unexpected(coinbase.error());
    return std::move(*coinbase);
}

}  // namespace

std::expected<BlockCoinbase, RpcError> ask_coinbase(RpcClient& client, const chain::Hash256& hash,
                                                    const chain::BlockHeader& header, bool& by_id,
                                                    int timeout_ms) {
    if (by_id) {
        auto coinbase = ask_by_id(client, hash, header, timeout_ms);
        if (!coinbase) return std::unexpected(coinbase.error());
        if (*coinbase) return std::move(**coinbase);
        by_id = false;
    }
    // A number for Bitcoin Core and what follows it; bcoin reads 0 as false.
    const auto reply =
        client.call("getblock", fmt::format(R"(["{}",0])", hash.rpc_hex()), timeout_ms);
    if (!reply) return std::unexpected(reply.error());
    std::string_view hex;
    if (reply->result().get(hex) != simdjson::SUCCESS) return malformed("getblock gave no hex");
    const auto bytes = base::from_hex(hex);
    const auto block =
        bytes ? chain::parse_block(*bytes) : std::unexpected(chain::ParseError::truncated);
    if (!block || block->transactions.empty()) return malformed("getblock gave no block");
    if (block->merkle_root() != header.merkle_root) {
        return malformed("getblock gave transactions that are not the block's");
    }
    const auto& first = block->transactions[0];
    return parse_coinbase(first.serialize(), first.txid());
}

std::optional<chain::Amount> value_of(const chain::Transaction& coinbase) {
    std::int64_t total_sat = 0;
    for (const auto& output : coinbase.outputs) {
        if (output.value_sat < 0 || output.value_sat > chain::Amount::kMaxSat) return std::nullopt;
        total_sat += output.value_sat;  // cannot overflow: both are within all coins
        if (total_sat > chain::Amount::kMaxSat) return std::nullopt;
    }
    return chain::Amount::of(total_sat);
}

}  // namespace adit::node
