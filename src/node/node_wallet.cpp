// The wallet as a whole, what it is asked before money moves, and what goes to the network.
#include "node/node_wallet.h"

#include "node/chain_info.h"
#include "node/json.h"
#include "node/rpc_amount.h"
#include "node/signed_check.h"

#include <algorithm>

namespace adit::node {

using ledger::FromWallet;
using ledger::WalletError;
using ledger::WalletFault;

namespace {

// listsinceblock names every output of every transaction.
constexpr std::size_t kMostAnswerBytes = 512u << 20;
constexpr std::int32_t kFewestBlocks = 1, kMostBlocks = 1'008;  // estimatesmartfee's range

RpcLimits limits_of(const NodeWalletSettings& settings) {
    RpcLimits limits;
    limits.timeout_ms = settings.timeout_ms;
    limits.max_response_bytes = kMostAnswerBytes;
    return limits;
}

// The node has it: nothing is left to do. testmempoolaccept's and sendrawtransaction's words.
bool is_there_already(std::string_view reason) {
    constexpr std::array<std::string_view, 3> kReasons{
        "txn-already-in-mempool", "txn-already-known", "txn-same-nonwitness-data-in-mempool"};
    return std::ranges::any_of(
        kReasons, [&](std::string_view known) { return reason.find(known) != reason.npos; });
}

std::string one_line(std::string_view text) {
    std::string line(text.substr(0, 200));
    std::ranges::replace_if(
        line, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, ' ');
    return line;
}

}  // namespace

NodeWallet::NodeWallet(NodeWalletSettings settings, RpcMetrics* metrics)
    : place_{settings.wallet, settings.node.label()},
      network_(settings.network),
      timeout_ms_(settings.timeout_ms),
      client_(at_wallet(settings.node, settings.wallet), limits_of(settings), metrics) {}

std::expected<RpcReply, WalletError> NodeWallet::ask(std::string_view method,
                                                     std::string_view params) {
    const auto reply = client_.call(method, params);
    if (!reply) return failed(method, reply.error());
    return *reply;
}

std::unexpected<WalletError> NodeWallet::failed(std::string_view method,
                                                const RpcError& error) const {
    return std::unexpected(wallet_error(place_, method, error));
}

std::unexpected<WalletError> NodeWallet::malformed(std::string_view method,
                                                   std::string_view what) const {
    return std::unexpected(malformed_answer(place_, method, what));
}

std::unexpected<WalletError> NodeWallet::trouble(WalletFault fault, std::string_view what) const {
    return std::unexpected(WalletError{fault, fmt::format("{}: {}", place_.name(), what)});
}

FromWallet<ledger::WalletTip> NodeWallet::tip() {
    const auto info = ask_chain_info(client_, network_, timeout_ms_);
    if (!info) return failed("getblockchaininfo", info.error());
    if (!info->right_chain) {
        return trouble(WalletFault::not_ready,
                       fmt::format("the node is on chain \"{}\" instead of \"{}\"; payout.node "
                                   "must name a node of the pool's chain",
                                   one_line(info->chain), chain::params(network_).rpc_name));
    }
    if (!info->synced) {
        return trouble(WalletFault::not_ready,
                       fmt::format("the node is synchronising and has {} of {} blocks; payouts go "
                                   "on when it has them",
                                   info->blocks, info->headers));
    }
    if (const auto locked = keys_locked(); !locked) return std::unexpected(locked.error());
    return ledger::WalletTip{info->blocks, info->best};
}

FromWallet<bool> NodeWallet::keys_locked() {
    constexpr std::string_view kMethod = "getwalletinfo";
    const auto reply = ask(kMethod, "[]");
    if (!reply) return std::unexpected(reply.error());
    const auto& info = reply->result();
    const auto wallet = json_text(info, "walletname");
    const auto keys = json_bool(info, "private_keys_enabled");
    const auto scanning = json_field(info, "scanning");
    if (!wallet || !keys || !scanning || !(scanning->is_bool() || scanning->is_object())) {
        return malformed(kMethod, "walletname, private_keys_enabled or scanning is missing");
    }
    if (*wallet != place_.wallet) {
        return trouble(WalletFault::no_wallet,
                       fmt::format("the node answers for wallet \"{}\"; is something between pool "
                                   "and node that changes the path of a request?",
                                   one_line(*wallet)));
    }
    if (scanning->is_object() || *json_bool(info, "scanning")) {
        return trouble(WalletFault::not_ready,
                       "it is scanning the chain for its transactions; payouts go on after that");
    }
    if (!*keys) {
        return trouble(WalletFault::no_wallet,
                       "it has no private keys and cannot sign; payout.wallet must name one that "
                       "was made without disable_private_keys");
    }
    // Only wallets with a passphrase have the field; 0 stands for locked.
    if (!json_field(info, "unlocked_until")) return false;
    const auto until = json_int(info, "unlocked_until");
    if (!until || *until < 0) return malformed(kMethod, "unlocked_until is no time");
    return *until == 0;
}

FromWallet<bool> NodeWallet::owns(std::string_view address) {
    constexpr std::string_view kMethod = "getaddressinfo";
    const auto reply = ask(kMethod, fmt::format("[{}]", json_quoted(address)));
    if (!reply) return std::unexpected(reply.error());
    const auto mine = json_bool(reply->result(), "ismine");
    const auto solvable = json_bool(reply->result(), "solvable");
    if (!mine) return malformed(kMethod, "ismine is missing");
    return *mine && solvable.value_or(true);
}

FromWallet<chain::Transaction> NodeWallet::sign(const chain::Transaction& transaction,
                                                std::span<const ledger::Coin> coins) {
    constexpr std::string_view kMethod = "signrawtransactionwithwallet";
    // The outputs that are spent are not described to the node: it takes its own view of them, so
    // that a wrong amount here cannot become a signature.
    const auto reply = ask(
        kMethod, fmt::format(R"(["{}"])", base::to_hex(transaction.serialize_without_witness())));
    if (!reply) return std::unexpected(reply.error());
    const auto& result = reply->result();
    const auto complete = json_bool(result, "complete");
    const auto hex = json_text(result, "hex");
    const auto bytes = hex ? base::from_hex(*hex) : std::nullopt;
    if (!complete || !bytes) return malformed(kMethod, "complete or hex is missing");
    if (!*complete) {
        Json first;
        const bool said = result.at_pointer("/errors/0").get(first) == simdjson::SUCCESS;
        const auto reason = said ? json_text(first, "error") : std::nullopt;
        return trouble(WalletFault::refused,
                       fmt::format("it did not sign every input ({}); it must hold the keys of all "
                                   "coins that a payout spends",
                                   one_line(reason.value_or("no reason given"))));
    }
    auto signed_one = chain::parse_transaction(*bytes);
    if (!signed_one) return malformed(kMethod, chain::describe(signed_one.error()));
    if (const auto fault = fault_of_signed(transaction, *signed_one, coins)) {
        return malformed(kMethod, *fault);
    }
    return *std::move(signed_one);
}

FromWallet<void> NodeWallet::test(base::ByteSpan raw) {
    constexpr std::string_view kMethod = "testmempoolaccept";
    const auto transaction = chain::parse_transaction(raw);
    if (!transaction)
        return trouble(WalletFault::refused, "what is to be tested is no transaction");
    const auto reply = ask(kMethod, fmt::format(R"([["{}"]])", base::to_hex(raw)));
    if (!reply) return std::unexpected(reply.error());
    simdjson::dom::array answers;
    Json answer;
    if (reply->result().get(answers) != simdjson::SUCCESS || answers.size() != 1 ||
        answers.at(0).get(answer) != simdjson::SUCCESS ||
        json_hash(answer, "txid") != transaction->txid()) {
        return malformed(kMethod, "it is not about the transaction that was asked about");
    }
    const auto allowed = json_bool(answer, "allowed");
    // Without `allowed` the call says what is wrong with the transactions as a package.
    if (allowed == true) return {};
    const auto reason = json_text(answer, allowed ? "reject-reason" : "package-error");
    if (!reason) return malformed(kMethod, "neither allowed nor a reason is there");
    if (is_there_already(*reason)) return {};
    return trouble(WalletFault::refused,
                   fmt::format("the node's mempool would not take transaction {}: {}",
                               transaction->txid().rpc_hex(), one_line(*reason)));
}

FromWallet<void> NodeWallet::broadcast(base::ByteSpan raw) {
    constexpr std::string_view kMethod = "sendrawtransaction";
    const auto transaction = chain::parse_transaction(raw);
    if (!transaction) return trouble(WalletFault::refused, "what is to be sent is no transaction");
    const auto txid = transaction->txid();
    const auto reply = client_.call(kMethod, fmt::format(R"(["{}"])", base::to_hex(raw)));
    if (reply) {
        std::string_view hex;
        const bool same = reply->result().get(hex) == simdjson::SUCCESS &&
                          chain::Hash256::from_rpc_hex(hex) == txid;
        if (!same) return malformed(kMethod, "it names another transaction");
        return {};
    }
    const auto error = reply.error();
    if (is_code(error, rpc_error::kAlreadyInChain)) return {};
    if (!is_code(error, rpc_error::kVerify) && !is_code(error, rpc_error::kVerifyRejected)) {
        return failed(kMethod, error);
    }
    if (is_there_already(error.message)) return {};
    // One whose outputs are all spent again is refused like one with unknown inputs, although it is
    // in the chain.
    const auto known = status(txid);
    if (known && *known && (*known)->confirmations > 0) return {};
    return failed(kMethod, error);
}

FromWallet<std::optional<std::int64_t>> NodeWallet::fee_rate(std::int32_t blocks) {
    constexpr std::string_view kMethod = "estimatesmartfee";
    const auto reply = ask(kMethod, fmt::format(R"([{},"economical"])",
                                                std::clamp(blocks, kFewestBlocks, kMostBlocks)));
    if (!reply) return std::unexpected(reply.error());
    const auto& result = reply->result();
    if (!json_field(result, "feerate")) {
        if (!result.is_object()) return malformed(kMethod, "it is no object");
        return std::nullopt;
    }
    const auto btc = json_as<double>(result, "feerate");
    const auto rate = btc ? fee_rate_of_json(*btc) : std::nullopt;
    if (!rate) return malformed(kMethod, "feerate is no fee rate");
    return rate;
}

}  // namespace adit::node
