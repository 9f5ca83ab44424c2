// Methods that fund, sign and send transactions of a wallet.
#include "base/check.h"
#include "chain/address.h"
#include "sim/rpc_amount.h"
#include "sim/rpc_methods.h"
#include "sim/rpc_wallet.h"
#include "sim/tx_rules.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

// Both ways to name a fee rate, as satoshis per 1,000 virtual bytes.
RpcFailure read_rates(const Json& options, std::optional<std::int64_t>& sat_per_kvb) {
    const auto* per_vbyte = member(options, "fee_rate");
    const auto* per_kvb = member(options, "feeRate");
    if (per_vbyte != nullptr && per_kvb != nullptr) {
        return {rpc_code::kInvalidParameter,
                "Cannot specify both fee_rate (sat/vB) and feeRate (BTC/kvB)"};
    }
    std::int64_t rate = 0;
    if (per_vbyte != nullptr) {
        if (auto failure = read_fee_rate(*per_vbyte, rate)) return failure;
        sat_per_kvb = rate;
    } else if (per_kvb != nullptr) {
        if (auto failure = read_amount(*per_kvb, rate)) return failure;
        sat_per_kvb = rate;
    }
    return {};
}

// Refuses a rate below the relay fee.
RpcFailure check_rate(std::int64_t sat_per_kvb, std::int64_t lowest) {
    if (sat_per_kvb >= lowest) return {};
    const auto text = [](std::int64_t rate) {
        return fmt::format("{}.{:03} sat/vB", rate / 1'000, rate % 1'000);
    };
    return {rpc_code::kWallet,
            fmt::format("Fee rate ({}) is lower than the minimum fee rate setting ({})",
                        text(sat_per_kvb), text(lowest))};
}

RpcFailure read_subtract(const Json* value, std::size_t outputs, std::vector<std::size_t>& out) {
    if (value == nullptr) return {};
    if (!value->is_array()) return type_failure("subtractFeeFromOutputs", "array");
    std::set<std::int64_t> seen;
    for (const auto& item : *value) {
        std::int64_t index = 0;
        if (auto failure = read(&item, "vout_index", index)) return failure;
        std::string_view problem;
        if (!seen.insert(index).second) problem = "duplicated position";
        if (index < 0) problem = "negative position";
        if (index >= static_cast<std::int64_t>(outputs)) problem = "position too large";
        if (!problem.empty()) {
            return {rpc_code::kInvalidParameter,
                    fmt::format("Invalid parameter, {}: {}", problem, index)};
        }
        out.push_back(static_cast<std::size_t>(index));
    }
    std::ranges::sort(out);
    return {};
}

RpcFailure read_change(const Json& options, std::size_t outputs, FundingOptions& funding) {
    std::string address;
    const auto* given = member(options, "changeAddress");
    if (auto failure = read(given, "changeAddress", address)) return failure;
    if (given != nullptr) {
        auto script = chain::script_of_address(address, rpc_network());
        if (!script) {
            return {rpc_code::kInvalidAddressOrKey,
                    "Change address must be a valid bitcoin address"};
        }
        funding.change_script = std::move(*script);
    }
    std::int64_t position = -1;
    if (auto failure = read(member(options, "changePosition"), "changePosition", position)) {
        return failure;
    }
    if (position < -1 || position > static_cast<std::int64_t>(outputs)) {
        return {rpc_code::kInvalidParameter, "changePosition out of bounds"};
    }
    if (position >= 0) funding.change_position = static_cast<std::size_t>(position);
    return {};
}

RpcFailure read_depth(const Json& options, std::string_view name, std::int32_t& depth) {
    std::int64_t value = depth;
    if (auto failure = read(member(options, name), name, value)) return failure;
    if (value < 0) {
        return {rpc_code::kInvalidParameter, fmt::format("Negative {}", name)};
    }
    depth = static_cast<std::int32_t>(
        std::min<std::int64_t>(value, std::numeric_limits<std::int32_t>::max()));
    return {};
}

// Outputs that the caller describes, for transactions that the node does not know.
RpcFailure read_previous(const Json* list, std::map<chain::OutPoint, chain::TxOutput>& outputs) {
    if (list == nullptr) return {};
    if (!list->is_array()) return type_failure("prevtxs", "array");
    for (const auto& item : *list) {
        chain::OutPoint outpoint;
        if (auto failure = read_outpoint(item, outpoint)) return failure;
        std::string script;
        const auto* hex = member(item, "scriptPubKey");
        if (hex == nullptr) return {rpc_code::kType, "Missing scriptPubKey"};
        if (auto failure = read(hex, "scriptPubKey", script)) return failure;
        const auto raw = base::from_hex(script);
        if (!raw) {
            return {rpc_code::kInvalidParameter,
                    fmt::format("scriptPubKey must be hexadecimal string (not '{}')", script)};
        }
        auto& output = outputs[outpoint];
        output.script = *raw;
        const auto* amount = member(item, "amount");
        if (amount == nullptr) return {rpc_code::kType, "Missing amount"};
        if (auto failure = read_amount(*amount, output.value_sat)) return failure;
    }
    return {};
}

