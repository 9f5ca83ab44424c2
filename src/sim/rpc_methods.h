// The JSON-RPC methods of the embedded node: parameters in, result or error out, as Bitcoin Core
// (24 and later) answers them. No sockets. Not thread-safe: used on SimNode's thread.
#pragma once

#include "chain/network.h"
#include "sim/rpc_params.h"
#include "sim/sim_chain.h"
#include "sim/sim_node.h"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace adit::sim {

class RpcMethods {
 public:
    RpcMethods(SimChain& chain, const base::Clock& clock);

    // Runs one method; `result` is set unless it fails.
    RpcFailure call(std::string_view method, const nlohmann::json& params, nlohmann::json& result);

    // True when this getblocktemplate asks to be answered only once its longpollid is out of date,
    // and it is not yet. `mempool_counts`: a changed mempool is enough.
    bool must_wait(std::string_view method, const nlohmann::json& params,
                   bool mempool_counts) const;

    void set_fault(SimFault fault) { fault_ = fault; }
    void set_wallet_fault(WalletFault fault) { wallet_fault_ = fault; }
    void set_zmq_endpoint(std::string endpoint) { zmq_endpoint_ = std::move(endpoint); }

 private:
    using Json = nlohmann::json;
    using Method = RpcFailure (RpcMethods::*)(const Json& params, Json& result);
    static const std::map<std::string_view, Method>& table();

    // rpc_chain.cpp
    RpcFailure get_blockchain_info(const Json& params, Json& result);
    RpcFailure get_best_block_hash(const Json& params, Json& result);
    RpcFailure get_block_count(const Json& params, Json& result);
    RpcFailure get_block_hash(const Json& params, Json& result);
    RpcFailure get_block_header(const Json& params, Json& result);
    RpcFailure get_block(const Json& params, Json& result);
    RpcFailure get_chain_tips(const Json& params, Json& result);
    RpcFailure invalidate_block(const Json& params, Json& result);
    RpcFailure reconsider_block(const Json& params, Json& result);
    RpcFailure get_difficulty(const Json& params, Json& result);
    // rpc_mining.cpp
    RpcFailure get_block_template(const Json& params, Json& result);
    RpcFailure submit_block(const Json& params, Json& result);
    RpcFailure get_mining_info(const Json& params, Json& result);
    RpcFailure generate_to_address(const Json& params, Json& result);
    // rpc_transactions.cpp
    RpcFailure get_raw_transaction(const Json& params, Json& result);
    RpcFailure create_raw_transaction(const Json& params, Json& result);
    RpcFailure decode_raw_transaction(const Json& params, Json& result);
    RpcFailure get_tx_out(const Json& params, Json& result);
    RpcFailure validate_address(const Json& params, Json& result);
    // rpc_mempool.cpp
    RpcFailure send_raw_transaction(const Json& params, Json& result);
    RpcFailure test_mempool_accept(const Json& params, Json& result);
    RpcFailure get_mempool_info(const Json& params, Json& result);
    RpcFailure get_raw_mempool(const Json& params, Json& result);
    RpcFailure get_mempool_entry(const Json& params, Json& result);
    RpcFailure get_tx_spending_prevout(const Json& params, Json& result);
    RpcFailure estimate_smart_fee(const Json& params, Json& result);
    // rpc_methods.cpp
    RpcFailure get_network_info(const Json& params, Json& result);
    RpcFailure get_connection_count(const Json& params, Json& result);
    RpcFailure get_zmq_notifications(const Json& params, Json& result);
    RpcFailure uptime(const Json& params, Json& result);

    RpcFailure propose(const Json& request, Json& result);
    RpcFailure find_block(const Json& params, const BlockEntry*& entry) const;
    Json header_json(const BlockEntry& entry) const;
    Json transaction_json(const chain::Transaction& transaction, const BlockEntry* entry) const;
    SimTemplate offered_template() const;
    std::string longpoll_id() const;
    // What the faults make of the truth.
    const BlockEntry& shown_tip() const;
    std::int32_t height_lie() const;
    std::string_view shown_chain() const;

    SimChain& chain_;
    const base::Clock& clock_;
    std::int64_t started_ms_;
    SimFault fault_ = SimFault::none;
    WalletFault wallet_fault_ = WalletFault::none;
    std::string zmq_endpoint_;
};

// The network whose addresses the node speaks.
const chain::NetworkParams& rpc_network();
double difficulty_of_bits(std::uint32_t bits);

}  // namespace adit::sim
