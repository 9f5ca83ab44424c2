#include "metrics/alerts.h"

#include "base/clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

namespace adit::metrics {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

AlertRule simple_rule() {
    AlertRule rule;
    rule.name = "hot";
    rule.series = {"adit_x"};
    rule.fire_at = 10;
    rule.clear_at = 5;
    rule.for_s = 3;
    rule.clear_for_s = 2;
    rule.repeat_s = 20;
    rule.summary = "{series} is {value}, above {threshold}: cool it";
    return rule;
}

class AlertsTest : public testing::Test {
 protected:
    AlertsTest() {
        history_.add("adit_x", SeriesKind::gauge, [this] { return value_; });
        start(simple_rule());
    }
    void start(AlertRule rule) {
        auto made = AlertEngine::make({std::move(rule)}, registry_);
        ASSERT_TRUE(made) << made.error();
        engine_ = std::move(*made);
    }
    Tick now() const { return {clock_.wall_ms(), clock_.steady_ms()}; }
    // One second later, at this value; F fired, C cleared, R reminder, . nothing.
    std::string tick(std::optional<double> value) {
        value_ = value;
        clock_.advance_ms(1'000);
        history_.tick(now());
        events_ = engine_->tick(history_, now());
        std::string out;
        for (const auto& event : events_)
            out += "FCR"[static_cast<std::size_t>(event.kind)];
        return out.empty() ? "." : out;
    }
    std::string ticks(std::initializer_list<std::optional<double>> values) {
        std::string out;
        for (const auto& value : values)
            out += tick(value);
        return out;
    }
    void restart() {
        const auto bytes = engine_->serialise();
        start(engine_->rules().front());
        clock_.advance_ms(5'000);
        const auto restored = engine_->restore(bytes, now());
        ASSERT_TRUE(restored) << restored.error();
    }

    base::ManualClock clock_;
    Registry registry_;
    History history_{registry_};
    std::unique_ptr<AlertEngine> engine_;
    std::optional<double> value_;
    std::vector<AlertEvent> events_;
};

constexpr std::optional<double> kNone;

TEST_F(AlertsTest, GoesThroughItsStates) {
    const struct {
        const char* what;
        std::vector<std::optional<double>> values;
        const char* events;
    } kRows[] = {
        {"fires when it has held for three seconds", {11, 11, 11, 11, 11}, "...F."},
        {"does not fire at the threshold", {10, 10, 10, 10, 10, 10}, "......"},
        {"begins again after an interruption", {11, 11, 11, 9, 11, 11, 11, 11}, ".......F"},
        {"a gap interrupts", {11, 11, 11, kNone, 11, 11, 11, 11}, ".......F"},
        {"does not clear between the thresholds", {11, 11, 11, 11, 7, 7, 7, 7}, "...F...."},
        {"clears when it has been over for two seconds", {11, 11, 11, 11, 5, 5, 5, 5}, "...F..C."},
        {"does not clear after an interruption", {11, 11, 11, 11, 5, 5, 6, 5, 5}, "...F....."},
        {"a gap does not clear", {11, 11, 11, 11, kNone, kNone, kNone, 5, 5, 5}, "...F.....C"},
        {"a gap interrupts clearing", {11, 11, 11, 11, 5, 5, kNone, 5, 5, 5}, "...F.....C"},
        {"fires anew after clearing",
         {11, 11, 11, 11, 0, 0, 0, 11, 11, 11, 11, 0, 0, 0},
         "...F..C...F..C"},
        {"nothing is known", {kNone, kNone, kNone, kNone, kNone}, "....."},
    };
    for (const auto& row : kRows) {
        start(simple_rule());
        std::string events;
        for (const auto& value : row.values)
            events += tick(value);
        EXPECT_EQ(events, row.events) << row.what;
    }
}

TEST_F(AlertsTest, ComparesInEveryWay) {
    const struct {
        Comparison comparison;
        double fire_at;
        double clear_at;
        std::vector<std::optional<double>> values;
        const char* events;
    } kRows[] = {
        {Comparison::below, 5, 8, {5, 4, 7, 8, 3}, ".F.CF"},
        {Comparison::above, 5, 5, {5, 6, 5, 6, kNone}, ".FCF."},
        {Comparison::differs, 0, 0, {0, -1, 2, 0, kNone}, ".F.C."},
        {Comparison::absent, 0, 0, {1, kNone, kNone, 1, kNone}, ".F.CF"},
    };
    for (const auto& row : kRows) {
        auto rule = simple_rule();
        rule.comparison = row.comparison;
        rule.fire_at = row.fire_at;
        rule.clear_at = row.clear_at;
        rule.for_s = rule.clear_for_s = 0;
        start(rule);
        std::string events;
        for (const auto& value : row.values)
            events += tick(value);
        EXPECT_EQ(events, row.events) << name_of(row.comparison);
    }
}

TEST_F(AlertsTest, TellsWhatHappenedAndWhatToDo) {
    EXPECT_EQ(ticks({11, 11, 11, 12.5}), "...F");
    const auto fired = events_.at(0);
    EXPECT_EQ(fired.rule, "hot");
    EXPECT_EQ(fired.series, "adit_x");
    EXPECT_EQ(fired.value, 12.5);
    EXPECT_EQ(fired.threshold, 10);
    EXPECT_EQ(fired.wall_ms, clock_.wall_ms());
    EXPECT_EQ(fired.text, "adit_x is 12.5, above 10: cool it");
    ASSERT_EQ(engine_->active().size(), 1u);
    EXPECT_EQ(engine_->active()[0].since_wall_ms, fired.wall_ms);
    EXPECT_THAT(registry_.text(), HasSubstr("adit_alert_active{rule=\"hot\"} 1"));
    EXPECT_EQ(ticks({1, 1, 1}), "..C");
    EXPECT_EQ(events_.at(0).id(), fired.id());
    EXPECT_THAT(engine_->active(), IsEmpty());
    EXPECT_THAT(registry_.text(), HasSubstr("adit_alert_active{rule=\"hot\"} 0"));
    EXPECT_THAT(registry_.text(), HasSubstr("adit_alert_events_total{kind=\"fired\"} 1"));
}

TEST_F(AlertsTest, RemindsAsLongAsItIsActive) {
    std::string events;
    for (int i = 0; i < 50; ++i)
        events += tick(11);
    EXPECT_EQ(events, "...F" + std::string(19, '.') + "R" + std::string(19, '.') + "R" +
                          std::string(6, '.'));
}

TEST_F(AlertsTest, IsSilentUntilATime) {
    ASSERT_TRUE(engine_->silence("hot", clock_.wall_ms() + 10'000));
    EXPECT_FALSE(engine_->silence("cold", 1));
    EXPECT_EQ(ticks({11, 11, 11, 11, 11, 11}), "......");
    ASSERT_EQ(engine_->active().size(), 1u);
    EXPECT_TRUE(engine_->active()[0].silenced);
    EXPECT_EQ(engine_->silences().size(), 1u);
    EXPECT_EQ(ticks({11, 11, 11, 11, 11}), "...F.");  // once the time has come
    EXPECT_FALSE(engine_->active()[0].silenced);
    EXPECT_THAT(engine_->silences(), IsEmpty());
    // What was told is taken back also in silence.
    engine_->silence("hot", clock_.wall_ms() + 100'000);
    EXPECT_EQ(ticks({1, 1, 1}), "..C");
    // What came and went in silence was never there.
    EXPECT_EQ(ticks({11, 11, 11, 11, 1, 1, 1}), ".......");
    engine_->silence("hot", 0);
    EXPECT_EQ(ticks({11, 11, 11, 11}), "...F");
}

TEST_F(AlertsTest, DoesNotFireAgainAfterARestart) {
    EXPECT_EQ(ticks({11, 11, 11, 11}), "...F");
    const auto id = events_.at(0).id();
    restart();
    ASSERT_EQ(engine_->active().size(), 1u);
    EXPECT_EQ(ticks({kNone, kNone, 11, 11, 11, 11}), "......");
    restart();
    EXPECT_EQ(ticks({11, 11, 11, 11, 11}), "...R.");  // 20 s after it was told, restarts included
    EXPECT_EQ(ticks({5, 5, 5}), "..C");
    EXPECT_EQ(events_.at(0).id(), id);
    restart();
    EXPECT_EQ(ticks({5, 5}), "..");
}

TEST_F(AlertsTest, KeepsSilencesAndUntoldAlertsOverARestart) {
    engine_->silence("hot", clock_.wall_ms() + 15'000);
    EXPECT_EQ(ticks({11, 11, 11, 11}), "....");
    restart();
    EXPECT_EQ(ticks({11, 11, 11, 11, 11}), ".....");
    EXPECT_EQ(ticks({11, 11}), "F.");
}

TEST_F(AlertsTest, TakesBackWhatWasActiveUnderARuleThatIsGone) {
    EXPECT_EQ(ticks({11, 11, 11, 11}), "...F");
    const auto id = events_.at(0).id();
    const auto bytes = engine_->serialise();
    auto other = simple_rule();
    other.name = "cold";
    start(other);
    ASSERT_TRUE(engine_->restore(bytes, now()));
    EXPECT_EQ(ticks({1, 1}), "C.");
    EXPECT_THAT(engine_->active(), IsEmpty());
    auto together = simple_rule();
    together.sum = true;
    start(together);
    ASSERT_TRUE(engine_->restore(bytes, now()));
    EXPECT_EQ(tick(1), "C");
    EXPECT_EQ(events_.at(0).id(), id);
}

TEST_F(AlertsTest, ForgetsWhatIsNoLongerMeasured) {
    EXPECT_EQ(ticks({11, 11, 11, 11}), "...F");
    std::string events;
    int seconds = 0;
    for (; seconds < 4'000 && events.find('C') == std::string::npos; ++seconds)
        events += tick(kNone);
    EXPECT_EQ(seconds, AlertEngine::kForgetMs / 1'000);
    EXPECT_TRUE(std::isnan(events_.at(0).value));
    EXPECT_THAT(events_.at(0).text, HasSubstr("is unknown"));
}

TEST_F(AlertsTest, RefusesDamagedStateAndStaysAsItWas) {
    EXPECT_EQ(ticks({11, 11, 11, 11}), "...F");
    engine_->silence("hot", clock_.wall_ms() + 1'000'000);
    const auto good = engine_->serialise();
    for (std::size_t size = 0; size < good.size(); ++size) {
        start(simple_rule());
        const auto restored = engine_->restore(base::ByteSpan(good).first(size), now());
        ASSERT_FALSE(restored) << size;
        EXPECT_THAT(restored.error(), HasSubstr("the alerts cannot be read"));
        EXPECT_THAT(engine_->active(), IsEmpty());
    }
    auto newer = good;
    newer[0] = 2;
    EXPECT_THAT(engine_->restore(newer, now()).error(), HasSubstr("newer version"));
}

TEST_F(AlertsTest, WatchesEverySeriesOfAMetricByItself) {
    auto rule = simple_rule();
    rule.series = {"adit_node_up"};
    rule.comparison = Comparison::below;
    rule.fire_at = rule.clear_at = 0.5;
    rule.for_s = rule.clear_for_s = 0;
    start(rule);
    auto& a = registry_.gauge("adit_node_up", "up", {{"node", "a"}});
    auto& b = registry_.gauge("adit_node_up", "up", {{"node", "b"}});
    EXPECT_EQ(tick(kNone), "FF");
    b.set(1);
    EXPECT_EQ(tick(kNone), "C");
    EXPECT_EQ(events_[0].series, "adit_node_up{node=\"b\"}");
    a.set(1);
    EXPECT_EQ(tick(kNone), "C");
    rule.sum = true;  // no node is up
    start(rule);
    b.set(0);
    EXPECT_EQ(tick(kNone), ".");
    a.set(0);
    EXPECT_EQ(tick(kNone), "F");
    EXPECT_EQ(events_[0].series, "");
}

TEST_F(AlertsTest, WatchesABoundedNumberOfSeries) {
    auto rule = simple_rule();
    rule.series = {"adit_many"};
    rule.comparison = Comparison::differs;
    rule.fire_at = rule.clear_at = 1;
    rule.for_s = 0;
    start(rule);
    for (std::size_t i = 0; i < AlertEngine::kMaxSeries + 10; ++i)
        registry_.gauge("adit_many", "m", {{"n", std::to_string(i)}});
    EXPECT_EQ(tick(kNone).size(), AlertEngine::kMaxSeries);
    EXPECT_EQ(tick(kNone), ".");
    EXPECT_EQ(engine_->active().size(), AlertEngine::kMaxSeries);
}

TEST_F(AlertsTest, DividesRatesOnlyWhenHalfOfTheSpanWasMeasured) {
    AlertRule rule = simple_rule();
    rule.series = {"adit_refused_total"};
    rule.of = {"adit_refused_total", "adit_accepted_total"};
    rule.measure = Measure::rate;
    rule.span_s = 20;
    rule.fire_at = rule.clear_at = 0.05;
    rule.for_s = rule.clear_for_s = 0;
    start(rule);
    auto& stale = registry_.counter("adit_refused_total", "r", {{"reason", "stale"}});
    auto& low = registry_.counter("adit_refused_total", "r", {{"reason", "low"}});
    auto& accepted = registry_.counter("adit_accepted_total", "a");
    std::string events;
    for (int i = 0; i < 12; ++i) {
        stale.add(1);
        low.add(1);
        accepted.add(18);
        events += tick(kNone);
    }
    EXPECT_EQ(events, "..........F.");
    EXPECT_NEAR(events_.empty() ? 0.1 : events_[0].value, 0.1, 1e-9);
    ASSERT_EQ(engine_->active().size(), 1u);
    EXPECT_NEAR(engine_->active()[0].value, 0.1, 1e-9);
    events.clear();
    for (int i = 0; i < 30; ++i) {  // nothing is asked at all: no value, no clearing
        events += tick(kNone);
    }
    EXPECT_EQ(events.find('C'), std::string::npos);
    for (int i = 0; i < 5; ++i) {
        accepted.add(18);
        events += tick(kNone);
    }
    EXPECT_NE(events.find('C'), std::string::npos);
}

TEST_F(AlertsTest, FiresWhenACounterGrowsAtAll) {
    auto rule = simple_rule();
    rule.series = {"adit_bad_total"};
    rule.measure = Measure::rate;
    rule.span_s = 5;
    rule.fire_at = rule.clear_at = 0;
    rule.for_s = rule.clear_for_s = 0;
    start(rule);
    auto& bad = registry_.counter("adit_bad_total", "b");
    EXPECT_EQ(ticks({1, 1, 1}), "...");
    bad.add(1);
    EXPECT_EQ(ticks({1, 1, 1, 1, 1, 1, 1}), "F....C.");
}

TEST_F(AlertsTest, AveragesAGauge) {
    auto rule = simple_rule();
    rule.measure = Measure::mean;
    rule.span_s = 4;
    rule.for_s = rule.clear_for_s = 0;
    start(rule);
    EXPECT_EQ(ticks({0, 20, 20, 20}), "..F.");
    EXPECT_NEAR(engine_->active().at(0).value, 15, 1e-9);
}

TEST(AlertRules, EveryMistakeIsNamed) {
    const struct {
        void (*spoil)(AlertRule&);
        const char* why;
    } kRows[] = {
        {[](AlertRule& r) { r.name = ""; }, "lower-case"},
        {[](AlertRule& r) { r.name = "Hot"; }, "lower-case"},
        {[](AlertRule& r) { r.name = std::string(65, 'a'); }, "lower-case"},
        {[](AlertRule& r) { r.series.clear(); }, "name the series"},
        {[](AlertRule& r) { r.of.assign(33, "adit_x"); }, "at most 32"},
        {[](AlertRule& r) { r.summary.clear(); }, "summary"},
        {[](AlertRule& r) { r.fire_at = NAN; }, "thresholds are numbers"},
        {[](AlertRule& r) { r.for_s = -1; }, "times are"},
        {[](AlertRule& r) { r.measure = Measure::rate; }, "needs a span"},
        {[](AlertRule& r) { r.clear_at = 11; }, "clears at or below"},
        {[](AlertRule& r) { r.comparison = Comparison::below; }, "clears at or above"},
        {[](AlertRule& r) { r.comparison = Comparison::differs; }, "must not differ"},
    };
    EXPECT_TRUE(check_rule(simple_rule()));
    Registry registry;
    for (const auto& row : kRows) {
        auto rule = simple_rule();
        row.spoil(rule);
        const auto made = AlertEngine::make({rule}, registry);
        ASSERT_FALSE(made) << row.why;
        EXPECT_THAT(made.error(), HasSubstr("alert rule " + rule.name));
        EXPECT_THAT(made.error(), HasSubstr(row.why));
    }
    EXPECT_THAT(AlertEngine::make({simple_rule(), simple_rule()}, registry).error(),
                HasSubstr("there are two"));
    EXPECT_FALSE(AlertEngine::make(
        std::vector<AlertRule>(AlertEngine::kMaxRules + 1, simple_rule()), registry));
}

TEST(AlertRules, DefaultsAreSound) {
    Registry registry;
    const auto made = AlertEngine::make(default_rules(), registry);
    ASSERT_TRUE(made) << made.error();
    for (const auto& rule : (*made)->rules()) {
        for (const auto& series : rule.series)
            EXPECT_TRUE(series.starts_with("adit_")) << rule.name;
    }
}

// A rule over a metric that nobody writes would be silent for ever.
TEST(AlertRules, DefaultsWatchMetricsThatThePoolHas) {
    std::string sources;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(ADIT_SOURCE_DIR "/src")) {
        const auto name = entry.path().filename().string();
        const bool code = name.ends_with(".cpp") || name.ends_with(".h");
        if (!code || name.ends_with("_test.cpp") || name == "alert_rules.cpp") continue;
        std::ifstream file(entry.path());
        sources.append(std::istreambuf_iterator<char>(file), {});
    }
    ASSERT_GT(sources.size(), 100'000u);
    for (const auto& rule : default_rules()) {
        auto names = rule.series;
        names.insert(names.end(), rule.of.begin(), rule.of.end());
        for (const auto& name : names) {
            const auto metric = name.substr(0, name.find_first_of("{:"));
            EXPECT_THAT(sources, HasSubstr("\"" + metric + "\"")) << rule.name;
        }
    }
}

}  // namespace
}  // namespace adit::metrics
