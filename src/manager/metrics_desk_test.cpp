#include "manager/metrics_desk.h"

#include "base/json_fields.h"
#include "manager/manager_json.h"
#include "store/faulty_file_system.h"

#include <gmock/gmock.h>

namespace adit::manager {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class MetricsDeskTest : public ::testing::Test {
 protected:
    MetricsDeskTest() {
        settings_.pool_name = "Adit";
        settings_.data_dir = "/data";
        metrics::AlertRule rule;
        rule.name = "hot";
        rule.series = {"adit_heat"};
        rule.fire_at = rule.clear_at = 90;
        rule.summary = "It is {value} degrees.";
        settings_.rules = {rule};
        (void)files_.create_directories("/data");
        open();
    }
    void open() {
        desk_ = std::make_unique<MetricsDesk>(
            settings_, [this](std::stop_token) { return chain(); }, files_, *registry_, clock_,
            logger_);
        desk_->set_listener(
            [this](const metrics::AlertEvent& event) { heard_.push_back(alert_json(event)); });
    }
    // As after the end of the process.
    void restart() {
        desk_.reset();
        registry_ = std::make_unique<metrics::Registry>();
        open();
    }
    std::optional<metrics::ChainProgress> chain() {
        ++chain_asked_;
        return std::nullopt;
    }
    void run(int seconds, double heat) {
        for (int i = 0; i < seconds; ++i) {
            registry_->gauge("adit_heat", "Degrees.").set(heat);
            registry_->counter("adit_turns_total", "Turns.").add(2);
            clock_.advance_ms(1'000);
            desk_->tick();
        }
    }
    MetricsReport report(std::vector<std::string> series) {
        return *desk_->report({std::move(series), {}, 0, INT64_MAX});
    }

    MetricsSettings settings_;
    store::FaultyFileSystem files_{1};
    base::ManualClock clock_;
    std::vector<std::string> lines_;
    base::Logger logger_{base::LogLevel::info, base::LogFormat::text,
                         [this](std::string_view line) { lines_.emplace_back(line); }};
    std::unique_ptr<metrics::Registry> registry_ = std::make_unique<metrics::Registry>();
    int chain_asked_ = 0;
    std::vector<std::string> heard_;
    std::unique_ptr<MetricsDesk> desk_;
};

TEST_F(MetricsDeskTest, ShowsValuesRatesAndMeansOfWhatWasSampled) {
    run(61, 20);
    const auto shown = report({"adit_heat", "adit_turns_total"});
    ASSERT_EQ(shown.series.size(), 2U);
    EXPECT_EQ(shown.at_ms, clock_.wall_ms());
    EXPECT_DOUBLE_EQ(shown.series[0].info.latest->value, 20);
    EXPECT_DOUBLE_EQ(*shown.series[0].mean, 20);
    EXPECT_NEAR(shown.series[1].rate->per_second, 2, 1e-9);
    EXPECT_TRUE(shown.series[1].points.empty());
    const auto with_points = *desk_->report(
        {{"adit_heat"}, metrics::Resolution::second, clock_.wall_ms() / 1'000 - 9, INT64_MAX});
    EXPECT_EQ(with_points.series[0].points.size(), 10U);
    EXPECT_THAT(metrics_json(with_points), HasSubstr(R"("name":"adit_heat","kind":"gauge")"));
    // Too little is known for any forecast, and none is made up.
    for (const auto& forecast : shown.forecasts)
        EXPECT_FALSE(forecast.forecast);
}

TEST_F(MetricsDeskTest, RefusesWhatItDoesNotHave) {
    run(2, 20);
    const auto unknown = desk_->report({{"adit_cold"}, {}, 0, INT64_MAX});
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().kind, RefusalKind::bad_request);
    EXPECT_THAT(unknown.error().text, HasSubstr("adit_cold"));
    const std::vector<std::string> many(MetricsQuery::kMaxSelectors + 1, "adit_heat");
    EXPECT_FALSE(desk_->report({many, {}, 0, INT64_MAX}));
    EXPECT_FALSE(desk_->silence("cold", clock_.wall_ms()));
}

TEST_F(MetricsDeskTest, TellsAnAlertOnceAlsoAcrossARestart) {
    run(3, 20);
    run(3, 95);
    ASSERT_EQ(heard_.size(), 1U);
    EXPECT_THAT(heard_[0], HasSubstr(R"("event":"fired","alert":"hot")"));
    EXPECT_THAT(heard_[0], HasSubstr("It is 95 degrees."));
    EXPECT_THAT(lines_.back(), HasSubstr("alert=hot"));
    ASSERT_EQ(report({"adit_heat"}).alerts.size(), 1U);
    restart();
    run(3, 95);
    EXPECT_EQ(heard_.size(), 1U);
    EXPECT_EQ(report({"adit_heat"}).alerts.size(), 1U);
    run(3, 20);
    ASSERT_EQ(heard_.size(), 2U);
    EXPECT_THAT(heard_[1], HasSubstr(R"("event":"cleared")"));
}

TEST_F(MetricsDeskTest, SilenceHoldsEventsBack) {
    ASSERT_TRUE(desk_->silence("hot", clock_.wall_ms() + 60'000));
    run(10, 95);
    EXPECT_TRUE(heard_.empty());
    run(60, 95);
    EXPECT_EQ(heard_.size(), 1U);
}

TEST_F(MetricsDeskTest, KeepsItsHistoryAcrossARestartAndRefusesAForeignFile) {
    run(120, 20);
    restart();
    run(1, 30);
    const auto kept = *desk_->report({{"adit_heat"}, metrics::Resolution::minute, 0, INT64_MAX});
    EXPECT_GE(kept.series.at(0).points.size(), 2U);
    desk_.reset();
    files_.overwrite("/data/history", base::as_bytes("nothing of ours"));
    restart();
    run(1, 30);
    const auto fresh = *desk_->report({{"adit_heat"}, metrics::Resolution::minute, 0, INT64_MAX});
    EXPECT_LE(fresh.series.at(0).points.size(), 1U);
    EXPECT_TRUE(files_.exists("/data/history.refused"));
}

TEST_F(MetricsDeskTest, AsksTheChainOnceAnHour) {
    run(10, 20);
    EXPECT_EQ(chain_asked_, 1);
    clock_.advance_ms(3'600'000);
    run(10, 20);
    EXPECT_EQ(chain_asked_, 2);
}

TEST(MetricsQueryFields, AreReadStrictly) {
    const auto fault_of = [](std::string_view json) {
        base::JsonFields fields(json);
        (void)metrics_query(fields);
        return fields.finish().value_or("");
    };
    EXPECT_EQ(fault_of(R"({"series":["a"],"history":"1m","from_s":60,"to_s":120})"), "");
    EXPECT_THAT(fault_of(R"({"history":"1d"})"), HasSubstr(R"("1s", "1m" or "1h")"));
    EXPECT_NE(fault_of(R"({"serie":["a"]})"), "");
    EXPECT_NE(fault_of(R"({"from_s":-1})"), "");
}

}  // namespace
}  // namespace adit::manager
