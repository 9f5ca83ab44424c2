// The wallet's transactions: what became of them, and what they spent.
#include "node/chain_info.h"
#include "node/json.h"
#include "node/node_wallet.h"

#include <algorithm>
#include <map>

namespace adit::node {

using ledger::FromWallet;
using ledger::OutputState;
using ledger::TransactionStatus;
using ledger::WalletFault;
using ledger::WalletSpend;
using ledger::WalletSpends;

namespace {

constexpr int kAttempts = 3;  // to see an output while the chain stands still

std::optional<std::int32_t> json_int32(const Json& value, std::string_view key) {
    const auto number = json_int(value, key);
    if (!number || *number < INT32_MIN || *number > INT32_MAX) return std::nullopt;
    return static_cast<std::int32_t>(*number);
}

// Adds what a list of listsinceblock says was spent; false: an entry makes no sense.
bool read_spends(const Json& list_json, std::map<chain::Hash256, WalletSpend>& spends) {
    simdjson::dom::array list;
    if (list_json.get(list) != simdjson::SUCCESS) return false;
    for (const Json entry : list) {
        const auto category = json_text(entry, "category");
        const auto txid = json_hash(entry, "txid");
        const auto depth = json_int32(entry, "confirmations");
        if (!category || !txid || !depth) return false;
        if (*category != "send") continue;
        const WalletSpend spend{*txid, *depth, json_bool(entry, "abandoned").value_or(false)};
        const auto [known, is_new] = spends.emplace(*txid, spend);
        if (!is_new && known->second.confirmations != *depth) return false;
    }
    return true;
}

bool spends_output(const chain::Transaction& transaction, const chain::OutPoint& outpoint) {
    return std::ranges::find(transaction.inputs, outpoint, &chain::TxInput::previous) !=
           transaction.inputs.end();
}

}  // namespace

FromWallet<std::optional<NodeWallet::Known>> NodeWallet::ask_known(const chain::Hash256& txid) {
    constexpr std::string_view kMethod = "gettransaction";
    const auto reply = client_.call(kMethod, fmt::format(R"(["{}"])", txid.rpc_hex()));
    if (!reply) {
        if (is_code(reply.error(), rpc_error::kInvalidAddressOrKey)) return std::nullopt;
        return failed(kMethod, reply.error());
    }
    const auto& result = reply->result();
    const auto depth = json_int32(result, "confirmations");
    const auto hex = json_text(result, "hex");
    const auto bytes = hex ? base::from_hex(*hex) : std::nullopt;
    if (!depth || !bytes) return malformed(kMethod, "confirmations or hex is missing");
    auto transaction = chain::parse_transaction(*bytes);
    if (!transaction) return malformed(kMethod, chain::describe(transaction.error()));
    if (transaction->txid() != txid) return malformed(kMethod, "it is about another transaction");
    Known known{*std::move(transaction), *depth, {}, 0};
    if (*depth <= 0) return known;
    const auto block = json_hash(result, "blockhash");
    const auto height = json_int32(result, "blockheight");
    if (!block || !height || *height < 0) {
        return malformed(kMethod, "blockhash or blockheight of a confirmed one is missing");
    }
    known.block = *block;
    known.height = *height;
    return known;
}

FromWallet<bool> NodeWallet::in_mempool(const chain::Hash256& txid) {
    constexpr std::string_view kMethod = "getmempoolentry";
    const auto reply = client_.call(kMethod, fmt::format(R"(["{}"])", txid.rpc_hex()));
    if (reply) return true;
    if (is_code(reply.error(), rpc_error::kInvalidAddressOrKey)) return false;
    return failed(kMethod, reply.error());
}

FromWallet<std::optional<TransactionStatus>> NodeWallet::status(const chain::Hash256& txid) {
    // The mempool first: one that is mined between the two calls is found in its block.
    const auto waiting = in_mempool(txid);
    if (!waiting) return std::unexpected(waiting.error());
    const auto known = ask_known(txid);
    if (!known) return std::unexpected(known.error());
    if (!*known) return std::nullopt;
    const auto& found = **known;
    return TransactionStatus{found.confirmations, found.block, found.height,
                             *waiting && found.confirmations == 0};
}

FromWallet<std::optional<chain::Transaction>> NodeWallet::transaction(const chain::Hash256& txid) {
    auto known = ask_known(txid);
    if (!known) return std::unexpected(known.error());
    if (!*known) return std::nullopt;
    return (*std::move(known))->transaction;
}

FromWallet<WalletSpends> NodeWallet::spends_since(const chain::Hash256& block) {
    constexpr std::string_view kMethod = "listsinceblock";
    // Also what left the chain, and also outputs that look like change: without these, a
    // transaction that only moves the wallet's own coins would not be listed.
    const auto params = [](const std::string& since) {
        return fmt::format(R"(["{}",1,false,true,true])", since);
    };
    auto reply = client_.call(kMethod, params(block.is_zero() ? "" : block.rpc_hex()));
    if (!reply && !block.is_zero() && is_code(reply.error(), rpc_error::kInvalidAddressOrKey)) {
        reply = client_.call(kMethod, params(""));
    }
    if (!reply) return failed(kMethod, reply.error());
    const auto& result = reply->result();
    const auto listed = json_field(result, "transactions");
    const auto removed = json_field(result, "removed");
    const auto last = json_hash(result, "lastblock");
    std::map<chain::Hash256, WalletSpend> spends;
    if (!listed || !last || !read_spends(*listed, spends) ||
        (removed && !read_spends(*removed, spends))) {
        return malformed(kMethod,
                         "an entry has no category, txid and confirmations, or lastblock "
                         "is missing");
    }
    WalletSpends found{{}, *last};
    for (const auto& [txid, spend] : spends)
        found.spends.push_back(spend);
    return found;
}

FromWallet<chain::Hash256> NodeWallet::best_block() {
    const auto info = ask_chain_info(client_, network_, timeout_ms_);
    if (!info) return failed("getblockchaininfo", info.error());
    if (!info->right_chain) return trouble(WalletFault::not_ready, "the node is on another chain");
    return info->best;
}

FromWallet<OutputState> NodeWallet::output_state(const chain::OutPoint& outpoint) {
    auto before = best_block();
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        if (!before) return std::unexpected(before.error());
        const auto state = look_at(outpoint);
        const auto after = best_block();
        if (after && *after == *before) return state;
        before = after;
    }
    return trouble(WalletFault::not_ready,
                   "the chain changed each time the node was asked about an output; it is asked "
                   "again");
}

