// Methods for miners: BIP22, BIP23, BIP145 and regtest's own generatetoaddress.
#include "chain/address.h"
#include "chain/network.h"
#include "sim/block_builder.h"
#include "sim/difficulty.h"
#include "sim/rpc_methods.h"
#include "sim/tx_rules.h"

#include <nlohmann/json.hpp>

namespace adit::sim {
namespace {

constexpr std::uint64_t kDefaultMaxTries = 1'000'000;
constexpr std::size_t kSizeLimit = 4'000'000;
constexpr std::int64_t kSigopLimitBeforeSegwit = 20'000;
constexpr std::size_t kWeightLimitBeforeSegwit = 1'000'000;

using Json = nlohmann::json;

bool names_segwit(const Json& request) {
    const auto rules = request.find("rules");
    if (rules == request.end() || !rules->is_array()) return false;
    return std::ranges::any_of(*rules, [](const Json& rule) { return rule == "segwit"; });
}

Json transaction_list(const SimTemplate& source) {
    Json list = Json::array();
    for (const auto& item : source.transactions) {
        const auto& entry = *item.entry;
        const auto sigops = source.segwit ? entry.sigop_cost : entry.sigop_cost / 4;
        list.push_back(Json{{"data", base::to_hex(entry.transaction.serialize())},
                            {"txid", entry.txid.rpc_hex()},
                            {"hash", entry.wtxid.rpc_hex()},
                            {"depends", item.depends},
                            {"fee", entry.fee_sat},
                            {"sigops", sigops},
                            {"weight", entry.weight}});
    }
    return list;
}

Json template_json(const SimTemplate& source) {
    const auto target = chain::target_from_compact(source.bits);
    Json json{{"capabilities", Json::array({"proposal"})},
              {"version", source.version},
              {"rules", Json::array({"csv"})},
              {"vbavailable", Json::object()},
              {"vbrequired", 0},
              {"previousblockhash", source.previous.rpc_hex()},
              {"transactions", transaction_list(source)},
              {"coinbaseaux", Json::object()},
              {"coinbasevalue", source.coinbase_value_sat},
              {"target", target ? target->value.to_hex() : std::string(64, '0')},
              {"mintime", source.min_time},
              {"mutable", Json::array({"time", "transactions", "prevblock"})},
              {"noncerange", "00000000ffffffff"},
              {"sigoplimit", source.segwit ? kMaxBlockSigopCost : kSigopLimitBeforeSegwit},
              {"sizelimit", source.segwit ? kSizeLimit : kWeightLimitBeforeSegwit},
              {"curtime", source.current_time},
              {"bits", base::hex32(source.bits)},
              {"height", source.height}};
    if (source.segwit) {
        json["rules"].push_back("!segwit");
        json["weightlimit"] = kMaxBlockWeight;
        json["default_witness_commitment"] = base::to_hex(source.commitment_script);
    }
    return json;
}

std::optional<std::string> longpollid_of(const Json& params) {
    if (params.empty() || !params[0].is_object()) return std::nullopt;
    const auto id = params[0].find("longpollid");
    if (id == params[0].end() || !id->is_string()) return std::nullopt;
    return id->get<std::string>();
}

}  // namespace

std::string RpcMethods::longpoll_id() const {
    return shown_tip().hash.rpc_hex() + std::to_string(chain_.mempool().sequence());
}

bool RpcMethods::must_wait(std::string_view method, const Json& params, bool mempool_counts) const {
    if (method != "getblocktemplate" || fault_ == SimFault::warming_up) return false;
    const auto asked = longpollid_of(params);
    if (!asked) return false;
    if (mempool_counts) return *asked == longpoll_id();
    return asked->starts_with(shown_tip().hash.rpc_hex());
}

SimTemplate RpcMethods::offered_template() const {
    if (fault_ == SimFault::lag) return chain_.make_empty_template(shown_tip());
    auto offered = chain_.make_template();
    offered.height += height_lie();
    if (fault_ == SimFault::drop_transaction && !offered.transactions.empty()) {
        offered.transactions.pop_back();
    }
    return offered;
}

RpcFailure RpcMethods::get_block_template(const Json& params, Json& result) {
    const Json request = params.empty() ? Json::object() : params[0];
    if (!request.is_object()) return type_failure("template_request", "object");
    const auto mode = request.value("mode", Json("template"));
    if (mode == "proposal") return propose(request, result);
    if (mode != "template") return {rpc_code::kInvalidParameter, "Invalid mode"};
    if (fault_ == SimFault::no_peers) return {rpc_code::kNotConnected, "AditSim is not connected!"};
    if (fault_ == SimFault::initial_download) {
        return {rpc_code::kInInitialDownload,
                "AditSim is in initial sync and waiting for blocks..."};
    }
    if (!names_segwit(request)) {
        return {rpc_code::kInvalidParameter,
                "getblocktemplate must be called with the segwit rule set (call with {\"rules\": "
                "[\"segwit\"]})"};
    }
    result = template_json(offered_template());
    result["longpollid"] = longpoll_id();
    return {};
}

RpcFailure RpcMethods::propose(const Json& request, Json& result) {
    const auto data = request.find("data");
    if (data == request.end() || !data->is_string()) {
        return {rpc_code::kType, "Missing data String key for proposal"};
    }
    const auto raw = base::from_hex(data->get<std::string>());
    const auto block =
        raw ? chain::parse_block(*raw) : std::unexpected(chain::ParseError::truncated);
    if (!block) return {rpc_code::kDeserialization, "Block decode failed"};
    const auto verdict = chain_.propose(*block);
    result = verdict == Verdict::accepted ? Json(nullptr) : Json(text_of(verdict));
    return {};
}

RpcFailure RpcMethods::submit_block(const Json& params, Json& result) {
    if (params.empty() || !params[0].is_string()) return type_failure("hexdata", "string");
    const auto raw = base::from_hex(params[0].get<std::string>());
    auto block = raw ? chain::parse_block(*raw) : std::unexpected(chain::ParseError::truncated);
    if (!block) return {rpc_code::kDeserialization, "Block decode failed"};
    if (block->transactions.empty() || !block->transactions.front().is_coinbase()) {
        return {rpc_code::kDeserialization, "Block does not start with a coinbase"};
    }
    const auto verdict = chain_.submit(std::move(*block));
    result = verdict == Verdict::accepted ? Json(nullptr) : Json(text_of(verdict));
    return {};
}

RpcFailure RpcMethods::get_mining_info(const Json&, Json& result) {
    const auto& tip = shown_tip();
    // Hashes per second over the last blocks, as getnetworkhashps estimates it.
    const auto* first = &tip;
    for (int i = 0; i < 120 && first->parent != nullptr; ++i)
        first = first->parent;
    const auto span = static_cast<std::int64_t>(tip.header.time) - first->header.time;
    const auto work = tip.chainwork - first->chainwork;
    const double hashes =
        static_cast<double>(work.low64()) + std::ldexp(static_cast<double>(work.limb(1)), 64);
    result = {{"blocks", tip.height + height_lie()},
              {"bits", base::hex32(tip.header.bits)},
              {"difficulty", difficulty_of_bits(tip.header.bits)},
              {"networkhashps", span > 0 ? hashes / static_cast<double>(span) : 0.0},
              {"pooledtx", chain_.mempool().size()},
              {"chain", shown_chain()},
              {"warnings", ""}};
    return {};
}

RpcFailure RpcMethods::generate_to_address(const Json& params, Json& result) {
    if (params.empty() || !params[0].is_number_integer()) return type_failure("nblocks", "number");
    if (params.size() < 2 || !params[1].is_string()) return type_failure("address", "string");
    const auto script = chain::script_of_address(params[1].get<std::string>(), rpc_network());
    if (!script) return {rpc_code::kInvalidAddressOrKey, "Error: Invalid address"};
    auto tries = kDefaultMaxTries;
    if (params.size() > 2 && params[2].is_number_unsigned()) tries = params[2].get<std::uint64_t>();
    result = Json::array();
    for (auto left = params[0].get<std::int64_t>(); left > 0; --left) {
        const auto hash = mine_block(chain_, *script, tries);
        if (!hash) break;
        result.push_back(hash->rpc_hex());
    }
    return {};
}

}  // namespace adit::sim
