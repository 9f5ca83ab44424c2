// Methods that tell of a wallet's unspent outputs and balances, and lock outputs.
#include "chain/address.h"
#include "sim/rpc_amount.h"
#include "sim/rpc_methods.h"
#include "sim/rpc_wallet.h"
#include "sim/tx_rules.h"

#include <nlohmann/json.hpp>

#include <set>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

struct UnspentFilter {
    std::int64_t min_depth = 1;
    std::int64_t max_depth = 9'999'999;
    std::set<base::Bytes> scripts;  // empty: all
    bool include_unsafe = true;
    bool include_immature = false;
    std::int64_t min_sat = 0;
    std::int64_t max_sat = kMaxMoney;
    std::int64_t min_sum_sat = kMaxMoney;  // enough when reached
    std::int64_t max_count = 0;            // 0: any number

    bool passes(const WalletCoin& coin) const {
        return !coin.locked && (coin.mature || include_immature) && (coin.safe || include_unsafe) &&
               coin.depth >= min_depth && coin.depth <= max_depth &&
               coin.output.value_sat >= min_sat && coin.output.value_sat <= max_sat &&
               (scripts.empty() || scripts.contains(coin.output.script));
    }
};

RpcFailure read_addresses(const Json* value, std::set<base::Bytes>& scripts) {
    if (value == nullptr) return {};
    if (!value->is_array()) return type_failure("addresses", "array");
    for (const auto& item : *value) {
        std::string address;
        if (auto failure = read(&item, "address", address)) return failure;
        const auto script = chain::script_of_address(address, rpc_network());
        if (!script) {
            return {rpc_code::kInvalidAddressOrKey, "Invalid Bitcoin address: " + address};
        }
        if (!scripts.insert(*script).second) {
            return {rpc_code::kInvalidParameter,
                    "Invalid parameter, duplicated address: " + address};
        }
    }
    return {};
}

RpcFailure read_query(const Json* query, UnspentFilter& filter) {
    if (query == nullptr) return {};
    if (auto failure =
            refuse_unknown_keys(*query, {"minimumAmount", "maximumAmount", "minimumSumAmount",
                                         "maximumCount", "include_immature_coinbase"})) {
        return failure;
    }
    const std::pair<std::string_view, std::int64_t*> amounts[] = {
        {"minimumAmount", &filter.min_sat},
        {"maximumAmount", &filter.max_sat},
        {"minimumSumAmount", &filter.min_sum_sat}};
    for (const auto& [name, place] : amounts) {
        const auto* value = member(*query, name);
        if (value == nullptr) continue;
        if (auto failure = read_amount(*value, *place)) return failure;
    }
    if (auto failure = read(member(*query, "maximumCount"), "maximumCount", filter.max_count)) {
        return failure;
    }
    return read(member(*query, "include_immature_coinbase"), "include_immature_coinbase",
                filter.include_immature);
}

Json coin_json(const SimWallet& wallet, const WalletCoin& coin) {
    Json json{{"txid", coin.outpoint.txid.rpc_hex()},
              {"vout", coin.outpoint.index},
              {"scriptPubKey", base::to_hex(coin.output.script)},
              {"amount", amount_json(coin.output.value_sat)},
              {"confirmations", coin.depth},
              {"spendable", true},
              {"solvable", true},
              {"parent_descs", Json::array()},
              {"safe", coin.safe}};
    if (const auto address = chain::address_of_script(coin.output.script, rpc_network())) {
        json["address"] = *address;
    }
    if (const auto* label = wallet.label_of(coin.output.script)) json["label"] = *label;
    return json;
}

struct Balances {
    std::int64_t trusted = 0;
    std::int64_t untrusted_pending = 0;
    std::int64_t immature = 0;
};

Balances balances_of(const SimWallet& wallet, const SimChain& chain) {
    Balances sums;
    for (const auto& coin : wallet.coins(chain)) {
        auto& sum = !coin.mature ? sums.immature
                    : coin.safe  ? sums.trusted
                                 : sums.untrusted_pending;
        sum += coin.output.value_sat;
    }
    return sums;
}

