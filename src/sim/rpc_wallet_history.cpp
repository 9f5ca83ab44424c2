// Methods that tell of a wallet's transactions.
#include "chain/address.h"
#include "sim/rpc_amount.h"
#include "sim/rpc_methods.h"
#include "sim/rpc_wallet.h"
#include "sim/tx_rules.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

std::int64_t value_out(const chain::Transaction& transaction) {
    std::int64_t sum = 0;
    for (const auto& output : transaction.outputs)
        sum += output.value_sat;
    return sum;
}

// "yes", "no" or, for what is neither in a block nor in the mempool, perhaps "unknown".
std::string_view replaceable_state(const WalletTransaction& known, const SimChain& chain) {
    if (SimWallet::depth(known, chain) > 0) return "no";
    if (signals_replacement(known.transaction)) return "yes";
    const auto& mempool = chain.mempool();
    if (!mempool.contains(known.txid)) return "unknown";
    const bool inherited = std::ranges::any_of(
        mempool.ancestors_of(known.transaction),
        [&](const auto& txid) { return signals_replacement(mempool.find(txid)->transaction); });
    return inherited ? "yes" : "no";
}

std::optional<std::size_t> place_in_block(const BlockEntry& entry, const chain::Hash256& txid) {
    if (!entry.block) return std::nullopt;
    const auto& transactions = entry.block->transactions;
    const auto at = std::ranges::find_if(
        transactions, [&](const auto& transaction) { return transaction.txid() == txid; });
    if (at == transactions.end()) return std::nullopt;
    return static_cast<std::size_t>(at - transactions.begin());
}

std::string_view coinbase_category(const WalletTransaction& known, const SimChain& chain) {
    if (SimWallet::depth(known, chain) < 1) return "orphan";
    return SimWallet::blocks_to_maturity(known, chain) > 0 ? "immature" : "generate";
}

RpcFailure read_txid(const SimWallet& wallet, const Json& params, std::string_view problem,
                     const WalletTransaction*& known) {
    chain::Hash256 txid;
    if (auto failure = hash_parameter(params, 0, "txid", txid)) return failure;
    known = wallet.find(txid);
    if (known == nullptr) return {rpc_code::kInvalidAddressOrKey, std::string(problem)};
    return {};
}

}  // namespace

nlohmann::json WalletMethods::common_json(const SimWallet& wallet,
                                          const WalletTransaction& known) const {
    const auto confirmations = SimWallet::depth(known, chain_);
    Json json{{"confirmations", confirmations},
              {"txid", known.txid.rpc_hex()},
              {"wtxid", known.transaction.wtxid().rpc_hex()},
              {"time", known.time_s},
              {"timereceived", known.time_s},
              {"bip125-replaceable", replaceable_state(known, chain_)}};
    if (known.transaction.is_coinbase()) json["generated"] = true;
    if (known.block) {
        const auto& entry = *chain_.at_height(known.block->height);
        json["blockhash"] = entry.hash.rpc_hex();
        json["blockheight"] = entry.height;
        json["blocktime"] = entry.header.time;
        if (const auto place = place_in_block(entry, known.txid)) json["blockindex"] = *place;
    } else {
        json["trusted"] = wallet.is_trusted(known, chain_);
    }
    auto& conflicts = json["walletconflicts"] = Json::array();
    for (const auto& txid : wallet.conflicts_of(known))
        conflicts.push_back(txid.rpc_hex());
    return json;
}

void WalletMethods::append_movements(const SimWallet& wallet, const WalletTransaction& known,
                                     const Json& common, bool with_change, Json& list) const {
    const auto debit = wallet.debit_sat(known);
    const auto fee = value_out(known.transaction) - debit;
    const bool coinbase = known.transaction.is_coinbase();
    Json received = Json::array();
    for (std::size_t i = 0; i < known.transaction.outputs.size(); ++i) {
        const auto& output = known.transaction.outputs[i];
        const bool mine = wallet.is_mine(output.script);
        if (debit > 0 ? !with_change && wallet.is_change(output.script) : !mine) continue;
        auto json = common;
        if (const auto address = chain::address_of_script(output.script, rpc_network())) {
            json["address"] = *address;
        }
        if (const auto* label = wallet.label_of(output.script)) json["label"] = *label;
        json["vout"] = i;
        json["abandoned"] = known.abandoned;
        if (debit > 0) {
            json["category"] = "send";
            json["amount"] = amount_json(-output.value_sat);
            json["fee"] = amount_json(fee);
            list.push_back(json);
            json.erase("fee");
        }
        if (!mine) continue;
        json["category"] = coinbase ? coinbase_category(known, chain_) : "receive";
        json["amount"] = amount_json(output.value_sat);
        received.push_back(std::move(json));
    }
    // What was sent comes before what was received.
    for (auto& json : received)
        list.push_back(std::move(json));
}

