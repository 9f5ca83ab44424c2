// The embedded node's wallet over real HTTP: what it creates, funds and signs is taken by bcoin and
// mined into bcoin's blocks, which the embedded chain takes in turn; and what a wallet's faults
// look like to whoever calls.
#include "chain/address.h"
#include "chain/network.h"
#include "sim/sim_node.h"
#include "tests/bcoin/bcoin_node.h"
#include "tests/support/wait.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace adit::sim {
namespace {

using Json = nlohmann::json;
using tests::rpc_call;
using tests::RpcEndpoint;
using tests::RpcError;

constexpr std::int64_t kGenerousMs = 60'000;

class SimWalletNode : public testing::Test {
 protected:
    explicit SimWalletNode(SimParams params) : node(settings(), params, clock, log) {
        node.start();
    }

    static SimNodeSettings settings() {
        SimNodeSettings made;
        made.wallets = {"pool", "miner"};
        return made;
    }
    RpcEndpoint endpoint(std::string path) const {
        return {"127.0.0.1", node.port(), "adit", "adit", std::move(path)};
    }
    Json call(std::string_view method, const Json& params = Json::array(),
              std::int64_t deadline_ms = kGenerousMs) const {
        return rpc_call(endpoint("/wallet/pool"), method, params, deadline_ms);
    }
    std::int64_t code(std::string_view method, const Json& params = Json::array()) const {
        try {
            call(method, params);
        } catch (const RpcError& error) {
            return error.code;
        }
        return 0;
    }
    std::string signed_payment(const Json& outputs, const Json& options) const {
        const auto raw = call("createrawtransaction", {Json::array(), outputs});
        const auto funded = call("fundrawtransaction", {raw, options});
        const auto answer = call("signrawtransactionwithwallet", Json::array({funded["hex"]}));
        EXPECT_EQ(answer["complete"], true);
        return answer["hex"];
    }

    base::SystemClock clock;
    base::Logger log{base::LogLevel::error};
    SimNode node;
    base::Bytes stranger = SimKey::from_seed("stranger").p2wpkh_script();
};

class SimWalletVsBcoin : public SimWalletNode {
 protected:
    SimWalletVsBcoin() : SimWalletNode(SimParams::bcoin_regtest()) {}

    // Hands the embedded chain's blocks from this height on to bcoin.
    void give_blocks(std::int32_t from) {
        for (auto height = from; height <= node.height(); ++height) {
            const auto hash = call("getblockhash", Json::array({height}));
            const auto raw = base::from_hex(call("getblock", {hash, 0}).get<std::string>());
            ASSERT_EQ(bcoin.submit_block(*raw), "") << "height " << height;
        }
    }
    // Lets bcoin mine one and hands its block to the embedded chain.
    void take_block() {
        bcoin.generate(1, tests::bcoin_address(chain::Hash160{1}));
        const auto raw = bcoin.call("getblock", {bcoin.best_hash(), false, false});
        ASSERT_EQ(call("submitblock", Json::array({raw})), nullptr);
        ASSERT_EQ(call("getbestblockhash"), bcoin.best_hash());
    }
    bool bcoin_has(const std::string& txid) const {
        const auto waiting = bcoin.call("getrawmempool");
        return std::ranges::find(waiting, Json(txid)) != waiting.end();
    }
    // bcoin answers before it has judged the transaction.
    void send_to_bcoin(const std::string& hex) {
        const auto txid = chain::parse_transaction(*base::from_hex(hex))->txid().rpc_hex();
        bcoin.call("sendrawtransaction", Json::array({hex}));
        ASSERT_TRUE(tests::eventually([&] { return bcoin_has(txid); })) << txid;
    }
    static std::string payee(int n) {
        const auto key = SimKey::from_seed(fmt::format("payee {}", n));
        return *chain::address_of_script(key.p2wpkh_script(),
                                         chain::params(chain::Network::regtest));
    }

