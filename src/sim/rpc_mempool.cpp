// Methods that take transactions in, and tell of the mempool and of fees.
#include "sim/rpc_amount.h"
#include "sim/rpc_methods.h"
#include "sim/tx_rules.h"

#include <nlohmann/json.hpp>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kDefaultMaxFeeRate = 10'000'000;  // sat/kvB: 0.1 BTC/kvB
constexpr std::size_t kMaxPackage = 25;
constexpr std::int64_t kMaxConfirmTarget = 1'008;
constexpr std::int64_t kAbsurdFeeRate = 1'234'567'890;

RpcFailure read_max_fee_rate(const Json* value, std::int64_t& sat_per_kvb) {
    sat_per_kvb = kDefaultMaxFeeRate;
    if (value == nullptr) return {};
    if (auto failure = read_amount(*value, sat_per_kvb)) return failure;
    if (sat_per_kvb >= kCoin) {
        return {rpc_code::kInvalidParameter,
                "Fee rates larger than or equal to 1BTC/kvB are not "
                "accepted"};
    }
    return {};
}

// Zero: any fee will do.
bool exceeds(const MempoolEntry& entry, std::int64_t max_sat_per_kvb) {
    return max_sat_per_kvb > 0 &&
           entry.fee_sat > max_sat_per_kvb * static_cast<std::int64_t>(entry.vsize()) / 1'000;
}

std::string_view reject_reason(Verdict verdict) {
    return verdict == Verdict::bad_txns_inputs_missingorspent ? "missing-inputs" : text_of(verdict);
}

// Puts the transaction into this copy of the mempool and says so, or says why not.
bool admit(const SimChain& chain, const chain::Transaction& transaction, std::int64_t max_rate,
           Mempool& mempool, Json& answer) {
    auto admission = chain.examine(transaction, mempool);
    if (!admission || exceeds(admission->entry, max_rate)) {
        answer["allowed"] = false;
        answer["reject-reason"] = admission ? "max-fee-exceeded" : reject_reason(admission.error());
        return false;
    }
    answer["allowed"] = true;
    answer["vsize"] = admission->entry.vsize();
    answer["fees"] = {{"base", amount_json(admission->entry.fee_sat)}};
    mempool.remove(admission->replaced);
    mempool.add(std::move(admission->entry));
    return true;
}

Json entry_json(const MempoolEntry& entry, const SimChain& chain) {
    const auto& mempool = chain.mempool();
    std::int64_t ancestor_fees = entry.fee_sat;
    std::size_t ancestor_size = entry.vsize();
    const auto ancestors = mempool.ancestors_of(entry.transaction);
    bool replaceable = signals_replacement(entry.transaction);
    Json depends = Json::array();
    for (const auto& txid : ancestors) {
        const auto ancestor = mempool.find(txid);
        ancestor_fees += ancestor->fee_sat;
        ancestor_size += ancestor->vsize();
        replaceable = replaceable || signals_replacement(ancestor->transaction);
        const bool direct = std::ranges::any_of(
            entry.transaction.inputs,
            [&](const chain::TxInput& input) { return input.previous.txid == txid; });
        if (direct) depends.push_back(txid.rpc_hex());
    }
    std::int64_t descendant_fees = 0;
    std::size_t descendant_size = 0;
    const auto descendants = mempool.with_descendants({entry.txid});
    for (const auto& txid : descendants) {
        descendant_fees += mempool.find(txid)->fee_sat;
        descendant_size += mempool.find(txid)->vsize();
    }
    Json spent_by = Json::array();
    for (std::uint32_t i = 0; i < entry.transaction.outputs.size(); ++i) {
        const auto child = mempool.spender_of({entry.txid, i});
        if (child) spent_by.push_back(child->rpc_hex());
    }
    return {{"vsize", entry.vsize()},
            {"weight", entry.weight},
            {"time", entry.time_s},
            {"height", entry.coins.empty() ? 0 : entry.coins.front().height - 1},
            {"descendantcount", descendants.size()},
            {"descendantsize", descendant_size},
            {"ancestorcount", ancestors.size() + 1},
            {"ancestorsize", ancestor_size},
            {"wtxid", entry.wtxid.rpc_hex()},
            {"fees",
             {{"base", amount_json(entry.fee_sat)},
              {"modified", amount_json(entry.fee_sat)},
              {"ancestor", amount_json(ancestor_fees)},
              {"descendant", amount_json(descendant_fees)}}},
            {"depends", std::move(depends)},
            {"spentby", std::move(spent_by)},
            {"bip125-replaceable", replaceable},
            {"unbroadcast", false}};
}

}  // namespace

RpcFailure RpcMethods::send_raw_transaction(const Json& params, Json& result) {
    chain::Transaction transaction;
    if (auto failure = read_transaction(parameter(params, 0), InputsNeeded::yes, transaction)) {
        return failure;
    }
    std::int64_t max_rate = 0;
    if (auto failure = read_max_fee_rate(parameter(params, 1), max_rate)) return failure;
    std::int64_t max_burn = 0;
    if (const auto* burn = parameter(params, 2)) {
        if (auto failure = read_amount(*burn, max_burn)) return failure;
    }
    for (const auto& output : transaction.outputs) {
        if (dust_threshold_sat(output.script) == 0 && output.value_sat > max_burn) {
            return {rpc_code::kVerifyError,
                    "Unspendable output exceeds maximum configured by user (maxburnamount)"};
        }
    }
    const auto admission = chain_.examine(transaction, chain_.mempool());
    if (admission && exceeds(admission->entry, max_rate)) {
        return {rpc_code::kVerifyError,
                "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)"};
    }
    const auto verdict = chain_.accept_transaction(transaction);
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
    result = transaction.txid().rpc_hex();
    return {};
}

