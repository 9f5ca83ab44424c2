// Methods that tell of a wallet, give out its addresses, and lock and unlock its keys.
#include "chain/address.h"
#include "chain/script.h"
#include "sim/rpc_amount.h"
#include "sim/rpc_methods.h"
#include "sim/rpc_wallet.h"
#include "sim/script_rules.h"

#include <nlohmann/json.hpp>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMaxUnlockSeconds = 100'000'000;

RpcFailure read_kind(const Json* value, ScriptKind& kind) {
    std::string type = "bech32";
    if (auto failure = read(value, "address_type", type)) return failure;
    if (type == "bech32") {
        kind = ScriptKind::p2wpkh;
    } else if (type == "legacy") {
        kind = ScriptKind::p2pkh;
    } else {
        return {rpc_code::kInvalidAddressOrKey, fmt::format("Unknown address type '{}'", type)};
    }
    return {};
}

RpcFailure read_passphrase(const Json* value, std::string& passphrase) {
    if (value == nullptr) return type_failure("passphrase", "string");
    if (auto failure = read(value, "passphrase", passphrase)) return failure;
    if (passphrase.empty()) return {rpc_code::kInvalidParameter, "passphrase cannot be empty"};
    return {};
}

RpcFailure not_encrypted(std::string_view method) {
    return {rpc_code::kWrongEncryptionState,
            fmt::format("Error: running with an unencrypted wallet, but {} was called.", method)};
}

}  // namespace

RpcFailure WalletMethods::need_unlocked(const SimWallet& wallet) const {
    if (!wallet.lock().locked() && fault_ != WalletFault::locked) return {};
    return {rpc_code::kUnlockNeeded,
            "Error: Please enter the wallet passphrase with walletpassphrase first."};
}

RpcFailure WalletMethods::get_wallet_info(SimWallet& wallet, const Json&, Json& result) {
    result = {{"walletname", wallet.name()},
              {"walletversion", 169'900},
              {"format", "sqlite"},
              {"txcount", wallet.transactions().size()},
              {"keypoolsize", WalletKeys::kLookahead},
              {"keypoolsize_hd_internal", WalletKeys::kLookahead},
              {"paytxfee", amount_json(0)},
              {"private_keys_enabled", true},
              {"avoid_reuse", false},
              {"scanning", false},
              {"descriptors", true},
              {"external_signer", false},
              {"blank", false},
              {"lastprocessedblock", last_processed_block()}};
    if (wallet.lock().encrypted() || fault_ == WalletFault::locked) {
        result["unlocked_until"] =
            fault_ == WalletFault::locked ? 0 : wallet.lock().unlocked_until_s();
    }
    return {};
}

RpcFailure WalletMethods::get_new_address(SimWallet& wallet, const Json& params, Json& result) {
    std::string label;
    auto kind = ScriptKind::p2wpkh;
    if (auto failure = read(parameter(params, 0), "label", label)) return failure;
    if (auto failure = read_kind(parameter(params, 1), kind)) return failure;
    const auto script = wallet.new_receiving_script(kind, std::move(label));
    result = *chain::address_of_script(script, rpc_network());
    return {};
}

RpcFailure WalletMethods::get_raw_change_address(SimWallet& wallet, const Json& params,
                                                 Json& result) {
    auto kind = ScriptKind::p2wpkh;
    if (auto failure = read_kind(parameter(params, 0), kind)) return failure;
    result = *chain::address_of_script(wallet.new_change_script(kind), rpc_network());
    return {};
}

RpcFailure WalletMethods::get_address_info(SimWallet& wallet, const Json& params, Json& result) {
    const auto* given = parameter(params, 0);
    if (given == nullptr) return type_failure("address", "string");
    std::string address;
    if (auto failure = read(given, "address", address)) return failure;
    const auto script = chain::script_of_address(address, rpc_network());
    if (!script) return {rpc_code::kInvalidAddressOrKey, "Invalid address"};
    const auto* key = wallet.key_of(*script);
    const bool mine = key != nullptr;
    result = {{"address", address},
              {"scriptPubKey", base::to_hex(*script)},
              {"ismine", mine},
              {"solvable", mine},
              {"iswatchonly", false},
              {"isscript", false},
              {"iswitness", chain::is_witness_program(*script)},
              {"ischange", wallet.is_change(*script)},
              {"labels", Json::array()}};
    if (mine) result["pubkey"] = base::to_hex(key->public_key());
    if (const auto* label = wallet.label_of(*script)) result["labels"].push_back(*label);
    if (chain::is_witness_program(*script)) {
        const auto version = (*script)[0];
        result["witness_version"] = version == 0 ? 0 : version - 0x50;
        result["witness_program"] = base::to_hex(base::ByteSpan(*script).subspan(2));
    }
    return {};
}

RpcFailure WalletMethods::encrypt_wallet(SimWallet& wallet, const Json& params, Json& result) {
    if (wallet.lock().encrypted()) {
        return {rpc_code::kWrongEncryptionState,
                "Error: running with an encrypted wallet, but encryptwallet was called."};
    }
    std::string passphrase;
    if (auto failure = read_passphrase(parameter(params, 0), passphrase)) return failure;
    wallet.lock().encrypt(passphrase);
    result =
        "wallet encrypted; the keypool has been flushed and a new seed was generated. You "
        "need to make a new backup.";
    return {};
}

RpcFailure WalletMethods::wallet_passphrase(SimWallet& wallet, const Json& params, Json& result) {
    if (!wallet.lock().encrypted()) return not_encrypted("walletpassphrase");
    const auto* timeout = parameter(params, 1);
    if (timeout == nullptr) return type_failure("timeout", "number");
    std::int64_t seconds = 0;
    if (auto failure = read(timeout, "timeout", seconds)) return failure;
    if (seconds < 0) return {rpc_code::kInvalidParameter, "Timeout cannot be negative."};
    std::string passphrase;
    if (auto failure = read_passphrase(parameter(params, 0), passphrase)) return failure;
    if (!wallet.lock().unlock(passphrase, std::min(seconds, kMaxUnlockSeconds))) {
        return {rpc_code::kPassphraseIncorrect,
                "Error: The wallet passphrase entered was incorrect."};
    }
    result = nullptr;
    return {};
}

RpcFailure WalletMethods::wallet_lock(SimWallet& wallet, const Json&, Json& result) {
    if (!wallet.lock().encrypted()) return not_encrypted("walletlock");
    wallet.lock().lock();
    result = nullptr;
    return {};
}

}  // namespace adit::sim
