// The wallet as a whole: where its calls go, what every failure becomes, when it is usable, and
// what goes to the network.
#include "node/node_wallet_testing.h"

namespace adit::node {
namespace {

using ledger::WalletFault;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::RawAnswer;
using ::testing::StartsWith;

using NodeWalletTest = testing::NodeWalletTest;

TEST_F(NodeWalletTest, CallsTheWalletByItsNameInThePath) {
    EXPECT_EQ(wallet->name(), "wallet pool on node main");
    const auto tip = wallet->tip();
    ASSERT_TRUE(tip) << told(tip);
    EXPECT_EQ(tip->height, 10);
    EXPECT_EQ(tip->block, node.tip());
    EXPECT_EQ(node.last_path("getwalletinfo"), "/wallet/pool");
    EXPECT_EQ(node.last_path("getblockchaininfo"), "/wallet/pool");
    for (const auto& [name, path] :
         std::map<std::string, std::string>{{"", "/wallet/"},
                                            {"a b/ü%?", "/wallet/a%20b%2F%C3%BC%25%3F"},
                                            {"A-z_0.9~", "/wallet/A-z_0.9~"}}) {
        make(name);
        set_info("", name);
        EXPECT_EQ(told(wallet->tip()), "fine") << name;
        EXPECT_EQ(node.last_path("getwalletinfo"), path);
    }
}

TEST(AtWallet, KeepsTheRestOfTheAddress) {
    const auto url = [](std::string rpc) {
        return at_wallet({"", std::move(rpc), "", "", "", ""}, "x").rpc;
    };
    EXPECT_EQ(url("http://h:1"), "http://h:1/wallet/x");
    EXPECT_EQ(url("http://h:1/"), "http://h:1/wallet/x");
    EXPECT_EQ(url("http://[::1]:1/rpc/"), "http://[::1]:1/rpc/wallet/x");
    EXPECT_EQ(url("http://h:1/wallet/other"), "http://h:1/wallet/x");
    EXPECT_EQ(at_wallet({"", "http://h:1", "", "", "", ""}, "x").label(), "h:1");
    EXPECT_EQ(at_wallet({"n", "http://h:1", "", "", "", ""}, "x").label(), "n");
}

struct CodeCase {
    int code;
    WalletFault fault;
    const char* says;
};

TEST_F(NodeWalletTest, TurnsEveryErrorOfTheNodeIntoAFaultAndASentence) {
    using F = WalletFault;
    const CodeCase cases[] = {
        {-18, F::no_wallet, "loadwallet \"pool\" true"},
        {-18, F::no_wallet, "createwallet wallet_name=\"pool\""},
        {-19, F::no_wallet, "loadwallet \"pool\""},
        {-32601, F::no_wallet, "disablewallet=1"},
        {-13, F::locked, "walletpassphrase"},
        {-6, F::refused, "send more to pool.address"},
        {-4, F::refused, "debug.log"},
        {-25, F::refused, "an input is spent or unknown"},
        {-26, F::refused, "mempool refuse"},
        {-8, F::refused, "refuses this call"},
        {-1, F::refused, "refuses this call"},
        {-28, F::not_ready, "starting"},
        {-9, F::not_ready, "no peers"},
        {-10, F::not_ready, "downloading the chain"},
    };
    for (const auto& one : cases) {
        node.set_error("listunspent", one.code, "says the node");
        EXPECT_THAT(
            told(wallet->coins(1)),
            AllOf(StartsWith(
                      fmt::format("{}: wallet pool on node main: ", ledger::name_of(one.fault))),
                  HasSubstr(one.says), HasSubstr("says the node"), HasSubstr("listunspent")))
            << one.code;
    }
}

TEST_F(NodeWalletTest, TellsAnUnreachableNodeFromOneThatAnswersNonsense) {
    const std::tuple<RawAnswer, const char*, const char*> cases[] = {
        {{.body = "", .hang = true}, "unreachable", "not answered within"},
        {{.body = "", .close = true}, "unreachable", "no connection"},
        {{.body = "", .status = 401}, "unreachable", "rpcuser"},
        {{.body = "", .status = 403}, "unreachable", "rpcallowip"},
        {{.body = "busy", .status = 503}, "unreachable", "rpcworkqueue"},
        {{.body = "[1"}, "malformed", "no JSON"},
        {{.body = "{}"}, "malformed", "another request"},
        {{.body = "{", .promised_bytes = 9}, "malformed", "cut short"},
    };
    make("pool", chain::Network::regtest, 200);
    for (const auto& [answer, fault, says] : cases) {
        node.set_hook([answer](std::string_view) { return answer; });
        EXPECT_THAT(told(wallet->status(hash(1))), AllOf(StartsWith(fault), HasSubstr(says)));
        EXPECT_THAT(told(wallet->tip()), AllOf(StartsWith(fault), HasSubstr(says)));
        node.set_hook({});
    }
    make("pool");
    node.stop();
    EXPECT_THAT(told(wallet->tip()), StartsWith("unreachable"));
    node.start();
    EXPECT_EQ(told(wallet->tip()), "fine");
    wallet->cancel();
    EXPECT_THAT(told(wallet->tip()), StartsWith("unreachable"));
}

TEST_F(NodeWalletTest, IsNotReadyOnAnotherChainOrBehindIt) {
    node.set_chain("main");
    EXPECT_THAT(told(wallet->tip()), AllOf(StartsWith("not_ready"), HasSubstr("chain \"main\"")));
    make("pool", chain::Network::main);
    EXPECT_EQ(told(wallet->tip()), "fine");
    node.set_headers_ahead(3);
    EXPECT_THAT(told(wallet->tip()), AllOf(StartsWith("not_ready"), HasSubstr("10 of 13 blocks")));
    node.set_headers_ahead(0);
    node.set_result("getblockchaininfo",
                    fmt::format(R"({{"chain":"main","blocks":10,"headers":10,"bestblockhash":"{}",)"
                                R"("initialblockdownload":true}})",
                                node.tip().rpc_hex()));
    EXPECT_THAT(told(wallet->tip()), AllOf(StartsWith("not_ready"), HasSubstr("synchronising")));
    node.set_result("getblockchaininfo", R"({"chain":"main"})");
    EXPECT_THAT(told(wallet->tip()), StartsWith("malformed"));
}

TEST_F(NodeWalletTest, IsUsableOnlyWhenTheWalletIsTheOneAndReady) {
    set_info("", "savings");
    EXPECT_THAT(told(wallet->tip()), AllOf(StartsWith("no_wallet"), HasSubstr("\"savings\"")));
    set_info("", "pool", R"({"duration":3,"progress":0.5})");
    EXPECT_THAT(told(wallet->tip()), AllOf(StartsWith("not_ready"), HasSubstr("scanning")));
    set_info("", "pool", "false", false);
    EXPECT_THAT(told(wallet->tip()), AllOf(StartsWith("no_wallet"), HasSubstr("no private keys")));
    for (const auto* answer :
         {"null", "[]", R"({"walletname":"pool"})",
          R"({"walletname":"pool","private_keys_enabled":1,"scanning":false})",
          R"({"walletname":"pool","private_keys_enabled":true,"scanning":7})"}) {
        node.set_result("getwalletinfo", answer);
        EXPECT_THAT(told(wallet->tip()), StartsWith("malformed")) << answer;
    }
    set_info(R"(,"unlocked_until":-1)");
    EXPECT_THAT(told(wallet->keys_locked()), StartsWith("malformed"));
    // A passphrase is wanted only when something is signed.
    set_info(R"(,"unlocked_until":0)");
    EXPECT_EQ(told(wallet->tip()), "fine");
    EXPECT_EQ(wallet->keys_locked().value(), true);
    set_info(R"(,"unlocked_until":1900000000)");
    EXPECT_EQ(wallet->keys_locked().value(), false);
    set_info("");
    EXPECT_EQ(wallet->keys_locked().value(), false);
}

TEST_F(NodeWalletTest, KnowsItsOwnAddresses) {
    node.set_result("getaddressinfo", R"({"ismine":true,"solvable":true})");
    EXPECT_EQ(wallet->owns("a\"b").value(), true);
    EXPECT_EQ(node.last_params("getaddressinfo"), R"(["a\"b"])");
    node.set_result("getaddressinfo", R"({"ismine":true,"solvable":false})");
    EXPECT_EQ(wallet->owns("a").value(), false);
    node.set_result("getaddressinfo", R"({"ismine":false,"solvable":false})");
    EXPECT_EQ(wallet->owns("a").value(), false);
    node.set_result("getaddressinfo", "{}");
    EXPECT_THAT(told(wallet->owns("a")), StartsWith("malformed"));
}

TEST_F(NodeWalletTest, TestsATransactionAgainstTheMempool) {
    const auto transaction = spending({{hash(1), 0}});
    const auto raw = transaction.serialize();
    const auto answer = [&](std::string_view members) {
        node.set_result("testmempoolaccept", fmt::format(R"([{{"txid":"{}"{}}}])",
                                                         transaction.txid().rpc_hex(), members));
        return told(wallet->test(raw));
    };
    EXPECT_EQ(answer(R"(,"allowed":true)"), "fine");
    EXPECT_EQ(node.last_params("testmempoolaccept"), fmt::format(R"([["{}"]])", base::to_hex(raw)));
    for (const auto* there : {"txn-already-in-mempool", "txn-already-known"}) {
        EXPECT_EQ(answer(fmt::format(R"(,"allowed":false,"reject-reason":"{}")", there)), "fine");
    }
    EXPECT_THAT(answer(R"(,"allowed":false,"reject-reason":"min relay fee not met")"),
                AllOf(StartsWith("refused"), HasSubstr("min relay fee not met")));
    EXPECT_THAT(answer(R"(,"package-error":"conflict-in-package")"),
                AllOf(StartsWith("refused"), HasSubstr("conflict-in-package")));
    EXPECT_THAT(answer(""), StartsWith("malformed"));
    EXPECT_THAT(answer(R"(,"allowed":false)"), StartsWith("malformed"));
    for (const auto* absurd : {"null", "[]", "[1]", R"([{"txid":"00","allowed":true}])"}) {
        node.set_result("testmempoolaccept", absurd);
        EXPECT_THAT(told(wallet->test(raw)), StartsWith("malformed")) << absurd;
    }
    EXPECT_THAT(told(wallet->test(base::Bytes{1})), StartsWith("refused"));
}

TEST_F(NodeWalletTest, ABroadcastHasSucceededWhenTheNodeHasTheTransactionAlready) {
    const auto transaction = spending({{hash(1), 0}});
    const auto raw = transaction.serialize();
    const auto txid = transaction.txid().rpc_hex();
    node.set_result("sendrawtransaction", fmt::format("\"{}\"", txid));
    EXPECT_EQ(told(wallet->broadcast(raw)), "fine");
    EXPECT_EQ(node.last_params("sendrawtransaction"), fmt::format(R"(["{}"])", base::to_hex(raw)));
    const auto refused = [&](int code, const std::string& message) {
        node.set_error("sendrawtransaction", code, message);
        return told(wallet->broadcast(raw));
    };
    EXPECT_EQ(refused(-27, "Transaction already in block chain"), "fine");
    EXPECT_EQ(refused(-27, "Transaction outputs already in utxo set"), "fine");
    EXPECT_EQ(refused(-26, "txn-already-in-mempool"), "fine");
    EXPECT_EQ(refused(-26, "txn-already-known"), "fine");
    node.set_error("getmempoolentry", -5, "Transaction not in mempool");
    node.set_error("gettransaction", -5, "Invalid or non-wallet transaction id");
    EXPECT_THAT(refused(-26, "insufficient fee"),
                AllOf(StartsWith("refused"), HasSubstr("insufficient fee")));
    EXPECT_THAT(refused(-25, "bad-txns-inputs-missingorspent"), StartsWith("refused"));
    // Confirmed long ago, its outputs spent again: the node calls its inputs missing.
    node.set_result("gettransaction", fmt::format(R"({{"confirmations":9,"hex":"{}",)"
                                                  R"("blockhash":"{}","blockheight":2}})",
                                                  hex(transaction), hash(2).rpc_hex()));
    EXPECT_EQ(refused(-25, "bad-txns-inputs-missingorspent"), "fine");
    EXPECT_THAT(refused(-13, "no"), StartsWith("locked"));
    node.set_result("sendrawtransaction", fmt::format("\"{}\"", hash(3).rpc_hex()));
    EXPECT_THAT(told(wallet->broadcast(raw)), StartsWith("malformed"));
    node.set_result("sendrawtransaction", "null");
    EXPECT_THAT(told(wallet->broadcast(raw)), StartsWith("malformed"));
    EXPECT_THAT(told(wallet->broadcast({})), StartsWith("refused"));
}

TEST_F(NodeWalletTest, ReadsFeeRatesExactlyAndRoundsThemUp) {
    node.set_result("estimatesmartfee", R"({"feerate":0.00012345,"blocks":2})");
    EXPECT_EQ(wallet->fee_rate(6).value(), 12'345);
    EXPECT_EQ(node.last_params("estimatesmartfee"), R"([6,"economical"])");
    node.set_result("estimatesmartfee", R"({"feerate":0.000123451,"blocks":2})");
    EXPECT_EQ(wallet->fee_rate(5'000).value(), 12'346);
    EXPECT_EQ(node.last_params("estimatesmartfee"), R"([1008,"economical"])");
    node.set_result("estimatesmartfee", R"({"errors":["Insufficient data"],"blocks":2})");
    EXPECT_EQ(wallet->fee_rate(0).value(), std::nullopt);
    EXPECT_EQ(node.last_params("estimatesmartfee"), R"([1,"economical"])");
    for (const auto* absurd : {"null", "[]", R"({"feerate":"1"})", R"({"feerate":0})",
                               R"({"feerate":-0.1})", R"({"feerate":1e9})"}) {
        node.set_result("estimatesmartfee", absurd);
        EXPECT_THAT(told(wallet->fee_rate(6)), StartsWith("malformed")) << absurd;
    }
}

}  // namespace
}  // namespace adit::node
