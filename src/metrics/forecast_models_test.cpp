#include "metrics/forecast_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace adit::metrics {
namespace {

using testing::HasSubstr;

constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

TEST(Holt, IsExactOnALine) {
    for (const bool gaps : {false, true}) {
        std::vector<double> values;
        for (int i = 0; i < 60; ++i)
            values.push_back(gaps && i % 7 == 3 ? kGap : 100 + 2.5 * i);
        const auto model = fit_holt(values);
        ASSERT_TRUE(model) << model.error();
        EXPECT_NEAR(model->level, 100 + 2.5 * 59, 1e-9);
        EXPECT_NEAR(model->trend, 2.5, 1e-9);
        for (const std::size_t steps : {1u, 24u}) {
            const auto interval = model->at(steps);
            EXPECT_NEAR(interval.value, 100 + 2.5 * (59 + static_cast<double>(steps)), 1e-8);
            EXPECT_NEAR(interval.high - interval.low, 0, 1e-8);
        }
    }
}

TEST(Holt, RefusesTooFewValuesAndSaysHowMany) {
    std::vector<double> values(HoltModel::kMinValues - 1, 5);
    EXPECT_THAT(fit_holt(values).error(), HasSubstr("23 values are known, 24 are needed"));
    values.resize(200, kGap);
    EXPECT_FALSE(fit_holt(values));
    values.push_back(5);
    EXPECT_TRUE(fit_holt(values));
    EXPECT_FALSE(fit_holt({}));
    EXPECT_FALSE(fit_holt(std::vector<double>(50, 1e300)).value_or(HoltModel{}).sigma > 0);
}

TEST(Holt, WidensItsIntervalWithTheHorizon) {
    std::mt19937_64 random(1);
    std::normal_distribution<double> noise(0, 1);
    std::vector<double> values;
    double level = 100;
    for (int i = 0; i < 200; ++i)
        values.push_back(level += noise(random));
    const auto model = fit_holt(values);
    ASSERT_TRUE(model);
    double before = 0;
    for (std::size_t steps = 1; steps <= 48; ++steps) {
        const auto interval = model->at(steps);
        EXPECT_GT(interval.high - interval.low, before);
        before = interval.high - interval.low;
    }
}

// How many of many random series end inside the interval; 95 % are promised.
double coverage(double level_noise, double sample_noise, double slope, std::size_t horizon) {
    std::mt19937_64 random(42);
    std::normal_distribution<double> noise(0, 1);
    int inside = 0;
    constexpr int kRounds = 600;
    for (int round = 0; round < kRounds; ++round) {
        std::vector<double> values;
        double level = 1'000;
        for (std::size_t i = 0; i < 300 + horizon; ++i) {
            level += slope + level_noise * noise(random);
            values.push_back(level + sample_noise * noise(random));
        }
        const auto model = fit_holt(std::span(values).first(300));
        const auto interval = model->at(horizon);
        inside += values.back() >= interval.low && values.back() <= interval.high ? 1 : 0;
    }
    return inside / static_cast<double>(kRounds);
}

TEST(Holt, HoldsOutcomesInItsIntervalAsOftenAsItSays) {
    for (const std::size_t horizon : {1u, 24u}) {
        for (const auto& [level, sample, slope] :
             std::vector<std::tuple<double, double, double>>{{1, 0, 0}, {0, 5, 0.5}, {1, 3, 0}}) {
            const auto share = coverage(level, sample, slope, horizon);
            EXPECT_GT(share, 0.90) << horizon << " " << level << " " << sample;
            EXPECT_LT(share, 0.995) << horizon << " " << level << " " << sample;
        }
    }
}

TEST(Poisson, HasTheTabulatedQuantiles) {
    // R: qpois(p, mean)
    const struct {
        double mean;
        double p;
        std::uint64_t k;
    } kRows[] = {
        {0, 0.975, 0},     {0.01, 0.975, 0},  {0.02, 0.99, 1}, {0.5, 0.5, 0},    {1, 0.025, 0},
        {1, 0.5, 1},       {1, 0.975, 3},     {2, 0.975, 5},   {5, 0.025, 1},    {5, 0.975, 10},
        {10, 0.025, 4},    {10, 0.5, 10},     {10, 0.975, 17}, {100, 0.025, 81}, {100, 0.975, 120},
        {144, 0.025, 121}, {144, 0.975, 168}, {1, 0.999, 5},   {20, 0.025, 12},  {20, 0.975, 29},
    };
    for (const auto& row : kRows)
        EXPECT_EQ(poisson_quantile(row.mean, row.p), row.k) << row.mean << " " << row.p;
}

TEST(Poisson, IsTheSmallestCountThatReachesTheProbability) {
    for (const double mean : {0.3, 2.7, 33.0, 200.0}) {
        for (const double p : {0.001, 0.025, 0.3, 0.5, 0.8, 0.975, 0.9999}) {
            double cumulative = 0;
            std::uint64_t k = 0;
            for (double term = std::exp(-mean);; term *= mean / static_cast<double>(++k)) {
                cumulative += term;
                if (cumulative >= p) break;
            }
            EXPECT_EQ(poisson_quantile(mean, p), k) << mean << " " << p;
        }
    }
    // Large means go over into the normal distribution.
    EXPECT_NEAR(static_cast<double>(poisson_quantile(1e6, 0.975)), 1e6 + kZ95 * 1e3, 2);
    EXPECT_NEAR(static_cast<double>(poisson_quantile(1e9, 0.025)), 1e9 - kZ95 * 31'623, 5);
}

TEST(Poisson, CountsBlocksByHashRateAndDifficulty) {
    // One difficulty a second against difficulty 600: a block every ten minutes.
    EXPECT_NEAR(expected_blocks(4294967296.0, 600, 86'400), 144, 1e-9);
    EXPECT_EQ(poisson_interval(144), (Interval{144, 121, 168}));
    EXPECT_EQ(poisson_interval(0), (Interval{0, 0, 0}));
}

ChainProgress progress(std::int64_t blocks, double interval_s) {
    ChainProgress chain;
    chain.height = 400 * 2'016 + blocks;
    chain.difficulty = 1'000;
    chain.period_start_s = 1'700'000'000;
    chain.tip_s =
        chain.period_start_s + static_cast<std::int64_t>(interval_s * static_cast<double>(blocks));
    return chain;
}

TEST(NextDifficulty, FollowsTheRule) {
    const struct {
        std::int64_t blocks;
        double interval_s;
        double difficulty;
    } kRows[] = {
        {1'008, 600, 1'000 * 2'016 / 2'015.0},
        {1'008, 300, 2'000 * 2'016 / 2'015.0},
        {1'008, 1'200, 500 * 2'016 / 2'015.0},
        {1'008, 100, 4'000},   // at most four times
        {1'008, 10'000, 250},  // at least a quarter
    };
    for (const auto& row : kRows) {
        const auto next = next_difficulty(progress(row.blocks, row.interval_s));
        ASSERT_TRUE(next);
        EXPECT_NEAR(next->difficulty.value, row.difficulty, 1e-6) << row.interval_s;
        EXPECT_LE(next->difficulty.low, next->difficulty.value);
        EXPECT_GE(next->difficulty.high, next->difficulty.value);
        EXPECT_EQ(next->blocks_left, 1'008);
    }
    // All that counts is known before the last block: the interval is a point.
    const auto last = next_difficulty(progress(2'015, 500));
    EXPECT_NEAR(last->difficulty.low, last->difficulty.high, 1e-9);
    EXPECT_NEAR(last->difficulty.value, 1'000 * 2'016 * 600 / (2'015 * 500.0), 1e-6);
    EXPECT_EQ(last->retarget_s, progress(2'015, 500).tip_s + 500);
}

TEST(NextDifficulty, RefusesWhatIsTooEarlyOrUnknown) {
    EXPECT_THAT(next_difficulty(progress(35, 600)).error(),
                HasSubstr("35 blocks so far, 36 are needed"));
    EXPECT_TRUE(next_difficulty(progress(36, 600)));
    EXPECT_FALSE(next_difficulty(progress(100, 0)));
    EXPECT_FALSE(next_difficulty({}));
}

TEST(NextDifficulty, HoldsOutcomesInItsIntervalAsOftenAsItSays) {
    std::mt19937_64 random(9);
    for (const std::int64_t blocks : {100, 1'000, 1'900}) {
        int inside = 0;
        constexpr int kRounds = 1'000;
        for (int round = 0; round < kRounds; ++round) {
            std::exponential_distribution<double> wait(1 / 550.0);
            double seconds = 0;
            std::optional<NextDifficulty> next;
            for (std::int64_t i = 1; i <= 2'015; ++i) {
                seconds += wait(random);
                if (i == blocks)
                    next = *next_difficulty(progress(i, seconds / static_cast<double>(i)));
            }
            const auto happened = 1'000 * 2'016 * 600 / seconds;
            inside += happened >= next->difficulty.low && happened <= next->difficulty.high ? 1 : 0;
        }
        EXPECT_GT(inside, 0.92 * kRounds) << blocks;
        EXPECT_LT(inside, 0.98 * kRounds) << blocks;
    }
}

TEST(DiskTrend, TellsTheDayOfALine) {
    std::vector<std::pair<double, double>> points;
    for (int hour = 0; hour < 48; ++hour)
        points.emplace_back(hour * 3'600.0, 1e9 + hour * 1e6);
    const auto then = points.back().first + 86'400;
    const auto trend = disk_trend(points, 1e9 + 47e6 + 240e6, then);
    ASSERT_TRUE(trend);
    EXPECT_NEAR(trend->bytes_per_day, 24e6, 1);
    EXPECT_NEAR(*trend->days, 10, 1e-6);
    EXPECT_NEAR(*trend->days_low, 10, 1e-4);
    EXPECT_NEAR(*trend->days_high, 10, 1e-4);
    EXPECT_NEAR(trend->used_then.value, 1e9 + 71e6, 1);
    EXPECT_NEAR(*disk_trend(points, 1e9, then)->days, 0, 1e-12);  // it is full
}

TEST(DiskTrend, SaysNeverWhenItDoesNotGrow) {
    std::vector<std::pair<double, double>> points;
    for (int hour = 0; hour < 48; ++hour)
        points.emplace_back(hour * 3'600.0, 1e9 - hour * 5e3 + (hour % 2) * 1e6);
    const auto trend = disk_trend(points, 2e9, 0);
    ASSERT_TRUE(trend);
    EXPECT_FALSE(trend->days);
    EXPECT_FALSE(trend->days_high);
    EXPECT_TRUE(trend->days_low);  // it may grow all the same
    points.resize(11);
    EXPECT_THAT(disk_trend(points, 2e9, 0).error(), HasSubstr("11 values are known"));
    points.assign(20, {5.0, 1.0});
    EXPECT_FALSE(disk_trend(points, 2e9, 0));
}

}  // namespace
}  // namespace adit::metrics
