// Methods that tell of transactions and coins, and put transactions together.
#include "chain/address.h"
#include "chain/network.h"
#include "sim/rpc_amount.h"
#include "sim/rpc_methods.h"
#include "sim/rpc_outputs.h"
#include "sim/tx_rules.h"

#include <nlohmann/json.hpp>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

Json script_json(base::ByteSpan script) {
    Json json{{"hex", base::to_hex(script)}};
    if (const auto address = chain::address_of_script(script, rpc_network())) {
        json["address"] = *address;
    }
    return json;
}

Json input_json(const chain::TxInput& input, bool coinbase) {
    Json json{{"sequence", input.sequence}};
    if (coinbase) {
        json["coinbase"] = base::to_hex(input.script);
    } else {
        json["txid"] = input.previous.txid.rpc_hex();
        json["vout"] = input.previous.index;
        json["scriptSig"] = {{"hex", base::to_hex(input.script)}};
    }
    if (!input.witness.empty()) {
        auto& items = json["txinwitness"] = Json::array();
        for (const auto& item : input.witness)
            items.push_back(base::to_hex(item));
    }
    return json;
}

}  // namespace

nlohmann::json RpcMethods::transaction_json(const chain::Transaction& transaction,
                                            const BlockEntry* entry) const {
    const auto raw = transaction.serialize();
    const auto weight = transaction.weight();
    Json json{{"txid", transaction.txid().rpc_hex()},
              {"hash", transaction.wtxid().rpc_hex()},
              {"version", transaction.version},
              {"size", raw.size()},
              {"vsize", (weight + 3) / 4},
              {"weight", weight},
              {"locktime", transaction.lock_time},
              {"hex", base::to_hex(raw)}};
    auto& inputs = json["vin"] = Json::array();
    for (const auto& input : transaction.inputs) {
        inputs.push_back(input_json(input, transaction.is_coinbase()));
    }
    auto& outputs = json["vout"] = Json::array();
    for (std::size_t i = 0; i < transaction.outputs.size(); ++i) {
        const auto& output = transaction.outputs[i];
        outputs.push_back(Json{{"value", amount_json(output.value_sat)},
                               {"n", i},
                               {"scriptPubKey", script_json(output.script)}});
    }
    if (entry != nullptr) {
        const bool main = chain_.on_main_chain(*entry);
        json["blockhash"] = entry->hash.rpc_hex();
        json["confirmations"] = main ? chain_.tip().height - entry->height + 1 : 0;
        json["time"] = entry->header.time;
        json["blocktime"] = entry->header.time;
    }
    return json;
}

RpcFailure RpcMethods::get_raw_transaction(const Json& params, Json& result) {
    chain::Hash256 txid;
    if (auto failure = hash_parameter(params, 0, "txid", txid)) return failure;
    const auto found = chain_.find_transaction(txid);
    if (!found) {
        return {rpc_code::kInvalidAddressOrKey,
                "No such mempool or blockchain transaction. Use gettransaction for wallet "
                "transactions."};
    }
    const bool verbose = params.size() > 1 && params[1] != Json(false) && params[1] != Json(0);
    result = verbose ? transaction_json(found->transaction, found->entry)
                     : Json(base::to_hex(found->transaction.serialize()));
    return {};
}

RpcFailure RpcMethods::create_raw_transaction(const Json& params, Json& result) {
    const auto* inputs = parameter(params, 0);
    const auto* outputs = parameter(params, 1);
    if (inputs == nullptr || !inputs->is_array()) return type_failure("inputs", "array");
    if (outputs == nullptr) return type_failure("outputs", "array");
    std::int64_t lock_time = 0;
    bool replaceable = true;
    if (auto failure = read(parameter(params, 2), "locktime", lock_time)) return failure;
    if (auto failure = read(parameter(params, 3), "replaceable", replaceable)) return failure;
    if (lock_time < 0 || lock_time > std::numeric_limits<std::uint32_t>::max()) {
        return {rpc_code::kInvalidParameter, "Invalid parameter, locktime out of range"};
    }
    chain::Transaction transaction;
    transaction.lock_time = static_cast<std::uint32_t>(lock_time);
    const auto sequence = replaceable      ? kReplaceableSequence
                          : lock_time != 0 ? 0xfffffffe
                                           : 0xffffffff;
    for (const auto& asked : *inputs) {
        auto& input = transaction.inputs.emplace_back();
        if (auto failure = read_outpoint(asked, input.previous)) return failure;
        std::int64_t own_sequence = sequence;
        if (auto failure = read(member(asked, "sequence"), "sequence", own_sequence)) {
            return failure;
        }
        if (own_sequence < 0 || own_sequence > std::numeric_limits<std::uint32_t>::max()) {
            return {rpc_code::kInvalidParameter,
                    "Invalid parameter, sequence number is out of range"};
        }
        input.sequence = static_cast<std::uint32_t>(own_sequence);
    }
    if (auto failure = read_outputs(*outputs, transaction.outputs)) return failure;
    result = base::to_hex(transaction.serialize());
    return {};
}

RpcFailure RpcMethods::decode_raw_transaction(const Json& params, Json& result) {
    chain::Transaction transaction;
    if (auto failure = read_transaction(parameter(params, 0), InputsNeeded::no, transaction)) {
        return failure;
    }
    result = transaction_json(transaction, nullptr);
    result.erase("hex");
    return {};
}

RpcFailure RpcMethods::get_tx_out(const Json& params, Json& result) {
    chain::OutPoint outpoint;
    if (auto failure = hash_parameter(params, 0, "txid", outpoint.txid)) return failure;
    if (params.size() < 2 || !params[1].is_number_unsigned()) return type_failure("n", "number");
    outpoint.index = params[1].get<std::uint32_t>();
    const bool with_mempool = params.size() < 3 || params[2] != Json(false);
    const MempoolCoins view(chain_.coins(), chain_.mempool());
    const auto* coin = with_mempool ? view.find(outpoint) : chain_.coin(outpoint);
    result = nullptr;
    if (coin == nullptr) return {};
    const auto height = chain_.tip().height;
    result = {{"bestblock", chain_.tip().hash.rpc_hex()},
              {"confirmations", coin->height > height ? 0 : height - coin->height + 1},
              {"value", amount_json(coin->output.value_sat)},
              {"scriptPubKey", script_json(coin->output.script)},
              {"coinbase", coin->coinbase}};
    return {};
}

RpcFailure RpcMethods::validate_address(const Json& params, Json& result) {
    if (params.empty() || !params[0].is_string()) return type_failure("address", "string");
    const auto address = params[0].get<std::string>();
    const auto script = chain::script_of_address(address, rpc_network());
    result = {{"isvalid", script.has_value()}};
    if (!script) {
        result["error"] = chain::describe(script.error());
        return {};
    }
    result["address"] = address;
    result["scriptPubKey"] = base::to_hex(*script);
    return {};
}

}  // namespace adit::sim