    tests::BcoinNode bcoin;
};

TEST_F(SimWalletVsBcoin, ItsTransactionsAreTakenAndMinedByBcoin) {
    const auto legacy = call("getnewaddress", {"", "legacy"}).get<std::string>();
    const auto legacy_script =
        *chain::script_of_address(legacy, chain::params(chain::Network::regtest));
    node.generate(2, legacy_script);
    node.generate(8, node.new_address("pool").script);
    node.generate(tests::kBcoinSegwitHeight + 3 - node.height(), stranger);
    give_blocks(1);
    ASSERT_EQ(call("getbestblockhash"), bcoin.best_hash());

    // A batch that takes several inputs of both kinds, with change.
    Json outputs = Json::array();
    for (int i = 0; i < 40; ++i)
        outputs.push_back(Json{{payee(i), fmt::format("{}.{:08}", 11, 12'345'678 + i)}});
    const auto batch = signed_payment(outputs, {{"fee_rate", 12.5}});
    const auto batch_id = call("sendrawtransaction", Json::array({batch})).get<std::string>();
    const auto parsed = *chain::parse_transaction(*base::from_hex(batch));
    EXPECT_GE(parsed.inputs.size(), 9U);
    EXPECT_TRUE(std::ranges::any_of(parsed.inputs, [](const auto& input) {
        return input.witness.empty() && !input.script.empty();
    }));
    EXPECT_TRUE(parsed.has_witness());
    send_to_bcoin(batch);
    // Its change is spent before it is in a block.
    const auto second =
        signed_payment(Json::array({{{payee(1), "0.5"}}}), {{"fee_rate", 3}, {"minconf", 0}});
    const auto second_id = call("sendrawtransaction", Json::array({second})).get<std::string>();
    send_to_bcoin(second);

    take_block();
    for (const auto& txid : {batch_id, second_id}) {
        const auto shown = call("gettransaction", Json::array({txid}));
        EXPECT_EQ(shown["confirmations"], 1) << txid;
        EXPECT_EQ(shown["blockhash"], bcoin.best_hash());
        EXPECT_FALSE(bcoin_has(txid));
    }
}

TEST_F(SimWalletVsBcoin, AFeeBumpMinedByTheEmbeddedChainIsTakenByBcoin) {
    node.generate(3, node.new_address("pool").script);
    node.generate(tests::kBcoinSegwitHeight + 3 - node.height(), stranger);
    give_blocks(1);
    node.with_chain([](SimChain& chain) { chain.policy().min_block_sat_per_kvb = 5'000; });
    const auto first = signed_payment(Json::array({{{payee(1), "7.00000001"}}}), {{"fee_rate", 2}});
    const auto first_id = call("sendrawtransaction", Json::array({first})).get<std::string>();
    node.generate(1, stranger);
    EXPECT_EQ(call("gettransaction", Json::array({first_id}))["confirmations"], 0);
    auto bump = *chain::parse_transaction(*base::from_hex(first));
    std::erase_if(bump.outputs,
                  [](const chain::TxOutput& output) { return output.value_sat != 700'000'001; });
    ASSERT_EQ(bump.outputs.size(), 1U);
    const auto funded =
        call("fundrawtransaction", {base::to_hex(bump.serialize()), {{"fee_rate", 20}}});
    const auto bumped = call("signrawtransactionwithwallet", Json::array({funded["hex"]}))["hex"];
    const auto bumped_id = call("sendrawtransaction", Json::array({bumped})).get<std::string>();
    node.generate(1, stranger);
    EXPECT_EQ(call("gettransaction", Json::array({bumped_id}))["confirmations"], 1);
    EXPECT_EQ(call("gettransaction", Json::array({first_id}))["confirmations"], -1);
    give_blocks(bcoin.height() + 1);
    EXPECT_EQ(call("getbestblockhash"), bcoin.best_hash());
}

class SimWalletNodeTest : public SimWalletNode {
 protected:
    SimWalletNodeTest() : SimWalletNode(SimParams::regtest()) {
        node.generate(1, node.new_address("pool").script);
        node.generate(1, node.new_address("miner").script);
        node.generate(100, stranger);
    }
    std::string payment() const {
        const auto to = rpc_call(endpoint("/wallet/miner"), "getnewaddress", Json::array());
        return signed_payment(Json::array({{{to.get<std::string>(), 1}}}), {{"fee_rate", 2}});
    }
    static constexpr std::int64_t kShortMs = 300;
};

TEST_F(SimWalletNodeTest, EachWalletHasItsPath) {
    EXPECT_EQ(call("getwalletinfo")["walletname"], "pool");
    EXPECT_EQ(rpc_call(endpoint("/wallet/miner"), "getwalletinfo", Json::array())["walletname"],
              "miner");
    for (const auto& [path, expected] : {std::pair{"/", -19}, {"/wallet/x", -18}}) {
        try {
            rpc_call(endpoint(path), "getwalletinfo", Json::array());
            ADD_FAILURE() << path;
        } catch (const RpcError& error) {
            EXPECT_EQ(error.code, expected);
        }
    }
    // What is of the node is answered at every path.
    EXPECT_EQ(call("getblockcount"), 102);
}

TEST_F(SimWalletNodeTest, ARestartKeepsCoinsAndPersistentLocksOnly) {
    const auto coin = call("listunspent")[0];
    const Json outpoint{{"txid", coin["txid"]}, {"vout", coin["vout"]}};
    call("lockunspent", {false, Json::array({outpoint})});
    node.stop();
    node.start();
    EXPECT_EQ(call("listlockunspent"), Json::array());
    call("lockunspent", {false, Json::array({outpoint}), true});
    call("createwallet", Json::array({"passing"}));
    node.stop();
    node.start();
    EXPECT_EQ(call("listlockunspent"), Json::array({outpoint}));
    EXPECT_EQ(call("listwallets"), Json::array({"miner", "pool"}));
    node.restart_wallets();
    EXPECT_EQ(call("listlockunspent"), Json::array({outpoint}));
    EXPECT_EQ(call("getbalances")["mine"]["trusted"], 50.0);
    EXPECT_TRUE(node.with_wallet("pool", [](SimWallet&) {}));
    EXPECT_FALSE(node.with_wallet("passing", [](SimWallet&) {}));
    EXPECT_THROW(node.new_address("passing"), std::runtime_error);
}

TEST_F(SimWalletNodeTest, FaultsShowOverHttp) {
    const auto hex = payment();
    const auto txid = chain::parse_transaction(*base::from_hex(hex))->txid().rpc_hex();
    const auto silent = [&](std::string_view method, const Json& params) {
        EXPECT_THROW(call(method, params, kShortMs), std::runtime_error) << method;
        EXPECT_EQ(call("getblockcount"), node.height());
    };
    node.set_wallet_fault(WalletFault::sign_hangs);
    silent("signrawtransactionwithwallet", Json::array({hex}));
    node.set_wallet_fault(WalletFault::broadcast_lost);
    silent("sendrawtransaction", Json::array({hex}));
    EXPECT_EQ(call("getrawmempool"), Json::array());
    EXPECT_EQ(node.calls("sendrawtransaction"), 0U);
    node.set_wallet_fault(WalletFault::broadcast_reply_lost);
    silent("sendrawtransaction", Json::array({hex}));
    EXPECT_EQ(call("getrawmempool"), Json::array({txid}));
    EXPECT_EQ(node.calls("sendrawtransaction"), 1U);
    node.set_wallet_fault(WalletFault::unreachable);
    EXPECT_THROW(call("getwalletinfo"), std::runtime_error);
    EXPECT_EQ(rpc_call(endpoint("/"), "getblockcount", Json::array()), 102);
    node.set_wallet_fault(WalletFault::absurd_json);
    EXPECT_EQ(code("getwalletinfo"), 200);
    EXPECT_EQ(rpc_call(endpoint("/"), "getblockcount", Json::array()), 102);
    node.set_wallet_fault(WalletFault::locked);
    EXPECT_EQ(code("signrawtransactionwithwallet", Json::array({hex})), -13);
    node.set_wallet_fault(WalletFault::none);
    EXPECT_EQ(call("gettransaction", Json::array({txid}))["confirmations"], 0);
}

TEST_F(SimWalletNodeTest, ConflictsAndReorganisationsAreMadeDirectly) {
    const auto first = payment();
    const auto rival = payment();  // another address, the same coin
    const auto parse = [](const std::string& hex) {
        return *chain::parse_transaction(*base::from_hex(hex));
    };
    const auto first_id = call("sendrawtransaction", Json::array({first})).get<std::string>();
    ASSERT_TRUE(node.mine_transactions({parse(rival)}, stranger));
    EXPECT_EQ(call("gettransaction", Json::array({first_id}))["confirmations"], -1);
    EXPECT_FALSE(node.mine_transactions({parse(first)}, stranger));
    node.generate(5, stranger);
    ASSERT_EQ(node.mine_branch(6, 7, stranger).size(), 7U);
    EXPECT_EQ(node.height(), 109);
    EXPECT_EQ(call("gettransaction", Json::array({first_id}))["confirmations"], 0);
    const auto rival_id = parse(rival).txid().rpc_hex();
    EXPECT_EQ(call("getrawmempool"), Json::array({rival_id}));
    EXPECT_TRUE(node.mine_transactions({parse(first)}, stranger));
    EXPECT_EQ(call("gettransaction", Json::array({first_id}))["confirmations"], 1);
    EXPECT_EQ(call("getrawmempool"), Json::array());
}

}  // namespace
}  // namespace adit::sim
