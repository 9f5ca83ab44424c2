#include "node/rpc_client.h"

#include "node/chain_info.h"
#include "node/scripted_node_testing.h"

#include <gtest/gtest.h>

#include <fstream>

namespace adit::node {
namespace {

using testing::RawAnswer;
using testing::ScriptedNode;

// One node and a client of it.
struct RpcClientTest : ::testing::Test {
    void SetUp() override { node.start(); }

    RpcClient& client(RpcLimits limits = {}) {
        made = std::make_unique<RpcClient>(node.settings("a"), limits);
        return *made;
    }
    // What a call gives when the node answers every request with this.
    RpcError error_of(const RawAnswer& answer, RpcLimits limits = {}) {
        node.set_hook([answer](std::string_view) { return answer; });
        const auto reply = client(limits).call("getblockchaininfo");
        EXPECT_FALSE(reply);
        return reply ? RpcError{} : reply.error();
    }

    ScriptedNode node;
    std::unique_ptr<RpcClient> made;
};

TEST_F(RpcClientTest, ReturnsTheResultAndKeepsTheConnection) {
    auto& rpc = client();
    node.set_result("getnetworkinfo", R"({"version": 270000})");
    for (int i = 0; i < 3; ++i) {
        const auto reply = rpc.call("getnetworkinfo");
        ASSERT_TRUE(reply) << reply.error().message;
        EXPECT_EQ(reply->text(), R"({"version":270000})");
    }
    EXPECT_EQ(node.connections(), 1u);
}

struct ErrorCase {
    const char* name;
    RawAnswer answer;
    RpcErrorKind kind;
    const char* in_message;
};

TEST_F(RpcClientTest, NamesEveryKindOfFailureAndSaysWhatToDo) {
    const auto error = [](int code) {
        return fmt::format(R"({{"result":null,"error":{{"code":{},"message":"says the node"}}}})",
                           code);
    };
    const ErrorCase cases[] = {
        {"-28", {.body = error(-28), .status = 500}, RpcErrorKind::warming_up, "still starting"},
        {"-9", {.body = error(-9), .status = 500}, RpcErrorKind::not_connected, "no peers"},
        {"-10", {.body = error(-10), .status = 500}, RpcErrorKind::initial_download, "download"},
        {"other", {.body = error(-8), .status = 500}, RpcErrorKind::rpc, "error -8"},
        {"200 with error", {.body = error(-5)}, RpcErrorKind::rpc, "says the node"},
        {"403", {.body = "", .status = 403}, RpcErrorKind::forbidden, "rpcallowip"},
        {"401", {.body = "", .status = 401}, RpcErrorKind::unauthorized, "rpcuser"},
        {"503", {.body = "busy", .status = 503}, RpcErrorKind::http_status, "rpcworkqueue"},
        {"404", {.body = "<html>", .status = 404}, RpcErrorKind::http_status, "404"},
        {"500 with result",
         {.body = R"({"result":1,"error":null,"id":1})", .status = 500},
         RpcErrorKind::http_status,
         "500"},
        {"no JSON", {.body = "hello"}, RpcErrorKind::malformed, "no JSON"},
        {"cut JSON", {.body = R"({"result":{"a":1)"}, RpcErrorKind::malformed, "no JSON"},
        {"array", {.body = "[1]"}, RpcErrorKind::malformed, "no JSON object"},
        {"empty", {.body = ""}, RpcErrorKind::malformed, "no JSON"},
        {"deep", {.body = std::string(5000, '[')}, RpcErrorKind::malformed, "no JSON"},
        {"foreign id",
         {.body = R"({"result":1,"error":null,"id":77})"},
         RpcErrorKind::malformed,
         "another request"},
        {"no result", {.body = R"({"error":null,"id":1})"}, RpcErrorKind::malformed, "no result"},
        {"error without code",
         {.body = R"({"error":"x","id":1})"},
         RpcErrorKind::malformed,
         "no code"},
        {"cut body",
         {.body = R"({"result":)", .promised_bytes = 4000},
         RpcErrorKind::malformed,
         "cut short"},
        {"closed", {.body = "", .close = true}, RpcErrorKind::unreachable, "server=1"},
    };
    for (const auto& one : cases) {
        const auto got = error_of(one.answer);
        EXPECT_EQ(name_of(got.kind), name_of(one.kind)) << one.name << ": " << got.message;
        EXPECT_NE(got.message.find(one.in_message), std::string::npos)
            << one.name << ": " << got.message;
    }
}

TEST_F(RpcClientTest, BoundsTheSizeOfAnAnswer) {
    const auto error =
        error_of({.body = std::string(100'000, ' ')}, {.max_response_bytes = 50'000});
    EXPECT_EQ(error.kind, RpcErrorKind::too_large);
}

TEST_F(RpcClientTest, GivesUpOnANodeThatHangs) {
    const auto error = error_of({.body = "", .hang = true}, {.timeout_ms = 50});
    EXPECT_EQ(error.kind, RpcErrorKind::timeout);
}

TEST_F(RpcClientTest, SaysThatNobodyListens) {
    const auto settings = node.settings("a");
    node.stop();
    RpcClient rpc(settings);
    const auto reply = rpc.call("getblockchaininfo");
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().kind, RpcErrorKind::unreachable);
}

TEST_F(RpcClientTest, RepeatsACallWhoseKeptConnectionTheNodeHasClosed) {
    auto& rpc = client();
    ASSERT_TRUE(rpc.call("getblockchaininfo"));
    node.stop();
    node.start();
    const auto reply = rpc.call("getblockchaininfo");
    EXPECT_TRUE(reply) << reply.error().message;
}

TEST_F(RpcClientTest, ReadsTheCookieAgainWhenANodeHasRestarted) {
    const auto path = std::filesystem::temp_directory_path() /
                      fmt::format("adit_cookie_{}", static_cast<const void*>(this));
    const auto write = [&](std::string_view text) { std::ofstream(path) << text; };
    auto settings = node.settings("a");
    settings.user.clear();
    settings.cookie_file = path.string();
    RpcClient rpc(settings);

    node.set_credentials("__cookie__:one");
    auto reply = rpc.call("getblockchaininfo");
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().kind, RpcErrorKind::unauthorized);
    EXPECT_NE(reply.error().message.find(path.string()), std::string::npos);

