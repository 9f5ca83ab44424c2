// Wallets as a whole: which one is meant, addresses, passphrases, locks, balances.
#include "sim/wallet_fixture.h"

namespace adit::sim {
namespace {

using RpcWallet = WalletFixture;
using Json = nlohmann::json;

TEST_F(RpcWallet, ThePathNamesTheWallet) {
    EXPECT_EQ(ok("listwallets"), Json::array({"pool"}));
    EXPECT_EQ(ok("getwalletinfo")["walletname"], "pool");
    EXPECT_EQ(ok("createwallet", Json::array({"a b"}))["name"], "a b");
    EXPECT_EQ(error("getwalletinfo"),
              "-19 Wallet file not specified (must request wallet RPC through /wallet/<filename> "
              "uri-path).");
    path = "/wallet/a%20b";
    EXPECT_EQ(ok("getwalletinfo")["walletname"], "a b");
    path = "/wallet/nobody";
    EXPECT_EQ(error("getwalletinfo"), "-18 Requested wallet does not exist or is not loaded");
    path = "/";
    ok("unloadwallet", Json::array({"a b"}));
    ok("unloadwallet");
    EXPECT_EQ(error("getwalletinfo").substr(0, 26), "-18 No wallet is loaded. L");
    EXPECT_EQ(ok("listwalletdir")["wallets"].size(), 2U);
    EXPECT_EQ(error("loadwallet", Json::array({"c"})).substr(0, 4), "-18 ");
    EXPECT_EQ(ok("loadwallet", Json::array({"pool"}))["name"], "pool");
    EXPECT_EQ(error("loadwallet", Json::array({"pool"})).substr(0, 4), "-35 ");
    EXPECT_EQ(error("createwallet", Json::array({"pool"})).substr(0, 3), "-4 ");
    EXPECT_EQ(error("unloadwallet", Json::array({"c"})).substr(0, 4), "-18 ");
}

TEST_F(RpcWallet, TheSameSeedGivesTheSameAddressesAndFindsTheirCoins) {
    const auto first = address();
    const auto second = address();
    EXPECT_NE(first, second);
    EXPECT_TRUE(first.starts_with("bcrt1q"));
    mine(1, first);
    mine(100, second);
    WalletSet again(chain, "test", clock);
    const auto wallet = again.create("pool", false);
    ASSERT_TRUE(wallet);
    EXPECT_EQ((*wallet)->coins(chain).size(), 101U);
    EXPECT_NE(base::to_hex((*wallet)->new_receiving_script(ScriptKind::p2wpkh, "")),
              base::to_hex(script_of(second)));
    WalletSet other(chain, "another seed", clock);
    EXPECT_TRUE((*other.create("pool", false))->coins(chain).empty());
}

TEST_F(RpcWallet, TellsOfAddresses) {
    const auto mine = ok("getnewaddress", {"tips", "bech32"}).get<std::string>();
    const auto legacy = ok("getnewaddress", {"", "legacy"}).get<std::string>();
    auto info = ok("getaddressinfo", Json::array({mine}));
    EXPECT_EQ(info["ismine"], true);
    EXPECT_EQ(info["solvable"], true);
    EXPECT_EQ(info["iswatchonly"], false);
    EXPECT_EQ(info["scriptPubKey"], base::to_hex(script_of(mine)));
    EXPECT_EQ(info["labels"], Json::array({"tips"}));
    EXPECT_EQ(info["ischange"], false);
    EXPECT_EQ(info["iswitness"], true);
    EXPECT_EQ(ok("getaddressinfo", Json::array({legacy}))["iswitness"], false);
    EXPECT_EQ(ok("getaddressinfo", Json::array({legacy}))["ismine"], true);
    EXPECT_EQ(ok("getaddressinfo", Json::array({ok("getrawchangeaddress")}))["ischange"], true);
    EXPECT_EQ(ok("getaddressinfo", Json::array({stranger()}))["ismine"], false);
    EXPECT_EQ(error("getaddressinfo", Json::array({"x"})), "-5 Invalid address");
    EXPECT_EQ(error("getnewaddress", {"", "bech32m"}), "-5 Unknown address type 'bech32m'");
}

TEST_F(RpcWallet, APassphraseGuardsTheKeys) {
    EXPECT_EQ(error("walletlock"),
              "-15 Error: running with an unencrypted wallet, but walletlock was called.");
    EXPECT_EQ(error("walletpassphrase", {"x", 1}),
              "-15 Error: running with an unencrypted wallet, but walletpassphrase was called.");
    EXPECT_EQ(error("encryptwallet", Json::array({""})), "-8 passphrase cannot be empty");
    fill(1);
    const auto funded = fund(Json::array({{{stranger(), 1}}}))["hex"];
    ok("encryptwallet", Json::array({"secret"}));
    EXPECT_EQ(error("encryptwallet", Json::array({"secret"})).substr(0, 4), "-15 ");
    const std::string locked =
        "-13 Error: Please enter the wallet passphrase with walletpassphrase first.";
    EXPECT_EQ(error("signrawtransactionwithwallet", Json::array({funded})), locked);
    EXPECT_EQ(error("sendtoaddress", {stranger(), 1}), locked);
    EXPECT_EQ(ok("getwalletinfo")["unlocked_until"], 0);
    EXPECT_EQ(error("walletpassphrase", {"wrong", 60}),
              "-14 Error: The wallet passphrase entered was incorrect.");
    EXPECT_EQ(error("walletpassphrase", {"secret", -1}), "-8 Timeout cannot be negative.");
    EXPECT_EQ(error("walletpassphrase", {"", 1}), "-8 passphrase cannot be empty");
    ok("walletpassphrase", {"secret", 60});
    EXPECT_EQ(ok("getwalletinfo")["unlocked_until"], clock.wall_ms() / 1000 + 60);
    sign(funded);
    clock.advance_ms(59'999);
    // A second time sets a new end.
    ok("walletpassphrase", {"secret", 60});
    clock.advance_ms(59'999);
    sign(funded);
    clock.advance_ms(1);
    EXPECT_EQ(error("signrawtransactionwithwallet", Json::array({funded})), locked);
    ok("walletpassphrase", {"secret", 60});
    ok("walletlock");
    EXPECT_EQ(error("signrawtransactionwithwallet", Json::array({funded})), locked);
    ok("walletpassphrase", {"secret", 60});
    wallets.restart();
    EXPECT_EQ(error("signrawtransactionwithwallet", Json::array({funded})), locked);
}

TEST_F(RpcWallet, ListsUnspentOutputsByEveryCriterion) {
    const auto first = address();
    mine(1, first);
    fill(1);
    const auto second = address();
    pay(Json::array({{{second, "7.5"}}, {{stranger(), 1}}}));
    auto all = ok("listunspent", Json::array({0}));
    ASSERT_EQ(all.size(), 3U);  // a coinbase, 7.5 and the change
    const auto only = ok("listunspent", {0, 9'999'999, Json::array({second})});
    ASSERT_EQ(only.size(), 1U);
    EXPECT_EQ(only[0]["amount"].dump(), "7.5");
    EXPECT_EQ(only[0]["confirmations"], 0);
    EXPECT_EQ(only[0]["address"], second);
    EXPECT_EQ(only[0]["scriptPubKey"], base::to_hex(script_of(second)));
    EXPECT_EQ(only[0]["spendable"], true);
    EXPECT_EQ(only[0]["solvable"], true);
    EXPECT_EQ(only[0]["safe"], true);
    EXPECT_EQ(ok("listunspent").size(), 1U);
    EXPECT_EQ(ok("listunspent", {0, 0}).size(), 2U);
    const auto query = [&](const Json& options) {
        return ok("listunspent", {0, 9'999'999, Json::array(), true, options}).size();
    };
    EXPECT_EQ(query({{"minimumAmount", 8}}), 2U);
    EXPECT_EQ(query({{"maximumAmount", "7.50000000"}}), 1U);
    EXPECT_EQ(query({{"maximumCount", 2}}), 2U);
    EXPECT_EQ(query({{"minimumSumAmount", 1}}), 1U);
    EXPECT_EQ(query(Json::object()), 3U);
    EXPECT_EQ(error("listunspent", {0, 1, Json::array(), true, {{"x", 1}}}), "-3 Unexpected key x");
    EXPECT_EQ(error("listunspent", {0, 1, Json::array({"x"})}), "-5 Invalid Bitcoin address: x");
    EXPECT_EQ(error("listunspent", {0, 1, Json::array({first, first})}).substr(0, 3), "-8 ");
}

TEST_F(RpcWallet, UnconfirmedMoneyOfOthersIsNotSafe) {
    ok("createwallet", Json::array({"other"}));
    path = "/wallet/other";
    fill(1);
    const auto theirs = [&] {
        path = "/wallet/pool";
        const auto made = address();
        path = "/wallet/other";
        return made;
    }();
    pay(Json::array({{{theirs, 3}}}));
    path = "/wallet/pool";
    const auto coins = ok("listunspent", Json::array({0}));
    ASSERT_EQ(coins.size(), 1U);
    EXPECT_EQ(coins[0]["safe"], false);
    EXPECT_EQ(ok("listunspent", {0, 99, Json::array(), false}).size(), 0U);
    const auto balances = ok("getbalances")["mine"];
    EXPECT_EQ(balances["trusted"], 0.0);
    EXPECT_EQ(balances["untrusted_pending"], 3.0);
    EXPECT_EQ(error("sendtoaddress", {stranger(), 1}), "-6 Insufficient funds");
    mine(1, stranger());
    EXPECT_EQ(ok("getbalances")["mine"]["trusted"], 3.0);
    EXPECT_EQ(ok("getbalance"), 3.0);
}

TEST_F(RpcWallet, CoinbasesRipenInTheBalances) {
    const auto to = address();
    mine(1, to);
    EXPECT_EQ(ok("getbalances")["mine"]["immature"], 50.0);
    mine(99, stranger());
    EXPECT_EQ(ok("getbalances")["mine"]["immature"], 50.0);
    EXPECT_EQ(ok("listunspent").size(), 0U);
    mine(1, stranger());
    EXPECT_EQ(ok("getbalances")["mine"]["immature"], 0.0);
    EXPECT_EQ(ok("getbalances")["mine"]["trusted"], 50.0);
    EXPECT_EQ(ok("listunspent")[0]["confirmations"], 101);
    EXPECT_EQ(ok("getbalances")["lastprocessedblock"]["height"], 101);
}

TEST_F(RpcWallet, LocksHideCoinsAndOnlyPersistentOnesSurvive) {
    fill(3);
    const auto coins = ok("listunspent");
    const auto outpoint = [&](std::size_t i) {
        return Json{{"txid", coins[i]["txid"]}, {"vout", coins[i]["vout"]}};
    };
    EXPECT_EQ(ok("lockunspent", {false, Json::array({outpoint(0)})}), true);
    EXPECT_EQ(ok("lockunspent", {false, Json::array({outpoint(1)}), true}), true);
    EXPECT_EQ(ok("listlockunspent").size(), 2U);
    EXPECT_EQ(ok("listunspent").size(), 1U);
    EXPECT_EQ(ok("getbalances")["mine"]["trusted"], 150.0);
    EXPECT_EQ(error("sendtoaddress", {stranger(), 51}), "-6 Insufficient funds");
    wallets.restart();
    EXPECT_EQ(ok("listlockunspent"), Json::array({outpoint(1)}));
    EXPECT_EQ(ok("lockunspent", {true, Json::array({outpoint(1)})}), true);
    EXPECT_EQ(ok("listlockunspent"), Json::array());
    ok("lockunspent", {false, Json::array({outpoint(0), outpoint(1)})});
    ok("lockunspent", Json::array({true}));
    EXPECT_EQ(ok("listlockunspent"), Json::array());

    ok("lockunspent", {false, Json::array({outpoint(0)})});
    auto unknown = outpoint(0);
    unknown["txid"] = std::string(64, 'a');
    auto beyond = outpoint(0);
    beyond["vout"] = 9;
    auto negative = outpoint(0);
    negative["vout"] = -1;
    const std::vector<std::tuple<bool, Json, std::string>> rows{
        {false, unknown, "-8 Invalid parameter, unknown transaction"},
        {false, beyond, "-8 Invalid parameter, vout index out of bounds"},
        {false, negative, "-8 Invalid parameter, vout cannot be negative"},
        {false, outpoint(0), "-8 Invalid parameter, output already locked"},
        {true, outpoint(1), "-8 Invalid parameter, expected locked output"},
        {false, {{"vout", 1}}, "-3 Missing txid"},
        {false, {{"txid", std::string(64, 'a')}}, "-8 Invalid parameter, missing vout key"},
    };
    for (const auto& [unlock, row, message] : rows) {
        EXPECT_EQ(error("lockunspent", {unlock, Json::array({row})}), message);
    }
    // One that cannot be locked leaves the others as they were.
    EXPECT_NE(error("lockunspent", {false, Json::array({outpoint(2), unknown})}), "");
    EXPECT_EQ(ok("listlockunspent"), Json::array({outpoint(0)}));
}

TEST_F(RpcWallet, ASpendTakesItsLockAway) {
    fill(1);
    const auto funded = fund(Json::array({{{stranger(), 1}}}), {{"lockUnspents", true}});
    EXPECT_EQ(ok("listlockunspent").size(), 1U);
    const auto spent = ok("listlockunspent")[0];
    send(sign(funded["hex"]));
    EXPECT_EQ(ok("listlockunspent").size(), 0U);
    EXPECT_EQ(error("lockunspent", {false, Json::array({spent})}),
              "-8 Invalid parameter, expected unspent output");
}

TEST_F(RpcWallet, AnUnloadedWalletCatchesUp) {
    const auto to = address();
    mine(1, to);
    ok("unloadwallet");
    mine(1, to);
    std::uint64_t tries = 1'000'000;
    ASSERT_TRUE(mine_block_on(chain, *chain.at_height(1), {}, script_of(stranger()), tries));
    mine(2, to);
    ok("loadwallet", Json::array({"pool"}));
    EXPECT_EQ(ok("listtransactions", {"*", 100}).size(), 4U);
    wallets.restart();
    EXPECT_EQ(ok("listwallets"), Json::array({"pool"}));
    ok("unloadwallet", {"pool", false});
    wallets.restart();
    EXPECT_EQ(ok("listwallets"), Json::array());
}

}  // namespace
}  // namespace adit::sim