RpcFailure RpcMethods::test_mempool_accept(const Json& params, Json& result) {
    const auto* list = parameter(params, 0);
    if (list == nullptr || !list->is_array()) return type_failure("rawtxs", "array");
    if (list->empty() || list->size() > kMaxPackage) {
        return {rpc_code::kInvalidParameter, "Array must contain between 1 and 25 transactions."};
    }
    std::int64_t max_rate = 0;
    if (auto failure = read_max_fee_rate(parameter(params, 1), max_rate)) return failure;
    std::vector<chain::Transaction> transactions(list->size());
    for (std::size_t i = 0; i < list->size(); ++i) {
        auto failure = read_transaction(&(*list)[i], InputsNeeded::yes, transactions[i]);
        if (failure.code == rpc_code::kDeserialization) {
            failure.message = fmt::format(
                "TX decode failed: {} Make sure the tx has at least one "
                "input.",
                (*list)[i].get<std::string>());
        }
        if (failure) return failure;
    }
    // Later ones may spend outputs of earlier ones; after a refusal nothing is said of the rest.
    auto mempool = chain_.mempool();
    bool refused = false;
    result = Json::array();
    for (const auto& transaction : transactions) {
        Json answer{{"txid", transaction.txid().rpc_hex()},
                    {"wtxid", transaction.wtxid().rpc_hex()}};
        if (!refused) refused = !admit(chain_, transaction, max_rate, mempool, answer);
        result.push_back(std::move(answer));
    }
    return {};
}

RpcFailure RpcMethods::get_mempool_info(const Json&, Json& result) {
    const auto& mempool = chain_.mempool();
    const auto relay = amount_json(chain_.policy().min_relay_sat_per_kvb);
    result = {{"loaded", true},
              {"size", mempool.size()},
              {"bytes", mempool.bytes()},
              {"total_fee", amount_json(mempool.fees_sat())},
              {"mempoolminfee", relay},
              {"minrelaytxfee", relay},
              {"incrementalrelayfee", relay},
              {"unbroadcastcount", 0},
              {"fullrbf", chain_.policy().full_rbf}};
    return {};
}

RpcFailure RpcMethods::get_raw_mempool(const Json& params, Json& result) {
    const bool verbose = !params.empty() && params[0] == Json(true);
    result = verbose ? Json::object() : Json::array();
    for (const auto& entry : chain_.mempool().entries()) {
        const auto txid = entry->txid.rpc_hex();
        if (verbose) {
            result[txid] = entry_json(*entry, chain_);
        } else {
            result.push_back(txid);
        }
    }
    return {};
}

RpcFailure RpcMethods::get_mempool_entry(const Json& params, Json& result) {
    chain::Hash256 txid;
    if (auto failure = hash_parameter(params, 0, "txid", txid)) return failure;
    const auto entry = chain_.mempool().find(txid);
    if (!entry) return {rpc_code::kInvalidAddressOrKey, "Transaction not in mempool"};
    result = entry_json(*entry, chain_);
    return {};
}

RpcFailure RpcMethods::get_tx_spending_prevout(const Json& params, Json& result) {
    const auto* outputs = parameter(params, 0);
    if (outputs == nullptr || !outputs->is_array()) return type_failure("outputs", "array");
    if (outputs->empty()) {
        return {rpc_code::kInvalidParameter, "Invalid parameter, outputs are missing"};
    }
    result = Json::array();
    for (const auto& asked : *outputs) {
        chain::OutPoint outpoint;
        if (auto failure = read_outpoint(asked, outpoint)) return failure;
        Json answer{{"txid", outpoint.txid.rpc_hex()}, {"vout", outpoint.index}};
        const auto spender = chain_.mempool().spender_of(outpoint);
        if (spender) answer["spendingtxid"] = spender->rpc_hex();
        result.push_back(std::move(answer));
    }
    return {};
}

RpcFailure RpcMethods::estimate_smart_fee(const Json& params, Json& result) {
    const auto* asked = parameter(params, 0);
    if (asked == nullptr) return type_failure("conf_target", "number");
    std::int64_t target = 0;
    if (auto failure = read(asked, "conf_target", target)) return failure;
    if (target < 1 || target > kMaxConfirmTarget) {
        return {rpc_code::kInvalidParameter, "Invalid conf_target, must be between 1 and 1008"};
    }
    result = {{"blocks", target}};
    const auto& rate = chain_.policy().estimate_sat_per_kvb;
    if (wallet_fault_ == WalletFault::fee_estimate_absurd) {
        result["feerate"] = amount_json(kAbsurdFeeRate);
    } else if (rate && wallet_fault_ != WalletFault::fee_estimate_missing) {
        result["feerate"] = amount_json(*rate);
    } else {
        result["errors"] = Json::array({"Insufficient data or no feerate found"});
    }
    return {};
}

}  // namespace adit::sim
