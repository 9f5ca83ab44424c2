#include "cli/payout_text.h"

#include "manager/payout_json.h"

#include <gmock/gmock.h>

namespace adit::cli {
namespace {

using chain::Amount;
using ::testing::HasSubstr;

TEST(PayoutText, SaysWhoIsPaidByARound) {
    ledger::PayoutRound round;
    round.payees = {{"alice", Amount::of(50'000), Amount::of(49'900), false},
                    {"bob", Amount::of(71'000), Amount::of(70'900), true}};
    round.fee_rate = 2'500;
    round.started = {3, 4};
    round.notes = {"carol has no address"};
    EXPECT_EQ(round_text(manager::round_json(round)),
              "account       debit        paid\n"
              "alice    0.00050000  0.00049900\n"
              "bob      0.00071000  0.00070900  needs approval\n"
              "fee rate 2.500 satoshis per virtual byte\n"
              "payouts begun: 3, 4\n"
              "note: carol has no address\n");
    ledger::PayoutRound nobody;
    nobody.dry = true;
    nobody.hold = ledger::PayoutHold::wallet_locked;
    nobody.hold_text = "wallet pool is locked";
    EXPECT_EQ(round_text(manager::round_json(nobody)),
              "nobody would be paid now\nheld: wallet_locked: wallet pool is locked\n");
}

TEST(PayoutText, SaysWhatHoldsPayoutsUp) {
    manager::PayoutView view;
    view.paid = Amount::of(7);
    view.status.next_round_ms = 1'700'000'000'000;
    EXPECT_EQ(payout_status_text(manager::view_json(view)),
              "nothing holds payouts up\n"
              "last round - UTC, next round 2023-11-14 22:13:20 UTC\n"
              "paid so far 0.00000007, under way 0.00000000\n");
    view.status.hold = ledger::PayoutHold::unknown_spend;
    view.status.unknown_spends = {chain::Hash256{}};
    view.status.alerts = {"payout 3 is conflicted"};
    const auto text = payout_status_text(manager::view_json(view));
    EXPECT_THAT(text, HasSubstr("held: unknown_spend\n"));
    EXPECT_THAT(text, HasSubstr("unknown spend: 0000"));
    EXPECT_THAT(text, HasSubstr("look at: payout 3 is conflicted\n"));
}

TEST(PayoutText, SaysWhatWasDecided) {
    ledger::PayoutRow row;
    row.id = 12;
    row.payees = 2;
    row.outputs = Amount::of(70'000);
    EXPECT_EQ(decided_text(manager::payout_json(row)),
              "payout 12 is ready now: 0.00070000 to 2 payee(s)\n");
    EXPECT_THAT(explained_text(manager::explained_json({{{}, "bob", 5, 0, ""}})),
                HasSubstr(": 0.00000005 from bob\n"));
    EXPECT_THAT(explained_text(manager::explained_json({{{}, "", 0, 0, ""}})),
                HasSubstr(": it is accounted for\n"));
    EXPECT_EQ(explained_text("[]"), "nothing was taken from anybody\n");
}

TEST(PayoutText, SaysWhatAnAccountHasChosen) {
    EXPECT_EQ(settings_text(manager::settings_json({"bob", 0, 0, 0}, 10'000)),
              "bob\npaid from 0.00010000 on (the pool's threshold)\ndonates 0.0% of what it "
              "earns\n");
    EXPECT_EQ(settings_text(manager::settings_json({"bob", 20'000, 5'000, 0}, 10'000)),
              "bob\npaid from 0.00020000 on (its own)\ndonates 0.5% of what it earns\n");
}

TEST(PayoutText, AThresholdNamesItsUnit) {
    const std::pair<const char*, std::optional<std::int64_t>> rows[] = {
        {"0.005", 500'000},
        {"0.005BTC", 500'000},
        {"1BTC", 100'000'000},
        {"500000sat", 500'000},
        {"pool", 0},
        {"0sat", 0},
        {"500000", {}},
        {"", {}},
        {"sat", {}},
        {"BTC", {}},
        {"-5sat", {}},
        {"-0.1", {}},
        {"0.123456789", {}},
        {"5 sat", {}},
        {"9999999999999999sat", {}},
        {"99999999999999999999sat", {}},
        {"22000000BTC", {}},
    };
    for (const auto& [text, sat] : rows)
        EXPECT_EQ(parse_threshold(text), sat) << text;
    EXPECT_EQ(parse_donation("0.5"), 5'000u);
    EXPECT_EQ(parse_donation("0.5%"), 5'000u);
    EXPECT_EQ(parse_donation("101"), std::nullopt);
    EXPECT_EQ(parse_donation("-1"), std::nullopt);
}

}  // namespace
}  // namespace adit::cli
