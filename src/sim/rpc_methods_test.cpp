#include "sim/rpc_methods.h"

#include "chain/address.h"
#include "sim/block_builder.h"
#include "sim/block_cases.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

class RpcMethodsTest : public testing::Test {
 protected:
    Json ok(std::string_view method, const Json& params = Json::array()) {
        Json result;
        const auto failure = methods.call(method, params, result);
        EXPECT_EQ(failure.code, 0) << method << ": " << failure.message;
        return result;
    }
    int code(std::string_view method, const Json& params = Json::array()) {
        Json result;
        return methods.call(method, params, result).code;
    }
    Json segwit_template() {
        return ok("getblocktemplate", Json::parse(R"([{"rules":["segwit"]}])"));
    }
    static std::string hex(const chain::Block& block) { return base::to_hex(block.serialize()); }
    static std::string hex(const chain::Transaction& transaction) {
        return base::to_hex(transaction.serialize());
    }

    base::ManualClock clock;
    SimChain chain{SimParams::regtest(), clock};
    CaseBuilder builder{chain};
    RpcMethods methods{chain, clock};
};

TEST_F(RpcMethodsTest, FailsWithBitcoinCoresCodes) {
    const std::string unknown(64, 'a');
    const std::vector<std::tuple<std::string, Json, int>> rows{
        {"nosuchmethod", Json::array(), rpc_code::kMethodNotFound},
        {"getblockcount", Json::object(), rpc_code::kInvalidRequest},
        {"getblockhash", Json::array({-1}), rpc_code::kInvalidParameter},
        {"getblockhash", Json::array({1}), rpc_code::kInvalidParameter},
        {"getblockhash", Json::array({"x"}), rpc_code::kType},
        {"getblock", Json::array({unknown}), rpc_code::kInvalidAddressOrKey},
        {"getblock", Json::array({"abc"}), rpc_code::kInvalidParameter},
        {"getblockheader", Json::array({unknown}), rpc_code::kInvalidAddressOrKey},
        {"getrawtransaction", Json::array({unknown}), rpc_code::kInvalidAddressOrKey},
        {"getblocktemplate", Json::array(), rpc_code::kInvalidParameter},
        {"getblocktemplate", Json::parse(R"([{"mode":"x"}])"), rpc_code::kInvalidParameter},
        {"getblocktemplate", Json::parse(R"([{"mode":"proposal"}])"), rpc_code::kType},
        {"submitblock", Json::array({"00"}), rpc_code::kDeserialization},
        {"submitblock", Json::array({"zz"}), rpc_code::kDeserialization},
        {"submitblock", Json::array(), rpc_code::kType},
        {"sendrawtransaction", Json::array({"00"}), rpc_code::kDeserialization},
        {"generatetoaddress", Json::array({1, "nowhere"}), rpc_code::kInvalidAddressOrKey},
        {"invalidateblock", Json::array({chain.genesis().hash.rpc_hex()}), rpc_code::kMisc},
        {"gettxout", Json::array({unknown}), rpc_code::kType},
    };
    for (const auto& [method, params, expected] : rows) {
        EXPECT_EQ(code(method, params), expected) << method << params.dump();
    }
}

