#include "ledger/payer_bench_testing.h"

#include <gmock/gmock.h>

namespace adit::ledger {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::PayerBench;

class PayerTest : public ::testing::Test {
 protected:
    // Miner 0 and 1 are due, miner 2 is not.
    void make_due() {
        bench.credit(0, 1'000'000);
        bench.credit(1, 300'000);
        bench.credit(2, 99'999);
        anchor = bench.wallet.give(50'000'000);
    }
    // Pays both; then their wallet is that of a ledger which knows what they earned, but not the
    // payout, whose transaction this returns.
    chain::Hash256 pay_and_restore(PayerBench& restored) {
        make_due();
        bench.payer().step();
        bench.wallet.mine(6);
        bench.next_round();
        restored.wallet = bench.wallet;
        restored.reopen();
        restored.credit(0, 1'000'000);
        restored.credit(1, 300'000);
        return bench.row(1).txid;
    }
    chain::Transaction transaction(share::PayoutId id, std::size_t attempt) {
        return *chain::parse_transaction(bench.attempts(id).at(attempt).raw);
    }

    PayerBench bench;
    chain::OutPoint anchor;
};

TEST_F(PayerTest, PaysWhatIsDueOnceAndWatchesItToTheEnd) {
    make_due();
    auto status = bench.payer().step();
    EXPECT_EQ(status.hold, PayoutHold::none) << status.hold_text;
    ASSERT_EQ(bench.payouts(), 1u);
    EXPECT_EQ(bench.row(1).state, PayoutState::signed_);
    EXPECT_EQ(bench.row(1).payees, 2u);
    EXPECT_EQ(bench.row(1).anchor, anchor);
    EXPECT_TRUE(bench.wallet.locked.contains(anchor));
    EXPECT_EQ(bench.wallet.mempool_size(), 1u);
    EXPECT_EQ(bench.posted(0), 1'000'000) << "only reserved so far";
    EXPECT_EQ(bench.books().balance(PayerBench::name_of(0)).available(), Amount{});

    bench.wallet.mine(5);
    bench.next_round();
    EXPECT_EQ(bench.row(1).state, PayoutState::signed_);
    bench.wallet.mine(1);
    bench.next_round();
    EXPECT_EQ(bench.row(1).state, PayoutState::confirmed);
    EXPECT_EQ(bench.received(0), 1'000'000);
    EXPECT_EQ(bench.received(1), 300'000);
    EXPECT_EQ(bench.received(2), 0);
    EXPECT_EQ(bench.posted(0), 0);
    EXPECT_EQ(bench.posted(2), 99'999);
    EXPECT_EQ(bench.books().posted(":miners-fee"), bench.attempts(1).at(0).fee_sat);

    bench.wallet.mine(93);
    bench.next_round();
    EXPECT_EQ(bench.row(1).state, PayoutState::confirmed);
    bench.wallet.mine(1);
    bench.next_round();
    EXPECT_EQ(bench.row(1).state, PayoutState::buried);
    EXPECT_EQ(bench.payouts(), 1u) << "nothing more was due";
    EXPECT_EQ(bench.wallet.sent.size(), 1u);
    EXPECT_THAT(bench.payer().status().alerts, IsEmpty());
}

TEST_F(PayerTest, AsksForTheFeeRateWithinItsBounds) {
    bench.wallet.give(50'000'000);
    const std::pair<std::optional<std::int64_t>, std::int64_t> cases[] = {
        {std::nullopt, 5'000}, {500, 1'000}, {7'000, 7'000}, {12'000'000, 100'000}};
    for (const auto& [estimate, rate] : cases) {
        SCOPED_TRACE(rate);
        bench.wallet.estimate = estimate;
        bench.credit(0, 200'000);
        const auto status = bench.next_round();
        ASSERT_EQ(status.hold, PayoutHold::none) << status.hold_text;
        const auto id = bench.payouts();
        const auto attempt = bench.attempts(id).at(0);
        const auto weight = chain::parse_transaction(attempt.raw)->weight();
        const auto size = static_cast<std::int64_t>((weight + 3) / 4);
        EXPECT_GE(attempt.fee_sat * 1'000, size * rate);
        EXPECT_LE(attempt.fee_sat * 1'000, (size + 20) * rate) << "not much above either";
        bench.wallet.mine(100);
    }
}

TEST_F(PayerTest, LetsEachPayeeBearItsPartOfTheFee) {
    bench.settings.miners_bear_fee = true;
    bench.reopen();
    make_due();
    bench.payer().step();
    bench.wallet.mine(6);
    bench.next_round();
    const auto payees = *bench.books().journal.payees_of(1);
    ASSERT_EQ(payees.size(), 2u);
    const auto part = payees[0].debit_sat - payees[0].output_sat;
    EXPECT_GT(part, 0);
    EXPECT_EQ(payees[1].debit_sat - payees[1].output_sat, part);
    EXPECT_GE(2 * part, bench.attempts(1).at(0).fee_sat);
    EXPECT_LE(2 * part - bench.attempts(1).at(0).fee_sat, 1) << "only what rounding takes";
    EXPECT_EQ(bench.received(0), 1'000'000 - part);
    EXPECT_EQ(bench.posted(0), 0);
}

TEST_F(PayerTest, WaitsForAPersonAboveTheLimit) {
    bench.settings.approve_above = Amount::of(500'000);
    bench.reopen();
    make_due();
    bench.wallet.give(40'000'000);
    bench.payer().step();
    ASSERT_EQ(bench.payouts(), 2u);
    EXPECT_EQ(bench.row(1).state, PayoutState::signed_);
    EXPECT_EQ(bench.row(1).payees, 1u);
    EXPECT_EQ(bench.row(2).state, PayoutState::waiting_approval);
    bench.wallet.mine(6);
    bench.next_round();
    EXPECT_EQ(bench.received(0), 0);
    EXPECT_EQ(bench.received(1), 300'000);
    EXPECT_EQ(bench.payouts(), 2u);

    EXPECT_FALSE(bench.payer().approve(1, ""));
    EXPECT_FALSE(bench.payer().approve(3, ""));
    ASSERT_TRUE(bench.payer().approve(2, "looked at it"));
    bench.payer().step();
    EXPECT_EQ(bench.row(2).state, PayoutState::signed_);
    EXPECT_THAT(bench.payer().cancel(2, "").error(), HasSubstr("signed already"));
    bench.wallet.mine(6);
    bench.next_round();
    EXPECT_EQ(bench.received(0), 1'000'000);
}

TEST_F(PayerTest, GivesTheMoneyBackWhenAPayoutIsCancelled) {
    bench.settings.approve_above = Amount::of(500'000);
    bench.reopen();
    bench.credit(0, 1'000'000);
    const auto coin = bench.wallet.give(50'000'000);
    bench.payer().step();
    EXPECT_TRUE(bench.wallet.locked.contains(coin));
    ASSERT_TRUE(bench.payer().cancel(1, "not this one"));
    EXPECT_EQ(bench.row(1).state, PayoutState::cancelled);
    EXPECT_FALSE(bench.wallet.locked.contains(coin));
    EXPECT_EQ(bench.books().balance(PayerBench::name_of(0)).available().sat(), 1'000'000);
    bench.wallet.locked.insert(coin);
    EXPECT_TRUE(bench.payer().cancel(1, "")) << "once more, for the coin's sake";
    EXPECT_FALSE(bench.wallet.locked.contains(coin));
}

TEST_F(PayerTest, StopsAtTheDailyCap) {
    bench.settings.daily_cap = Amount::of(1'000'000);
    bench.reopen();
    make_due();  // 1,000,000 fits, the other 300,000 do not
    const auto status = bench.payer().step();
    EXPECT_EQ(status.hold, PayoutHold::daily_cap);
    ASSERT_EQ(bench.payouts(), 1u);
    EXPECT_EQ(bench.row(1).payees, 1u);
    bench.wallet.mine(20);
    bench.next_round();
    EXPECT_EQ(bench.payouts(), 1u);
    bench.clock.advance_ms(86'400'000);
    EXPECT_EQ(bench.payer().step().hold, PayoutHold::none);
    EXPECT_EQ(bench.payouts(), 2u);
    bench.credit(3, 1'000'001);
    const auto dry = bench.payer().run(true);
    ASSERT_TRUE(dry);
    ASSERT_EQ(dry->notes.size(), 1u);
    EXPECT_THAT(dry->notes[0], HasSubstr("more than payout.daily_cap_sat alone"));
}

TEST_F(PayerTest, RespectsAHigherThresholdOfAnAccount) {
    make_due();
    bench.books().apply(share::SettingsRecord{PayerBench::name_of(1), 300'001, 0, 0});
    bench.books().apply(share::SettingsRecord{PayerBench::name_of(2), 1, 0, 0});
    bench.payer().step();
    EXPECT_EQ(bench.row(1).payees, 1u) << "an account may ask for more, not for less";
}

TEST_F(PayerTest, LeavesEverythingPendingWhileTheWalletCannotPay) {
    struct Case {
        std::function<void()> begin, end;
        PayoutHold hold;
    };
    auto& wallet = bench.wallet;
    make_due();
    const auto all = [&](WalletFault fault) {
        return [&wallet, fault] { wallet.fault = WalletError{fault, "because"}; };
    };
    const auto none = [&] { wallet.fault.reset(); };
    const Case cases[] = {
        {all(WalletFault::unreachable), none, PayoutHold::wallet_unreachable},
        {all(WalletFault::not_ready), none, PayoutHold::wallet_not_ready},
        {all(WalletFault::no_wallet), none, PayoutHold::wallet_not_ready},
        {all(WalletFault::malformed), none, PayoutHold::wallet_not_ready},
        {[&] { bench.sink.fault = "no disk"; }, [&] { bench.sink.fault.clear(); },
         PayoutHold::ledger_unreachable},
        {[&] { wallet.locked.insert(anchor); }, [&] { wallet.locked.erase(anchor); },
         PayoutHold::wallet_short},
    };
    for (const auto& c : cases) {
        SCOPED_TRACE(name_of(c.hold));
        c.begin();
        const auto status = bench.next_round();
        EXPECT_EQ(status.hold, c.hold) << status.hold_text;
        EXPECT_NE(status.hold_text, "");
        EXPECT_EQ(bench.payouts(), 0u);
        EXPECT_EQ(bench.posted(0), 1'000'000);
        c.end();
    }
    // A passphrase is missed only when something is to be signed.
    wallet.sign_fault = WalletError{WalletFault::locked, "walletpassphrase"};
    EXPECT_EQ(bench.next_round().hold, PayoutHold::wallet_locked);
    EXPECT_EQ(bench.row(1).state, PayoutState::ready);
    wallet.sign_fault.reset();
    EXPECT_EQ(bench.payer().step().hold, PayoutHold::none);
    EXPECT_EQ(bench.row(1).state, PayoutState::signed_);
    EXPECT_EQ(bench.payouts(), 1u);
}

TEST_F(PayerTest, SpendsNoCoinsThatMayVanishOrAreNotSegwit) {
    bench.credit(0, 1'000'000);
    bench.wallet.give(50'000'000, testing::segwit_script(99));  // somebody else's
    EXPECT_EQ(bench.payer().step().hold, PayoutHold::wallet_short);
    chain::OutPoint fresh = bench.wallet.give(50'000'000);
    bench.wallet.height -= 6;  // five deep
    EXPECT_EQ(bench.next_round().hold, PayoutHold::wallet_short);
    bench.wallet.mine(1);
    EXPECT_EQ(bench.next_round().hold, PayoutHold::none);
    EXPECT_EQ(bench.row(1).anchor, fresh);
}

TEST_F(PayerTest, RaisesTheFeeOfWhatWaitsAndPaysTheSame) {
    make_due();
    bench.payer().step();
    bench.wallet.mine(5, true);
    bench.payer().step();
    ASSERT_EQ(bench.attempts(1).size(), 1u);
    bench.wallet.mine(1, true);
    bench.wallet.estimate = 30'000;
    bench.payer().step();
    ASSERT_EQ(bench.attempts(1).size(), 2u);
    const auto first = transaction(1, 0);
    const auto second = transaction(1, 1);
    EXPECT_TRUE(spends(first, anchor));
    EXPECT_TRUE(spends(second, anchor));
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(first.outputs[i].value_sat, second.outputs[i].value_sat);
        EXPECT_EQ(first.outputs[i].script, second.outputs[i].script);
    }
    EXPECT_GT(bench.attempts(1)[1].fee_sat, 10 * bench.attempts(1)[0].fee_sat);
    EXPECT_EQ(bench.wallet.mempool_size(), 1u);
    bench.wallet.mine(6);
    bench.next_round();
    EXPECT_EQ(bench.row(1).state, PayoutState::confirmed);
    EXPECT_EQ(bench.row(1).txid, second.txid());
    EXPECT_EQ(bench.received(0), 1'000'000);
}

TEST_F(PayerTest, BoundsTheFee) {
    bench.settings.max_fee_rate = 4'000;
    bench.reopen();
    make_due();
    bench.wallet.estimate = 1'000'000;
    bench.payer().step();
    for (int i = 0; i < 40; ++i) {
        bench.wallet.mine(6, true);
        bench.payer().step();
    }
    EXPECT_EQ(bench.attempts(1).size(), 1u);
    ASSERT_EQ(bench.payer().status().alerts.size(), 1u);
    EXPECT_THAT(bench.payer().status().alerts[0], HasSubstr("payout.max_fee_rate"));
}

TEST_F(PayerTest, SendsTheSameBytesAgainWhenTheNetworkForgetsThem) {
    make_due();
    bench.payer().step();
    bench.wallet.empty_mempool();
    bench.payer().step();
    EXPECT_EQ(bench.wallet.mempool_size(), 1u);
    ASSERT_EQ(bench.wallet.sent.size(), 2u);
    EXPECT_EQ(bench.wallet.sent[0], bench.wallet.sent[1]);
    EXPECT_EQ(bench.attempts(1).size(), 1u);
}

TEST_F(PayerTest, FollowsAPayoutWhoseBlockLeavesTheChain) {
    make_due();
    bench.payer().step();
    bench.wallet.mine(6);
    bench.payer().step();
    ASSERT_EQ(bench.row(1).state, PayoutState::confirmed);
    bench.wallet.reorganise(7, true);
    bench.payer().step();
    EXPECT_EQ(bench.row(1).state, PayoutState::signed_);
    EXPECT_EQ(bench.posted(0), 1'000'000);
    EXPECT_EQ(bench.books().balance(PayerBench::name_of(0)).available(), Amount{});
    EXPECT_EQ(bench.wallet.mempool_size(), 1u) << "sent again";
    bench.wallet.mine(6);
    bench.next_round();
    EXPECT_EQ(bench.row(1).state, PayoutState::confirmed);
    EXPECT_EQ(bench.received(0), 1'000'000);
    EXPECT_EQ(bench.posted(0), 0);
    EXPECT_EQ(bench.payouts(), 1u);
}

TEST_F(PayerTest, AsksAPersonWhenSomethingElseSpendsTheAnchor) {
    make_due();
    bench.wallet.give(40'000'000);
    bench.payer().step();
    const auto thief = bench.wallet.steal(anchor, testing::segwit_script(77), true);
    auto status = bench.next_round();
    EXPECT_EQ(bench.row(1).state, PayoutState::conflicted);
    ASSERT_EQ(status.alerts.size(), 1u);
    EXPECT_THAT(status.alerts[0], HasSubstr(thief.rpc_hex()));
    EXPECT_EQ(status.hold, PayoutHold::unknown_spend);

    bench.wallet.witness_objection = "node second does not have it 100 deep";
    EXPECT_EQ(bench.payer().replace(1, "").error(), bench.wallet.witness_objection);
    bench.wallet.witness_objection.clear();
    const auto replaced = bench.payer().replace(1, "stolen");
    ASSERT_TRUE(replaced) << replaced.error();
    EXPECT_EQ(replaced->state, PayoutState::ready);
    EXPECT_NE(replaced->anchor, anchor);
    bench.payer().step();
    EXPECT_EQ(bench.attempts(1).size(), 2u);
    bench.wallet.mine(6);
    bench.payer().step();
    EXPECT_EQ(bench.row(1).state, PayoutState::confirmed);
    EXPECT_EQ(bench.received(0), 1'000'000);

    EXPECT_EQ(bench.next_round().hold, PayoutHold::unknown_spend);
    ASSERT_TRUE(bench.payer().explain({thief, false, "", Amount{}, false, "a thief"}));
    EXPECT_EQ(bench.payer().step().hold, PayoutHold::none);
}

TEST_F(PayerTest, GoesOnWhenTheConflictLeavesTheChain) {
    make_due();
    bench.payer().step();
    bench.wallet.steal(anchor, testing::segwit_script(77), true);
    bench.payer().step();
    ASSERT_EQ(bench.row(1).state, PayoutState::conflicted);
    EXPECT_FALSE(bench.payer().approve(1, ""));
    bench.wallet.reorganise(1, true);
    bench.payer().step();
    EXPECT_EQ(bench.wallet.mempool_size(), 1u);
    bench.wallet.mine(6);
    bench.payer().step();
    EXPECT_EQ(bench.row(1).state, PayoutState::confirmed);
    EXPECT_EQ(bench.received(0), 1'000'000);
    EXPECT_THAT(bench.payer().status().alerts, IsEmpty());
}

TEST_F(PayerTest, LogsNothingThatTheWalletSignedDifferently) {
    make_due();
    const std::function<void(chain::Transaction&)> wrongs[] = {
        [](auto& tx) { tx.outputs[0].value_sat -= 1; },
        [](auto& tx) { tx.outputs[1].script = testing::segwit_script(66); },
        [](auto& tx) { tx.outputs.pop_back(); },
        [](auto& tx) { tx.outputs.push_back({1'000, testing::segwit_script(66)}); },
        [](auto& tx) { tx.inputs[0].previous.index = 9; },
        [](auto& tx) { tx.lock_time = 7; },
    };
    for (const auto& wrong : wrongs) {
        bench.wallet.tamper = wrong;
        EXPECT_EQ(bench.next_round().hold, PayoutHold::refused);
        EXPECT_THAT(bench.attempts(1), IsEmpty());
        EXPECT_THAT(bench.wallet.sent, IsEmpty());
    }
    bench.wallet.tamper = {};
    bench.next_round();
    EXPECT_EQ(bench.row(1).state, PayoutState::signed_);
}

TEST_F(PayerTest, TellsWhenTheNodeDoesNotTakeATransaction) {
    make_due();
    bench.wallet.send_fault = WalletError{WalletFault::refused, "mempool min fee not met"};
    bench.payer().step();
    ASSERT_EQ(bench.payer().status().alerts.size(), 1u);
    EXPECT_THAT(bench.payer().status().alerts[0], HasSubstr("mempool min fee"));
    bench.wallet.send_fault.reset();
    bench.payer().step();
    EXPECT_EQ(bench.wallet.mempool_size(), 1u);
    EXPECT_THAT(bench.payer().status().alerts, IsEmpty());
}

TEST_F(PayerTest, SaysWhatItWouldDo) {
    make_due();
    const auto facts = bench.sink.recorded;
    const auto dry = bench.payer().run(true);
    ASSERT_TRUE(dry) << dry.error();
    ASSERT_EQ(dry->payees.size(), 2u);
    EXPECT_EQ(dry->payees[0].account, PayerBench::name_of(0));
    EXPECT_EQ(dry->payees[0].output.sat(), 1'000'000);
    EXPECT_EQ(bench.sink.recorded, facts);
    EXPECT_THAT(bench.wallet.locked, IsEmpty());
    const auto real = bench.payer().run(false);
    ASSERT_TRUE(real) << real.error();
    EXPECT_EQ(real->started, std::vector<share::PayoutId>{1});
    EXPECT_EQ(bench.row(1).state, PayoutState::signed_);
}

TEST_F(PayerTest, LocksTheCoinsAgainWhenTheyWereForgotten) {
    make_due();
    bench.payer().step();
    bench.wallet.locked.clear();
    bench.wallet.fault = WalletError{WalletFault::unreachable, "gone"};
    bench.payer().step();
    bench.wallet.fault.reset();
    bench.payer().step();
    EXPECT_TRUE(bench.wallet.locked.contains(anchor));
    bench.wallet.locked.clear();
    bench.reopen();
    bench.payer().step();
    EXPECT_TRUE(bench.wallet.locked.contains(anchor));
}

// A backup of log and ledger from before a payout is put back.
TEST_F(PayerTest, NoticesARestoredLedgerAndCanBeToldWhatWasPaid) {
    PayerBench restored;
    const auto lost = pay_and_restore(restored);
    ASSERT_EQ(bench.received(0), 1'000'000);
    const auto status = restored.payer().step();
    EXPECT_EQ(status.hold, PayoutHold::unknown_spend);
    EXPECT_EQ(status.unknown_spends, std::vector{lost});
    EXPECT_THAT(status.hold_text, HasSubstr(lost.rpc_hex()));
    EXPECT_EQ(restored.payouts(), 0u);
    EXPECT_FALSE(restored.payer().explain({lost, false, "nobody", Amount::of(5), false, ""}));
    EXPECT_FALSE(restored.payer().explain({lost, false, "", Amount::of(5), false, ""}));
    EXPECT_FALSE(restored.payer().explain({testing::hash_of(5), false, "", Amount{}, false, ""}));
    const auto explained =
        restored.payer().explain({lost, true, "", Amount{}, false, "from the backup"});
    ASSERT_TRUE(explained) << explained.error();
    EXPECT_EQ(explained->size(), 3u) << "two accounts, and that this was all";
    EXPECT_EQ(restored.posted(0), 0);
    EXPECT_EQ(restored.posted(1), 0);
    EXPECT_EQ(restored.payer().step().hold, PayoutHold::none);
    EXPECT_EQ(restored.payouts(), 0u);
    EXPECT_FALSE(restored.payer().explain({lost, true, "", Amount{}, false, "again"}));
}

// Two miners were paid by what was lost; one account alone is not enough.
TEST_F(PayerTest, HoldsPayoutsUntilEveryPayeeOfALostPayoutIsAccountedFor) {
    PayerBench restored;
    const auto lost = pay_and_restore(restored);
    restored.payer().step();
    const auto plain = restored.payer().explain({lost, false, "", Amount{}, false, ""});
    ASSERT_FALSE(plain);
    EXPECT_THAT(plain.error(), HasSubstr("--payees"));
    const auto first = restored.payer().explain(
        {lost, false, PayerBench::name_of(0), Amount::of(1'000'000), false, ""});
    ASSERT_TRUE(first) << first.error();
    EXPECT_EQ(first->size(), 1u);
    EXPECT_EQ(restored.next_round().hold, PayoutHold::unknown_spend);
    // What went wrong in the middle is taken up where it stopped.
    restored.sink.lose_answer = true;
    EXPECT_FALSE(restored.payer().explain({lost, true, "", Amount{}, false, ""}));
    EXPECT_EQ(restored.next_round().hold, PayoutHold::unknown_spend);
    const auto rest = restored.payer().explain({lost, true, "", Amount{}, false, ""});
    ASSERT_TRUE(rest) << rest.error();
    EXPECT_EQ(restored.posted(0), 0);
    EXPECT_EQ(restored.posted(1), 0);
    EXPECT_EQ(restored.next_round().hold, PayoutHold::none);
    EXPECT_EQ(restored.payouts(), 0u);
}

TEST_F(PayerTest, TakesAPersonsWordThatASpendOwesNothing) {
    make_due();
    const auto other = bench.wallet.give(40'000'000);
    const auto gift = bench.wallet.steal(other, PayerBench::script_of(0), true);
    EXPECT_EQ(bench.payer().step().hold, PayoutHold::unknown_spend);
    EXPECT_FALSE(bench.payer().explain({gift, false, "", Amount{}, false, ""}));
    ASSERT_TRUE(bench.payer().explain({gift, false, "", Amount{}, true, "a gift"}));
    EXPECT_EQ(bench.payer().step().hold, PayoutHold::none);
    EXPECT_EQ(bench.payouts(), 1u);
}

// Such as an operator's own fee bump: the payees have their money, and get it no second time.
TEST_F(PayerTest, AdoptsATransactionOfSomebodyElseThatPaysTheSame) {
    make_due();
    bench.wallet.give(40'000'000);
    bench.payer().step();
    auto bumped = transaction(1, 0);
    bumped.outputs.back().value_sat -= 5'000;  // the change
    std::swap(bumped.outputs.front(), bumped.outputs.back());
    bench.wallet.confirm(bumped);
    bench.payer().step();
    EXPECT_EQ(bench.attempts(1).size(), 2u);
    EXPECT_EQ(bench.attempts(1)[1].txid, bumped.txid());
    EXPECT_EQ(bench.attempts(1)[1].fee_sat, bench.attempts(1)[0].fee_sat + 5'000);
    bench.wallet.mine(6);
    EXPECT_EQ(bench.next_round().hold, PayoutHold::none);
    EXPECT_EQ(bench.row(1).state, PayoutState::confirmed);
    EXPECT_EQ(bench.row(1).txid, bumped.txid());
    EXPECT_EQ(bench.received(0), 1'000'000);
    EXPECT_THAT(bench.payer().status().alerts, IsEmpty());
}

// The answer to a decision is lost, and the next decision is refused by the ledger because of it.
TEST_F(PayerTest, TellsNoSuccessOfADecisionThatCameTooLate) {
    bench.settings.approve_above = Amount::of(500'000);
    bench.reopen();
    bench.credit(0, 1'000'000);
    const auto coin = bench.wallet.give(50'000'000);
    bench.payer().step();
    bench.sink.fold_later = true;
    EXPECT_FALSE(bench.payer().approve(1, "in doubt"));
    EXPECT_EQ(bench.row(1).state, PayoutState::waiting_approval);
    const auto cancelled = bench.payer().cancel(1, "then not");
    ASSERT_FALSE(cancelled);
    EXPECT_EQ(bench.row(1).state, PayoutState::ready) << "the first decision holds";
    EXPECT_TRUE(bench.wallet.locked.contains(coin));
}

TEST_F(PayerTest, DoesNothingOnALedgerThatIsBehindItsLog) {
    make_due();
    bench.sink.behind = "the ledger is catching up";
    const auto status = bench.payer().step();
    EXPECT_EQ(status.hold, PayoutHold::ledger_unreachable);
    EXPECT_EQ(status.hold_text, bench.sink.behind);
    EXPECT_EQ(bench.payer().run(false).error(), bench.sink.behind);
    EXPECT_EQ(bench.payer().approve(1, "").error(), bench.sink.behind);
    EXPECT_EQ(bench.payer().explain({anchor.txid, false, "", Amount{}, false, ""}).error(),
              bench.sink.behind);
    EXPECT_EQ(bench.payouts(), 0u);
    bench.sink.behind.clear();
    bench.payer().step();
    EXPECT_EQ(bench.payouts(), 1u);
}

TEST_F(PayerTest, NeedsApprovalAlsoWhenTheCoinWasLostBefore) {
    bench.settings.approve_above = Amount::of(500'000);
    bench.reopen();
    bench.credit(0, 1'000'000);
    const auto coin = bench.wallet.give(50'000'000);
    bench.wallet.give(60'000'000);
    bench.payer().step();
    EXPECT_EQ(bench.row(1).anchor, coin) << "the smaller one waits";
    const auto thief = bench.wallet.steal(coin, testing::segwit_script(77), true);
    bench.payer().step();
    EXPECT_EQ(bench.row(1).state, PayoutState::waiting_approval);
    EXPECT_THAT(bench.payer().status().alerts.at(0), HasSubstr("adit payout cancel 1"));
    EXPECT_FALSE(bench.payer().replace(1, ""));
    ASSERT_TRUE(bench.payer().explain({thief, false, "", Amount{}, false, ""}));
    ASSERT_TRUE(bench.payer().cancel(1, ""));
    bench.next_round();
    EXPECT_EQ(bench.row(2).state, PayoutState::waiting_approval);
}

TEST_F(PayerTest, DoesNotBeginARoundAtEveryStart) {
    make_due();
    bench.payer().step();
    ASSERT_EQ(bench.payouts(), 1u);
    bench.credit(2, 500'000);
    bench.wallet.mine(10);
    bench.clock.advance_ms(bench.settings.interval_ms - 1);
    bench.reopen();
    bench.payer().step();
    EXPECT_EQ(bench.payouts(), 1u);
    bench.clock.advance_ms(1);
    bench.payer().step();
    EXPECT_EQ(bench.payouts(), 2u);
}

TEST_F(PayerTest, ExplainsNoPayoutOfItsOwn) {
    make_due();
    bench.payer().step();
    EXPECT_THAT(bench.payer().explain({bench.row(1).txid, true, "", Amount{}, false, ""}).error(),
                HasSubstr("own payout 1"));
}

}  // namespace
}  // namespace adit::ledger
