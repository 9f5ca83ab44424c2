// The wallet that pays, against the embedded node's wallet over HTTP: coins, locks, signing,
// sending, what becomes of transactions, and a wallet or node that is away.
#include "node/node_wallet.h"

#include "chain/address.h"
#include "node/spend_witness.h"
#include "tests/support/pool_setup.h"
#include "tests/support/sim_host.h"
#include "tests/support/wait.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::tests {
namespace {

using ledger::Coin;
using ledger::WalletFault;
using ::testing::HasSubstr;

constexpr std::int64_t kCoinbaseSat = 5'000'000'000;
constexpr std::int64_t kFeeSat = 1'000;

struct NodeWalletE2e : ::testing::Test {
    NodeWalletE2e() : NodeWalletE2e(sim::SimParams::regtest()) {}
    explicit NodeWalletE2e(const sim::SimParams& params)
        : node(params, false, {"pool", "other wallet/1"}),
          wallet({settings_of(login_of(*node, "main")), "pool", chain::Network::regtest, 2'000}),
          rpc(node::at_wallet(settings_of(login_of(*node, "main")), "pool")) {}

    // So many coins of the wallet that can be spent.
    void fill(int coins) {
        ASSERT_EQ(node->generate(coins, node->new_address("pool").script).size(),
                  static_cast<std::size_t>(coins));
        mine(100);
    }
    void mine(int blocks) {
        ASSERT_EQ(node->generate(blocks, other_script()).size(), static_cast<std::size_t>(blocks));
    }
    // A call of the node itself, as its operator makes it.
    void call(std::string_view method, const std::string& params) {
        const auto reply = rpc.call(method, params);
        ASSERT_TRUE(reply) << method << params << ": " << reply.error().message;
    }
    std::vector<Coin> coins(std::int32_t min_confirmations = 1) {
        auto list = wallet.coins(min_confirmations);
        EXPECT_TRUE(list) << list.error().message;
        if (!list) return {};
        std::ranges::sort(*list, {}, &Coin::outpoint);
        return *std::move(list);
    }
    // Sends a coin to somebody, signalling that it may be replaced; not signed.
    static chain::Transaction paying(const Coin& coin, std::int64_t fee_sat = kFeeSat) {
        chain::Transaction transaction;
        transaction.inputs.push_back(
            {.previous = coin.outpoint, .script = {}, .sequence = 0xfffffffd, .witness = {}});
        transaction.outputs.push_back(
            {.value_sat = coin.value.sat() - fee_sat, .script = other_script()});
        return transaction;
    }
    chain::Transaction sign(const Coin& coin, std::int64_t fee_sat = kFeeSat) {
        const auto ready = wallet.sign(paying(coin, fee_sat), {&coin, 1});
        EXPECT_TRUE(ready) << ready.error().message;
        return ready.value_or(chain::Transaction{});
    }
    void send(const chain::Transaction& transaction) {
        const auto raw = transaction.serialize();
        const auto tested = wallet.test(raw);
        ASSERT_TRUE(tested) << tested.error().message;
        const auto sent = wallet.broadcast(raw);
        ASSERT_TRUE(sent) << sent.error().message;
    }
    ledger::TransactionStatus status(const chain::Transaction& transaction) {
        const auto found = wallet.status(transaction.txid());
        EXPECT_TRUE(found && *found) << transaction.txid().rpc_hex();
        return found && *found ? **found : ledger::TransactionStatus{};
    }
    ledger::OutputState output(const chain::OutPoint& outpoint) {
        const auto state = wallet.output_state(outpoint);
        EXPECT_TRUE(state) << state.error().message;
        return state.value_or(ledger::OutputState{});
    }
    std::map<chain::Hash256, ledger::WalletSpend> spends(const chain::Hash256& since = {}) {
        const auto list = wallet.spends_since(since);
        EXPECT_TRUE(list) << list.error().message;
        std::map<chain::Hash256, ledger::WalletSpend> found;
        if (!list) return found;
        upto = list->upto;
        for (const auto& spend : list->spends)
            EXPECT_TRUE(found.emplace(spend.txid, spend).second) << "each once";
        return found;
    }
    template <class T>
    static void expect_fault(const ledger::FromWallet<T>& result, WalletFault fault,
                             std::string_view says) {
        ASSERT_FALSE(result);
        EXPECT_EQ(static_cast<int>(result.error().fault), static_cast<int>(fault))
            << result.error().message;
        EXPECT_THAT(result.error().message, HasSubstr(says));
        EXPECT_THAT(result.error().message, HasSubstr("wallet pool on node main"));
    }

    SimHost node;
    node::NodeWallet wallet;
    node::RpcClient rpc;
    chain::Hash256 upto;
};

TEST_F(NodeWalletE2e, ListsConfirmedNativeSegwitCoinsExactly) {
    fill(2);
    const auto tip = wallet.tip();
    ASSERT_TRUE(tip) << tip.error().message;
    EXPECT_EQ(tip->height, 102);
    const auto list = coins();
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].value, chain::Amount::of(kCoinbaseSat));
    EXPECT_EQ(coins(102).size(), 1U) << "the older one";
    EXPECT_EQ(wallet.coin(list[0].outpoint).value(), list[0]);
    EXPECT_EQ(wallet.coin({list[0].outpoint.txid, 1}).value(), std::nullopt);
    // An immature coinbase and a coin that is not confirmed are not offered.
    ASSERT_EQ(node->generate(1, node->new_address("pool").script).size(), 1U);
    auto to_itself = paying(list[0]);
    to_itself.outputs[0].script = node->new_address("pool").script;
    auto rest = paying(list[0]).outputs[0];
    to_itself.outputs[0].value_sat = 1'234'567'891;
    rest.value_sat -= to_itself.outputs[0].value_sat;
    to_itself.outputs.push_back(rest);
    const auto ready = wallet.sign(to_itself, {list.data(), 1});
    ASSERT_TRUE(ready) << ready.error().message;
    const auto raw = ready->serialize();
    call("sendrawtransaction", fmt::format(R"(["{}"])", base::to_hex(raw)));
    ASSERT_EQ(coins().size(), 1U);
    EXPECT_EQ(coins()[0], [&] {
        auto older = list[1];
        ++older.confirmations;
        return older;
    }());
    // Nor is a P2PKH coin.
    base::Bytes legacy;
    ASSERT_TRUE(node->with_wallet("pool", [&](sim::SimWallet& one) {
        legacy = one.new_receiving_script(sim::ScriptKind::p2pkh, "");
    }));
    ASSERT_EQ(node->generate(1, legacy).size(), 1U);
    mine(100);
    const auto later = coins();
    ASSERT_EQ(later.size(), 3U);
    EXPECT_TRUE(std::ranges::none_of(later, [&](const Coin& c) { return c.script == legacy; }));
    const auto odd = std::ranges::find(later, chain::Amount::of(1'234'567'891), &Coin::value);
    ASSERT_NE(odd, later.end());
    EXPECT_EQ(odd->outpoint.txid, ready->txid());
}

TEST_F(NodeWalletE2e, LocksOutlastTheNodesProcessAndMayBeRepeated) {
    fill(3);
    const auto list = coins();
    const std::vector<chain::OutPoint> two{list[0].outpoint, list[2].outpoint};
    ASSERT_TRUE(wallet.lock(two));
    ASSERT_TRUE(wallet.lock(two)) << "again";
    EXPECT_EQ(coins(), std::vector{list[1]});
    node->stop();
    expect_fault(wallet.coins(1), WalletFault::unreachable, "no connection");
    node->start();
    EXPECT_EQ(coins(), std::vector{list[1]});
    // A locked one is still seen when it is asked for, and signed for.
    EXPECT_EQ(wallet.coin(list[0].outpoint).value(), list[0]);
    send(sign(list[0]));
    // A lock without persistence of somebody else's becomes a lasting one.
    call("lockunspent", fmt::format(R"([false,[{{"txid":"{}","vout":{}}}]])",
                                    list[1].outpoint.txid.rpc_hex(), list[1].outpoint.index));
    ASSERT_TRUE(wallet.lock({&list[1].outpoint, 1}));
    node->restart_wallets();
    EXPECT_EQ(coins(), std::vector<Coin>{});

    ASSERT_TRUE(wallet.unlock({&list[2].outpoint, 1}));
    EXPECT_EQ(coins(), std::vector{list[2]});
    const std::vector<chain::OutPoint> all{list[0].outpoint, list[1].outpoint, list[2].outpoint};
    const auto undone = wallet.unlock(all);
    ASSERT_TRUE(undone) << "one spent, one locked, one not: " << undone.error().message;
    EXPECT_EQ(coins().size(), 2U);
    ASSERT_TRUE(wallet.lock(all)) << "what the wallet has spent needs no lock";
    EXPECT_EQ(coins(), std::vector<Coin>{});
    const chain::OutPoint unknown{chain::sha256(base::Bytes{1}), 0};
    expect_fault(wallet.lock({&unknown, 1}), WalletFault::refused, "unknown transaction");
}

TEST_F(NodeWalletE2e, APaymentIsSignedTestedSentAndConfirmed) {
    fill(1);
    const auto coin = coins().at(0);
    const auto start = wallet.tip()->block;
    const auto ready = sign(coin);
    EXPECT_EQ(ready.txid(), paying(coin).txid());
    EXPECT_EQ(wallet.status(ready.txid()).value(), std::nullopt) << "not sent yet";
    EXPECT_EQ(wallet.transaction(ready.txid()).value(), std::nullopt);
    send(ready);
    ASSERT_TRUE(wallet.broadcast(ready.serialize())) << "again";
    ASSERT_TRUE(wallet.test(ready.serialize()));
    EXPECT_TRUE(status(ready).in_mempool);
    EXPECT_TRUE(output(coin.outpoint).unspent) << "as the chain has it";
    EXPECT_EQ(spends(start).at(ready.txid()).confirmations, 0);
    mine(1);
    const auto mined = status(ready);
    EXPECT_EQ(mined.confirmations, 1);
    EXPECT_EQ(mined.height, node->height());
    EXPECT_EQ(mined.block, wallet.tip()->block);
    EXPECT_FALSE(mined.in_mempool);
    EXPECT_EQ(wallet.transaction(ready.txid()).value()->serialize(), ready.serialize());
    EXPECT_EQ(spends(start).at(ready.txid()).confirmations, 1);
    EXPECT_EQ(upto, mined.block);
    EXPECT_TRUE(spends(upto).empty());
    mine(2);
    const auto state = output(coin.outpoint);
    EXPECT_FALSE(state.unspent);
    EXPECT_TRUE(state.created);
    EXPECT_EQ(state.spender, ready.txid());
    EXPECT_EQ(state.spender_confirmations, 3);
    EXPECT_EQ(state.spender_block, mined.block);
    EXPECT_EQ(wallet.coin(coin.outpoint).value(), std::nullopt);
    ASSERT_TRUE(wallet.broadcast(ready.serialize())) << "it is in the chain";
}

TEST_F(NodeWalletE2e, AHigherFeeReplacesAndOneOfTheTwoIsMined) {
    fill(1);
    const auto coin = coins().at(0);
    const auto first = sign(coin);
    send(first);
    const auto same = sign(coin, kFeeSat + 1);
    expect_fault(wallet.test(same.serialize()), WalletFault::refused, "insufficient fee");
    expect_fault(wallet.broadcast(same.serialize()), WalletFault::refused, "insufficient fee");
    const auto second = sign(coin, 10 * kFeeSat);
    send(second);
    EXPECT_FALSE(status(first).in_mempool);
    EXPECT_TRUE(status(second).in_mempool);
    mine(2);
    EXPECT_EQ(status(second).confirmations, 2);
    EXPECT_EQ(status(first).confirmations, -2);
    const auto all = spends();
    EXPECT_EQ(all.at(first.txid()).confirmations, -2);
    EXPECT_EQ(all.at(second.txid()).confirmations, 2);
    expect_fault(wallet.broadcast(first.serialize()), WalletFault::refused,
                 "an input is spent or unknown");
}

TEST_F(NodeWalletE2e, WhatSpendsACoinBehindThePoolsBackIsNamed) {
    fill(2);
    const auto list = coins();
    const auto payout = sign(list[0]);
    send(payout);
    const auto foreign = sign(list[0], 7 * kFeeSat);
    const auto block = node->mine_transactions({foreign}, other_script());
    ASSERT_TRUE(block);
    EXPECT_EQ(status(payout).confirmations, -1);
    const auto state = output(list[0].outpoint);
    EXPECT_FALSE(state.unspent);
    EXPECT_EQ(state.spender, foreign.txid());
    EXPECT_EQ(state.spender_block, *block);
    // The spender of an output may be in the very block that has it.
    auto to_itself = paying(list[1]);
    to_itself.outputs[0].script = node->new_address("pool").script;
    const auto parent = wallet.sign(to_itself, {&list[1], 1});
    ASSERT_TRUE(parent) << parent.error().message;
    send(*parent);
    const Coin between{{parent->txid(), 0},
                       chain::Amount::of(to_itself.outputs[0].value_sat),
                       to_itself.outputs[0].script,
                       0};
    const auto child = sign(between);
    send(child);
    mine(1);
    EXPECT_EQ(output(between.outpoint).spender, child.txid());
    EXPECT_EQ(output(list[1].outpoint).spender, parent->txid());
    EXPECT_FALSE(output({chain::sha256(base::Bytes{7}), 0}).created);
}

TEST_F(NodeWalletE2e, WhatOnlyMovesTheWalletsCoinsIsASpendToo) {
    fill(1);
    const auto coin = coins().at(0);
    const auto start = wallet.tip()->block;
    auto moving = paying(coin);
    ASSERT_TRUE(node->with_wallet(
        "pool", [&](sim::SimWallet& one) { moving.outputs[0].script = one.new_change_script(); }));
    const auto ready = wallet.sign(moving, {&coin, 1});
    ASSERT_TRUE(ready) << ready.error().message;
    send(*ready);
    EXPECT_TRUE(spends(start).contains(ready->txid()));
    mine(1);
    EXPECT_EQ(spends(start).at(ready->txid()).confirmations, 1);
}

TEST_F(NodeWalletE2e, AReorganisationTakesConfirmationsBack) {
    fill(2);
    const auto list = coins();
    const auto kept = sign(list[0]);
    const auto lost = sign(list[1]);
    send(kept);
    send(lost);
    mine(2);
    ASSERT_EQ(status(kept).confirmations, 2);
    spends();
    const auto gone = upto;
    ASSERT_EQ(node->mine_branch(2, 3, other_script()).size(), 3U);
    EXPECT_EQ(status(kept).confirmations, 0);
    EXPECT_TRUE(status(kept).in_mempool);
    EXPECT_TRUE(output(list[0].outpoint).unspent);
    const auto after = spends(gone);
    EXPECT_EQ(after.at(kept.txid()).confirmations, 0) << "told since a block that has left";
    const auto rival = sign(list[1], 5 * kFeeSat);
    ASSERT_TRUE(node->mine_transactions({kept, rival}, other_script()));
    EXPECT_EQ(status(kept).confirmations, 1);
    EXPECT_EQ(status(lost).confirmations, -1);
    EXPECT_EQ(output(list[1].outpoint).spender, rival.txid());
    // A coinbase that has left takes its output along.
    ASSERT_EQ(node->generate(1, node->new_address("pool").script).size(), 1U);
    const auto coinbase = node.block(node->height())->transactions[0].txid();
    EXPECT_TRUE(output({coinbase, 0}).unspent);
    ASSERT_EQ(node->mine_branch(1, 2, other_script()).size(), 2U);
    EXPECT_FALSE(output({coinbase, 0}).created);
    EXPECT_FALSE(output({coinbase, 0}).unspent);
    EXPECT_EQ(spends(chain::sha256(base::Bytes{3})).size(), spends().size())
        << "an unknown block: everything";
}

TEST_F(NodeWalletE2e, WantsThePassphraseOnlyToSign) {
    fill(1);
    const auto coin = coins().at(0);
    EXPECT_FALSE(wallet.keys_locked().value());
    ASSERT_TRUE(node->with_wallet("pool", [](sim::SimWallet& one) { one.lock().encrypt("x"); }));
    EXPECT_TRUE(wallet.keys_locked().value());
    ASSERT_TRUE(wallet.tip());
    ASSERT_TRUE(wallet.lock({&coin.outpoint, 1}));
    expect_fault(wallet.sign(paying(coin), {&coin, 1}), WalletFault::locked, "walletpassphrase");
    ASSERT_TRUE(
        node->with_wallet("pool", [](sim::SimWallet& one) { one.lock().unlock("x", 1'000); }));
    EXPECT_FALSE(wallet.keys_locked().value());
    send(sign(coin));
    node->set_wallet_fault(sim::WalletFault::locked);
    expect_fault(wallet.sign(paying(coin), {&coin, 1}), WalletFault::locked, "walletpassphrase");
}

TEST_F(NodeWalletE2e, SaysWhatIsWrongWithAWalletThatIsNotThere) {
    fill(1);
    const auto coin = coins().at(0);
    call("unloadwallet", R"(["pool"])");
    expect_fault(wallet.tip(), WalletFault::no_wallet, "loadwallet \"pool\" true");
    expect_fault(wallet.coins(1), WalletFault::no_wallet, "loadwallet");
    expect_fault(wallet.lock({&coin.outpoint, 1}), WalletFault::no_wallet, "loadwallet");
    expect_fault(wallet.sign(paying(coin), {&coin, 1}), WalletFault::no_wallet, "loadwallet");
    expect_fault(wallet.status(coin.outpoint.txid), WalletFault::no_wallet, "loadwallet");
    expect_fault(wallet.spends_since({}), WalletFault::no_wallet, "loadwallet");
    call("loadwallet", R"(["pool"])");
    EXPECT_EQ(coins().size(), 1U);
    // A name that a URL cannot hold as it is.
    node::NodeWallet other(
        {settings_of(login_of(*node, "main")), "other wallet/1", chain::Network::regtest, 2'000});
    EXPECT_TRUE(other.tip());
    EXPECT_TRUE(other.owns(node->new_address("other wallet/1").address).value());
    EXPECT_FALSE(other.owns(node->new_address("pool").address).value());
    // Somebody else's coin is not signed for.
    const auto refused = other.sign(paying(coin), {&coin, 1});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("did not sign every input"));
}

TEST_F(NodeWalletE2e, SaysWhatIsWrongWithANodeThatIsAwayOrBusy) {
    fill(1);
    const auto coin = coins().at(0);
    const auto ready = sign(coin);
    const std::pair<sim::SimFault, std::pair<WalletFault, const char*>> cases[] = {
        {sim::SimFault::warming_up, {WalletFault::not_ready, "starting"}},
        {sim::SimFault::refuse_connections, {WalletFault::unreachable, "no connection"}},
        {sim::SimFault::wrong_credentials, {WalletFault::unreachable, "rpcuser"}},
        {sim::SimFault::absurd_json, {WalletFault::malformed, "no JSON"}},
        {sim::SimFault::truncated_reply, {WalletFault::malformed, "cut short"}},
        {sim::SimFault::wrong_chain, {WalletFault::not_ready, "chain \"main\""}},
        {sim::SimFault::hang, {WalletFault::unreachable, "not answered within"}},
    };
    for (const auto& [fault, expected] : cases) {
        node->set_fault(fault);
        expect_fault(wallet.tip(), expected.first, expected.second);
    }
    node->set_fault(sim::SimFault::none);
    ASSERT_TRUE(wallet.tip());
    node->set_wallet_fault(sim::WalletFault::unreachable);
    expect_fault(wallet.tip(), WalletFault::unreachable, "no connection");
    node->set_wallet_fault(sim::WalletFault::absurd_json);
    expect_fault(wallet.coins(1), WalletFault::malformed, "no JSON");
    node->set_wallet_fault(sim::WalletFault::sign_hangs);
    expect_fault(wallet.sign(paying(coin), {&coin, 1}), WalletFault::unreachable, "not answered");
    // Lost on the way there, and on the way back: it is found out and may be sent again.
    node->set_wallet_fault(sim::WalletFault::broadcast_lost);
    expect_fault(wallet.broadcast(ready.serialize()), WalletFault::unreachable, "not answered");
    EXPECT_EQ(wallet.status(ready.txid()).value(), std::nullopt);
    node->set_wallet_fault(sim::WalletFault::broadcast_reply_lost);
    expect_fault(wallet.broadcast(ready.serialize()), WalletFault::unreachable, "not answered");
    EXPECT_TRUE(status(ready).in_mempool);
    node->set_wallet_fault(sim::WalletFault::none);
    EXPECT_TRUE(wallet.broadcast(ready.serialize()));
}

TEST_F(NodeWalletE2e, ReadsTheNodesFeeEstimate) {
    node->set_wallet_fault(sim::WalletFault::fee_estimate_missing);
    EXPECT_EQ(wallet.fee_rate(6).value(), std::nullopt);
    node->set_wallet_fault(sim::WalletFault::fee_estimate_absurd);
    EXPECT_EQ(wallet.fee_rate(6).value(), 1'234'567'890) << "told as it is; the payer has a cap";
}

// A second node of the same chain, for the witness.
struct WitnessE2e : NodeWalletE2e {
    WitnessE2e() : NodeWalletE2e(pruning()), second(pruning(), false) { node->relay_to(*second); }
    static sim::SimParams pruning() {
        auto params = sim::SimParams::regtest();
        params.keep_blocks = 120;
        return params;
    }
    node::NodeSettings second_settings() {
        auto settings = settings_of(login_of(*second, "second"));
        settings.name = "second";
        return settings;
    }
    ~WitnessE2e() override { node->stop(); }
    // Blocks are relayed without waiting.
    void wait_for_second() {
        ASSERT_TRUE(eventually([&] { return second->height() >= node->height(); }));
    }
    SimHost second;
};

TEST_F(WitnessE2e, EveryNodeMustHaveTheSpendInItsChain) {
    fill(1);
    const auto coin = coins().at(0);
    const auto ready = sign(coin);
    send(ready);
    mine(3);
    wait_for_second();
    const auto block = status(ready).block;
    node::ChainWitness witness({settings_of(login_of(*node, "main")), second_settings()},
                               chain::Network::regtest, 2'000);
    const auto ask = [&](std::int32_t deep, const chain::Hash256& txid) -> std::string {
        const auto seen = witness.all_have_seen(coin.outpoint, txid, block, deep);
        return seen ? "seen" : seen.error();
    };
    EXPECT_EQ(ask(3, ready.txid()), "seen");
    EXPECT_THAT(ask(4, ready.txid()), HasSubstr("node main: it has block"));
    EXPECT_THAT(ask(3, coin.outpoint.txid), HasSubstr("is not in block"));
    second->set_fault(sim::SimFault::refuse_connections);
    EXPECT_THAT(ask(3, ready.txid()), HasSubstr("node second: no connection"));
    second->set_fault(sim::SimFault::none);
    ASSERT_EQ(second->mine_branch(3, 4, other_script()).size(), 4U);
    EXPECT_THAT(ask(3, ready.txid()), HasSubstr("node second: block"));
    EXPECT_THAT(ask(3, ready.txid()), HasSubstr("is not in its best chain"));
    mine(3);
    wait_for_second();
    EXPECT_EQ(ask(6, ready.txid()), "seen");
    mine(130);
    EXPECT_THAT(ask(100, ready.txid()), HasSubstr("node main: it has pruned block"));
}

}  // namespace
}  // namespace adit::tests
