// The table of wallet methods, which wallet is meant, and the methods that make and load wallets.
#include "sim/rpc_wallet.h"

#include <nlohmann/json.hpp>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kPathPrefix = "/wallet/";

// %41 is A.
std::string decode_path(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::array<std::uint8_t, 1> byte{};
        if (text[i] == '%' && i + 2 < text.size() && base::from_hex(text.substr(i + 1, 2), byte)) {
            out += static_cast<char>(byte[0]);
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

// nullopt: the wallet stays as it was.
RpcFailure read_on_startup(const Json* value, std::optional<bool>& on_startup) {
    if (value == nullptr) return {};
    on_startup.emplace();
    return read(value, "load_on_startup", *on_startup);
}

RpcFailure problem_failure(WalletProblem problem, const std::string& name) {
    switch (problem) {
        case WalletProblem::exists:
            return {rpc_code::kWallet,
                    fmt::format("Wallet file verification failed. Failed to create database path "
                                "'{}'. Database already exists.",
                                name)};
        case WalletProblem::unknown:
            return {rpc_code::kWalletNotFound,
                    fmt::format("Wallet file verification failed. Failed to load database path "
                                "'{}'. Path does not exist.",
                                name)};
        case WalletProblem::loaded:
            return {rpc_code::kWalletAlreadyLoaded,
                    fmt::format("Wallet file verification failed. Wallet \"{}\" is already loaded.",
                                name)};
        case WalletProblem::pruned:
            return {rpc_code::kWallet,
                    "Wallet loading failed. Prune: last wallet synchronisation goes beyond pruned "
                    "data."};
    }
    return {};
}

}  // namespace

WalletMethods::WalletMethods(SimChain& chain, WalletSet& wallets)
    : chain_(chain), wallets_(wallets) {}

const std::map<std::string_view, WalletMethods::Method>& WalletMethods::table() {
    static const std::map<std::string_view, Method> kMethods{
        {"abandontransaction", &WalletMethods::abandon_transaction},
        {"encryptwallet", &WalletMethods::encrypt_wallet},
        {"fundrawtransaction", &WalletMethods::fund_raw_transaction},
        {"getaddressinfo", &WalletMethods::get_address_info},
        {"getbalance", &WalletMethods::get_balance},
        {"getbalances", &WalletMethods::get_balances},
        {"getnewaddress", &WalletMethods::get_new_address},
        {"getrawchangeaddress", &WalletMethods::get_raw_change_address},
        {"gettransaction", &WalletMethods::get_transaction},
        {"getwalletinfo", &WalletMethods::get_wallet_info},
        {"listlockunspent", &WalletMethods::list_lock_unspent},
        {"listsinceblock", &WalletMethods::list_since_block},
        {"listtransactions", &WalletMethods::list_transactions},
        {"listunspent", &WalletMethods::list_unspent},
        {"lockunspent", &WalletMethods::lock_unspent},
        {"sendtoaddress", &WalletMethods::send_to_address},
        {"signrawtransactionwithwallet", &WalletMethods::sign_raw_transaction},
        {"walletlock", &WalletMethods::wallet_lock},
        {"walletpassphrase", &WalletMethods::wallet_passphrase},
    };
    return kMethods;
}

const std::map<std::string_view, WalletMethods::SetMethod>& WalletMethods::set_table() {
    static const std::map<std::string_view, SetMethod> kMethods{
        {"createwallet", &WalletMethods::create_wallet},
        {"listwalletdir", &WalletMethods::list_wallet_dir},
        {"listwallets", &WalletMethods::list_wallets},
        {"loadwallet", &WalletMethods::load_wallet},
    };
    return kMethods;
}

bool WalletMethods::knows(std::string_view method) {
    return method == "unloadwallet" || table().contains(method) || set_table().contains(method);
}

RpcFailure WalletMethods::call(std::string_view path, std::string_view method, const Json& params,
                               Json& result) {
    if (!params.is_array()) return {rpc_code::kInvalidRequest, "Params must be an array"};
    if (method == "unloadwallet") return unload_wallet(path, params, result);
    if (const auto of_set = set_table().find(method); of_set != set_table().end()) {
        return (this->*of_set->second)(params, result);
    }
    const auto of_wallet = table().find(method);
    if (of_wallet == table().end()) return {rpc_code::kMethodNotFound, "Method not found"};
    SimWallet* wallet = nullptr;
    if (auto failure = find_wallet(path, wallet)) return failure;
    return (this->*of_wallet->second)(*wallet, params, result);
}

RpcFailure WalletMethods::find_wallet(std::string_view path, SimWallet*& wallet) {
    if (path.starts_with(kPathPrefix)) {
        wallet = wallets_.find(decode_path(path.substr(kPathPrefix.size())));
        if (wallet == nullptr) {
            return {rpc_code::kWalletNotFound, "Requested wallet does not exist or is not loaded"};
        }
        return {};
    }
    const auto loaded = wallets_.loaded();
    if (loaded.empty()) {
        return {rpc_code::kWalletNotFound,
                "No wallet is loaded. Load a wallet using loadwallet or create a new one with "
                "createwallet. (Note: A default wallet is no longer automatically created)"};
    }
    if (loaded.size() > 1) {
        return {rpc_code::kWalletNotSpecified,
                "Wallet file not specified (must request wallet RPC through /wallet/<filename> "
                "uri-path)."};
    }
    wallet = loaded.front();
    return {};
}

RpcFailure WalletMethods::create_wallet(const Json& params, Json& result) {
    const auto* given = parameter(params, 0);
    if (given == nullptr) return type_failure("wallet_name", "string");
    std::string name;
    std::string passphrase;
    bool on_startup = false;
    if (auto failure = read(given, "wallet_name", name)) return failure;
    for (const std::size_t unsupported : {1U, 2U}) {
        bool wanted = false;
        const auto* flag = parameter(params, unsupported);
        if (auto failure = read(flag, "disable_private_keys", wanted)) return failure;
        if (wanted) {
            return {rpc_code::kWallet, "This node's wallets have private keys and are not blank"};
        }
    }
    if (auto failure = read(parameter(params, 3), "passphrase", passphrase)) return failure;
    if (auto failure = read(parameter(params, 6), "load_on_startup", on_startup)) return failure;
    const auto wallet = wallets_.create(name, on_startup);
    if (!wallet) return problem_failure(wallet.error(), name);
    if (!passphrase.empty()) (*wallet)->lock().encrypt(passphrase);
    result = {{"name", name}};
    return {};
}

RpcFailure WalletMethods::load_wallet(const Json& params, Json& result) {
    const auto* given = parameter(params, 0);
    if (given == nullptr) return type_failure("filename", "string");
    std::string name;
    std::optional<bool> on_startup;
    if (auto failure = read(given, "filename", name)) return failure;
    if (auto failure = read_on_startup(parameter(params, 1), on_startup)) return failure;
    const auto wallet = wallets_.load(name, on_startup);
    if (!wallet) return problem_failure(wallet.error(), name);
    result = {{"name", name}};
    return {};
}

RpcFailure WalletMethods::unload_wallet(std::string_view path, const Json& params, Json& result) {
    std::string name;
    if (const auto* given = parameter(params, 0)) {
        if (auto failure = read(given, "wallet_name", name)) return failure;
    } else {
        SimWallet* wallet = nullptr;
        if (auto failure = find_wallet(path, wallet)) return failure;
        name = wallet->name();
    }
    std::optional<bool> on_startup;
    if (auto failure = read_on_startup(parameter(params, 1), on_startup)) return failure;
    if (!wallets_.unload(name, on_startup)) {
        return {rpc_code::kWalletNotFound, "Requested wallet does not exist or is not loaded"};
    }
    result = Json::object();
    return {};
}

RpcFailure WalletMethods::list_wallets(const Json&, Json& result) {
    result = Json::array();
    for (const auto* wallet : wallets_.loaded())
        result.push_back(wallet->name());
    return {};
}

RpcFailure WalletMethods::list_wallet_dir(const Json&, Json& result) {
    Json wallets = Json::array();
    for (const auto& name : wallets_.names())
        wallets.push_back(Json{{"name", name}});
    result = {{"wallets", std::move(wallets)}};
    return {};
}

nlohmann::json WalletMethods::last_processed_block() const {
    return {{"hash", chain_.tip().hash.rpc_hex()}, {"height", chain_.tip().height}};
}

}  // namespace adit::sim
