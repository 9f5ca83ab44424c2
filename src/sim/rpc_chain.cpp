// Methods that tell of the chain and steer it.
#include "chain/address.h"
#include "chain/network.h"
#include "sim/difficulty.h"
#include "sim/rpc_methods.h"

#include <nlohmann/json.hpp>

namespace adit::sim {
namespace {

std::string_view tip_status(const SimChain& chain, const BlockEntry& entry) {
    if (&entry == &chain.tip()) return "active";
    if (entry.failed) return "invalid";
    if (!entry.block) return "headers-only";
    return entry.connected_once ? "valid-fork" : "valid-headers";
}

std::string header_hex(const BlockEntry& entry) {
    return base::to_hex(entry.header.serialize());
}

}  // namespace

RpcFailure RpcMethods::find_block(const Json& params, const BlockEntry*& entry) const {
    chain::Hash256 hash;
    if (auto failure = hash_parameter(params, 0, "blockhash", hash)) return failure;
    entry = chain_.find(hash);
    if (entry == nullptr) return {rpc_code::kInvalidAddressOrKey, "Block not found"};
    return {};
}

RpcFailure RpcMethods::get_blockchain_info(const Json&, Json& result) {
    const auto& tip = shown_tip();
    const bool downloading = fault_ == SimFault::initial_download;
    result = {{"chain", shown_chain()},
              {"blocks", tip.height + height_lie()},
              {"headers", chain_.tip().height + height_lie()},
              {"bestblockhash", tip.hash.rpc_hex()},
              {"bits", base::hex32(tip.header.bits)},
              {"difficulty", difficulty_of_bits(tip.header.bits)},
              {"time", tip.header.time},
              {"mediantime", chain_.median_time_past(tip)},
              {"verificationprogress", downloading ? 0.5 : 1.0},
              {"initialblockdownload", downloading},
              {"chainwork", tip.chainwork.to_hex()},
              {"size_on_disk", 0},
              {"pruned", false},
              {"warnings", ""}};
    return {};
}

RpcFailure RpcMethods::get_best_block_hash(const Json&, Json& result) {
    result = shown_tip().hash.rpc_hex();
    return {};
}

RpcFailure RpcMethods::get_block_count(const Json&, Json& result) {
    result = shown_tip().height + height_lie();
    return {};
}

RpcFailure RpcMethods::get_difficulty(const Json&, Json& result) {
    result = difficulty_of_bits(shown_tip().header.bits);
    return {};
}

RpcFailure RpcMethods::get_block_hash(const Json& params, Json& result) {
    if (params.empty() || !params[0].is_number_integer()) return type_failure("height", "number");
    const auto height = params[0].get<std::int64_t>();
    if (height < 0 || height > shown_tip().height) {
        return {rpc_code::kInvalidParameter, "Block height out of range"};
    }
    result = chain_.at_height(static_cast<std::int32_t>(height))->hash.rpc_hex();
    return {};
}

nlohmann::json RpcMethods::header_json(const BlockEntry& entry) const {
    const bool main = chain_.on_main_chain(entry);
    Json json{{"hash", entry.hash.rpc_hex()},
              {"confirmations", main ? chain_.tip().height - entry.height + 1 : -1},
              {"height", entry.height},
              {"version", entry.header.version},
              {"versionHex", base::hex32(static_cast<std::uint32_t>(entry.header.version))},
              {"merkleroot", entry.header.merkle_root.rpc_hex()},
              {"time", entry.header.time},
              {"mediantime", chain_.median_time_past(entry)},
              {"nonce", entry.header.nonce},
              {"bits", base::hex32(entry.header.bits)},
              {"difficulty", difficulty_of_bits(entry.header.bits)},
              {"chainwork", entry.chainwork.to_hex()},
              {"nTx", entry.transaction_count}};
    if (entry.parent != nullptr) json["previousblockhash"] = entry.parent->hash.rpc_hex();
    const auto* next = main ? chain_.at_height(entry.height + 1) : nullptr;
    if (next != nullptr) json["nextblockhash"] = next->hash.rpc_hex();
    return json;
}

RpcFailure RpcMethods::get_block_header(const Json& params, Json& result) {
    const BlockEntry* entry = nullptr;
    if (auto failure = find_block(params, entry)) return failure;
    const bool verbose = params.size() < 2 || params[1] != Json(false);
    result = verbose ? header_json(*entry) : Json(header_hex(*entry));
    return {};
}

RpcFailure RpcMethods::get_block(const Json& params, Json& result) {
    const BlockEntry* entry = nullptr;
    if (auto failure = find_block(params, entry)) return failure;
    int verbosity = 1;
    if (params.size() > 1 && params[1].is_boolean()) verbosity = params[1].get<bool>() ? 1 : 0;
    if (params.size() > 1 && params[1].is_number_integer()) verbosity = params[1].get<int>();
    if (!entry->block) {
        return {rpc_code::kMisc, entry->connected_once ? "Block not available (pruned data)"
                                                       : "Block not found on disk"};
    }
    const auto raw = entry->block->serialize();
    if (verbosity <= 0) {
        result = base::to_hex(raw);
        return {};
    }
    result = header_json(*entry);
    result["size"] = raw.size();
    result["weight"] = entry->block->weight();
    auto& transactions = result["tx"] = Json::array();
    for (const auto& transaction : entry->block->transactions) {
        transactions.push_back(verbosity == 1 ? Json(transaction.txid().rpc_hex())
                                              : transaction_json(transaction, nullptr));
    }
    return {};
}

RpcFailure RpcMethods::get_chain_tips(const Json&, Json& result) {
    result = Json::array();
    for (const auto* tip : chain_.tips()) {
        const auto* fork = tip;
        while (!chain_.on_main_chain(*fork))
            fork = fork->parent;
        result.push_back(Json{{"height", tip->height},
                              {"hash", tip->hash.rpc_hex()},
                              {"branchlen", tip->height - fork->height},
                              {"status", tip_status(chain_, *tip)}});
    }
    return {};
}

RpcFailure RpcMethods::invalidate_block(const Json& params, Json& result) {
    const BlockEntry* entry = nullptr;
    if (auto failure = find_block(params, entry)) return failure;
    if (!chain_.invalidate(entry->hash)) {
        return {rpc_code::kMisc, "Block cannot be invalidated (genesis or pruned)"};
    }
    result = nullptr;
    return {};
}

RpcFailure RpcMethods::reconsider_block(const Json& params, Json& result) {
    const BlockEntry* entry = nullptr;
    if (auto failure = find_block(params, entry)) return failure;
    chain_.reconsider(entry->hash);
    result = nullptr;
    return {};
}

}  // namespace adit::sim