Json failure_json(const chain::TxInput& input, std::string_view reason) {
    Json witness = Json::array();
    for (const auto& item : input.witness)
        witness.push_back(base::to_hex(item));
    return {{"txid", input.previous.txid.rpc_hex()},
            {"vout", input.previous.index},
            {"witness", std::move(witness)},
            {"scriptSig", base::to_hex(input.script)},
            {"sequence", input.sequence},
            {"error", reason}};
}

bool segwit_now(const SimChain& chain) {
    return chain.tip().height + 1 >= chain.params().segwit_height;
}

// The outputs that a transaction may spend, whether or not something in the mempool does.
FindOutput outputs_of(const SimChain& chain) {
    return [&chain](const chain::OutPoint& outpoint) -> std::optional<chain::TxOutput> {
        const MempoolCoins view(chain.coins(), chain.mempool(), SpentInMempool::present);
        const auto* coin = view.find(outpoint);
        if (coin == nullptr) return std::nullopt;
        return coin->output;
    };
}

}  // namespace

RpcFailure WalletMethods::usual_fee_rate(std::int64_t& sat_per_kvb) const {
    const auto& policy = chain_.policy();
    const auto estimate =
        fault_ == WalletFault::fee_estimate_missing ? std::nullopt : policy.estimate_sat_per_kvb;
    const auto rate = estimate ? estimate : policy.fallback_sat_per_kvb;
    if (!rate) {
        return {rpc_code::kWallet,
                "Fee estimation failed. Fallbackfee is disabled. Wait a few blocks or enable "
                "-fallbackfee."};
    }
    sat_per_kvb = std::max(*rate, policy.min_relay_sat_per_kvb);
    return {};
}

RpcFailure WalletMethods::read_funding(const Json& options, const chain::Transaction& transaction,
                                       FundingOptions& funding) const {
    if (auto failure = refuse_unknown_keys(
            options,
            {"add_inputs", "include_unsafe", "minconf", "maxconf", "changeAddress",
             "changePosition", "change_type", "includeWatching", "lockUnspents", "fee_rate",
             "feeRate", "subtractFeeFromOutputs", "replaceable", "conf_target", "estimate_mode"})) {
        return failure;
    }
    const auto outputs = transaction.outputs.size();
    if (auto failure = read(member(options, "add_inputs"), "add_inputs", funding.add_inputs)) {
        return failure;
    }
    if (auto failure =
            read(member(options, "include_unsafe"), "include_unsafe", funding.include_unsafe)) {
        return failure;
    }
    if (auto failure = read(member(options, "replaceable"), "replaceable", funding.replaceable)) {
        return failure;
    }
    if (auto failure = read_depth(options, "minconf", funding.min_depth)) return failure;
    if (auto failure = read_depth(options, "maxconf", funding.max_depth)) return failure;
    if (auto failure = read_change(options, outputs, funding)) return failure;
    if (auto failure = read_subtract(member(options, "subtractFeeFromOutputs"), outputs,
                                     funding.subtract_fee_from)) {
        return failure;
    }
    std::optional<std::int64_t> rate;
    if (auto failure = read_rates(options, rate)) return failure;
    if (!rate) return usual_fee_rate(funding.sat_per_kvb);
    funding.sat_per_kvb = *rate;
    return check_rate(*rate, chain_.policy().min_relay_sat_per_kvb);
}

RpcFailure WalletMethods::fund_raw_transaction(SimWallet& wallet, const Json& params,
                                               Json& result) {
    chain::Transaction transaction;
    if (auto failure = read_transaction(parameter(params, 0), InputsNeeded::no, transaction)) {
        return failure;
    }
    if (transaction.outputs.empty()) {
        return {rpc_code::kInvalidParameter, "TX must have at least one output"};
    }
    const auto* given = parameter(params, 1);
    const Json options = given != nullptr ? *given : Json::object();
    FundingOptions funding;
    bool lock_unspents = false;
    if (auto failure = read_funding(options, transaction, funding)) return failure;
    if (auto failure = read(member(options, "lockUnspents"), "lockUnspents", lock_unspents)) {
        return failure;
    }
    const auto funded = fault_ == WalletFault::insufficient_funds
                            ? std::unexpected(FundingProblem::insufficient_funds)
                            : fund_transaction(wallet, chain_, transaction, funding);
    if (!funded) return {rpc_code::kWallet, std::string(describe(funded.error()))};
    if (lock_unspents) {
        for (const auto& input : funded->transaction.inputs)
            wallet.lock_coin(input.previous, false);
    }
    result = {{"hex", base::to_hex(funded->transaction.serialize())},
              {"fee", amount_json(funded->fee_sat)},
              {"changepos", -1}};
    if (funded->change_position) result["changepos"] = *funded->change_position;
    return {};
}

