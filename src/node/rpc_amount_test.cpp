#include "node/rpc_amount.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <cmath>
#include <random>

namespace adit::node {
namespace {

using chain::Amount;

// As it comes from the wire.
double parsed(const std::string& text) {
    simdjson::dom::parser parser;
    double number = 0;
    EXPECT_EQ(parser.parse(text).get(number), simdjson::SUCCESS) << text;
    return number;
}

void expect_exact(std::int64_t sat) {
    const auto amount = Amount::of(sat);
    EXPECT_EQ(amount_of_json(parsed(amount.btc())), amount) << amount.btc();
}

TEST(RpcAmount, ReadsEveryAmountExactly) {
    // Both ends of every range in which doubles have one spacing, and around every power of ten.
    for (std::int64_t power = 1; power <= Amount::kMaxSat; power *= 2) {
        for (std::int64_t near = -3; near <= 3; ++near)
            expect_exact(std::clamp<std::int64_t>(power + near, 0, Amount::kMaxSat));
    }
    for (std::int64_t power = 1; power <= Amount::kMaxSat; power *= 10) {
        for (std::int64_t near = -3; near <= 3; ++near)
            expect_exact(std::clamp<std::int64_t>(power + near, 0, Amount::kMaxSat));
    }
    for (std::int64_t below = 0; below < 20'000; ++below)
        expect_exact(Amount::kMaxSat - below);
    for (std::int64_t whole = 1; whole <= 25; ++whole) {
        const auto edge = (std::int64_t{1} << whole) * 100'000'000;
        if (edge + 2 > Amount::kMaxSat) break;
        for (std::int64_t near = -2; near <= 2; ++near)
            expect_exact(edge + near);
    }
    std::mt19937_64 random(7);
    std::uniform_int_distribution<std::int64_t> any(-Amount::kMaxSat, Amount::kMaxSat);
    for (int i = 0; i < 100'000; ++i)
        expect_exact(any(random));
}

TEST(RpcAmount, TellsNeighboursApartWhereDoublesAreWidest) {
    for (std::int64_t sat = Amount::kMaxSat - 20'000; sat < Amount::kMaxSat; ++sat) {
        EXPECT_NE(parsed(Amount::of(sat).btc()), parsed(Amount::of(sat + 1).btc()));
    }
}

TEST(RpcAmount, ReadsOtherSpellings) {
    EXPECT_EQ(amount_of_json(parsed("5")), Amount::of(500'000'000));
    EXPECT_EQ(amount_of_json(parsed("1e-8")), Amount::of(1));
    EXPECT_EQ(amount_of_json(parsed("-0.0")), Amount());
    EXPECT_EQ(amount_of_json(parsed("0.1")), Amount::of(10'000'000));
}

TEST(RpcAmount, RefusesWhatIsNoAmount) {
    for (const auto* text : {"21000000.00000001", "-21000000.00000001", "1e300", "-1e300",
                             "0.000000001", "0.123456789", "20999999.999999995", "1e-300"}) {
        EXPECT_EQ(amount_of_json(parsed(text)), std::nullopt) << text;
    }
    EXPECT_EQ(amount_of_json(std::nan("")), std::nullopt);
    EXPECT_EQ(amount_of_json(HUGE_VAL), std::nullopt);
}

TEST(RpcAmount, RoundsFeeRatesUp) {
    EXPECT_EQ(fee_rate_of_json(parsed("0.00001000")), 1'000);
    EXPECT_EQ(fee_rate_of_json(parsed("0.00001001")), 1'001);
    EXPECT_EQ(fee_rate_of_json(parsed("0.000010001")), 1'001);
    EXPECT_EQ(fee_rate_of_json(parsed("0.0000100099")), 1'001);
    EXPECT_EQ(fee_rate_of_json(parsed("0.000000001")), 1);
    EXPECT_EQ(fee_rate_of_json(parsed("12.3456789")), 1'234'567'890);
    for (std::int64_t rate = 1; rate < 100'000; ++rate)
        EXPECT_EQ(fee_rate_of_json(parsed(Amount::of(rate).btc())), rate);
    for (const double none : {0.0, -1.0, 2.2e7, std::nan(""), HUGE_VAL})
        EXPECT_EQ(fee_rate_of_json(none), std::nullopt);
}

}  // namespace
}  // namespace adit::node
