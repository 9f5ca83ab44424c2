#include "sim/rpc_methods.h"

#include "chain/network.h"
#include "chain/target.h"
#include "sim/rpc_amount.h"

#include <nlohmann/json.hpp>

namespace adit::sim {
namespace {

constexpr int kVersion = 270'000;  // speaks as Bitcoin Core 27.0
constexpr std::int32_t kFaultBlocks = 5;

}  // namespace

const chain::NetworkParams& rpc_network() {
    return chain::params(chain::Network::regtest);
}

double difficulty_of_bits(std::uint32_t bits) {
    // As Bitcoin Core shows it: for people, so a double will do.
    const auto exponent = static_cast<int>(bits >> 24U);
    return std::ldexp(static_cast<double>(0x00ffff) / static_cast<double>(bits & 0x00ffffff),
                      8 * (29 - exponent));
}

RpcMethods::RpcMethods(SimChain& chain, const base::Clock& clock)
    : chain_(chain), clock_(clock), started_ms_(clock.steady_ms()) {}

const std::map<std::string_view, RpcMethods::Method>& RpcMethods::table() {
    static const std::map<std::string_view, Method> kMethods{
        {"createrawtransaction", &RpcMethods::create_raw_transaction},
        {"decoderawtransaction", &RpcMethods::decode_raw_transaction},
        {"estimatesmartfee", &RpcMethods::estimate_smart_fee},
        {"generatetoaddress", &RpcMethods::generate_to_address},
        {"getbestblockhash", &RpcMethods::get_best_block_hash},
        {"getblock", &RpcMethods::get_block},
        {"getblockchaininfo", &RpcMethods::get_blockchain_info},
        {"getblockcount", &RpcMethods::get_block_count},
        {"getblockhash", &RpcMethods::get_block_hash},
        {"getblockheader", &RpcMethods::get_block_header},
        {"getblocktemplate", &RpcMethods::get_block_template},
        {"getchaintips", &RpcMethods::get_chain_tips},
        {"getconnectioncount", &RpcMethods::get_connection_count},
        {"getdifficulty", &RpcMethods::get_difficulty},
        {"getmempoolentry", &RpcMethods::get_mempool_entry},
        {"getmempoolinfo", &RpcMethods::get_mempool_info},
        {"getmininginfo", &RpcMethods::get_mining_info},
        {"getnetworkinfo", &RpcMethods::get_network_info},
        {"getrawmempool", &RpcMethods::get_raw_mempool},
        {"getrawtransaction", &RpcMethods::get_raw_transaction},
        {"gettxout", &RpcMethods::get_tx_out},
        {"gettxspendingprevout", &RpcMethods::get_tx_spending_prevout},
        {"getzmqnotifications", &RpcMethods::get_zmq_notifications},
        {"invalidateblock", &RpcMethods::invalidate_block},
        {"reconsiderblock", &RpcMethods::reconsider_block},
        {"sendrawtransaction", &RpcMethods::send_raw_transaction},
        {"submitblock", &RpcMethods::submit_block},
        {"testmempoolaccept", &RpcMethods::test_mempool_accept},
        {"uptime", &RpcMethods::uptime},
        {"validateaddress", &RpcMethods::validate_address},
    };
    return kMethods;
}

RpcFailure RpcMethods::call(std::string_view method, const Json& params, Json& result) {
    if (fault_ == SimFault::warming_up) return {rpc_code::kInWarmup, "Loading block index..."};
    const auto found = table().find(method);
    if (found == table().end()) return {rpc_code::kMethodNotFound, "Method not found"};
    if (!params.is_array()) {
        return {rpc_code::kInvalidRequest, "Params must be an array"};
    }
    return (this->*found->second)(params, result);
}

RpcFailure RpcMethods::get_network_info(const Json&, Json& result) {
    result = {{"version", kVersion},
              {"subversion", "/AditSim:27.0.0/"},
              {"protocolversion", 70016},
              {"connections", fault_ == SimFault::no_peers ? 0 : 1},
              {"networkactive", true},
              {"relayfee", amount_json(chain_.policy().min_relay_sat_per_kvb)},
              {"incrementalfee", amount_json(chain_.policy().min_relay_sat_per_kvb)},
              {"warnings", ""}};
    return {};
}

RpcFailure RpcMethods::get_connection_count(const Json&, Json& result) {
    result = fault_ == SimFault::no_peers ? 0 : 1;
    return {};
}

RpcFailure RpcMethods::get_zmq_notifications(const Json&, Json& result) {
    result = Json::array();
    if (!zmq_endpoint_.empty()) {
        result.push_back(Json{{"type", "pubhashblock"}, {"address", zmq_endpoint_}, {"hwm", 1000}});
    }
    return {};
}

RpcFailure RpcMethods::uptime(const Json&, Json& result) {
    result = (clock_.steady_ms() - started_ms_) / 1000;
    return {};
}

const BlockEntry& RpcMethods::shown_tip() const {
    if (fault_ != SimFault::lag) return chain_.tip();
    return *chain_.at_height(std::max(0, chain_.tip().height - kFaultBlocks));
}

std::int32_t RpcMethods::height_lie() const {
    return fault_ == SimFault::wrong_height ? kFaultBlocks : 0;
}

std::string_view RpcMethods::shown_chain() const {
    return fault_ == SimFault::wrong_chain ? "main" : "regtest";
}

}  // namespace adit::sim
