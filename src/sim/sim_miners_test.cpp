#include "sim/sim_miners.h"

#include <gtest/gtest.h>

#include <numeric>

namespace adit::sim {
namespace {

TEST(SimMiners, RatesAddUpAndDifferAndRepeat) {
    const auto rates = uneven_rates(1'000'000, 8, 3);
    ASSERT_EQ(rates.size(), 8U);
    EXPECT_NEAR(std::accumulate(rates.begin(), rates.end(), 0.0), 1'000'000, 1e-3);
    EXPECT_GT(*std::ranges::min_element(rates), 0);
    EXPECT_LT(*std::ranges::min_element(rates), *std::ranges::max_element(rates));
    EXPECT_EQ(rates, uneven_rates(1'000'000, 8, 3));
    EXPECT_NE(rates, uneven_rates(1'000'000, 8, 4));
}

TEST(SimMiners, WorkersCarryTheAccountAndCountNothingBeforeTheyStart) {
    const base::ManualClock clock;
    SimMinersSettings settings;
    settings.pool = {"127.0.0.1", 1, false};
    settings.accounts = {"alice"};
    settings.workers = 2;
    settings.hashes_per_s = 1'000;
    const SimMiners miners(settings, clock);
    const auto workers = miners.workers();
    ASSERT_EQ(workers.size(), 2U);
    EXPECT_EQ(workers[0].name, "alice.rig-1");
    EXPECT_EQ(workers[1].name, "alice.rig-2");
    EXPECT_EQ(workers[0].stats.hashes + workers[1].stats.hashes, 0U);
    EXPECT_FALSE(workers[0].stats.connected);
}

}  // namespace
}  // namespace adit::sim
