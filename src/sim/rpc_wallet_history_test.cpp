// What a wallet tells of its transactions, through reorganisations and conflicts.
#include "sim/wallet_fixture.h"

namespace adit::sim {
namespace {

using Json = nlohmann::json;

class RpcWalletHistory : public WalletFixture {
 protected:
    Json transaction(const std::string& txid) { return ok("gettransaction", Json::array({txid})); }
    int confirmations(const std::string& txid) { return transaction(txid)["confirmations"]; }
    static std::int64_t sat(const Json& amount) {
        std::int64_t value = 0;
        const bool negative = amount.get<double>() < 0;
        const auto text = fmt::format("{:.8f}", amount.get<double>());
        value = *parse_decimal(text, 8);
        EXPECT_EQ(negative, value < 0);
        return value;
    }
    // Mines n empty blocks on the block at this height; their transactions pay nobody.
    void branch_from(std::int32_t height, int n,
                     const std::vector<chain::Transaction>& first_block = {}) {
        const auto* parent = chain.at_height(height);
        for (int i = 0; i < n; ++i) {
            clock.advance_ms(1'000);
            std::uint64_t tries = 1'000'000;
            const auto hash = mine_block_on(
                chain, *parent, i == 0 ? first_block : std::vector<chain::Transaction>{},
                script_of(stranger()), tries);
            ASSERT_TRUE(hash);
            parent = chain.find(*hash);
        }
    }
    // The same inputs, all to a stranger, signed.
    chain::Transaction rival_of(const std::string& hex, std::int64_t fee_sat = 20'000) {
        auto rival = parse(hex);
        std::int64_t value = -fee_sat;
        for (auto& input : rival.inputs) {
            value += wallets.find("pool")->own_output(input.previous)->value_sat;
            input.witness.clear();
        }
        rival.outputs = {{value, script_of(stranger(9))}};
        return parse(sign(base::to_hex(rival.serialize())));
    }
    Json categories(const Json& list) {
        Json all = Json::array();
        for (const auto& item : list)
            all.push_back(item["category"]);
        return all;
    }
};

TEST_F(RpcWalletHistory, AmountsFeesAndDetailsOfAPayment) {
    fill(1);
    const auto own = address();
    const auto funded = fund(Json::array({{{stranger(), "1.5"}}, {{own, "0.25"}}}));
    const auto txid = send(sign(funded["hex"]));
    const auto shown = transaction(txid);
    const auto fee = sat(funded["fee"]);
    EXPECT_EQ(sat(shown["fee"]), -fee);
    EXPECT_EQ(sat(shown["amount"]), -150'000'000);
    EXPECT_EQ(shown["confirmations"], 0);
    EXPECT_EQ(shown["trusted"], true);
    EXPECT_EQ(shown["bip125-replaceable"], "yes");
    EXPECT_EQ(shown["walletconflicts"], Json::array());
    EXPECT_FALSE(shown.contains("blockhash"));
    EXPECT_EQ(shown["txid"], txid);
    EXPECT_EQ(parse(shown["hex"]).txid().rpc_hex(), txid);
    // Both payments as sent, without the change; then what came back to an own address.
    EXPECT_EQ(categories(shown["details"]), Json::array({"send", "send", "receive"}));
    EXPECT_EQ(sat(shown["details"][0]["amount"]), -150'000'000);
    EXPECT_EQ(sat(shown["details"][0]["fee"]), -fee);
    EXPECT_EQ(shown["details"][0]["address"], stranger());
    EXPECT_EQ(sat(shown["details"][1]["amount"]), -25'000'000);
    EXPECT_EQ(sat(shown["details"][2]["amount"]), 25'000'000);
    EXPECT_EQ(shown["details"][2]["vout"], shown["details"][1]["vout"]);
    EXPECT_FALSE(shown["details"][2].contains("fee"));
    mine(1, stranger());
    const auto confirmed = transaction(txid);
    EXPECT_EQ(confirmed["confirmations"], 1);
    EXPECT_EQ(confirmed["blockhash"], chain.tip().hash.rpc_hex());
    EXPECT_EQ(confirmed["blockheight"], chain.tip().height);
    EXPECT_EQ(confirmed["blocktime"], chain.tip().header.time);
    EXPECT_EQ(confirmed["blockindex"], 1);
    EXPECT_EQ(confirmed["bip125-replaceable"], "no");
    EXPECT_FALSE(confirmed.contains("trusted"));
    EXPECT_EQ(error("gettransaction", Json::array({std::string(64, 'a')})),
              "-5 Invalid or non-wallet transaction id");
    EXPECT_EQ(error("gettransaction", Json::array({"a"})).substr(0, 3), "-8 ");
}

TEST_F(RpcWalletHistory, ACoinbaseRipensOrIsOrphaned) {
    mine(1, address());
    const auto txid = chain.tip().block->transactions[0].txid().rpc_hex();
    EXPECT_EQ(transaction(txid)["details"][0]["category"], "immature");
    EXPECT_EQ(transaction(txid)["amount"], 0.0);
    EXPECT_EQ(transaction(txid)["details"][0]["amount"], 50.0);
    EXPECT_EQ(transaction(txid)["generated"], true);
    mine(100, stranger());
    EXPECT_EQ(transaction(txid)["details"][0]["category"], "generate");
    EXPECT_EQ(transaction(txid)["amount"], 50.0);
    const auto block = chain.at_height(1)->hash;
    ASSERT_TRUE(chain.invalidate(block));
    EXPECT_EQ(transaction(txid)["details"][0]["category"], "orphan");
    EXPECT_EQ(transaction(txid)["details"][0]["abandoned"], true);
    EXPECT_EQ(transaction(txid)["confirmations"], 0);
    EXPECT_EQ(ok("getbalances")["mine"]["trusted"], 0.0);
    ASSERT_TRUE(chain.reconsider(block));
    EXPECT_EQ(transaction(txid)["details"][0]["category"], "generate");
    EXPECT_EQ(transaction(txid)["details"][0]["abandoned"], false);
    EXPECT_EQ(ok("getbalances")["mine"]["trusted"], 50.0);
}

TEST_F(RpcWalletHistory, AReorganisationReturnsAPaymentToTheMempool) {
    fill(1);
    const auto before = chain.tip().height;
    const auto txid = pay(Json::array({{{stranger(), 1}}}));
    mine(6, stranger());
    EXPECT_EQ(confirmations(txid), 6);
    branch_from(before, 7);
    EXPECT_EQ(chain.tip().height, before + 7);
    EXPECT_EQ(confirmations(txid), 0);
    EXPECT_FALSE(transaction(txid).contains("blockhash"));
    EXPECT_EQ(ok("getrawmempool"), Json::array({txid}));
    mine(1, stranger());
    EXPECT_EQ(confirmations(txid), 1);
}

TEST_F(RpcWalletHistory, AConfirmedRivalMakesConfirmationsNegativeUntilItGoes) {
    fill(1);
    const auto height = chain.tip().height;
    const auto funded = fund(Json::array({{{stranger(), 1}}}), {{"changePosition", 1}});
    const auto hex = sign(funded["hex"]);
    const auto txid = send(hex);
    // A child of its change goes down with it.
    const auto child = pay(Json::array({{{stranger(2), 2}}}));
    const auto rival = rival_of(hex);
    branch_from(height, 1, {rival});
    EXPECT_EQ(confirmations(txid), -1);
    EXPECT_EQ(confirmations(child), -1);
    EXPECT_EQ(confirmations(rival.txid().rpc_hex()), 1);
    EXPECT_EQ(transaction(txid)["walletconflicts"], Json::array({rival.txid().rpc_hex()}));
    EXPECT_EQ(ok("getrawmempool"), Json::array());
    EXPECT_EQ(ok("getbalances")["mine"]["trusted"], 0.0);
    mine(5, stranger());
    EXPECT_EQ(confirmations(txid), -6);
    branch_from(height, 7);
    // The rival is back in the mempool; the first two wait for nothing in particular.
    EXPECT_EQ(confirmations(txid), 0);
    EXPECT_EQ(confirmations(child), 0);
    EXPECT_EQ(confirmations(rival.txid().rpc_hex()), 0);
    EXPECT_EQ(ok("getrawmempool"), Json::array({rival.txid().rpc_hex()}));
    // Once more, and this time the first one wins.
    branch_from(chain.tip().height, 1, {parse(hex)});
    EXPECT_EQ(confirmations(txid), 1);
    EXPECT_EQ(confirmations(rival.txid().rpc_hex()), -1);
}

TEST_F(RpcWalletHistory, ListsWhatHappenedSinceABlock) {
    fill(2);
    const auto mark = chain.tip().hash.rpc_hex();
    const auto height = chain.tip().height;
    EXPECT_EQ(ok("listsinceblock", Json::array({mark}))["transactions"], Json::array());
    EXPECT_EQ(categories(ok("listsinceblock")["transactions"]),
              Json::array({"generate", "generate"}));
    const auto first = pay(Json::array({{{stranger(), 1}}}));
    mine(1, stranger());
    const auto second = pay(Json::array({{{stranger(), 2}}}));
    auto listed = ok("listsinceblock", Json::array({mark}));
    ASSERT_EQ(listed["transactions"].size(), 2U);
    EXPECT_EQ(listed["transactions"][0]["txid"], first);
    EXPECT_EQ(listed["transactions"][0]["confirmations"], 1);
    EXPECT_EQ(listed["transactions"][0]["category"], "send");
    EXPECT_EQ(listed["transactions"][0]["abandoned"], false);
    EXPECT_EQ(listed["transactions"][0]["walletconflicts"], Json::array());
    EXPECT_EQ(listed["transactions"][1]["txid"], second);
    EXPECT_EQ(listed["removed"], Json::array());
    EXPECT_EQ(listed["lastblock"], chain.tip().hash.rpc_hex());
    const auto tip = chain.tip().hash.rpc_hex();
    EXPECT_EQ(ok("listsinceblock", Json::array({tip}))["transactions"].size(), 1U);
    EXPECT_EQ(ok("listsinceblock", {mark, 2})["lastblock"], mark);
    EXPECT_EQ(ok("listsinceblock", {mark, 100'000})["lastblock"], chain.genesis().hash.rpc_hex());
    // The asked block leaves the chain: what it held is told as removed.
    branch_from(height, 2);
    listed = ok("listsinceblock", Json::array({tip}));
    ASSERT_EQ(listed["removed"].size(), 1U);
    EXPECT_EQ(listed["removed"][0]["txid"], first);
    EXPECT_EQ(listed["transactions"].size(), 2U);
    EXPECT_FALSE(ok("listsinceblock", {tip, 1, false, false}).contains("removed"));
    EXPECT_EQ(error("listsinceblock", Json::array({std::string(64, 'a')})), "-5 Block not found");
    EXPECT_EQ(error("listsinceblock", {mark, 0}), "-8 Invalid parameter");
}

TEST_F(RpcWalletHistory, WhatOnlyMovesToChangeIsListedWhenChangeIsAskedFor) {
    fill(1);
    const auto mark = chain.tip().hash.rpc_hex();
    const auto change = ok("getrawchangeaddress").get<std::string>();
    const auto txid = pay(Json::array({{{change, 1}}}));
    EXPECT_EQ(ok("listsinceblock", {mark, 1, false, true})["transactions"], Json::array());
    const auto listed = ok("listsinceblock", {mark, 1, false, true, true})["transactions"];
    EXPECT_EQ(categories(listed), Json::array({"send", "send", "receive", "receive"}));
    EXPECT_EQ(listed[0]["txid"], txid);
}

TEST_F(RpcWalletHistory, AForgottenPaymentCanBeAbandoned) {
    fill(1);
    const auto hex = sign(fund(Json::array({{{stranger(), 1}}}))["hex"]);
    const auto txid = send(hex);
    EXPECT_EQ(error("abandontransaction", Json::array({txid})),
              "-5 Transaction not eligible for abandonment");
    const auto rival = rival_of(hex, 50'000);
    ASSERT_EQ(chain.accept_transaction(rival), Verdict::accepted);
    EXPECT_EQ(transaction(txid)["details"][0]["abandoned"], false);
    ok("abandontransaction", Json::array({txid}));
    EXPECT_EQ(transaction(txid)["details"][0]["abandoned"], true);
    EXPECT_EQ(error("abandontransaction", Json::array({std::string(64, 'a')})).substr(0, 3), "-5 ");
    // It can come back all the same.
    branch_from(chain.tip().height, 1, {parse(hex)});
    EXPECT_EQ(confirmations(txid), 1);
    EXPECT_EQ(transaction(txid)["details"][0]["abandoned"], false);
}

TEST_F(RpcWalletHistory, SomebodySpendingBehindThePoolsBackIsSeen) {
    fill(2);
    const auto mark = chain.tip().hash.rpc_hex();
    const auto txid = ok("sendtoaddress", {stranger(), "12.34567891"}).get<std::string>();
    mine(1, stranger());
    const auto listed = ok("listsinceblock", Json::array({mark}))["transactions"];
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0]["txid"], txid);
    EXPECT_EQ(sat(listed[0]["amount"]), -1'234'567'891);
    // All of a coin, the receiver bears the fee.
    const auto all = ok("sendtoaddress", {stranger(), 50, "", "", true, false}).get<std::string>();
    EXPECT_EQ(transaction(all)["bip125-replaceable"], "no");
    EXPECT_EQ(error("sendtoaddress", {stranger(), 50}), "-6 Insufficient funds");
    EXPECT_EQ(error("sendtoaddress", {"x", 1}), "-5 Invalid Bitcoin address: x");
    EXPECT_EQ(error("sendtoaddress", {stranger(), "1.123456789"}), "-3 Invalid amount");
}

TEST_F(RpcWalletHistory, ListsTheNewestTransactions) {
    fill(1);
    for (int i = 1; i <= 3; ++i)
        pay(Json::array({{{stranger(i), i}}}));
    const auto newest = ok("listtransactions", {"*", 2});
    ASSERT_EQ(newest.size(), 2U);
    EXPECT_EQ(newest[1]["amount"], -3.0);
    EXPECT_EQ(ok("listtransactions", {"*", 2, 1})[1]["amount"], -2.0);
    EXPECT_EQ(ok("listtransactions", {"*", 100}).size(), 4U);
    const auto labelled = ok("getnewaddress", Json::array({"rent"})).get<std::string>();
    pay(Json::array({{{labelled, 4}}}));
    EXPECT_EQ(categories(ok("listtransactions", {"rent", 10})), Json::array({"send", "receive"}));
    EXPECT_EQ(error("listtransactions", {"*", -1}), "-8 Negative count");
    EXPECT_EQ(error("listtransactions", {"*", 1, -1}), "-8 Negative from");
}

}  // namespace
}  // namespace adit::sim