    write("__cookie__:one");
    EXPECT_TRUE(rpc.call("getblockchaininfo"));
    write("__cookie__:two\n");
    node.set_credentials("__cookie__:two");
    EXPECT_TRUE(rpc.call("getblockchaininfo"));
    node.set_credentials("__cookie__:three");
    reply = rpc.call("getblockchaininfo");
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().kind, RpcErrorKind::unauthorized);
    std::filesystem::remove(path);
}

TEST_F(RpcClientTest, CancelEndsACallFromAnotherThreadUntilReset) {
    node.set_hook([](std::string_view method) -> std::optional<RawAnswer> {
        if (method == "hang") return RawAnswer{.body = "", .hang = true};
        return std::nullopt;
    });
    auto& rpc = client({.timeout_ms = 600'000});
    std::thread other([&] {
        while (node.calls("hang") == 0)
            std::this_thread::yield();
        rpc.cancel();
    });
    const auto reply = rpc.call("hang");
    other.join();
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().kind, RpcErrorKind::cancelled);
    EXPECT_EQ(rpc.call("getblockchaininfo").error().kind, RpcErrorKind::cancelled);
    rpc.reset();
    EXPECT_TRUE(rpc.call("getblockchaininfo"));
}

TEST_F(RpcClientTest, ResolvesNamesAndNamesTheOnesThatAreNone) {
    auto settings = node.settings("a");
    settings.rpc.replace(settings.rpc.find("127.0.0.1"), 9, "localhost");
    EXPECT_TRUE(RpcClient(settings).call("getblockchaininfo"));
    settings.rpc = "http://";
    const auto reply = RpcClient(settings).call("getblockchaininfo");
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().kind, RpcErrorKind::unreachable);
    EXPECT_NE(reply.error().message.find("host is missing"), std::string::npos);
}

TEST_F(RpcClientTest, CountsCallsAndErrorsByKind) {
    metrics::Registry registry;
    RpcMetrics metrics(registry, "a");
    RpcClient rpc(node.settings("a"), {}, &metrics);
    node.set_error("bad", -28, "loading");
    ASSERT_TRUE(rpc.call("getblockchaininfo"));
    ASSERT_FALSE(rpc.call("bad"));
    EXPECT_EQ(metrics.calls.value(), 2u);
    EXPECT_EQ(metrics.errors(RpcErrorKind::warming_up).value(), 1u);
}

TEST(RpcUrl, TakesHostPortPathAndIpv6) {
    const auto plain = parse_rpc_url("http://node.example:18443/wallet/a");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->host, "node.example");
    EXPECT_EQ(plain->port, 18443);
    EXPECT_EQ(plain->path, "/wallet/a");
    EXPECT_EQ(parse_rpc_url("http://[::1]:8332")->host, "::1");
    EXPECT_EQ(parse_rpc_url("http://localhost")->port, 8332);
}

