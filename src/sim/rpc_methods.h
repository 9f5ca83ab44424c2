// The JSON-RPC methods of the embedded node: parameters in, result or error out, as Bitcoin Core
// (24 and later) answers them. No sockets. Not thread-safe: used on SimNode's thread.
#pragma once

#include "chain/network.h"
#include "sim/sim_chain.h"
#include "sim/sim_node.h"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <map>
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
}  // namespace rpc_code

struct RpcFailure {
    int code = 0;  // 0: no failure
    std::string message;
    explicit operator bool() const { return code != 0; }
};

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
    RpcFailure send_raw_transaction(const Json& params, Json& result);
    RpcFailure get_tx_out(const Json& params, Json& result);
    RpcFailure get_mempool_info(const Json& params, Json& result);
    RpcFailure get_raw_mempool(const Json& params, Json& result);
    RpcFailure validate_address(const Json& params, Json& result);
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
    std::string zmq_endpoint_;
};

// The network whose addresses the node speaks.
const chain::NetworkParams& rpc_network();
double difficulty_of_bits(std::uint32_t bits);
// Parameter i as a 32-byte hash.
RpcFailure hash_parameter(const nlohmann::json& params, std::size_t i, std::string_view name,
                          chain::Hash256& hash);
RpcFailure type_failure(std::string_view name, std::string_view expected);

}  // namespace adit::sim
