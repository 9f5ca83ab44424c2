// Reading the parameters of JSON-RPC calls, with Bitcoin Core's errors. Pure.
#pragma once

#include "chain/transaction.h"

#include <nlohmann/json_fwd.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

namespace adit::sim {

// Bitcoin Core's protocol.h.
namespace rpc_code {
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kMisc = -1;
inline constexpr int kType = -3;
inline constexpr int kInvalidAddressOrKey = -5;
inline constexpr int kInvalidParameter = -8;
inline constexpr int kNotConnected = -9;
inline constexpr int kInInitialDownload = -10;
inline constexpr int kDeserialization = -22;
inline constexpr int kVerifyError = -25;
inline constexpr int kVerifyRejected = -26;
inline constexpr int kAlreadyInChain = -27;
inline constexpr int kInWarmup = -28;
// Of wallets.
inline constexpr int kWallet = -4;
inline constexpr int kInsufficientFunds = -6;
inline constexpr int kUnlockNeeded = -13;
inline constexpr int kPassphraseIncorrect = -14;
inline constexpr int kWrongEncryptionState = -15;
inline constexpr int kWalletNotFound = -18;
inline constexpr int kWalletNotSpecified = -19;
inline constexpr int kWalletAlreadyLoaded = -35;
}  // namespace rpc_code

struct RpcFailure {
    int code = 0;  // 0: no failure
    std::string message;
    explicit operator bool() const { return code != 0; }
};

RpcFailure type_failure(std::string_view name, std::string_view expected);

// Parameter i, or the member of an object; null when it is absent or null.
const nlohmann::json* parameter(const nlohmann::json& params, std::size_t i);
const nlohmann::json* member(const nlohmann::json& object, std::string_view key);

// Reads an optional value: `out` stays as it is when `value` is null.
RpcFailure read(const nlohmann::json* value, std::string_view name, bool& out);
RpcFailure read(const nlohmann::json* value, std::string_view name, std::int64_t& out);
RpcFailure read(const nlohmann::json* value, std::string_view name, std::string& out);

// Parameter i as a 32-byte hash.
RpcFailure hash_parameter(const nlohmann::json& params, std::size_t i, std::string_view name,
                          chain::Hash256& hash);
// {"txid": ..., "vout": ...}; other members are not looked at.
RpcFailure read_outpoint(const nlohmann::json& value, chain::OutPoint& outpoint);
// A transaction in hex. Without inputs its bytes look like those of a witness transaction, so these
// are read only where they make sense.
enum class InputsNeeded { yes, no };
RpcFailure read_transaction(const nlohmann::json* value, InputsNeeded inputs,
                            chain::Transaction& transaction);
// Refuses members of an object that are not among `known`.
RpcFailure refuse_unknown_keys(const nlohmann::json& object,
                               std::initializer_list<std::string_view> known);

}  // namespace adit::sim
