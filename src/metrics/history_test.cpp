#include "metrics/history.h"

#include "base/clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace adit::metrics {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();

class HistoryTest : public testing::Test {
 protected:
    Tick now() const { return {clock_.wall_ms(), clock_.steady_ms()}; }
    // One second later.
    void tick(std::int64_t ms = 1'000) {
        clock_.advance_ms(ms);
        history_.tick(now());
    }
    std::vector<Point> all(std::string_view name, Resolution resolution) const {
        return history_.points(name, resolution, 0, kEnd);
    }

    base::ManualClock clock_{1'700'000'040'500};  // half a second into a minute
    Registry registry_;
    History history_{registry_};
};

TEST_F(HistoryTest, FollowsEveryMetricAlsoLaterOnes) {
    registry_.gauge("adit_a", "a", {{"x", "1"}}).set(5);
    tick();
    registry_.counter("adit_b_total", "b").add(2);
    registry_.histogram("adit_c_ms", "c", {1, 2});
    tick();
    EXPECT_EQ(history_.latest("adit_a{x=\"1\"}")->value, 5);
    EXPECT_EQ(history_.latest("adit_b_total")->value, 2);
    EXPECT_EQ(history_.latest("adit_b_total")->wall_ms, clock_.wall_ms());
    EXPECT_EQ(history_.latest("adit_c_ms:count")->value, 0);
    EXPECT_FALSE(history_.latest("adit_c_ms:p99"));  // nothing was observed
    EXPECT_FALSE(history_.latest("adit_none"));
    EXPECT_THAT(history_.matching("adit_a"), ElementsAre("adit_a{x=\"1\"}"));
    EXPECT_THAT(history_.matching("adit_a{x=\"1\"}"), ElementsAre("adit_a{x=\"1\"}"));
    EXPECT_TRUE(history_.matching("adit_").empty());
}