// True only while the chain stands still, since it takes several calls.
FromWallet<OutputState> NodeWallet::look_at(const chain::OutPoint& outpoint) {
    const auto there = coin(outpoint);
    if (!there) return std::unexpected(there.error());
    OutputState state;
    if (*there) {
        state.unspent = state.created = true;
        return state;
    }
    const auto creator = ask_known(outpoint.txid);
    if (!creator) return std::unexpected(creator.error());
    if (!*creator || (*creator)->confirmations <= 0 ||
        outpoint.index >= (*creator)->transaction.outputs.size()) {
        return state;
    }
    state.created = true;
    // From the block before: the spender may be in the same one.
    const auto header = ask_header(client_, (*creator)->block, timeout_ms_);
    if (!header) return failed("getblockheader", header.error());
    if (const auto found = find_spender(outpoint, header->previous, state); !found) {
        return std::unexpected(found.error());
    }
    return state;
}

FromWallet<void> NodeWallet::find_spender(const chain::OutPoint& outpoint,
                                          const chain::Hash256& since, OutputState& state) {
    const auto listed = spends_since(since);
    if (!listed) return std::unexpected(listed.error());
    for (const auto& spend : listed->spends) {
        if (spend.confirmations <= 0) continue;
        const auto known = ask_known(spend.txid);
        if (!known) return std::unexpected(known.error());
        if (!*known || (*known)->confirmations <= 0 ||
            !spends_output((*known)->transaction, outpoint)) {
            continue;
        }
        state.spender = spend.txid;
        state.spender_confirmations = (*known)->confirmations;
        state.spender_block = (*known)->block;
        return {};
    }
    return {};
}

}  // namespace adit::node