RpcFailure WalletMethods::sign_raw_transaction(SimWallet& wallet, const Json& params,
                                               Json& result) {
    chain::Transaction transaction;
    if (auto failure = read_transaction(parameter(params, 0), InputsNeeded::yes, transaction)) {
        return failure;
    }
    std::map<chain::OutPoint, chain::TxOutput> described;
    if (auto failure = read_previous(parameter(params, 1), described)) return failure;
    std::string hash_type = "ALL";
    if (auto failure = read(parameter(params, 2), "sighashtype", hash_type)) return failure;
    if (hash_type != "ALL" && hash_type != "DEFAULT") {
        return {rpc_code::kInvalidParameter,
                fmt::format("'{}' is not a valid sighash parameter.", hash_type)};
    }
    if (auto failure = need_unlocked(wallet)) return failure;
    const auto known = outputs_of(chain_);
    const FindOutput find = [&](const chain::OutPoint& outpoint) {
        const auto at = described.find(outpoint);
        return at == described.end() ? known(outpoint) : at->second;
    };
    const auto failures = sign_transaction(wallet, transaction, find, segwit_now(chain_));
    result = {{"hex", base::to_hex(transaction.serialize())}, {"complete", failures.empty()}};
    for (const auto& failure : failures) {
        result["errors"].push_back(failure_json(transaction.inputs[failure.input], failure.reason));
    }
    return {};
}

// sendtoaddress "address" amount "comment" "comment_to" subtractfeefromamount replaceable
// conf_target "estimate_mode" avoid_reuse fee_rate
RpcFailure WalletMethods::send_to_address(SimWallet& wallet, const Json& params, Json& result) {
    const auto* given = parameter(params, 0);
    const auto* amount = parameter(params, 1);
    if (given == nullptr) return type_failure("address", "string");
    if (amount == nullptr) return type_failure("amount", "number");
    std::string address;
    if (auto failure = read(given, "address", address)) return failure;
    auto script = chain::script_of_address(address, rpc_network());
    if (!script) {
        return {rpc_code::kInvalidAddressOrKey, "Invalid Bitcoin address: " + address};
    }
    chain::Transaction transaction;
    auto& output = transaction.outputs.emplace_back();
    output.script = std::move(*script);
    if (auto failure = read_amount(*amount, output.value_sat)) return failure;
    bool subtract = false;
    FundingOptions funding;
    if (auto failure = read(parameter(params, 4), "subtractfeefromamount", subtract)) {
        return failure;
    }
    if (subtract) funding.subtract_fee_from = {0};
    if (auto failure = read(parameter(params, 5), "replaceable", funding.replaceable)) {
        return failure;
    }
    if (const auto* rate = parameter(params, 9)) {
        if (auto failure = read_fee_rate(*rate, funding.sat_per_kvb)) return failure;
        const auto lowest = chain_.policy().min_relay_sat_per_kvb;
        if (auto failure = check_rate(funding.sat_per_kvb, lowest)) return failure;
    } else if (auto failure = usual_fee_rate(funding.sat_per_kvb)) {
        return failure;
    }
    if (auto failure = need_unlocked(wallet)) return failure;
    auto funded = fault_ == WalletFault::insufficient_funds
                      ? std::unexpected(FundingProblem::insufficient_funds)
                      : fund_transaction(wallet, chain_, transaction, funding);
    if (!funded) return {rpc_code::kInsufficientFunds, std::string(describe(funded.error()))};
    auto& ready = funded->transaction;
    const auto failures = sign_transaction(wallet, ready, outputs_of(chain_), segwit_now(chain_));
    ADIT_CHECK(failures.empty(), "the wallet signs for its own coins");
    const auto verdict = chain_.accept_transaction(ready);
    if (verdict != Verdict::accepted) {
        return {rpc_code::kWallet,
                fmt::format("Transaction was rejected! Reason given: {}", text_of(verdict))};
    }
    result = ready.txid().rpc_hex();
    return {};
}

}  // namespace adit::sim
