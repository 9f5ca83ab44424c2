// The wallet's coins: which there are, and locking them.
#include "node/json.h"
#include "node/node_wallet.h"
#include "node/rpc_amount.h"

#include <algorithm>
#include <set>

namespace adit::node {

using ledger::Coin;
using ledger::FromWallet;
using ledger::WalletFault;

namespace {

constexpr std::int32_t kMostConfirmations = 9'999'999;  // listunspent's default

std::optional<chain::OutPoint> json_outpoint(const Json& value) {
    const auto txid = json_hash(value, "txid");
    const auto index = json_int(value, "vout");
    if (!txid || !index || *index < 0 || *index >= UINT32_MAX) return std::nullopt;
    return chain::OutPoint{*txid, static_cast<std::uint32_t>(*index)};
}

std::optional<chain::Amount> json_amount(const Json& value, std::string_view key) {
    const auto btc = json_as<double>(value, key);
    const auto amount = btc ? amount_of_json(*btc) : std::nullopt;
    if (!amount || amount->sat() < 0) return std::nullopt;
    return amount;
}

std::optional<std::int32_t> json_depth(const Json& value) {
    const auto depth = json_int(value, "confirmations");
    if (!depth || *depth < 0 || *depth > INT32_MAX) return std::nullopt;
    return static_cast<std::int32_t>(*depth);
}

std::optional<base::Bytes> json_bytes(const Json& value, std::string_view key) {
    const auto hex = json_text(value, key);
    return hex ? base::from_hex(*hex) : std::nullopt;
}

// An entry of listunspent.
std::optional<Coin> coin_of(const Json& value) {
    const auto outpoint = json_outpoint(value);
    const auto amount = json_amount(value, "amount");
    auto script = json_bytes(value, "scriptPubKey");
    const auto depth = json_depth(value);
    if (!outpoint || !amount || !script || !depth) return std::nullopt;
    return Coin{*outpoint, *amount, *std::move(script), *depth};
}

// What a payout may spend: the keys are there and the output cannot be malleated.
bool is_usable(const Json& value, const Coin& coin) {
    return json_bool(value, "spendable") == true && json_bool(value, "solvable") == true &&
           json_bool(value, "safe").value_or(true) && !coin.value.is_zero() &&
           ledger::is_payable_coin(coin.script);
}

std::string outpoints_json(std::span<const chain::OutPoint> outpoints) {
    std::string list;
    for (const auto& outpoint : outpoints) {
        list += fmt::format(R"({}{{"txid":"{}","vout":{}}})", list.empty() ? "" : ",",
                            outpoint.txid.rpc_hex(), outpoint.index);
    }
    return "[" + list + "]";
}

}  // namespace

FromWallet<std::vector<Coin>> NodeWallet::coins(std::int32_t min_confirmations) {
    constexpr std::string_view kMethod = "listunspent";
    const auto least = std::clamp(min_confirmations, 1, kMostConfirmations);
    const auto reply = ask(kMethod, fmt::format("[{},{},[],false]", least, kMostConfirmations));
    if (!reply) return std::unexpected(reply.error());
    simdjson::dom::array list;
    if (reply->result().get(list) != simdjson::SUCCESS) return malformed(kMethod, "it is no list");
    std::vector<Coin> coins;
    std::set<chain::OutPoint> seen;
    std::int64_t left_sat = chain::Amount::kMaxSat;
    for (const Json entry : list) {
        auto coin = coin_of(entry);
        if (!coin) {
            return malformed(kMethod,
                             "an entry has no sensible txid, vout, amount, scriptPubKey and "
                             "confirmations");
        }
        if (coin->confirmations < least) {
            return malformed(kMethod, "a coin has fewer confirmations than were asked for");
        }
        if (!seen.insert(coin->outpoint).second) return malformed(kMethod, "a coin is there twice");
        left_sat -= coin->value.sat();
        if (left_sat < 0) return malformed(kMethod, "it has more bitcoins than can exist");
        if (is_usable(entry, *coin)) coins.push_back(*std::move(coin));
    }
    return coins;
}

FromWallet<std::optional<Coin>> NodeWallet::coin(const chain::OutPoint& outpoint) {
    constexpr std::string_view kMethod = "gettxout";
    const auto reply =
        ask(kMethod, fmt::format(R"(["{}",{},false])", outpoint.txid.rpc_hex(), outpoint.index));
    if (!reply) return std::unexpected(reply.error());
    const auto& result = reply->result();
    if (result.is_null()) return std::nullopt;
    const auto amount = json_amount(result, "value");
    const auto script = json_field(result, "scriptPubKey");
    auto bytes = script ? json_bytes(*script, "hex") : std::nullopt;
    const auto depth = json_depth(result);
    if (!amount || !bytes || !depth || *depth < 1) {
        return malformed(kMethod, "it has no sensible value, scriptPubKey and confirmations");
    }
    return Coin{outpoint, *amount, *std::move(bytes), *depth};
}

FromWallet<void> NodeWallet::lock(std::span<const chain::OutPoint> outpoints) {
    return set_locks(outpoints, true);
}

FromWallet<void> NodeWallet::unlock(std::span<const chain::OutPoint> outpoints) {
    return set_locks(outpoints, false);
}

// The node changes all of a call or nothing, and refuses to lock what is locked and to unlock what
// is not. So a refused call is made again for each output, and then its locks decide whether
// everything is as it was wanted.
FromWallet<void> NodeWallet::set_locks(std::span<const chain::OutPoint> outpoints, bool locked) {
    constexpr std::string_view kMethod = "lockunspent";
    // Never with no outputs: with none given, the node unlocks all there are.
    if (outpoints.empty()) return {};
    const auto change =
        [&](std::span<const chain::OutPoint> some) -> std::expected<void, RpcError> {
        // The last one: also after the node was restarted.
        const auto list = outpoints_json(some);
        const auto reply = client_.call(kMethod, locked ? fmt::format("[false,{},true]", list)
                                                        : fmt::format("[true,{}]", list));
        if (!reply) return std::unexpected(reply.error());
        bool done = false;
        if (reply->result().get(done) != simdjson::SUCCESS || !done) {
            return std::unexpected(RpcError{RpcErrorKind::malformed, 0, "the answer is not true"});
        }
        return {};
    };
    const auto all = change(outpoints);
    if (all) return {};
    if (!is_code(all.error(), rpc_error::kInvalidParameter)) return failed(kMethod, all.error());
    std::vector<std::pair<chain::OutPoint, RpcError>> refused;
    for (const auto& outpoint : outpoints) {
        const auto one = change({&outpoint, 1});
        if (one) continue;
        if (!is_code(one.error(), rpc_error::kInvalidParameter)) {
            return failed(kMethod, one.error());
        }
        refused.emplace_back(outpoint, one.error());
    }
    if (refused.empty()) return {};
    const auto now = locked_outpoints();
    if (!now) return std::unexpected(now.error());
    for (const auto& [outpoint, error] : refused) {
        const bool is_locked = std::ranges::find(*now, outpoint) != now->end();
        if (is_locked == locked) continue;
        // What the wallet knows, and has not locked, and will not lock, it has spent.
        const auto known = ask_known(outpoint.txid);
        if (!known) return std::unexpected(known.error());
        if (*known && outpoint.index < (*known)->transaction.outputs.size()) continue;
        return trouble(WalletFault::refused,
                       fmt::format("output {}:{} cannot be {} ({}); is it this wallet's?",
                                   outpoint.txid.rpc_hex(), outpoint.index,
                                   locked ? "locked" : "unlocked", error.message));
    }
    return {};
}

FromWallet<std::vector<chain::OutPoint>> NodeWallet::locked_outpoints() {
    constexpr std::string_view kMethod = "listlockunspent";
    const auto reply = ask(kMethod, "[]");
    if (!reply) return std::unexpected(reply.error());
    simdjson::dom::array list;
    if (reply->result().get(list) != simdjson::SUCCESS) return malformed(kMethod, "it is no list");
    std::vector<chain::OutPoint> outpoints;
    for (const Json entry : list) {
        const auto outpoint = json_outpoint(entry);
        if (!outpoint) return malformed(kMethod, "an entry is no output");
        outpoints.push_back(*outpoint);
    }
    return outpoints;
}

}  // namespace adit::node
