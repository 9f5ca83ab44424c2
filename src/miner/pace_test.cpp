#include "miner/pace.h"

#include <gtest/gtest.h>

namespace adit::miner {
namespace {

TEST(Pace, SpreadsWorkEvenly) {
    Pace pace(1000);
    std::int64_t now = 5'000'000'000;
    for (int i = 0; i < 100; ++i)
        now += pace.after(10, now);
    EXPECT_NEAR(static_cast<double>(now), 6e9, 1e3);
}

TEST(Pace, CountsTheTimeThatTheWorkTook) {
    Pace pace(1000);
    EXPECT_EQ(pace.after(100, 0), 100'000'000);
    EXPECT_EQ(pace.after(100, 150'000'000), 50'000'000);
    EXPECT_EQ(pace.after(100, 400'000'000), 0);
}

TEST(Pace, DoesNotCatchUpAfterALongPause) {
    Pace pace(1000);
    pace.after(1, 0);
    EXPECT_EQ(pace.after(1, 60'000'000'000), 1'000'000);
}

}  // namespace
}  // namespace adit::miner