TEST(RpcUrl, RefusesWhatIsNoAddress) {
    for (const auto* url : {"", "127.0.0.1:8332", "https://a:1", "http://", "http://:1",
                            "http://a:0", "http://a:65536", "http://a:x", "http://[::1",
                            "http://u:p@a:1", "http://a b:1", "http://a:1/x\r\nHost: b"}) {
        EXPECT_FALSE(parse_rpc_url(url)) << url;
    }
}

struct InfoCase {
    const char* json;
    bool fine, right_chain, synced;
};

TEST_F(RpcClientTest, JudgesWhatANodeSaysOfItsChain) {
    const std::string best(64, '1');
    const auto info = [&](const char* rest) {
        return fmt::format(R"({{"bestblockhash":"{}",{}}})", best, rest);
    };
    const InfoCase cases[] = {
        {R"("chain":"main","blocks":9,"headers":9,"initialblockdownload":false)", true, true, true},
        {R"("chain":"mainnet","blocks":9,"headers":9)", true, true, true},
        {R"("chain":"test","blocks":9,"headers":9)", true, false, true},
        {R"("chain":"main","blocks":9,"headers":9,"initialblockdownload":true)", true, true, false},
        {R"("chain":"main","blocks":9,"headers":11)", true, true, true},
        {R"("chain":"main","blocks":9,"headers":12)", true, true, false},
        {R"("chain":"main","blocks":9,"verificationprogress":0.5)", true, true, false},
        {R"("chain":"main","blocks":9,"verificationprogress":0.9999)", true, true, true},
        {R"("chain":"main","blocks":-1)", false, false, false},
        {R"("chain":"main","blocks":1e30)", false, false, false},
        {R"("chain":"main","blocks":9,"mediantime":-5)", false, false, false},
        {R"("chain":7,"blocks":9)", false, false, false},
        {R"("blocks":9)", false, false, false},
    };
    auto& rpc = client();
    for (const auto& one : cases) {
        node.set_result("getblockchaininfo", info(one.json));
        const auto got = ask_chain_info(rpc, chain::Network::main, 1'000);
        ASSERT_EQ(got.has_value(), one.fine) << one.json;
        if (!got) continue;
        EXPECT_EQ(got->right_chain, one.right_chain) << one.json;
        EXPECT_EQ(got->synced, one.synced) << one.json;
    }
}

TEST_F(RpcClientTest, BelievesNoHeaderThatIsNotTheBlocksOwn) {
    auto& rpc = client();
    EXPECT_TRUE(ask_header(rpc, node.tip(), 1'000));
    const auto other = testing::mine_block({}, 7).header;
    node.set_result("getblockheader", "\"" + base::to_hex(other.serialize()) + "\"");
    EXPECT_FALSE(ask_header(rpc, node.tip(), 1'000));
    node.set_result("getblockheader", R"({"hash":"x"})");
    EXPECT_FALSE(ask_header(rpc, node.tip(), 1'000));
}

TEST_F(RpcClientTest, ProvesAHeightByTheBlockItselfOrNotAtAll) {
    auto& rpc = client();
    const auto proven = [&](const chain::Hash256& hash) {
        const auto height = ask_proven_height(rpc, chain::Network::regtest, hash, 1'000);
        return height ? *height : -1;
    };
    EXPECT_EQ(proven(node.tip()), node.height());
    const auto& regtest = chain::params(chain::Network::regtest);
    EXPECT_EQ(proven(*chain::Hash256::from_rpc_hex(regtest.genesis_hash)), 0);
    // Another block, a changed coinbase, an old version, no height: nothing is proven.
    const auto answer = [&](const chain::Block& block) {
        node.set_result("getblock", "\"" + base::to_hex(block.serialize()) + "\"");
    };
    auto block = testing::mine_block({}, 70'000);
    answer(block);
    EXPECT_EQ(proven(block.header.hash()), 70'000);
    EXPECT_EQ(proven(node.tip()), -1);
    block.transactions[0].inputs[0].script = chain::height_push(70'005);
    answer(block);
    EXPECT_EQ(proven(block.header.hash()), -1);
    block.header.merkle_root = block.merkle_root();
    block.header.version = 1;
    answer(block);
    EXPECT_EQ(proven(block.header.hash()), -1);
    block.header.version = 2;
    block.transactions[0].inputs[0].script = {0x05, 1, 2, 3, 4, 5};
    block.header.merkle_root = block.merkle_root();
    answer(block);
    EXPECT_EQ(proven(block.header.hash()), -1);
    for (const char* nonsense : {"7", R"("xy")", R"("00")", "null"}) {
        node.set_result("getblock", nonsense);
        EXPECT_EQ(proven(node.tip()), -1) << nonsense;
    }
}

}  // namespace
}  // namespace adit::node