// Why this output cannot be locked or unlocked.
RpcFailure check_lockable(const SimWallet& wallet, const SimChain& chain,
                          const chain::OutPoint& outpoint, bool unlock, bool persistent) {
    const auto* known = wallet.find(outpoint.txid);
    std::string_view problem;
    if (known == nullptr) {
        problem = "unknown transaction";
    } else if (outpoint.index >= known->transaction.outputs.size()) {
        problem = "vout index out of bounds";
    } else if (wallet.is_spent(outpoint, chain)) {
        problem = "expected unspent output";
    } else if (unlock && !wallet.is_locked(outpoint)) {
        problem = "expected locked output";
    } else if (!unlock && wallet.is_locked(outpoint) && !persistent) {
        problem = "output already locked";
    } else {
        return {};
    }
    return {rpc_code::kInvalidParameter, fmt::format("Invalid parameter, {}", problem)};
}

}  // namespace

RpcFailure WalletMethods::list_unspent(SimWallet& wallet, const Json& params, Json& result) {
    UnspentFilter filter;
    if (auto failure = read(parameter(params, 0), "minconf", filter.min_depth)) return failure;
    if (auto failure = read(parameter(params, 1), "maxconf", filter.max_depth)) return failure;
    if (auto failure = read_addresses(parameter(params, 2), filter.scripts)) return failure;
    if (auto failure = read(parameter(params, 3), "include_unsafe", filter.include_unsafe)) {
        return failure;
    }
    if (auto failure = read_query(parameter(params, 4), filter)) return failure;
    result = Json::array();
    std::int64_t sum = 0;
    for (const auto& coin : wallet.coins(chain_)) {
        if (!filter.passes(coin)) continue;
        result.push_back(coin_json(wallet, coin));
        sum += coin.output.value_sat;
        const auto count = static_cast<std::int64_t>(result.size());
        if (sum >= filter.min_sum_sat || count == filter.max_count) break;
    }
    return {};
}

RpcFailure WalletMethods::lock_unspent(SimWallet& wallet, const Json& params, Json& result) {
    const auto* given = parameter(params, 0);
    if (given == nullptr) return type_failure("unlock", "bool");
    bool unlock = false;
    bool persistent = false;
    if (auto failure = read(given, "unlock", unlock)) return failure;
    if (auto failure = read(parameter(params, 2), "persistent", persistent)) return failure;
    result = true;
    const auto* list = parameter(params, 1);
    if (list == nullptr) {
        if (unlock) wallet.unlock_all_coins();
        return {};
    }
    if (!list->is_array()) return type_failure("transactions", "array");
    std::vector<chain::OutPoint> outpoints;
    for (const auto& item : *list) {
        auto& outpoint = outpoints.emplace_back();
        if (auto failure = read_outpoint(item, outpoint)) return failure;
        if (auto failure = check_lockable(wallet, chain_, outpoint, unlock, persistent)) {
            return failure;
        }
    }
    // All or none.
    for (const auto& outpoint : outpoints) {
        if (unlock) {
            wallet.unlock_coin(outpoint);
        } else {
            wallet.lock_coin(outpoint, persistent);
        }
    }
    return {};
}

RpcFailure WalletMethods::list_lock_unspent(SimWallet& wallet, const Json&, Json& result) {
    result = Json::array();
    for (const auto& outpoint : wallet.locked_coins()) {
        result.push_back(Json{{"txid", outpoint.txid.rpc_hex()}, {"vout", outpoint.index}});
    }
    return {};
}

RpcFailure WalletMethods::get_balance(SimWallet& wallet, const Json& params, Json& result) {
    std::int64_t min_depth = 0;
    if (auto failure = read(parameter(params, 1), "minconf", min_depth)) return failure;
    std::int64_t sum = 0;
    for (const auto& coin : wallet.coins(chain_)) {
        if (coin.mature && coin.safe && coin.depth >= min_depth) sum += coin.output.value_sat;
    }
    result = amount_json(sum);
    return {};
}

RpcFailure WalletMethods::get_balances(SimWallet& wallet, const Json&, Json& result) {
    const auto sums = balances_of(wallet, chain_);
    result = {{"mine",
               {{"trusted", amount_json(sums.trusted)},
                {"untrusted_pending", amount_json(sums.untrusted_pending)},
                {"immature", amount_json(sums.immature)}}},
              {"lastprocessedblock", last_processed_block()}};
    return {};
}

}  // namespace adit::sim
