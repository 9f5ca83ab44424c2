#include "chain/amount.h"

#include <gtest/gtest.h>

namespace adit::chain {
namespace {

TEST(Amount, WritesEightDecimals) {
    EXPECT_EQ(Amount().btc(), "0.00000000");
    EXPECT_EQ(Amount::of(1).btc(), "0.00000001");
    EXPECT_EQ(Amount::of(-1).btc(), "-0.00000001");
    EXPECT_EQ(Amount::of(4'999'999'999).btc(), "49.99999999");
    EXPECT_EQ(Amount::of(Amount::kMaxSat).btc(), "21000000.00000000");
}

TEST(Amount, ReadsWhatItWrites) {
    for (const std::int64_t sat : {0L, 1L, -1L, 546L, 4'999'999'999L, -Amount::kMaxSat}) {
        EXPECT_EQ(Amount::from_btc(Amount::of(sat).btc()), Amount::of(sat)) << sat;
    }
    EXPECT_EQ(Amount::from_btc("1"), Amount::of(100'000'000));
    EXPECT_EQ(Amount::from_btc("0.1"), Amount::of(10'000'000));
}

TEST(Amount, RefusesWhatIsNoExactAmount) {
    for (const auto* text : {"", "-", ".5", "1.", "1e3", "0x1", "+1", " 1", "0.123456789", "1.2.3",
                             "21000000.00000001", "999999999", "--1", "1,5"}) {
        EXPECT_EQ(Amount::from_btc(text), std::nullopt) << text;
    }
    EXPECT_EQ(Amount::from_sat(Amount::kMaxSat + 1), std::nullopt);
    EXPECT_EQ(Amount::from_sat(-Amount::kMaxSat - 1), std::nullopt);
}

TEST(Amount, AddsAndSubtractsExactly) {
    EXPECT_EQ(Amount::of(3) + Amount::of(4) - Amount::of(10), Amount::of(-3));
    EXPECT_EQ(-Amount::of(5), Amount::of(-5));
    EXPECT_LT(Amount::of(-1), Amount());
}

TEST(AmountDeathTest, StopsWhenASumLeavesAllCoins) {
    EXPECT_DEATH(Amount::of(Amount::kMaxSat) + Amount::of(1), "an amount is within all coins");
}

}  // namespace
}  // namespace adit::chain
