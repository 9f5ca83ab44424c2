#include "cli/books_text.h"

#include <gmock/gmock.h>

namespace adit::cli {
namespace {

using chain::Amount;
using ledger::Phase;
using ledger::Purpose;
using ::testing::HasSubstr;

ledger::Transfer transfer(Purpose purpose, Phase phase, std::string debit, std::string credit,
                          std::int64_t sat) {
    ledger::Transfer made;
    made.id.purpose = purpose;
    made.id.reference.bytes[7] = 9;  // payout 9, big-endian
    made.debit = std::move(debit);
    made.credit = std::move(credit);
    made.amount = Amount::of(sat);
    made.phase = phase;
    made.time_ms = 1'700'000'000'000;
    return made;
}

TEST(BooksText, WritesTimesInUtc) {
    EXPECT_EQ(utc_text(1'700'000'000'999), "2023-11-14 22:13:20");
    EXPECT_EQ(utc_text(0), "-");
    EXPECT_EQ(parse_utc("2023-11-14T22:13:20"), 1'700'000'000'000);
    EXPECT_EQ(parse_utc("2023-11-14"), 1'699'920'000'000);
    for (const auto* text : {"", "2023-13-01", "2023-02-29", "2023-11-14T25:00:00", "14.11.2023",
                             "2023-11-14X22:13:20", "2023-11-1a", "2023-11-14T22:13"}) {
        EXPECT_EQ(parse_utc(text), std::nullopt) << text;
    }
}

TEST(BooksText, AlignsColumns) {
    EXPECT_EQ(balances_text({{"a", {Amount::of(5), Amount(), Amount::of(-2)}},
                             {"longer", {Amount::of(123'456'789), Amount::of(1), Amount()}}}),
              "account   available   under way     pending      posted\n"
              "a        0.00000003  0.00000002  0.00000000  0.00000005\n"
              "longer   1.23456789  0.00000000  0.00000001  1.23456789\n");
}

TEST(BooksText, SumsWhatIsOwedAndNotWhatItCameFrom) {
    EXPECT_THAT(custody_text({{":fee", {Amount::of(2), Amount::of(3), Amount()}},
                              {":reward", {Amount::of(-90), Amount::of(-9), Amount()}},
                              {":sent", {Amount::of(77), Amount::of(4), Amount()}},
                              {"a", {Amount::of(20), Amount::of(-7), Amount()}}}),
                HasSubstr("owed in all: 0.00000018"));
}

TEST(BooksText, ShowsBlocksAndPayoutsForPeopleAndMachines) {
    ledger::BlockRow block;
    block.found.block.height = 840'000;
    block.state = ledger::BlockState::contested;
    block.reward = Amount::of(312'500'000);
    EXPECT_THAT(blocks_text({block}), HasSubstr("840000"));
    EXPECT_THAT(blocks_text({block}), HasSubstr("contested"));
    EXPECT_THAT(blocks_json({block}), HasSubstr(R"("reward_sat":312500000)"));
    ledger::PayoutRow payout;
    payout.id = 3;
    payout.state = ledger::PayoutState::waiting_approval;
    payout.outputs = Amount::of(70'000);
    EXPECT_THAT(payouts_text({payout}), HasSubstr("0.00070000"));
    EXPECT_THAT(payouts_json({payout}), HasSubstr(R"("txid":null)"));
    PayoutDetail detail{payout, {{"bob", {0x51}, 71'000, 70'000}}, {}};
    EXPECT_THAT(payout_text(detail), HasSubstr("nothing is signed yet"));
    EXPECT_THAT(payout_text(detail), HasSubstr("0.00071000"));
    detail.attempts.push_back({3, 1, {}, 250, 0, {}});
    EXPECT_THAT(payout_text(detail), HasSubstr("0.00000250"));
    EXPECT_THAT(payout_json(detail), HasSubstr(R"("fee_sat":250)"));
}

TEST(BooksText, EarningsAreWhatIsPostedAndTakenBack) {
    const auto csv = earnings_csv({
        transfer(Purpose::block_part, Phase::pend, ":reward", "bob", 5),
        transfer(Purpose::block_part, Phase::post, ":reward", "bob", 5),
        transfer(Purpose::donation, Phase::post, "bob", ":donation", 1),
        transfer(Purpose::block_part, Phase::reverse, ":reward", "bob", 5),
        transfer(Purpose::payout, Phase::settle, "bob", ":sent", 4),
    });
    const auto block = transfer(Purpose::donation, Phase::pend, "", "", 1).id.reference.rpc_hex();
    EXPECT_EQ(csv, fmt::format("time_utc,account,kind,block,amount_btc\r\n"
                               "2023-11-14 22:13:20,bob,{0},{2},0.00000005\r\n"
                               "2023-11-14 22:13:20,bob,{1},{2},-0.00000001\r\n"
                               "2023-11-14 22:13:20,bob,{0},{2},-0.00000005\r\n",
                               ledger::name_of(Purpose::block_part),
                               ledger::name_of(Purpose::donation), block));
}

TEST(BooksText, PayoutsNameTheirTransactionAndQuoteOddNames) {
    ledger::PayoutRow payout;
    payout.id = 9;
    payout.txid.bytes[0] = 1;
    const auto csv = payouts_csv(
        {
            transfer(Purpose::payout, Phase::reserve, "a,\"b", ":sent", 4),
            transfer(Purpose::payout, Phase::settle, "a,\"b", ":sent", 4),
            transfer(Purpose::payout_fee, Phase::settle, "a,\"b", ":network-fee", 2),
            transfer(Purpose::payout, Phase::unsettle, "a,\"b", ":sent", 4),
            transfer(Purpose::network_fee, Phase::direct, ":network-fee", ":miners-fee", 3),
        },
        {payout});
    const auto row = [&](Purpose purpose, const char* amount) {
        return fmt::format("2023-11-14 22:13:20,\"a,\"\"b\",{},9,{},{}\r\n",
                           ledger::name_of(purpose), payout.txid.rpc_hex(), amount);
    };
    EXPECT_EQ(csv, "time_utc,account,kind,payout,txid,amount_btc\r\n" +
                       row(Purpose::payout, "0.00000004") + row(Purpose::payout_fee, "0.00000002") +
                       row(Purpose::payout, "-0.00000004"));
}

}  // namespace
}  // namespace adit::cli
