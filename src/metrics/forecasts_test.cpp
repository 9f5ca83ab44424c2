#include "metrics/forecasts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace adit::metrics {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kStart = 1'699'999'200;  // a whole hour

// A pool whose hash rate, miners and disk are known functions of time; a sample every second.
class ForecastsTest : public testing::Test {
 protected:
    void run_hours(int hours) {
        for (int i = 0; i < hours * 3'600; ++i) {
            second_ += 1;
            const auto hour = static_cast<double>(second_) / 3'600;
            work_.add(1'000 + 5 * hour);
            miners_.set(50 + hour);
            used_.set(1e9 + 1e6 * hour);
            if (second_ % 7'200 == 0) found_.add(1);
            const auto wall_s = kStart + second_;
            if (sampled_) history_.tick({wall_s * 1'000, second_ * 1'000});
            forecasts_.tick(history_, {wall_s * 1'000, second_ * 1'000}, chain_);
        }
    }

    Registry registry_;
    Gauge& work_ = registry_.gauge("adit_stratum_accepted_difficulty", "w");
    Gauge& miners_ = registry_.gauge("adit_net_open_connections", "m");
    Counter& found_ = registry_.counter("adit_blocks_found_total", "b");
    Gauge& difficulty_ = registry_.gauge("adit_network_difficulty", "d");
    Gauge& used_ = registry_.gauge("adit_disk_used_bytes", "u", {{"path", "/data"}});
    Gauge& total_ = registry_.gauge("adit_disk_total_bytes", "t", {{"path", "/data"}});
    History history_{registry_};
    Forecasts forecasts_{{.disk_path = "/data"}};
    std::optional<ChainProgress> chain_;
    std::int64_t second_ = 0;
    bool sampled_ = true;
};

TEST_F(ForecastsTest, RefusesToForecastFromTooLittleAndSaysWhy) {
    EXPECT_THAT(forecasts_.current(ForecastKind::hashrate).error(), HasSubstr("none was made yet"));
    run_hours(3);
    const struct {
        ForecastKind kind;
        const char* why;
    } kRows[] = {
        {ForecastKind::hashrate, "of whole hours, 3 values are known, 24 are needed"},
        {ForecastKind::miners, "3 values are known"},
        {ForecastKind::blocks, "difficulty is not known"},
        {ForecastKind::difficulty, "no node tells of the chain"},
    };
    for (const auto& row : kRows) {
        ASSERT_FALSE(forecasts_.current(row.kind)) << row.why;
        EXPECT_THAT(forecasts_.current(row.kind).error(), HasSubstr(row.why));
        EXPECT_FALSE(forecasts_.score(row.kind).mape());
        EXPECT_FALSE(forecasts_.score(row.kind).share_inside());
        EXPECT_EQ(forecasts_.pending(row.kind), 0u);
    }
}

TEST_F(ForecastsTest, ForecastsAndScoresWhatHappened) {
    difficulty_.set(7'200'000);
    total_.set(2e9);
    run_hours(30);
    const auto hashrate = forecasts_.current(ForecastKind::hashrate);
    ASSERT_TRUE(hashrate) << hashrate.error();
    EXPECT_EQ(hashrate->about, kStart + 53 * 3'600);
    const auto scale = 4294967296.0;
    EXPECT_NEAR(hashrate->expected.value / scale, 1'000 + 5 * 53.5, 1);
    EXPECT_NEAR(forecasts_.current(ForecastKind::miners)->expected.value, 50 + 53.5, 0.1);
    EXPECT_NEAR(forecasts_.current(ForecastKind::disk_used)->expected.value, 1e9 + 53.5e6, 1e5);
    ASSERT_TRUE(forecasts_.disk());
    EXPECT_NEAR(*forecasts_.disk()->days, (1e9 - 29.5e6) / 24e6, 0.1);
    // About 1,090 difficulty a second over 86,400 s and a difficulty of 7.2 million: 13 blocks.
    EXPECT_NEAR(forecasts_.current(ForecastKind::blocks)->expected.value, 13, 0.5);
    EXPECT_FALSE(forecasts_.score(ForecastKind::hashrate).mape());  // not yet known

    run_hours(40);
    for (const auto kind : {ForecastKind::hashrate, ForecastKind::miners, ForecastKind::blocks,
                            ForecastKind::disk_used}) {
        const auto& score = forecasts_.score(kind);
        EXPECT_GE(score.scored, 20u) << name_of(kind);
        EXPECT_EQ(score.lost, 0u) << name_of(kind);
        EXPECT_LE(forecasts_.pending(kind), 25u) << name_of(kind);
        // Blocks came every two hours, twelve a day.
        EXPECT_LT(*score.mape(), kind == ForecastKind::blocks ? 0.3 : 0.01) << name_of(kind);
    }
    EXPECT_EQ(forecasts_.score(ForecastKind::blocks).share_inside(), 1);
}

TEST_F(ForecastsTest, ScoresTheDifficultyWhenThePeriodHasCome) {
    chain_ = ChainProgress{2'016 * 10 + 1'000, 500, kStart, kStart + 600'000};
    run_hours(2);
    ASSERT_TRUE(forecasts_.current(ForecastKind::difficulty));
    EXPECT_EQ(forecasts_.current(ForecastKind::difficulty)->about, 11);
    EXPECT_EQ(forecasts_.pending(ForecastKind::difficulty), 2u);
    chain_ = ChainProgress{2'016 * 11 + 3, 505, kStart + 1'209'600, kStart + 1'211'400};
    run_hours(1);
    const auto& score = forecasts_.score(ForecastKind::difficulty);
    EXPECT_EQ(score.scored, 2u);
    EXPECT_EQ(score.inside, 2u);
    EXPECT_NEAR(*score.mape(), (505 - 500 * 2'016 / 2'015.0) / 505, 1e-6);
    EXPECT_THAT(forecasts_.current(ForecastKind::difficulty).error(), HasSubstr("3 blocks so far"));
    EXPECT_EQ(forecasts_.pending(ForecastKind::difficulty), 0u);
}

TEST_F(ForecastsTest, LosesForecastsWhoseOutcomeNobodyMeasured) {
    run_hours(25);
    const auto pending = forecasts_.pending(ForecastKind::miners);
    ASSERT_GT(pending, 0u);
    sampled_ = false;
    run_hours(26);
    EXPECT_GE(forecasts_.score(ForecastKind::miners).lost, pending);
    EXPECT_EQ(forecasts_.score(ForecastKind::miners).scored, 0u);
    EXPECT_FALSE(forecasts_.score(ForecastKind::miners).mape());
}

TEST_F(ForecastsTest, AreScoredAcrossARestart) {
    total_.set(2e9);
    run_hours(30);
    const auto bytes = forecasts_.serialise();
    Forecasts after({.disk_path = "/data"});
    ASSERT_TRUE(after.restore(bytes));
    EXPECT_EQ(after.serialise(), bytes);
    EXPECT_EQ(after.current(ForecastKind::miners)->expected,
              forecasts_.current(ForecastKind::miners)->expected);
    EXPECT_EQ(after.pending(ForecastKind::miners), forecasts_.pending(ForecastKind::miners));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        Forecasts damaged({});
        const auto restored = damaged.restore(base::ByteSpan(bytes).first(size));
        ASSERT_FALSE(restored) << size;
        EXPECT_THAT(restored.error(), HasSubstr("the forecasts cannot be read"));
        EXPECT_EQ(damaged.pending(ForecastKind::miners), 0u);
    }
    auto newer = bytes;
    newer[0] = 7;
    EXPECT_THAT(after.restore(newer).error(), HasSubstr("newer version"));
}

}  // namespace
}  // namespace adit::metrics
