#include "node/wallet_errors.h"

namespace adit::node {
namespace {

using ledger::WalletError;
using ledger::WalletFault;

WalletError error_of_code(const WalletPlace& place, std::string_view method,
                          const RpcError& error) {
    const auto say = [&](WalletFault fault, std::string_view advice) {
        return WalletError{
            fault, fmt::format("{}: {} ({}: {})", place.name(), advice, method, error.message)};
    };
    switch (error.code) {
        case rpc_error::kWalletNotFound:
        case rpc_error::kWalletNotSpecified:
            return say(WalletFault::no_wallet,
                       fmt::format("it is not loaded; load it with bitcoin-cli loadwallet \"{0}\" "
                                   "true, or make it with bitcoin-cli -named createwallet "
                                   "wallet_name=\"{0}\" load_on_startup=true",
                                   place.wallet));
        case rpc_error::kMethodNotFound:
            return say(WalletFault::no_wallet,
                       "the node does not know this call; payouts need Bitcoin Core 24 or later "
                       "with its wallet, not started with disablewallet=1");
        case rpc_error::kUnlockNeeded:
            return say(WalletFault::locked,
                       fmt::format("it is locked; unlock it with bitcoin-cli -rpcwallet=\"{}\" "
                                   "-stdinwalletpassphrase walletpassphrase SECONDS",
                                   place.wallet));
        case rpc_error::kInsufficientFunds:
            return say(WalletFault::refused,
                       "its coins do not cover this; send more to pool.address");
        case rpc_error::kWallet:
            return say(WalletFault::refused,
                       "the wallet cannot do this; the node's debug.log says more");
        case rpc_error::kVerify:
            return say(WalletFault::refused,
                       "the node refuses the transaction, since an input is spent or unknown or "
                       "its fee is above the node's limit");
        case rpc_error::kVerifyRejected:
            return say(WalletFault::refused, "the rules of the node's mempool refuse this");
        default:
            return say(WalletFault::refused, "the node refuses this call");
    }
}

}  // namespace

std::string WalletPlace::name() const {
    return fmt::format("wallet {} on node {}", wallet.empty() ? "\"\"" : wallet, node);
}

bool is_code(const RpcError& error, int code) {
    return error.kind == RpcErrorKind::rpc && error.code == code;
}

WalletError wallet_error(const WalletPlace& place, std::string_view method, const RpcError& error) {
    const auto say = [&](WalletFault fault) {
        return WalletError{fault,
                           fmt::format("{}: {} failed: {}", place.name(), method, error.message)};
    };
    switch (error.kind) {
        case RpcErrorKind::unreachable:
        case RpcErrorKind::timeout:
        case RpcErrorKind::cancelled:
        case RpcErrorKind::unauthorized:
        case RpcErrorKind::forbidden:
        case RpcErrorKind::http_status:
            return say(WalletFault::unreachable);
        case RpcErrorKind::malformed:
        case RpcErrorKind::too_large:
            return say(WalletFault::malformed);
        case RpcErrorKind::warming_up:
        case RpcErrorKind::not_connected:
        case RpcErrorKind::initial_download:
            return say(WalletFault::not_ready);
        case RpcErrorKind::rpc:
            break;
    }
    return error_of_code(place, method, error);
}

WalletError malformed_answer(const WalletPlace& place, std::string_view method,
                             std::string_view what) {
    return {
        WalletFault::malformed,
        fmt::format("{}: the answer to {} makes no sense: {}; is this Bitcoin Core 24 or later?",
                    place.name(), method, what)};
}

}  // namespace adit::node
