// Funding, signing, sending and replacing.
#include "sim/tx_rules.h"
#include "sim/wallet_fixture.h"

namespace adit::sim {
namespace {

using RpcWalletSpend = WalletFixture;
using Json = nlohmann::json;

std::int64_t value_out(const chain::Transaction& transaction) {
    std::int64_t sum = 0;
    for (const auto& output : transaction.outputs)
        sum += output.value_sat;
    return sum;
}

TEST_F(RpcWalletSpend, FundsSignsAndSends) {
    fill(1);
    const auto funded = fund(Json::array({{{stranger(1), "1.23456789"}}, {{stranger(2), 2}}}),
                             {{"fee_rate", 7.5}, {"changePosition", 1}});
    EXPECT_EQ(funded["changepos"], 1);
    const auto hex = sign(funded["hex"]);
    const auto transaction = parse(hex);
    ASSERT_EQ(transaction.outputs.size(), 3U);
    EXPECT_EQ(transaction.outputs[0].value_sat, 123'456'789);
    EXPECT_EQ(transaction.outputs[2].value_sat, 200'000'000);
    EXPECT_EQ(transaction.inputs[0].sequence, 0xfffffffd);
    std::int64_t fee = 0;
    ASSERT_FALSE(read_amount(funded["fee"], fee));
    EXPECT_EQ(value_out(transaction) + fee, 5'000'000'000);
    const auto vsize = static_cast<std::int64_t>((transaction.weight() + 3) / 4);
    EXPECT_GE(fee * 2, vsize * 15);
    EXPECT_LE(fee * 2, (vsize + 1) * 15 + 2);
    const auto tested = ok("testmempoolaccept", Json::array({Json::array({hex})}));
    EXPECT_EQ(tested[0]["allowed"], true);
    EXPECT_EQ(tested[0]["vsize"], vsize);
    EXPECT_EQ(tested[0]["fees"]["base"], funded["fee"]);
    EXPECT_EQ(chain.mempool().size(), 0U);
    const auto txid = send(hex);
    EXPECT_EQ(ok("getmempoolentry", Json::array({txid}))["fees"]["base"], funded["fee"]);
    EXPECT_EQ(ok("getmempoolentry", Json::array({txid}))["bip125-replaceable"], true);
    const Json spent{{"txid", transaction.inputs[0].previous.txid.rpc_hex()},
                     {"vout", transaction.inputs[0].previous.index}};
    EXPECT_EQ(ok("gettxspendingprevout", Json::array({Json::array({spent})}))[0]["spendingtxid"],
              txid);
    EXPECT_EQ(ok("gettxout", {spent["txid"], spent["vout"]}), nullptr);
    EXPECT_EQ(ok("gettxout", {spent["txid"], spent["vout"], false})["value"], 50.0);
    mine(1, stranger());
    EXPECT_EQ(ok("gettransaction", Json::array({txid}))["confirmations"], 1);
    EXPECT_EQ(
        ok("gettxspendingprevout", Json::array({Json::array({spent})}))[0].contains("spendingtxid"),
        false);
}

TEST_F(RpcWalletSpend, FundingFailsWithBitcoinCoresWords) {
    fill(2);
    const auto raw = [&](const Json& amount) {
        return ok("createrawtransaction", {Json::array(), Json::array({{{stranger(), amount}}})});
    };
    const auto coin = ok("listunspent")[0];
    const auto preset =
        ok("createrawtransaction", {Json::array({{{"txid", coin["txid"]}, {"vout", coin["vout"]}}}),
                                    Json::array({{{stranger(), 60}}})});
    auto unknown = parse(preset);
    unknown.inputs[0].previous.index = 77;
    auto foreign = parse(preset);
    foreign.inputs[0].previous = {chain.tip().block->transactions[0].txid(), 0};
    const std::vector<std::tuple<Json, Json, std::string>> rows{
        {raw(100), Json::object(), "-4 Insufficient funds"},
        {raw(1), {{"minconf", 200}}, "-4 Insufficient funds"},
        {preset,
         {{"add_inputs", false}},
         "-4 The preselected coins total amount does not cover the transaction target. Please "
         "allow "
         "other inputs to be automatically selected or include more coins manually"},
        {base::to_hex(unknown.serialize()), Json::object(),
         "-4 Unable to find UTXO for external input"},
        {base::to_hex(foreign.serialize()), Json::object(), "-4 Not solvable pre-selected input"},
        {raw("0.00000293"), Json::object(), "-4 Transaction amount too small"},
        {raw("0.00000294"),
         {{"subtractFeeFromOutputs", Json::array({0})}, {"fee_rate", 1}},
         "-4 The transaction amount is too small to send after the fee has been deducted"},
        {raw("0.00000294"),
         {{"subtractFeeFromOutputs", Json::array({0})}, {"fee_rate", 10}},
         "-4 The transaction amount is too small to pay the fee"},
        {raw(1),
         {{"fee_rate", 100'000}},
         "-4 Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)"},
        {raw(1),
         {{"fee_rate", "0.999"}},
         "-4 Fee rate (0.999 sat/vB) is lower than the minimum fee rate setting (1.000 sat/vB)"},
        {raw(1),
         {{"fee_rate", 1}, {"feeRate", 1}},
         "-8 Cannot specify both fee_rate (sat/vB) and feeRate (BTC/kvB)"},
        {raw(1), {{"changePosition", 2}}, "-8 changePosition out of bounds"},
        {raw(1), {{"changeAddress", "x"}}, "-5 Change address must be a valid bitcoin address"},
        {raw(1),
         {{"subtractFeeFromOutputs", Json::array({0, 0})}},
         "-8 Invalid parameter, duplicated position: 0"},
        {raw(1),
         {{"subtractFeeFromOutputs", Json::array({-1})}},
         "-8 Invalid parameter, negative position: -1"},
        {raw(1),
         {{"subtractFeeFromOutputs", Json::array({1})}},
         "-8 Invalid parameter, position too large: 1"},
        {raw(1), {{"minconf", -1}}, "-8 Negative minconf"},
        {raw(1), {{"colour", 1}}, "-3 Unexpected key colour"},
        {ok("createrawtransaction", {Json::array(), Json::array()}), Json::object(),
         "-8 TX must have at least one output"},
        {"zz", Json::object(), "-22 TX decode failed"},
    };
    for (const auto& [hex, options, message] : rows) {
        EXPECT_EQ(error("fundrawtransaction", {hex, options}), message) << options.dump();
    }
}

TEST_F(RpcWalletSpend, TheFeeRateIsTheEstimateOrTheFallback) {
    fill(1);
    const auto raw = ok("createrawtransaction", {Json::array(), Json::array({{{stranger(), 1}}})});
    const auto fee = [&] {
        std::int64_t sat = 0;
        EXPECT_FALSE(read_amount(ok("fundrawtransaction", Json::array({raw}))["fee"], sat));
        return sat;
    };
    EXPECT_EQ(ok("estimatesmartfee", Json::array({6}))["errors"],
              Json::array({"Insufficient data or no feerate found"}));
    EXPECT_EQ(fee(), 141 * 20);
    chain.policy().estimate_sat_per_kvb = 3'000;
    EXPECT_EQ(ok("estimatesmartfee", Json::array({6}))["feerate"], 0.00003);
    EXPECT_EQ(ok("estimatesmartfee", Json::array({6}))["blocks"], 6);
    EXPECT_EQ(fee(), 141 * 3);
    chain.policy().estimate_sat_per_kvb.reset();
    chain.policy().fallback_sat_per_kvb.reset();
    EXPECT_EQ(error("fundrawtransaction", Json::array({raw})),
              "-4 Fee estimation failed. Fallbackfee is disabled. Wait a few blocks or enable "
              "-fallbackfee.");
    EXPECT_EQ(error("estimatesmartfee", Json::array({0})),
              "-8 Invalid conf_target, must be between 1 and 1008");
}

TEST_F(RpcWalletSpend, OutputsCanBearTheFee) {
    fill(1);
    const auto funded = fund(
        Json::array({{{stranger(1), 10}}, {{stranger(2), 20}}}),
        {{"subtractFeeFromOutputs", Json::array({0, 1})}, {"fee_rate", 10}, {"changePosition", 2}});
    const auto transaction = parse(funded["hex"]);
    std::int64_t fee = 0;
    ASSERT_FALSE(read_amount(funded["fee"], fee));
    EXPECT_EQ(transaction.outputs[0].value_sat, 1'000'000'000 - fee / 2 - fee % 2);
    EXPECT_EQ(transaction.outputs[1].value_sat, 2'000'000'000 - fee / 2);
    EXPECT_EQ(transaction.outputs[2].value_sat, 2'000'000'000);
    // Everything: no change.
    const auto all =
        fund(Json::array({{{stranger(1), 50}}}), {{"subtractFeeFromOutputs", Json::array({0})}});
    EXPECT_EQ(all["changepos"], -1);
    ASSERT_FALSE(read_amount(all["fee"], fee));
    EXPECT_EQ(parse(all["hex"]).outputs[0].value_sat, 5'000'000'000 - fee);
    send(sign(all["hex"]));
    EXPECT_EQ(ok("getbalances")["mine"]["trusted"], 0.0);
}

TEST_F(RpcWalletSpend, ManyInputsAndBothKindsOfAddressesAreFundedToTheSatoshi) {
    const auto legacy = ok("getnewaddress", {"", "legacy"}).get<std::string>();
    mine(2, legacy);
    fill(300);
    // The halving leaves 12.5 and 25 BTC coins too.
    for (const auto& [amount, rate] : {std::pair{4'000, 1}, {120, 25}, {2'000, 3}}) {
        const auto funded = fund(Json::array({{{stranger(), amount}}}), {{"fee_rate", rate}});
        const auto hex = sign(funded["hex"]);
        std::int64_t fee = 0;
        ASSERT_FALSE(read_amount(funded["fee"], fee));
        const auto vsize = static_cast<std::int64_t>((parse(hex).weight() + 3) / 4);
        EXPECT_GE(fee, vsize * rate);
        EXPECT_LE(fee, (vsize + static_cast<std::int64_t>(parse(hex).inputs.size())) * rate + 1);
        EXPECT_EQ(ok("testmempoolaccept", Json::array({Json::array({hex})}))[0]["allowed"], true);
    }
}

TEST_F(RpcWalletSpend, SigningTellsWhatIsMissing) {
    fill(1);
    const auto signed_hex = sign(fund(Json::array({{{stranger(), 1}}}))["hex"]);
    auto transaction = parse(signed_hex);
    transaction.inputs.emplace_back().previous = {chain.tip().block->transactions[0].txid(), 0};
    transaction.inputs.emplace_back().previous = {chain::Hash256{{7}}, 3};
    const auto hex = base::to_hex(transaction.serialize());
    const auto answer = ok("signrawtransactionwithwallet", Json::array({hex}));
    EXPECT_EQ(answer["complete"], false);
    ASSERT_EQ(answer["errors"].size(), 2U);
    EXPECT_EQ(answer["errors"][0]["vout"], 0);
    EXPECT_EQ(answer["errors"][0]["error"],
              "Unable to sign input, invalid stack size (possibly missing key)");
    EXPECT_EQ(answer["errors"][1]["vout"], 3);
    EXPECT_EQ(answer["errors"][1]["error"], "Input not found or already spent");
    EXPECT_EQ(error("signrawtransactionwithwallet", Json::array({"00"})),
              "-22 TX decode failed. Make sure the tx has at least one input.");
    // A parent that the node does not know, described by the caller.
    auto child = parse(signed_hex);
    child.inputs[0].previous = {chain::Hash256{{9}}, 1};
    const auto mine = address();
    const Json known{{"txid", child.inputs[0].previous.txid.rpc_hex()},
                     {"vout", 1},
                     {"scriptPubKey", base::to_hex(script_of(mine))},
                     {"amount", "0.5"}};
    const auto described =
        ok("signrawtransactionwithwallet", {base::to_hex(child.serialize()), Json::array({known})});
    EXPECT_EQ(described["complete"], true);
}

TEST_F(RpcWalletSpend, CreatesRawTransactions) {
    const std::string txid(64, 'a');
    const Json input{{"txid", txid}, {"vout", 1}};
    const auto made = parse(
        ok("createrawtransaction",
           {Json::array({input}), Json::array({{{stranger(1), "0.1"}}, {{"data", "00ff"}}})}));
    EXPECT_EQ(made.inputs[0].sequence, 0xfffffffd);
    EXPECT_EQ(made.outputs[0].value_sat, 10'000'000);
    EXPECT_EQ(base::to_hex(made.outputs[1].script), "6a0200ff");
    const auto final_one =
        parse(ok("createrawtransaction",
                 {Json::array({input}), Json::array({{{stranger(1), 1}}}), 0, false}));
    EXPECT_EQ(final_one.inputs[0].sequence, 0xffffffff);
    const std::vector<std::pair<Json, std::string>> rows{
        {Json::array({{{"x", 1}}}), "-5 Invalid Bitcoin address: x"},
        {Json::array({{{stranger(1), "x"}}}), "-3 Invalid amount"},
        {Json::array({{{stranger(1), -1}}}), "-3 Amount out of range"},
        {Json::array({{{stranger(1), 1}}, {{stranger(1), 1}}}),
         "-8 Invalid parameter, duplicated address: " + stranger(1)},
        {Json::array({{{"data", "x"}}}), "-8 Data must be hexadecimal string"},
        {Json::array({1}), "-8 Invalid parameter, key-value pair not an object as expected"},
        {Json::array({{{stranger(1), 1}, {stranger(2), 1}}}),
         "-8 Invalid parameter, key-value pair must contain exactly one key"},
    };
    for (const auto& [outputs, message] : rows) {
        EXPECT_EQ(error("createrawtransaction", {Json::array({input}), outputs}), message);
    }
}

TEST_F(RpcWalletSpend, BroadcastsAreRefusedWithBitcoinCoresCodes) {
    fill(1);
    const auto dear = sign(fund(Json::array({{{stranger(), 1}}}), {{"fee_rate", 20'000}})["hex"]);
    EXPECT_EQ(error("sendrawtransaction", Json::array({dear})),
              "-25 Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)");
    EXPECT_EQ(ok("testmempoolaccept", Json::array({Json::array({dear})}))[0]["reject-reason"],
              "max-fee-exceeded");
    EXPECT_EQ(ok("testmempoolaccept", {Json::array({dear}), 0})[0]["allowed"], true);
    EXPECT_EQ(error("sendrawtransaction", {dear, 1}).substr(0, 3), "-8 ");
    auto burning = parse(sign(fund(Json::array({{{stranger(), 1}}}))["hex"]));
    burning.outputs.push_back({5, *base::from_hex("6a0100")});
    EXPECT_EQ(error("sendrawtransaction", Json::array({base::to_hex(burning.serialize())})),
              "-25 Unspendable output exceeds maximum configured by user (maxburnamount)");
    auto missing = burning;
    missing.outputs.pop_back();
    missing.inputs[0].previous.index = 5;
    const auto missing_hex = base::to_hex(missing.serialize());
    EXPECT_EQ(error("sendrawtransaction", Json::array({missing_hex})),
              "-25 bad-txns-inputs-missingorspent");
    EXPECT_EQ(
        ok("testmempoolaccept", Json::array({Json::array({missing_hex})}))[0]["reject-reason"],
        "missing-inputs");
    auto dusty = missing;
    dusty.outputs.push_back({293, script_of(stranger())});
    EXPECT_EQ(error("sendrawtransaction", Json::array({base::to_hex(dusty.serialize())})),
              "-26 dust");
    const auto good = sign(fund(Json::array({{{stranger(), 1}}}))["hex"]);
    EXPECT_EQ(send(good), send(good));
    EXPECT_EQ(ok("testmempoolaccept", Json::array({Json::array({good})}))[0]["reject-reason"],
              "txn-already-in-mempool");
    mine(1, stranger());
    EXPECT_EQ(error("sendrawtransaction", Json::array({good})),
              "-27 Transaction already in block chain");
}

TEST_F(RpcWalletSpend, APackageIsTestedInOrder) {
    fill(1);
    const auto parent = sign(fund(Json::array({{{address(), 1}}}), {{"changePosition", 1}})["hex"]);
    auto child = parse(parent);
    child.inputs.resize(1);
    child.inputs[0] = {};
    child.inputs[0].previous = {parse(parent).txid(), 0};
    child.outputs = {{99'990'000, script_of(stranger())}};
    const Json known{{"txid", child.inputs[0].previous.txid.rpc_hex()},
                     {"vout", 0},
                     {"scriptPubKey", base::to_hex(parse(parent).outputs[0].script)},
                     {"amount", 1}};
    const auto child_hex = ok("signrawtransactionwithwallet",
                              {base::to_hex(child.serialize()), Json::array({known})})["hex"];
    auto answer = ok("testmempoolaccept", Json::array({Json::array({parent, child_hex})}));
    EXPECT_EQ(answer[0]["allowed"], true);
    EXPECT_EQ(answer[1]["allowed"], true);
    answer = ok("testmempoolaccept", Json::array({Json::array({child_hex, parent})}));
    EXPECT_EQ(answer[0]["reject-reason"], "missing-inputs");
    EXPECT_FALSE(answer[1].contains("allowed"));
    EXPECT_EQ(error("testmempoolaccept", Json::array({Json::array()})),
              "-8 Array must contain between 1 and 25 transactions.");
}

TEST_F(RpcWalletSpend, AFeeBumpKeepsTheInputAndReplaces) {
    fill(3);
    const auto first = fund(Json::array({{{stranger(), 1}}}), {{"fee_rate", 2}});
    const auto first_id = send(sign(first["hex"]));
    auto bumped = parse(first["hex"]);
    bumped.outputs = {{100'000'000, script_of(stranger())}};
    const auto funded =
        ok("fundrawtransaction", {base::to_hex(bumped.serialize()), {{"fee_rate", 10}}});
    EXPECT_EQ(parse(funded["hex"]).inputs[0].previous, bumped.inputs[0].previous);
    const auto second_id = send(sign(funded["hex"]));
    EXPECT_EQ(ok("getrawmempool"), Json::array({second_id}));
    EXPECT_EQ(ok("gettransaction", Json::array({first_id}))["walletconflicts"],
              Json::array({second_id}));
    EXPECT_EQ(ok("gettransaction", Json::array({first_id}))["confirmations"], 0);
    mine(1, stranger());
    EXPECT_EQ(ok("gettransaction", Json::array({second_id}))["confirmations"], 1);
    EXPECT_EQ(ok("gettransaction", Json::array({first_id}))["confirmations"], -1);
    mine(1, stranger());
    EXPECT_EQ(ok("gettransaction", Json::array({first_id}))["confirmations"], -2);
}

TEST_F(RpcWalletSpend, WhatPaysTooLittleWaits) {
    fill(2);
    chain.policy().min_block_sat_per_kvb = 5'000;
    const auto cheap = pay(Json::array({{{stranger(), 1}}}), {{"fee_rate", 2}});
    const auto dear = pay(Json::array({{{stranger(), 45}}}), {{"fee_rate", 5}});
    mine(1, stranger());
    EXPECT_EQ(ok("getrawmempool"), Json::array({cheap}));
    EXPECT_EQ(ok("gettransaction", Json::array({dear}))["confirmations"], 1);
    chain.policy().min_block_sat_per_kvb = 0;
    mine(1, stranger());
    EXPECT_EQ(ok("getrawmempool"), Json::array());
}

TEST_F(RpcWalletSpend, FaultsShow) {
    fill(1);
    const auto raw = ok("createrawtransaction", {Json::array(), Json::array({{{stranger(), 1}}})});
    const auto funded = ok("fundrawtransaction", Json::array({raw}))["hex"];
    const auto set = [&](WalletFault fault) {
        methods.set_wallet_fault(fault);
        wallet_methods.set_fault(fault);
    };
    set(WalletFault::locked);
    EXPECT_EQ(error("signrawtransactionwithwallet", Json::array({funded})).substr(0, 4), "-13 ");
    EXPECT_EQ(ok("getwalletinfo")["unlocked_until"], 0);
    set(WalletFault::insufficient_funds);
    EXPECT_EQ(error("fundrawtransaction", Json::array({raw})), "-4 Insufficient funds");
    EXPECT_EQ(error("sendtoaddress", {stranger(), 1}), "-6 Insufficient funds");
    chain.policy().estimate_sat_per_kvb = 3'000;
    set(WalletFault::fee_estimate_missing);
    EXPECT_TRUE(ok("estimatesmartfee", Json::array({6})).contains("errors"));
    set(WalletFault::fee_estimate_absurd);
    EXPECT_EQ(ok("estimatesmartfee", Json::array({6}))["feerate"], 12.3456789);
    set(WalletFault::none);
    EXPECT_EQ(ok("estimatesmartfee", Json::array({6}))["feerate"], 0.00003);
    sign(funded);
}

}  // namespace
}  // namespace adit::sim
