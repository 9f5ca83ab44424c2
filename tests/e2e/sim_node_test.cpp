// The embedded node over real HTTP: credentials, long polls, faults, relay, and its ZeroMQ
// publisher.
#include "sim/sim_node.h"

#include "base/random.h"
#include "sim/block_cases.h"
#include "sim/sim_traffic.h"
#include "tests/bcoin/rpc_call.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <zmq.h>

#include <fstream>
#include <future>

namespace adit::sim {
namespace {

using Json = nlohmann::json;
using tests::rpc_call;
using tests::RpcEndpoint;
using tests::RpcError;

constexpr std::int64_t kGenerousMs = 60'000;

class SimNodeTest : public testing::Test {
 protected:
    SimNodeTest() { node.start(); }

    RpcEndpoint endpoint() const { return {"127.0.0.1", node.port(), "adit", "adit"}; }
    Json call(std::string_view method, const Json& params = Json::array()) const {
        return rpc_call(endpoint(), method, params, kGenerousMs);
    }
    static SimNodeSettings settings() {
        SimNodeSettings made;
        made.cookie_file = std::filesystem::temp_directory_path() /
                           ("adit-sim-" + base::random_hex(8) + ".cookie");
        made.zmq_hashblock = "tcp://127.0.0.1:*";
        return made;
    }

    base::SystemClock clock;
    base::Logger log{base::LogLevel::error};
    SimNode node{settings(), SimParams::regtest(), clock, log};
    base::Bytes script = SimKey::from_seed("pool").p2wpkh_script();
};

TEST_F(SimNodeTest, KnowsItsUserAndItsCookieAndNobodyElse) {
    EXPECT_EQ(call("getblockcount"), 0);
    auto stranger = endpoint();
    stranger.password = "guess";
    try {
        rpc_call(stranger, "getblockcount", Json::array());
        FAIL() << "a wrong password was taken";
    } catch (const RpcError& error) {
        EXPECT_EQ(error.code, 401);
    }
    std::ifstream file(node.settings().cookie_file);
    std::string cookie;
    std::getline(file, cookie);
    const auto colon = cookie.find(':');
    auto holder = endpoint();
    holder.user = cookie.substr(0, colon);
    holder.password = cookie.substr(colon + 1);
    EXPECT_EQ(rpc_call(holder, "getblockcount", Json::array()), 0);
    node.stop();
    EXPECT_FALSE(std::filesystem::exists(node.settings().cookie_file));
    node.start();
    EXPECT_THROW(rpc_call(holder, "getblockcount", Json::array()), RpcError);
}

TEST_F(SimNodeTest, ALongPollEndsWithTheNextBlock) {
    const auto first = call("getblocktemplate", Json::parse(R"([{"rules":["segwit"]}])"));
    auto request = Json::parse(R"([{"rules":["segwit"]}])");
    request[0]["longpollid"] = first["longpollid"];
    auto waiting =
        std::async(std::launch::async, [&] { return call("getblocktemplate", request); });
    // Other requests are answered while it waits.
    EXPECT_EQ(call("getblockcount"), 0);
    const auto hash = node.generate(1, script).at(0);
    const auto second = waiting.get();
    EXPECT_EQ(second["previousblockhash"], hash.rpc_hex());
    EXPECT_EQ(second["height"], 2);
}

TEST_F(SimNodeTest, PublishesTheHashOfANewTip) {
    void* context = zmq_ctx_new();
    void* subscriber = zmq_socket(context, ZMQ_SUB);
    const int wait_ms = 200;
    zmq_setsockopt(subscriber, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    zmq_setsockopt(subscriber, ZMQ_SUBSCRIBE, "hashblock", 9);
    ASSERT_EQ(zmq_connect(subscriber, node.zmq_endpoint().c_str()), 0);
    std::array<std::uint8_t, 64> frame{};
    // A subscription takes a moment to arrive: mine until one block is heard of.
    int heard = -1;
    for (int i = 0; i < 100 && heard < 0; ++i) {
        node.generate(1, script);
        heard = zmq_recv(subscriber, frame.data(), frame.size(), 0);
    }
    ASSERT_EQ(heard, 9);
    ASSERT_EQ(zmq_recv(subscriber, frame.data(), frame.size(), 0), 32);
    const auto hash = base::to_hex(base::ByteSpan(frame).first(32));
    EXPECT_GT(call("getblockheader", Json::array({hash}))["height"], 0);
    zmq_close(subscriber);
    zmq_ctx_term(context);
}

TEST_F(SimNodeTest, FaultsOfTheConnectionComeAndGo) {
    const auto fails = [&](std::int64_t deadline_ms) {
        EXPECT_THROW(rpc_call(endpoint(), "getblockcount", Json::array(), deadline_ms),
                     std::runtime_error);
    };
    node.set_fault(SimFault::hang);
    fails(300);
    for (const auto fault :
         {SimFault::refuse_connections, SimFault::truncated_reply, SimFault::absurd_json,
          SimFault::wrong_credentials, SimFault::warming_up}) {
        node.set_fault(fault);
        fails(kGenerousMs);
    }
    node.set_fault(SimFault::none);
    EXPECT_EQ(call("getblockcount"), 0);
}

TEST_F(SimNodeTest, HandsItsBlocksToAPeer) {
    SimNode peer({}, SimParams::regtest(), clock, log);
    peer.start();
    node.relay_to(peer);
    const auto hashes = node.generate(3, script);
    const auto deadline = clock.steady_ms() + kGenerousMs;
    while (peer.height() < 3 && clock.steady_ms() < deadline)
        std::this_thread::yield();
    peer.with_chain(
        [&](SimChain& chain) { EXPECT_EQ(chain.tip().hash.rpc_hex(), hashes.back().rpc_hex()); });
    node.stop();
}

TEST_F(SimNodeTest, AnswersWithBitcoinCoresErrors) {
    const auto text = call("getblockhash", Json::array({0})).get<std::string>();
    EXPECT_EQ(text, "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206");
    try {
        call("nosuchmethod");
        FAIL() << "an unknown method was answered";
    } catch (const RpcError& error) {
        EXPECT_EQ(error.code, -32601);
    }
}

TEST_F(SimNodeTest, TrafficFillsTheTemplate) {
    SimTraffic traffic(node, {.seed = 3, .interval_ms = 10});
    traffic.prepare(110);
    traffic.start();
    const auto deadline = clock.steady_ms() + kGenerousMs;
    while (traffic.sent() < 3 && clock.steady_ms() < deadline)
        std::this_thread::yield();
    traffic.stop();
    const auto offered = call("getblocktemplate", Json::parse(R"([{"rules":["segwit"]}])"));
    EXPECT_GE(offered["transactions"].size(), 3U);
    EXPECT_GT(offered["coinbasevalue"], 5'000'000'000);
}

}  // namespace
}  // namespace adit::sim
