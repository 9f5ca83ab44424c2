// What a failed call means to whoever pays out: JSON-RPC errors as ledger::WalletError. Pure.
#pragma once

#include "ledger/wallet.h"
#include "node/rpc_client.h"

#include <string>
#include <string_view>

namespace adit::node {

// JSON-RPC error codes of Bitcoin Core (rpc/protocol.h) that calls of a wallet are decided by.
namespace rpc_error {
inline constexpr int kMisc = -1;
inline constexpr int kWallet = -4;
inline constexpr int kInvalidAddressOrKey = -5;  // unknown block or transaction
inline constexpr int kInsufficientFunds = -6;
inline constexpr int kInvalidParameter = -8;
inline constexpr int kUnlockNeeded = -13;
inline constexpr int kWalletNotFound = -18;
inline constexpr int kWalletNotSpecified = -19;
inline constexpr int kVerify = -25;
inline constexpr int kVerifyRejected = -26;
inline constexpr int kAlreadyInChain = -27;
inline constexpr int kMethodNotFound = -32601;
}  // namespace rpc_error

// Which wallet of which node is spoken to, for messages.
struct WalletPlace {
    std::string wallet;
    std::string node;
    std::string name() const;  // "wallet pool on node main"
};

// Whether the error is this JSON-RPC code.
bool is_code(const RpcError& error, int code);
// The fault, and a sentence that names the wallet, what happened and what to do.
ledger::WalletError wallet_error(const WalletPlace& place, std::string_view method,
                                 const RpcError& error);
// An answer that makes no sense.
ledger::WalletError malformed_answer(const WalletPlace& place, std::string_view method,
                                     std::string_view what);

}  // namespace adit::node
