#include "metrics/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace adit::metrics {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kStart = 1'700'000'000'500;

base::Bytes some_history(int seconds = 130) {
    Registry registry;
    History history(registry);
    auto& counter = registry.counter("adit_a_total", "a");
    auto& gauge = registry.gauge("adit_b", "b", {{"x", "y"}});
    for (int i = 0; i < seconds; ++i) {
        counter.add(static_cast<std::uint64_t>(i));
        gauge.set(i * 0.1);
        history.tick({kStart + i * 1'000, i * 1'000});
    }
    return history.serialise();
}

TEST(HistoryForm, GoesOnAfterARestart) {
    Registry registry;
    History history(registry);
    auto& counter = registry.counter("adit_a_total", "a");
    counter.add(1'000'000);  // of this process: nothing is known of how long it took
    ASSERT_TRUE(history.restore(some_history()));
    EXPECT_FALSE(history.latest("adit_a_total"));
    EXPECT_NEAR(history.rate("adit_a_total", 10)->per_second, 124.5, 1e-9);
    history.tick({kStart + 135'000, 77});
    counter.add(5);
    history.tick({kStart + 136'000, 1'077});
    EXPECT_EQ(history.rate("adit_a_total", 1)->per_second, 5);
    const auto points = history.points("adit_a_total", Resolution::second, 0, kEnd);
    EXPECT_EQ(points.size(), 132u);
    const auto minutes = history.points("adit_a_total", Resolution::minute, 0, kEnd);
    ASSERT_EQ(minutes.size(), 3u);
    double increase = 0;
    for (const auto& minute : minutes)
        increase += minute.increase;
    EXPECT_EQ(increase, 129 * 130 / 2 + 5);  // without what happened in between
}

TEST(HistoryForm, LetsSeriesWithoutASourceGiveWay) {
    Registry registry;
    History history(registry, {.max_series = 6});
    ASSERT_TRUE(history.restore(some_history()));
    ASSERT_EQ(history.series_count(), 5u);
    for (const char* name : {"adit_u", "adit_v", "adit_w"})
        registry.gauge(name, "new");
    history.tick({kStart + 200'000, 0});
    EXPECT_EQ(history.series_count(), 6u);
    EXPECT_EQ(history.refused(), 0u);
    for (const auto& series : history.series())
        EXPECT_TRUE(series.sampled) << series.name;
}

TEST(HistoryForm, DropsSeriesWhoseNameMeansSomethingElseNow) {
    Registry registry;
    History history(registry);
    ASSERT_TRUE(history.restore(some_history()));
    ASSERT_TRUE(history.add("adit_a_total", SeriesKind::gauge, [] { return 1.0; }));
    history.tick({kStart + 200'000, 0});
    EXPECT_EQ(history.points("adit_a_total", Resolution::second, 0, kEnd).size(), 1u);
}

TEST(HistoryForm, RefusesEveryTruncation) {
    const auto bytes = some_history(5);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        Registry registry;
        History history(registry);
        const auto restored = history.restore(base::ByteSpan(bytes).first(size));
        ASSERT_FALSE(restored) << size;
        EXPECT_THAT(restored.error(), HasSubstr("the history cannot be read: "));
        EXPECT_EQ(history.series_count(), 0u);
        history.tick({kStart, 0});
        EXPECT_EQ(history.points("adit_history_series", Resolution::second, 0, kEnd).size(), 1u);
    }
}

TEST(HistoryForm, TellsWhyItRefuses) {
    const auto good = some_history(5);
    auto newer = good;
    newer[0] = 2;
    auto none = good;
    none[0] = 0;
    auto longer = good;
    longer.push_back(0);
    auto times = good;
    times[4] = 0xff;
    times[5] = 0x7f;  // more places than there are
    const struct {
        base::Bytes bytes;
        const char* why;
    } kRows[] = {{{}, "cut short"},
                 {newer, "a newer version wrote it (format 2, this one reads 1)"},
                 {none, "it is none"},
                 {longer, "left over"},
                 {times, "times are damaged"}};
    for (const auto& row : kRows) {
        Registry registry;
        History history(registry);
        const auto restored = history.restore(row.bytes);
        ASSERT_FALSE(restored) << row.why;
        EXPECT_THAT(restored.error(), HasSubstr(row.why));
    }
    Registry registry;
    History history(registry);
    history.tick({kStart, 0});
    EXPECT_THAT(history.restore(good).error(), HasSubstr("begun already"));
}

// The checksum around it is not asked here: whatever comes is refused or taken, and harms nothing.
TEST(HistoryForm, SurvivesDamageOfAnyKind) {
    const auto good = some_history(70);
    std::mt19937_64 random(3);
    int refused = 0;
    for (int round = 0; round < 2'000; ++round) {
        auto bytes = good;
        for (auto n = random() % 4 + 1; n > 0; --n)
            bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
        Registry registry;
        History history(registry);
        refused += history.restore(bytes) ? 0 : 1;
        history.tick({kStart + 100'000, 0});
        history.tick({kStart + 101'000, 1'000});
        for (const auto& series : history.series()) {
            history.points(series.name, Resolution::minute, 0, kEnd);
            history.rate(series.name, 600);
        }
        (void)history.serialise();
    }
    EXPECT_GT(refused, 500);
}

TEST(HistoryForm, IsCompact) {
    Registry registry;
    History history(registry);
    for (int i = 0; i < 100; ++i)
        registry.counter("adit_a_total", "a", {{"n", std::to_string(i)}});
    for (int i = 0; i < 3'000; ++i)
        history.tick({kStart + i * 1'000, i * 1'000});
    EXPECT_LT(history.serialise().size(), 10'000u);  // nothing happened
}

}  // namespace
}  // namespace adit::metrics
