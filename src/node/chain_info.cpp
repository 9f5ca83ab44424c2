#include "node/chain_info.h"

#include "node/json.h"

namespace adit::node {
namespace {

constexpr std::int64_t kMaxHeight = 100'000'000;
constexpr std::int32_t kHeadersAhead = 2;
constexpr double kSyncedProgress = 0.999;  // of the main chain's years: the last six days

std::unexpected<RpcError> malformed(std::string message) {
    return std::unexpected(RpcError{RpcErrorKind::malformed, 0, std::move(message)});
}

// Up to 64 hex digits, most significant first; zero for anything else.
base::U256 parse_work(std::string_view hex) {
    if (hex.empty() || hex.size() > 64) return {};
    const std::string padded = std::string(64 - hex.size(), '0').append(hex);
    const auto hash = chain::Hash256::from_rpc_hex(padded);
    return hash ? base::U256::from_le(hash->bytes) : base::U256{};
}

bool is_chain(std::string_view chain, chain::Network network) {
    // btcd says "mainnet".
    return chain == chain::params(network).rpc_name ||
           (network == chain::Network::main && chain == "mainnet");
}

bool is_synced(const ChainInfo& info, chain::Network network, const Json& result) {
    if (info.headers - info.blocks > kHeadersAhead) return false;
    if (network == chain::Network::regtest) return true;
    if (json_field(result, "initialblockdownload")) return !info.initial_download;
    const auto progress = json_as<double>(result, "verificationprogress");
    return !progress || *progress >= kSyncedProgress;
}

}  // namespace

bool Tip::beats(const Tip& other) const {
    if (!known() || !other.known()) return known();
    const bool both_say = chainwork != base::U256{} && other.chainwork != base::U256{};
    return both_say ? chainwork > other.chainwork : height > other.height;
}

std::expected<ChainInfo, RpcError> ask_chain_info(RpcClient& client, chain::Network network,
                                                  int timeout_ms) {
    const auto reply = client.call("getblockchaininfo", "[]", timeout_ms);
    if (!reply) return std::unexpected(reply.error());
    const Json& result = reply->result();
    ChainInfo info;
    const auto name = json_text(result, "chain");
    const auto blocks = json_int(result, "blocks");
    const auto best = json_hash(result, "bestblockhash");
    if (!name || name->size() > 32 || !blocks || *blocks < 0 || *blocks > kMaxHeight || !best) {
        return malformed(
            "getblockchaininfo has no sensible chain, blocks and bestblockhash; is "
            "this a Bitcoin node?");
    }
    info.chain = *name;
    info.right_chain = is_chain(*name, network);
    info.blocks = static_cast<std::int32_t>(*blocks);
    info.best = *best;
    const auto headers = json_int(result, "headers").value_or(*blocks);
    const auto median_time = json_int(result, "mediantime").value_or(0);
    if (headers < 0 || headers > kMaxHeight || median_time < 0 || median_time > UINT32_MAX) {
        return malformed("headers or mediantime of getblockchaininfo are absurd");
    }
    info.headers = static_cast<std::int32_t>(headers);
    info.median_time = static_cast<std::uint32_t>(median_time);
    info.chainwork = parse_work(json_text(result, "chainwork").value_or(""));
    info.initial_download = json_bool(result, "initialblockdownload").value_or(false);
    info.synced = is_synced(info, network, result);
    return info;
}

std::expected<chain::BlockHeader, RpcError> ask_header(RpcClient& client,
                                                       const chain::Hash256& hash, int timeout_ms) {
    const auto reply =
        client.call("getblockheader", fmt::format(R"(["{}",false])", hash.rpc_hex()), timeout_ms);
    if (!reply) return std::unexpected(reply.error());
    std::string_view hex;
    std::array<std::uint8_t, chain::kHeaderSize> bytes{};
    if (reply->result().get(hex) != simdjson::SUCCESS || !base::from_hex(hex, bytes)) {
        return malformed("getblockheader did not answer with 80 bytes in hex");
    }
    const auto header = chain::BlockHeader::parse(bytes);
    const auto target = chain::target_from_compact(header.bits);
    if (header.hash() != hash || !target || !target->met_by(hash)) {
        return malformed(
            fmt::format("the header which the node gives for block {} is not that "
                        "block's or has no proof of work",
                        hash.rpc_hex()));
    }
    return header;
}

std::expected<std::int32_t, RpcError> ask_proven_height(RpcClient& client, chain::Network network,
                                                        const chain::Hash256& hash,
                                                        int timeout_ms) {
    constexpr std::int32_t kHeightInCoinbase = 2;  // the block version that BIP34 begins with
    if (hash.rpc_hex() == chain::params(network).genesis_hash) return 0;
    // A number for Bitcoin Core and what follows it; bcoin reads 0 as false.
    const auto reply =
        client.call("getblock", fmt::format(R"(["{}",0])", hash.rpc_hex()), timeout_ms);
    if (!reply) return std::unexpected(reply.error());
    std::string_view hex;
    if (reply->result().get(hex) != simdjson::SUCCESS) return malformed("getblock gave no hex");
    const auto bytes = base::from_hex(hex);
    const auto block = chain::parse_block(bytes ? base::ByteSpan(*bytes) : base::ByteSpan{});
    if (!block || block->transactions.empty() || block->header.hash() != hash) {
        return malformed(fmt::format("getblock did not answer with block {}", hash.rpc_hex()));
    }
    std::vector<chain::Hash256> ids;
    for (const auto& transaction : block->transactions)
        ids.push_back(transaction.txid());
    bool mutated = false;
    const bool whole = chain::merkle_root(std::move(ids), &mutated) == block->header.merkle_root;
    const auto& inputs = block->transactions[0].inputs;
    const auto height = inputs.empty() || block->header.version < kHeightInCoinbase
                            ? std::nullopt
                            : chain::height_of_coinbase(inputs[0].script);
    if (!whole || mutated || !height) {
        return malformed(fmt::format("block {} does not prove its height", hash.rpc_hex()));
    }
    return *height;
}

std::expected<chain::Hash256, RpcError> ask_hash(RpcClient& client, std::int32_t height,
                                                 int timeout_ms) {
    const auto reply = client.call("getblockhash", fmt::format("[{}]", height), timeout_ms);
    if (!reply) return std::unexpected(reply.error());
    std::string_view hex;
    const auto hash = reply->result().get(hex) == simdjson::SUCCESS
                          ? chain::Hash256::from_rpc_hex(hex)
                          : std::nullopt;
    if (!hash) return malformed("getblockhash did not answer with a block hash");
    return *hash;
}

}  // namespace adit::node