TEST_F(HistoryTest, KeepsASecondAMinuteAndAnHourOfAGauge) {
    auto& gauge = registry_.gauge("adit_a", "a");
    for (int i = 0; i < 120; ++i) {
        gauge.set(i);
        history_.tick(now());
        clock_.advance_ms(1'000);
    }
    const auto seconds = all("adit_a", Resolution::second);
    ASSERT_EQ(seconds.size(), 120u);
    EXPECT_EQ(seconds[7].start_s, 1'700'000'047);
    EXPECT_EQ(seconds[7].last, 7);
    const auto minutes = all("adit_a", Resolution::minute);
    ASSERT_EQ(minutes.size(), 2u);
    EXPECT_EQ(minutes[1].start_s, 1'700'000'100);
    EXPECT_EQ(minutes[1].min, 60);
    EXPECT_EQ(minutes[1].max, 119);
    EXPECT_EQ(minutes[1].mean, 89.5);
    EXPECT_EQ(minutes[1].last, 119);
    EXPECT_EQ(minutes[1].count, 60u);
    EXPECT_TRUE(std::isnan(minutes[1].increase));
    const auto hours = all("adit_a", Resolution::hour);
    ASSERT_EQ(hours.size(), 1u);
    EXPECT_EQ(hours[0].start_s, 1'700'000'040 - 1'700'000'040 % 3'600);
    EXPECT_EQ(hours[0].count, 120u);
    EXPECT_THAT(history_.points("adit_a", Resolution::second, 1'700'000'041, 1'700'000'043),
                testing::SizeIs(3));
}

TEST_F(HistoryTest, TakesACounterThatFellForOneThatBeganAgain) {
    double value = 100;
    ASSERT_TRUE(history_.add("adit_x_total", SeriesKind::counter, [&] { return value; }));
    tick();
    value = 160;
    tick();
    value = 20;  // began again at zero
    tick();
    const auto rate = history_.rate("adit_x_total", 60);
    ASSERT_TRUE(rate);
    EXPECT_EQ(rate->seconds, 2);
    EXPECT_EQ(rate->per_second, 40);
    const auto minute = all("adit_x_total", Resolution::minute);
    ASSERT_EQ(minute.size(), 1u);
    EXPECT_EQ(minute[0].increase, 80);
    EXPECT_EQ(minute[0].min, 20);
    EXPECT_EQ(minute[0].max, 60);
    EXPECT_EQ(minute[0].mean, 40);
    EXPECT_EQ(minute[0].count, 2u);
    const auto seconds = all("adit_x_total", Resolution::second);
    EXPECT_TRUE(std::isnan(seconds[0].increase));  // what was before is not known
    EXPECT_EQ(seconds[2].increase, 20);
}

TEST_F(HistoryTest, LeavesGapsWhereNothingWasSampled) {
    std::optional<double> value = 1;
    ASSERT_TRUE(history_.add("adit_x", SeriesKind::gauge, [&] { return value; }));
    ASSERT_TRUE(history_.add("adit_y_total", SeriesKind::counter, [&] { return value; }));
    tick();
    value.reset();
    tick();
    EXPECT_FALSE(history_.latest("adit_x"));
    value = std::numeric_limits<double>::quiet_NaN();
    tick();
    value = 7;
    tick();
    EXPECT_THAT(all("adit_x", Resolution::second), testing::SizeIs(2));
    EXPECT_EQ(all("adit_x", Resolution::minute)[0].count, 2u);
    EXPECT_EQ(all("adit_x", Resolution::minute)[0].mean, 4);
    // What the counter gained over the gap is known, and how long it took.
    EXPECT_EQ(history_.rate("adit_y_total", 60)->per_second, 2);
    EXPECT_EQ(all("adit_y_total", Resolution::second)[1].mean, 2);
    clock_.advance_ms(3 * 60'000);  // the process stood still
    tick();
    EXPECT_THAT(all("adit_x", Resolution::minute), testing::SizeIs(2));
    EXPECT_FALSE(history_.rate("adit_x", 100));
}

TEST_F(HistoryTest, KeepsOneSampleASecond) {
    auto& gauge = registry_.gauge("adit_a", "a");
    for (const double value : {1.0, 2.0}) {
        gauge.set(value);
        history_.tick(now());
        clock_.advance_ms(100);
    }
    ASSERT_EQ(all("adit_a", Resolution::second).size(), 1u);
    EXPECT_EQ(all("adit_a", Resolution::second)[0].last, 1);
    EXPECT_EQ(history_.latest("adit_a")->value, 2);
}

TEST_F(HistoryTest, WaitsForTheMiddleOfTheNextSecond) {
    EXPECT_EQ(History::wait_ms(10'000), 500);
    EXPECT_EQ(History::wait_ms(10'499), 1);
    EXPECT_EQ(History::wait_ms(10'500), 1'000);
    EXPECT_EQ(History::wait_ms(10'900), 600);
    EXPECT_EQ(History::wait_ms(-100), 600);
}

TEST_F(HistoryTest, WaitsWhenTheClockIsSetBackALittle) {
    registry_.gauge("adit_a", "a");
    for (int i = 0; i < 10; ++i)
        tick();
    clock_.step_wall_ms(-5'000);
    for (int i = 0; i < 5; ++i)
        tick();
    EXPECT_EQ(all("adit_a", Resolution::second).size(), 10u);
    tick();
    EXPECT_EQ(all("adit_a", Resolution::second).size(), 11u);
    EXPECT_EQ(history_.clock_steps(), 0u);
}

TEST_F(HistoryTest, FollowsAClockSetBackAfterAMinuteAndDropsTheFuture) {
    auto& counter = registry_.counter("adit_a_total", "a");
    for (int i = 0; i < 100; ++i) {
        counter.add(1);
        tick();
    }
    clock_.step_wall_ms(-3'600'000);
    for (int i = 0; i < 60; ++i) {
        counter.add(1);
        tick();
    }
    EXPECT_EQ(history_.clock_steps(), 0u);
    EXPECT_EQ(all("adit_a_total", Resolution::second).size(), 100u);
    EXPECT_EQ(history_.latest("adit_a_total")->value, 160);  // always the newest
    counter.add(1);
    tick();
    EXPECT_EQ(history_.clock_steps(), 1u);
    EXPECT_EQ(all("adit_a_total", Resolution::second).size(), 1u);
    EXPECT_FALSE(history_.rate("adit_a_total", 600));
    tick();
    EXPECT_EQ(history_.rate("adit_a_total", 600)->seconds, 1);
    for (const auto resolution : {Resolution::minute, Resolution::hour}) {
        for (const auto& point : all("adit_a_total", resolution))
            EXPECT_LE(point.start_s, clock_.wall_ms() / 1'000);
    }
}

TEST_F(HistoryTest, KeepsEverythingWhenAWrongClockIsCorrectedSoon) {
    registry_.gauge("adit_a", "a");
    for (int i = 0; i < 100; ++i)
        tick();
    for (const std::int64_t wrong : {-86'400'000LL, 400'000'000'000LL}) {
        clock_.step_wall_ms(wrong);
        for (int i = 0; i < 30; ++i)
            tick();
        clock_.step_wall_ms(-wrong);
        tick();
    }
    EXPECT_EQ(all("adit_a", Resolution::second).size(), 102u);
    EXPECT_EQ(history_.clock_steps(), 0u);
}

TEST_F(HistoryTest, FollowsAClockSetForwardAfterAMinute) {
    registry_.gauge("adit_a", "a");
    tick();
    clock_.step_wall_ms(7'200'000);
    for (int i = 0; i < 61; ++i)
        tick();
    EXPECT_EQ(history_.clock_steps(), 1u);
    EXPECT_EQ(all("adit_a", Resolution::hour).size(), 2u);
    EXPECT_EQ(all("adit_a", Resolution::second).size(), 1u);  // the other one is too old
}

TEST_F(HistoryTest, ShowsQuantilesOfTheLastMinuteOnly) {
    auto& histogram = registry_.histogram("adit_h_ms", "h", {1, 10, 100});
    histogram.observe(100);
    tick();
    EXPECT_FALSE(history_.latest("adit_h_ms:p99"));  // before the first look
    for (int i = 0; i < 99; ++i)
        histogram.observe(1);
    histogram.observe(1'000);
    tick();
    EXPECT_EQ(history_.latest("adit_h_ms:p50")->value, 1);
    EXPECT_EQ(history_.latest("adit_h_ms:p99")->value, 1);
    for (int i = 0; i < 9; ++i)
        histogram.observe(1'000);
    tick();
    EXPECT_EQ(history_.latest("adit_h_ms:p99")->value, 100);
    EXPECT_EQ(history_.latest("adit_h_ms:count")->value, 110);
    for (int i = 0; i < 59; ++i)
        tick();
    EXPECT_TRUE(history_.latest("adit_h_ms:p99"));
    tick();
    EXPECT_FALSE(history_.latest("adit_h_ms:p99"));
}

TEST(History, RefusesMoreSeriesThanItsLimitAndCountsThem) {
    Registry registry;
    History history(registry, {.max_series = 5});
    registry.gauge("adit_a", "a");
    registry.gauge("adit_b", "b");
    history.tick({1'000, 1'000});
    EXPECT_EQ(history.series_count(), 5u);  // with its own three
    registry.gauge("adit_c", "c");
    registry.gauge("adit_d", "d");
    history.tick({2'000, 2'000});
    history.tick({3'000, 3'000});
    EXPECT_EQ(history.series_count(), 5u);
    EXPECT_EQ(history.refused(), 2u);
    EXPECT_FALSE(history.add("adit_e", SeriesKind::gauge, [] { return 1.0; }));
    EXPECT_FALSE(history.add("adit_a", SeriesKind::gauge, [] { return 1.0; }));  // taken
    EXPECT_FALSE(history.add(std::string(257, 'x'), SeriesKind::gauge, [] { return 1.0; }));
    EXPECT_EQ(history.refused(), 5u);
}

TEST(History, KeepsItsRingsBoundedForeverAndForgetsWhatIsTooOld) {
    Registry registry;
    History history(registry);
    for (int i = 0; i < 20; ++i)
        registry.gauge("adit_a", "a", i == 0 ? Labels{} : Labels{{"n", std::to_string(i)}});
    // 100 days, a tick every half hour, then an hour of seconds.
    std::int64_t ms = 1'700'000'000'000;
    for (int i = 0; i < 4'800; ++i)
        history.tick({ms += 1'800'000, ms});
    const auto hours = history.points("adit_a", Resolution::hour, 0, kEnd);
    EXPECT_EQ(hours.size(), 2'160u);
    EXPECT_EQ(history.points("adit_a", Resolution::minute, 0, kEnd).size(), 48u);
    for (int i = 0; i < 3'600; ++i)
        history.tick({ms += 1'000, ms});
    const auto before = history.bytes();
    for (int i = 0; i < 90'000; ++i)
        history.tick({ms += 1'000, ms});
    EXPECT_EQ(history.points("adit_a", Resolution::second, 0, kEnd).size(), 600u);
    EXPECT_EQ(history.points("adit_a", Resolution::minute, 0, kEnd).size(), 1'440u);
    EXPECT_EQ(history.bytes(), before);
    EXPECT_LT(before / history.series_count(), 85'000u);
}

TEST(History, MeasuresLongSpansFromCoarserRings) {
    Registry registry;
    History history(registry);
    auto& counter = registry.counter("adit_a_total", "a");
    auto& gauge = registry.gauge("adit_b", "b");
    auto& work = registry.gauge("adit_stratum_accepted_difficulty", "w");
    std::int64_t ms = 1'700'000'000'000;
    for (int i = 0; i < 7'200; ++i) {
        counter.add(3);
        gauge.add(2);
        work.set(i < 3'600 ? 5 * i : 5 * (i - 3'600));  // falls once, as at a restart
        history.tick({ms += 1'000, ms});
    }
    for (const std::int64_t span : {60, 600, 601, 3'000, 86'400, 86'401}) {
        EXPECT_NEAR(history.rate("adit_a_total", span)->per_second, 3, 1e-9) << span;
        EXPECT_NEAR(history.rate("adit_b", span)->per_second, 2, 1e-3) << span;
        EXPECT_NEAR(history.rate("adit_stratum_accepted_difficulty", span)->per_second, 5, 0.01);
        EXPECT_GE(history.rate("adit_a_total", span)->seconds,
                  std::min<double>(static_cast<double>(span) - 60, 7'000));
    }
    EXPECT_NEAR(*history.mean("adit_b", 60), gauge.value() - 59, 1e-6);
    EXPECT_NEAR(*history.mean("adit_b", 3'000), gauge.value() - 3'000, 120);
    EXPECT_NEAR(*history.mean("adit_a_total", 60), 3, 1e-9);
    EXPECT_FALSE(history.rate("adit_none", 60));
    EXPECT_FALSE(history.rate("adit_b", 0));
}

}  // namespace
}  // namespace adit::metrics
