// The wallet's coins: which of them are offered, locks, signatures.
#include "node/json.h"
#include "node/node_wallet_testing.h"

namespace adit::node {
namespace {

using ledger::Coin;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct WalletCoins : testing::NodeWalletTest {
    // An entry of listunspent, with some of its members replaced.
    std::string entry(int n, const std::string& amount = "1.00000000", std::string script = "",
                      std::string_view flags = R"("spendable":true,"solvable":true,"safe":true)",
                      std::string_view depth = "6") {
        if (script.empty()) script = base::to_hex(key_hash_script());
        return fmt::format(R"({{"txid":"{}","vout":{},"scriptPubKey":"{}","amount":{},)"
                           R"("confirmations":{},{}}})",
                           hash(n).rpc_hex(), n, script, amount, depth, flags);
    }
    ledger::FromWallet<std::vector<Coin>> list(const std::string& entries) {
        node.set_result("listunspent", "[" + entries + "]");
        return wallet->coins(6);
    }
    static std::vector<chain::OutPoint> outpoints(int count) {
        std::vector<chain::OutPoint> list;
        for (int n = 0; n < count; ++n)
            list.push_back({hash(n), static_cast<std::uint32_t>(n)});
        return list;
    }
    static std::string locks(std::span<const chain::OutPoint> list) {
        std::string text;
        for (const auto& outpoint : list) {
            text += fmt::format(R"({}{{"txid":"{}","vout":{}}})", text.empty() ? "" : ",",
                                outpoint.txid.rpc_hex(), outpoint.index);
        }
        return "[" + text + "]";
    }
};

TEST_F(WalletCoins, AreConfirmedNativeSegwitOutputsThatCanBeSpent) {
    const auto coins =
        list(entry(1, "20999999.97690000") + "," +
             entry(2, "0.00000001", "", "\"spendable\":true,\"solvable\":true", "9"));
    ASSERT_TRUE(coins) << told(coins);
    EXPECT_EQ(node.last_params("listunspent"), "[6,9999999,[],false]");
    ASSERT_EQ(coins->size(), 2U);
    EXPECT_EQ((*coins)[0],
              (Coin{{hash(1), 1}, chain::Amount::of(2'099'999'997'690'000), key_hash_script(), 6}));
    EXPECT_EQ((*coins)[1].value, chain::Amount::of(1));
    const auto taproot = "5120" + std::string(64, 'a');
    EXPECT_EQ(list(entry(1, "1", taproot))->size(), 1U);
    // Not offered:
    const auto legacy = "76a914" + std::string(40, 'a') + "88ac";
    const auto nested = "a914" + std::string(40, 'a') + "87";
    for (const auto& none :
         {entry(1, "1", legacy), entry(1, "1", nested),
          entry(1, "1", "0020" + std::string(64, 'a')), entry(1, "0"),
          entry(1, "1", "", R"("spendable":false,"solvable":true)"),
          entry(1, "1", "", R"("spendable":true,"solvable":false)"),
          entry(1, "1", "", R"("spendable":true,"solvable":true,"safe":false)"), std::string()}) {
        const auto offered = list(none);
        ASSERT_TRUE(offered) << told(offered);
        EXPECT_TRUE(offered->empty()) << none;
    }
}

TEST_F(WalletCoins, AreNotBelievedWhenTheyMakeNoSense) {
    for (const auto& absurd :
         {entry(1, "-1"), entry(1, "21000000.1"), entry(1, "0.000000001"), entry(1, "\"1\""),
          entry(1, "1", "0"), entry(1, "1", "", R"("spendable":true)", "5"),
          entry(1, "1", "", R"("spendable":true)", "99999999999"), std::string("{}"),
          std::string("1"), entry(1) + "," + entry(1),
          entry(1, "20000000") + "," + entry(2, "1000000.00000001"), entry(-1)}) {
        EXPECT_THAT(told(list(absurd)), StartsWith("malformed")) << absurd;
    }
    node.set_result("listunspent", "{}");
    EXPECT_THAT(told(wallet->coins(1)), StartsWith("malformed"));
    list("");
    EXPECT_EQ(told(wallet->coins(-5)), "fine");
    EXPECT_EQ(node.last_params("listunspent"), "[1,9999999,[],false]") << "never unconfirmed ones";
}

TEST_F(WalletCoins, ASingleOneIsLookedUpInTheChainAlone) {
    const auto answer = [](std::string_view value, std::string_view depth) {
        return fmt::format(R"({{"bestblock":"{}","confirmations":{},"value":{},)"
                           R"("scriptPubKey":{{"hex":"{}"}},"coinbase":false}})",
                           hash(9).rpc_hex(), depth, value, base::to_hex(key_hash_script()));
    };
    node.set_result("gettxout", answer("0.29000000", "4"));
    const auto coin = wallet->coin({hash(1), 7});
    ASSERT_TRUE(coin) << told(coin);
    EXPECT_EQ(*coin, (Coin{{hash(1), 7}, chain::Amount::of(29'000'000), key_hash_script(), 4}));
    EXPECT_EQ(node.last_params("gettxout"), fmt::format(R"(["{}",7,false])", hash(1).rpc_hex()));
    node.set_result("gettxout", "null");
    EXPECT_EQ(wallet->coin({hash(1), 7}).value(), std::nullopt);
    for (const auto& absurd :
         {std::string("{}"), std::string("[]"), answer("-1", "4"), answer("1", "0")}) {
        node.set_result("gettxout", absurd);
        EXPECT_THAT(told(wallet->coin({hash(1), 7})), StartsWith("malformed")) << absurd;
    }
}

TEST_F(WalletCoins, AreLockedForGoodAndUnlockedByOneCall) {
    const auto all = outpoints(2);
    node.set_result("lockunspent", "true");
    EXPECT_EQ(told(wallet->lock(all)), "fine");
    EXPECT_EQ(node.last_params("lockunspent"), fmt::format("[false,{},true]", locks(all)));
    EXPECT_EQ(told(wallet->unlock(all)), "fine");
    EXPECT_EQ(node.last_params("lockunspent"), fmt::format("[true,{}]", locks(all)));
    EXPECT_EQ(node.calls("lockunspent"), 2U);
    // Told to unlock nothing, a node unlocks everything: it is not called.
    EXPECT_EQ(told(wallet->unlock({})), "fine");
    EXPECT_EQ(told(wallet->lock({})), "fine");
    EXPECT_EQ(node.calls("lockunspent"), 2U);
    node.set_result("lockunspent", "false");
    EXPECT_THAT(told(wallet->lock(all)), StartsWith("malformed"));
    node.set_error("lockunspent", -18, "not loaded");
    EXPECT_THAT(told(wallet->lock(all)), StartsWith("no_wallet"));
}

TEST_F(WalletCoins, CanBeLockedAndUnlockedAgain) {
    const auto all = outpoints(3);
    // As a batch refused, then one by one: the first is locked already.
    node.queue_error("lockunspent", -8, "Invalid parameter, output already locked");
    node.queue_error("lockunspent", -8, "Invalid parameter, output already locked");
    node.set_result("lockunspent", "true");
    node.set_result("listlockunspent", locks(all));
    EXPECT_EQ(told(wallet->lock(all)), "fine");
    EXPECT_EQ(node.calls("lockunspent"), 4U);
    EXPECT_EQ(node.last_params("lockunspent"),
              fmt::format("[false,{},true]", locks(std::span(all).last(1))));
    // One that the wallet cannot lock is named.
    node.set_result("listlockunspent", locks(std::span(all).last(2)));
    node.queue_error("lockunspent", -8, "Invalid parameter, expected unspent output");
    node.queue_error("lockunspent", -8, "Invalid parameter, expected unspent output");
    EXPECT_THAT(told(wallet->lock(all)),
                AllOf(StartsWith("refused"), HasSubstr(hash(0).rpc_hex() + ":0"),
                      HasSubstr("expected unspent output")));
    // Unlocking: refused for one that is not locked, which is what was wanted.
    node.queue_error("lockunspent", -8, "Invalid parameter, expected locked output");
    node.queue_error("lockunspent", -8, "Invalid parameter, expected locked output");
    EXPECT_EQ(told(wallet->unlock(all)), "fine");
    node.set_result("listlockunspent", locks(all));
    node.queue_error("lockunspent", -8, "Invalid parameter, whatever");
    node.queue_error("lockunspent", -8, "Invalid parameter, whatever");
    EXPECT_THAT(told(wallet->unlock(all)), StartsWith("refused"));
    for (const auto* absurd : {"null", "[1]", R"([{"txid":"00","vout":0}])"}) {
        node.set_error("lockunspent", -8, "Invalid parameter, whatever");
        node.set_result("listlockunspent", absurd);
        EXPECT_THAT(told(wallet->unlock(all)), StartsWith("malformed")) << absurd;
    }
}

struct WalletSigns : WalletCoins {
    WalletSigns() {
        asked = spending({coin.outpoint});
        signed_one = asked;
        base::Bytes signature(71, 0x30);
        signature.back() = 1;
        signed_one.inputs[0].witness = {signature, base::Bytes(33, 0x02)};
    }
    std::string sign(std::string_view json) {
        node.set_result("signrawtransactionwithwallet", std::string(json));
        return told(wallet->sign(asked, {&coin, 1}));
    }
    std::string answer(const chain::Transaction& transaction, bool complete = true) const {
        return fmt::format(R"({{"hex":"{}","complete":{}}})", hex(transaction), complete);
    }
    Coin coin{{hash(1), 1}, chain::Amount::of(20'000), key_hash_script(), 6};
    chain::Transaction asked, signed_one;
};

TEST_F(WalletSigns, WhatItWasAskedToSignAndNothingElse) {
    EXPECT_EQ(sign(answer(signed_one)), "fine");
    EXPECT_EQ(node.last_params("signrawtransactionwithwallet"),
              fmt::format(R"(["{}"])", hex(asked)));
    const auto got = wallet->sign(asked, {&coin, 1});
    EXPECT_EQ(got->serialize(), signed_one.serialize());
    EXPECT_EQ(got->txid(), asked.txid());
    // A request that carries old signatures is sent without them.
    EXPECT_EQ(told(wallet->sign(signed_one, {&coin, 1})), "fine");
    EXPECT_EQ(node.last_params("signrawtransactionwithwallet"),
              fmt::format(R"(["{}"])", hex(asked)));
    auto other = signed_one;
    ++other.outputs[0].value_sat;
    EXPECT_THAT(sign(answer(other)), AllOf(StartsWith("malformed"), HasSubstr("outputs")));
    EXPECT_THAT(sign(answer(asked)), AllOf(StartsWith("malformed"), HasSubstr("no signature")));
}

TEST_F(WalletSigns, SaysWhyItDoesNot) {
    EXPECT_THAT(sign(answer(asked, false)), AllOf(StartsWith("refused"), HasSubstr("no reason")));
    EXPECT_THAT(sign(fmt::format(R"({{"hex":"{}","complete":false,)"
                                 R"("errors":[{{"error":"Input not found or already spent"}}]}})",
                                 hex(asked))),
                AllOf(StartsWith("refused"), HasSubstr("already spent")));
    node.set_error("signrawtransactionwithwallet", -13, "Please enter the wallet passphrase");
    EXPECT_THAT(told(wallet->sign(asked, {&coin, 1})),
                AllOf(StartsWith("locked"), HasSubstr("walletpassphrase")));
    for (const auto* absurd : {"null", "{}", R"({"complete":true})",
                               R"({"hex":"","complete":true})", R"({"hex":"xx","complete":true})",
                               R"({"hex":"00"})", R"({"hex":"0200","complete":true})"}) {
        EXPECT_THAT(sign(absurd), StartsWith("malformed")) << absurd;
    }
}

}  // namespace
}  // namespace adit::node
