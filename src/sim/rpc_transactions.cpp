// Methods that tell of transactions and coins, and take transactions in.
#include "chain/address.h"
#include "chain/network.h"
#include "sim/rpc_methods.h"
#include "sim/tx_rules.h"

#include <nlohmann/json.hpp>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

// Satoshis as RPC writes them: a JSON number of bitcoins.
Json bitcoins(std::int64_t sat) {
    return static_cast<double>(sat) / static_cast<double>(kCoin);
}

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
        outputs.push_back(Json{{"value", bitcoins(output.value_sat)},
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

RpcFailure RpcMethods::send_raw_transaction(const Json& params, Json& result) {
    if (params.empty() || !params[0].is_string()) return type_failure("hexstring", "string");
    const auto raw = base::from_hex(params[0].get<std::string>());
    const auto transaction =
        raw ? chain::parse_transaction(*raw) : std::unexpected(chain::ParseError::truncated);
    if (!transaction) {
        return {rpc_code::kDeserialization,
                "TX decode failed. Make sure the tx has at least one input."};
    }
    const auto verdict = chain_.accept_transaction(*transaction);
    if (verdict == Verdict::already_in_chain) {
        return {rpc_code::kAlreadyInChain, "Transaction already in block chain"};
    }
    if (verdict == Verdict::bad_txns_inputs_missingorspent) {
        return {rpc_code::kVerifyError, std::string(text_of(verdict))};
    }
    // A transaction that waits already is announced again: no error.
    if (verdict != Verdict::accepted && verdict != Verdict::already_in_mempool) {
        return {rpc_code::kVerifyRejected, std::string(text_of(verdict))};
    }
    result = transaction->txid().rpc_hex();
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
              {"value", bitcoins(coin->output.value_sat)},
              {"scriptPubKey", script_json(coin->output.script)},
              {"coinbase", coin->coinbase}};
    return {};
}

RpcFailure RpcMethods::get_mempool_info(const Json&, Json& result) {
    const auto& mempool = chain_.mempool();
    result = {{"loaded", true},           {"size", mempool.size()},
              {"bytes", mempool.bytes()}, {"total_fee", bitcoins(mempool.fees_sat())},
              {"mempoolminfee", 0.00001}, {"minrelaytxfee", 0.00001}};
    return {};
}

RpcFailure RpcMethods::get_raw_mempool(const Json& params, Json& result) {
    const bool verbose = !params.empty() && params[0] == Json(true);
    result = verbose ? Json::object() : Json::array();
    for (const auto& entry : chain_.mempool().entries()) {
        const auto txid = entry->txid.rpc_hex();
        if (!verbose) {
            result.push_back(txid);
            continue;
        }
        result[txid] = {{"vsize", entry->vsize()},
                        {"weight", entry->weight},
                        {"time", entry->time_s},
                        {"wtxid", entry->wtxid.rpc_hex()},
                        {"fees", {{"base", bitcoins(entry->fee_sat)}}}};
    }
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
