// The JSON-RPC methods of the embedded node's wallets, as Bitcoin Core (24 to 28) answers them.
// Which wallet is meant is told by the HTTP path, /wallet/NAME; any other path means the only one
// that is loaded. No sockets. Not thread-safe: used on SimNode's thread.
#pragma once

#include "sim/rpc_params.h"
#include "sim/sim_node.h"
#include "sim/wallet_funding.h"
#include "sim/wallet_set.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <string_view>

namespace adit::sim {

class WalletMethods {
 public:
    // Chain and wallets must outlive it.
    WalletMethods(SimChain& chain, WalletSet& wallets);

    // True when the method is of wallets.
    static bool knows(std::string_view method);
    // Runs one method; `result` is set unless it fails. Amounts in it are as rpc_amount.h says.
    RpcFailure call(std::string_view path, std::string_view method, const nlohmann::json& params,
                    nlohmann::json& result);

    void set_fault(WalletFault fault) { fault_ = fault; }

 private:
    using Json = nlohmann::json;
    // Of one wallet, and of all.
    using Method = RpcFailure (WalletMethods::*)(SimWallet& wallet, const Json& params,
                                                 Json& result);
    using SetMethod = RpcFailure (WalletMethods::*)(const Json& params, Json& result);
    static const std::map<std::string_view, Method>& table();
    static const std::map<std::string_view, SetMethod>& set_table();

    // rpc_wallet.cpp
    RpcFailure create_wallet(const Json& params, Json& result);
    RpcFailure load_wallet(const Json& params, Json& result);
    RpcFailure list_wallets(const Json& params, Json& result);
    RpcFailure list_wallet_dir(const Json& params, Json& result);
    RpcFailure unload_wallet(std::string_view path, const Json& params, Json& result);
    RpcFailure find_wallet(std::string_view path, SimWallet*& wallet);
    // rpc_wallet_keys.cpp
    RpcFailure get_wallet_info(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure get_new_address(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure get_raw_change_address(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure get_address_info(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure encrypt_wallet(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure wallet_passphrase(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure wallet_lock(SimWallet& wallet, const Json& params, Json& result);
    // rpc_wallet_coins.cpp
    RpcFailure list_unspent(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure lock_unspent(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure list_lock_unspent(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure get_balance(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure get_balances(SimWallet& wallet, const Json& params, Json& result);
    // rpc_wallet_spend.cpp
    RpcFailure fund_raw_transaction(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure sign_raw_transaction(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure send_to_address(SimWallet& wallet, const Json& params, Json& result);
    // rpc_wallet_history.cpp
    RpcFailure get_transaction(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure list_transactions(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure list_since_block(SimWallet& wallet, const Json& params, Json& result);
    RpcFailure abandon_transaction(SimWallet& wallet, const Json& params, Json& result);

    RpcFailure need_unlocked(const SimWallet& wallet) const;
    RpcFailure read_funding(const Json& options, const chain::Transaction& transaction,
                            FundingOptions& funding) const;
    // The wallet's own choice: the estimate, or the fallback, never below the relay fee.
    RpcFailure usual_fee_rate(std::int64_t& sat_per_kvb) const;
    Json last_processed_block() const;
    Json common_json(const SimWallet& wallet, const WalletTransaction& known) const;
    // Appends what the wallet sent and received by a transaction, with `common` in each.
    // with_change: also what it sent to its own change.
    void append_movements(const SimWallet& wallet, const WalletTransaction& known,
                          const Json& common, bool with_change, Json& list) const;

    SimChain& chain_;
    WalletSet& wallets_;
    WalletFault fault_ = WalletFault::none;
};

}  // namespace adit::sim
