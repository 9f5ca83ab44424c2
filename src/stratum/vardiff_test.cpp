#include "stratum/vardiff.h"

#include <gtest/gtest.h>

#include <cmath>

namespace adit::stratum {
namespace {

constexpr double kInterval = 10;
constexpr std::int64_t kWindowMs = 60'000;

TEST(DifficultyBounds, ClampsAndNeverAsksMoreThanTheNetwork) {
    struct Row {
        double min, max, own_min, network, ask, result;
    };
    const Row rows[] = {
        {1, 0, 0, 1e14, 1024, 1024},      // nothing binds
        {1, 0, 0, 1e14, 1024.9, 1024},    // an integer from 1 up
        {1, 0, 0, 1e14, 0.5, 1},          // the operator's minimum
        {1, 500, 0, 1e14, 1024, 500},     // the operator's maximum
        {1, 0, 0, 700.5, 1024, 700},      // the network
        {1, 0, 4096, 1e14, 1024, 4096},   // the miner's own minimum
        {1, 500, 4096, 1e14, 1024, 500},  // but within the maximum
        {1000, 0, 0, 1e-9, 1024, 1e-9},   // a minimum above the network
        {1, 0, 0, 1e300, 1e300, std::ldexp(1.0, 53)},
        {1e-300, 0, 0, 1, 1e-300, std::ldexp(1.0, -40)},
    };
    for (const auto& row : rows) {
        const auto bounds = difficulty_bounds(row.min, row.max, row.own_min, row.network);
        EXPECT_EQ(bounds.clamp(row.ask), row.result);
    }
}

TEST(Vardiff, SaysNothingWhileThePaceIsRight) {
    Vardiff vardiff(0);
    for (std::int64_t now = 10'000; now < 3'600'000; now += 10'000) {
        vardiff.on_share(100, 100, kInterval, now);
        EXPECT_EQ(vardiff.advise(100, kInterval, now), std::nullopt);
    }
    EXPECT_NEAR(vardiff.rate(kInterval, 3'600'000), 10, 1);
}

TEST(Vardiff, HysteresisKeepsWhatIsLessThanTwiceOff) {
    for (const double interval_s : {6.0, 17.0}) {
        Vardiff vardiff(0);
        for (int i = 1; i < 500; ++i) {
            const auto now = static_cast<std::int64_t>(interval_s * 1000 * i);
            vardiff.on_share(64, 64, kInterval, now);
            EXPECT_EQ(vardiff.advise(64, kInterval, now), std::nullopt);
        }
    }
}

TEST(Vardiff, MovesInPowersOfTwoOncePerWindow) {
    Vardiff vardiff(0);
    std::int64_t first = 0, last = 0;
    int advices = 0;
    for (std::int64_t now = 3'000; now < 300'000; now += 3'000) {  // 3.3 times too fast
        vardiff.on_share(100, 100, kInterval, now);
        const auto advice = vardiff.advise(100, kInterval, now);
        if (!advice) continue;
        EXPECT_FALSE(advice->urgent);
        EXPECT_EQ(advice->difficulty, 256);
        if (advices++ == 0)
            first = now;
        else
            EXPECT_GE(now - last, kWindowMs);
        last = now;
    }
    EXPECT_EQ(first, kWindowMs);
    EXPECT_GE(advices, 3);
}

TEST(Vardiff, AFloodIsUrgentAfterSixteenShares) {
    Vardiff vardiff(0);
    for (int i = 1; i <= 15; ++i) {
        vardiff.on_share(8, 8, kInterval, i * 100);
        EXPECT_EQ(vardiff.advise(8, kInterval, i * 100), std::nullopt);
    }
    vardiff.on_share(8, 8, kInterval, 1'600);
    const auto advice = vardiff.advise(8, kInterval, 1'600);
    ASSERT_TRUE(advice);
    EXPECT_TRUE(advice->urgent);
    EXPECT_EQ(advice->difficulty, 8 * 64);  // 100 times too fast, one step at most 64
    // Shares of the easier job that are still on their way are no second flood.
    vardiff.on_change(1'600);
    for (int i = 0; i < 100; ++i) {
        vardiff.on_share(8, 512, kInterval, 1'700);
        EXPECT_EQ(vardiff.advise(512, kInterval, 1'700), std::nullopt);
    }
}

TEST(Vardiff, SevenTimesTooFastIsNoFlood) {
    Vardiff vardiff(0);
    for (int i = 1; i <= 40; ++i) {
        vardiff.on_share(8, 8, kInterval, i * 1'430);
        EXPECT_EQ(vardiff.advise(8, kInterval, i * 1'430), std::nullopt);
    }
}

TEST(Vardiff, SilenceLowersStepByStep) {
    Vardiff vardiff(0);
    double present = 1 << 20;
    std::int64_t now = 0;
    for (int window = 0; window < 12; ++window) {
        EXPECT_EQ(vardiff.advise(present, kInterval, now + kWindowMs - 1), std::nullopt);
        now += kWindowMs;
        const auto advice = vardiff.advise(present, kInterval, now);
        ASSERT_TRUE(advice);
        EXPECT_FALSE(advice->urgent);
        EXPECT_LT(advice->difficulty, present);
        EXPECT_GE(advice->difficulty, present / 16);
        present = advice->difficulty;
        vardiff.on_change(now);
    }
    EXPECT_LT(present, 64);
}

TEST(Vardiff, WorksBelowOne) {
    Vardiff vardiff(0);
    for (int i = 1; i <= 20; ++i)
        vardiff.on_share(0.001, 0.001, kInterval, i * 3'000);
    const auto advice = vardiff.advise(0.001, kInterval, 60'000);
    ASSERT_TRUE(advice);
    EXPECT_EQ(advice->difficulty, std::ldexp(1.0, -8));
}

}  // namespace
}  // namespace adit::stratum