RpcFailure WalletMethods::get_transaction(SimWallet& wallet, const Json& params, Json& result) {
    const WalletTransaction* known = nullptr;
    if (auto failure = read_txid(wallet, params, "Invalid or non-wallet transaction id", known)) {
        return failure;
    }
    result = common_json(wallet, *known);
    const auto debit = wallet.debit_sat(*known);
    // An immature coinbase counts as nothing.
    const bool mature = SimWallet::blocks_to_maturity(*known, chain_) == 0;
    const auto credit = mature ? wallet.credit_sat(*known) : 0;
    const auto fee = debit > 0 ? value_out(known->transaction) - debit : 0;
    result["amount"] = amount_json(credit - debit - fee);
    if (debit > 0) result["fee"] = amount_json(fee);
    auto& details = result["details"] = Json::array();
    append_movements(wallet, *known, Json::object(), false, details);
    result["hex"] = base::to_hex(known->transaction.serialize());
    result["lastprocessedblock"] = last_processed_block();
    return {};
}

// listtransactions "label" count skip
RpcFailure WalletMethods::list_transactions(SimWallet& wallet, const Json& params, Json& result) {
    std::string label = "*";
    std::int64_t count = 10;
    std::int64_t skip = 0;
    if (auto failure = read(parameter(params, 0), "label", label)) return failure;
    if (auto failure = read(parameter(params, 1), "count", count)) return failure;
    if (auto failure = read(parameter(params, 2), "skip", skip)) return failure;
    if (count < 0) return {rpc_code::kInvalidParameter, "Negative count"};
    if (skip < 0) return {rpc_code::kInvalidParameter, "Negative from"};
    Json all = Json::array();
    for (const auto* known : wallet.transactions()) {
        append_movements(wallet, *known, common_json(wallet, *known), false, all);
    }
    if (label != "*") {
        Json labelled = Json::array();
        for (auto& json : all) {
            if (json.value("label", "") == label && json.contains("label")) {
                labelled.push_back(std::move(json));
            }
        }
        all = std::move(labelled);
    }
    // The newest `count` after leaving out the newest `skip`, oldest first.
    const auto size = static_cast<std::int64_t>(all.size());
    const auto end = std::max<std::int64_t>(size - skip, 0);
    const auto begin = std::max<std::int64_t>(end - count, 0);
    result = Json::array();
    for (auto i = begin; i < end; ++i)
        result.push_back(std::move(all[static_cast<std::size_t>(i)]));
    return {};
}

// listsinceblock "blockhash" target_confirmations include_watchonly include_removed include_change
RpcFailure WalletMethods::list_since_block(SimWallet& wallet, const Json& params, Json& result) {
    const BlockEntry* asked = nullptr;
    if (const auto* given = parameter(params, 0); given != nullptr && *given != Json("")) {
        chain::Hash256 hash;
        if (auto failure = hash_parameter(params, 0, "blockhash", hash)) return failure;
        asked = chain_.find(hash);
        if (asked == nullptr) return {rpc_code::kInvalidAddressOrKey, "Block not found"};
    }
    std::int64_t target = 1;
    bool with_removed = true;
    if (auto failure = read(parameter(params, 1), "target_confirmations", target)) return failure;
    if (target < 1) return {rpc_code::kInvalidParameter, "Invalid parameter"};
    if (auto failure = read(parameter(params, 3), "include_removed", with_removed)) return failure;
    bool with_change = false;
    if (auto failure = read(parameter(params, 4), "include_change", with_change)) return failure;
    Json removed = Json::array();
    const auto* fork = asked;
    for (; fork != nullptr && !chain_.on_main_chain(*fork); fork = fork->parent) {
        if (!with_removed) continue;
        if (!fork->block) return {rpc_code::kMisc, "Can't read block from disk"};
        for (const auto& transaction : fork->block->transactions) {
            const auto* known = wallet.find(transaction.txid());
            if (known == nullptr) continue;
            append_movements(wallet, *known, common_json(wallet, *known), with_change, removed);
        }
    }
    const auto tip = chain_.tip().height;
    Json listed = Json::array();
    for (const auto* known : wallet.transactions()) {
        const auto depth = std::abs(SimWallet::depth(*known, chain_));
        if (fork != nullptr && depth >= tip - fork->height + 1) continue;
        append_movements(wallet, *known, common_json(wallet, *known), with_change, listed);
    }
    const auto last = tip + 1 - std::min<std::int64_t>(target, tip + 1);
    result = {{"transactions", std::move(listed)},
              {"lastblock", chain_.at_height(static_cast<std::int32_t>(last))->hash.rpc_hex()}};
    if (with_removed) result["removed"] = std::move(removed);
    return {};
}

RpcFailure WalletMethods::abandon_transaction(SimWallet& wallet, const Json& params, Json& result) {
    const WalletTransaction* known = nullptr;
    if (auto failure = read_txid(wallet, params, "Invalid or non-wallet transaction id", known)) {
        return failure;
    }
    if (!wallet.abandon(known->txid, chain_)) {
        return {rpc_code::kInvalidAddressOrKey, "Transaction not eligible for abandonment"};
    }
    result = nullptr;
    return {};
}

}  // namespace adit::sim