TEST_F(RpcMethodsTest, OffersATemplateThatMakesAGoodBlock) {
    grow_to(chain, 101);
    const auto first = builder.spend(builder.mature_coin());
    const auto second = builder.spend_again(first);
    ok("sendrawtransaction", Json::array({hex(first)}));
    ok("sendrawtransaction", Json::array({hex(second)}));
    const auto offered = segwit_template();
    EXPECT_EQ(offered["height"], 102);
    EXPECT_EQ(offered["previousblockhash"], chain.tip().hash.rpc_hex());
    EXPECT_EQ(offered["bits"], "207fffff");
    EXPECT_EQ(offered["target"], "7fffff" + std::string(58, '0'));
    EXPECT_EQ(offered["coinbasevalue"], 5'000'020'000);
    EXPECT_EQ(offered["rules"], Json::array({"csv", "!segwit"}));
    EXPECT_EQ(offered["transactions"].size(), 2U);
    EXPECT_EQ(offered["transactions"][1]["depends"], Json::array({1}));
    EXPECT_EQ(offered["transactions"][0]["txid"], first.txid().rpc_hex());
    EXPECT_EQ(offered["transactions"][1]["hash"], second.wtxid().rpc_hex());
    EXPECT_EQ(offered["mintime"], chain.median_time_past(chain.tip()) + 1);
    EXPECT_EQ(offered["weightlimit"], 4'000'000);

    auto block = build_block(chain.make_template(), builder.key().p2pkh_script());
    EXPECT_EQ(base::to_hex(block.transactions[0].outputs[1].script),
              offered["default_witness_commitment"].get<std::string>());
    EXPECT_EQ(
        ok("getblocktemplate", Json::array({Json{{"mode", "proposal"}, {"data", hex(block)}}})),
        nullptr);
    block = builder.mine(block);
    EXPECT_EQ(ok("submitblock", Json::array({hex(block)})), nullptr);
    EXPECT_EQ(ok("submitblock", Json::array({hex(block)})), "duplicate");
    EXPECT_EQ(ok("getblockcount"), 102);
    EXPECT_EQ(ok("getrawmempool"), Json::array());
}

TEST_F(RpcMethodsTest, TellsWhyATransactionIsRefused) {
    grow_to(chain, 101);
    const auto coin = builder.mature_coin();
    auto unknown = builder.unsigned_spend(coin, 1'000);
    unknown.inputs[0].previous.index = 9;
    const auto good = builder.spend(coin);
    EXPECT_EQ(code("sendrawtransaction", Json::array({hex(unknown)})), rpc_code::kVerifyError);
    EXPECT_EQ(code("sendrawtransaction", Json::array({hex(builder.unsigned_spend(coin, 1'000))})),
              rpc_code::kVerifyRejected);
    EXPECT_EQ(ok("sendrawtransaction", Json::array({hex(good)})), good.txid().rpc_hex());
    EXPECT_EQ(ok("sendrawtransaction", Json::array({hex(good)})), good.txid().rpc_hex());
    grow_to(chain, 102);
    EXPECT_EQ(chain.mempool().size(), 1U);
    std::uint64_t tries = 1'000'000;
    ASSERT_TRUE(mine_block(chain, builder.key().p2pkh_script(), tries));
    EXPECT_EQ(code("sendrawtransaction", Json::array({hex(good)})), rpc_code::kAlreadyInChain);
    const auto shown = ok("getrawtransaction", Json::array({good.txid().rpc_hex(), true}));
    EXPECT_EQ(shown["blockhash"], chain.tip().hash.rpc_hex());
    EXPECT_EQ(shown["hex"], hex(good));
    const auto out = ok("gettxout", Json::array({good.txid().rpc_hex(), 0U}));
    EXPECT_EQ(out["confirmations"], 1);
    EXPECT_EQ(out["scriptPubKey"]["hex"], base::to_hex(good.outputs[0].script));
}

TEST_F(RpcMethodsTest, HeadersOffTheMainChainHaveNoConfirmations) {
    grow_to(chain, 5);
    const auto old = chain.tip().hash.rpc_hex();
    EXPECT_EQ(ok("getblockheader", Json::array({old}))["confirmations"], 1);
    EXPECT_EQ(ok("getblockheader", Json::array({old, false})).get<std::string>().size(), 160U);
    ok("invalidateblock", Json::array({old}));
    EXPECT_EQ(ok("getblockheader", Json::array({old}))["confirmations"], -1);
    EXPECT_EQ(ok("getblockcount"), 4);
    const auto tips = ok("getchaintips");
    ASSERT_EQ(tips.size(), 2U);
    EXPECT_EQ(tips[0]["status"], "invalid");
    EXPECT_EQ(tips[0]["branchlen"], 1);
    EXPECT_EQ(tips[1]["status"], "active");
    ok("reconsiderblock", Json::array({old}));
    EXPECT_EQ(ok("getbestblockhash"), old);
}

TEST_F(RpcMethodsTest, ShowsBlocksInThreeDepths) {
    const auto address = *chain::address_of_script(builder.key().p2wpkh_script(), rpc_network());
    const auto hashes = ok("generatetoaddress", Json::array({2, address}));
    ASSERT_EQ(hashes.size(), 2U);
    const auto& block = *chain.tip().block;
    EXPECT_EQ(ok("getblock", Json::array({hashes[1], 0})), hex(block));
    EXPECT_EQ(ok("getblock", Json::array({hashes[1]}))["tx"][0],
              block.transactions[0].txid().rpc_hex());
    const auto deep = ok("getblock", Json::array({hashes[1], 2}));
    EXPECT_EQ(deep["tx"][0]["vout"][0]["scriptPubKey"]["address"], address);
    EXPECT_EQ(deep["previousblockhash"], hashes[0]);
    EXPECT_EQ(ok("getblock", Json::array({hashes[0]}))["nextblockhash"], hashes[1]);
}

TEST_F(RpcMethodsTest, LongPollsWaitForATipOrPatientlyForTheMempool) {
    grow_to(chain, 101);
    const auto id = segwit_template()["longpollid"];
    const auto params = Json::array({Json{{"rules", {"segwit"}}, {"longpollid", id}}});
    EXPECT_TRUE(methods.must_wait("getblocktemplate", params, true));
    ASSERT_EQ(chain.accept_transaction(builder.spend(builder.mature_coin())), Verdict::accepted);
    EXPECT_TRUE(methods.must_wait("getblocktemplate", params, false));
    EXPECT_FALSE(methods.must_wait("getblocktemplate", params, true));
    grow_to(chain, 102);
    EXPECT_FALSE(methods.must_wait("getblocktemplate", params, false));
    EXPECT_FALSE(methods.must_wait("getblockcount", params, false));
}

TEST_F(RpcMethodsTest, FaultsShow) {
    grow_to(chain, 102);
    ASSERT_EQ(chain.accept_transaction(builder.spend(builder.mature_coin())), Verdict::accepted);
    const auto request = Json::parse(R"([{"rules":["segwit"]}])");
    methods.set_fault(SimFault::warming_up);
    EXPECT_EQ(code("getblockcount"), rpc_code::kInWarmup);
    methods.set_fault(SimFault::no_peers);
    EXPECT_EQ(code("getblocktemplate", request), rpc_code::kNotConnected);
    methods.set_fault(SimFault::initial_download);
    EXPECT_EQ(code("getblocktemplate", request), rpc_code::kInInitialDownload);
    EXPECT_EQ(ok("getblockchaininfo")["initialblockdownload"], true);
    methods.set_fault(SimFault::wrong_chain);
    EXPECT_EQ(ok("getblockchaininfo")["chain"], "main");
    methods.set_fault(SimFault::wrong_height);
    EXPECT_EQ(ok("getblockcount"), 107);
    EXPECT_EQ(segwit_template()["height"], 108);
    methods.set_fault(SimFault::lag);
    EXPECT_EQ(ok("getblockcount"), 97);
    EXPECT_EQ(ok("getblockchaininfo")["headers"], 102);
    EXPECT_EQ(segwit_template()["previousblockhash"], chain.at_height(97)->hash.rpc_hex());
    methods.set_fault(SimFault::drop_transaction);
    EXPECT_EQ(segwit_template()["transactions"].size(), 0U);
    EXPECT_EQ(segwit_template()["coinbasevalue"], 5'000'010'000);
}

TEST_F(RpcMethodsTest, AnswersTheSmallQuestions) {
    grow_to(chain, 3);
    EXPECT_EQ(ok("getblockchaininfo")["blocks"], 3);
    EXPECT_EQ(ok("getblockchaininfo")["chain"], "regtest");
    EXPECT_EQ(ok("getmininginfo")["blocks"], 3);
    EXPECT_EQ(ok("getmempoolinfo")["size"], 0);
    EXPECT_EQ(ok("getconnectioncount"), 1);
    EXPECT_GE(ok("getnetworkinfo")["version"], 240'000);
    EXPECT_EQ(ok("getzmqnotifications"), Json::array());
    EXPECT_EQ(ok("validateaddress", Json::array({"bc1qx"}))["isvalid"], false);
    clock.advance_ms(7'000);
    EXPECT_EQ(ok("uptime"), 7);
    EXPECT_NEAR(ok("getdifficulty").get<double>(), 4.6565e-10, 1e-14);
}

}  // namespace
}  // namespace adit::sim
