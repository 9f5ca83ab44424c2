#include "manager/health.h"

#include <gtest/gtest.h>

namespace adit::manager {
namespace {

// Answers as it is told and takes as long as it is told, of the test's clock.
struct Script {
    std::string part;
    bool vital = false;
    ProbeOutcome outcome;
    std::int64_t takes_ms = 1;
    int runs = 0;
    std::int64_t given_ms = 0;  // for the last run
};

class ScriptedProbe final : public Probe {
 public:
    ScriptedProbe(Script& script, base::ManualClock& clock) : script_(script), clock_(clock) {}
    std::string_view part() const override { return script_.part; }
    bool is_vital() const override { return script_.vital; }
    double slow_ms() const override { return 100; }
    ProbeOutcome run(const CallLimits& limits) override {
        ++script_.runs;
        script_.given_ms = limits.deadline_ms - clock_.steady_ms();
        clock_.advance_ms(script_.takes_ms);
        return script_.outcome;
    }

 private:
    Script& script_;
    base::ManualClock& clock_;
};

class HealthTest : public ::testing::Test {
 protected:
    HealthTest() {
        log_.part = "log";
        log_.vital = true;
        payouts_.part = "payouts";
        std::vector<std::unique_ptr<Probe>> probes;
        probes.push_back(std::make_unique<ScriptedProbe>(log_, clock_));
        probes.push_back(std::make_unique<ScriptedProbe>(payouts_, clock_));
        monitor_ = std::make_unique<HealthMonitor>(std::move(probes), HealthSettings{}, registry_,
                                                   clock_, logger_);
    }
    HealthReport check(int times = 1) {
        for (int i = 1; i < times; ++i)
            EXPECT_TRUE(monitor_->check({INT64_MAX, {}}));
        return *monitor_->check({INT64_MAX, {}});
    }

    base::ManualClock clock_;
    metrics::Registry registry_;
    std::vector<std::string> lines_;
    base::Logger logger_{base::LogLevel::info, base::LogFormat::text,
                         [this](std::string_view line) { lines_.emplace_back(line); }};
    Script log_;
    Script payouts_;
    std::unique_ptr<HealthMonitor> monitor_;
};

TEST_F(HealthTest, KnowsNothingBeforeTheFirstProbe) {
    const auto report = monitor_->report();
    EXPECT_EQ(report.state, HealthState::degraded);
    ASSERT_EQ(report.parts.size(), 2u);
    EXPECT_EQ(report.parts[0].state, HealthState::unknown);
    EXPECT_EQ(report.parts[0].probes, 0u);
    EXPECT_EQ(report.parts[0].probed_ms, 0);
}

TEST_F(HealthTest, MeasuresWhatEachProbeTook) {
    log_.takes_ms = 7;
    log_.outcome.queue_depth = 12;
    const auto report = check(3);
    EXPECT_EQ(report.state, HealthState::healthy);
    const auto& part = report.parts[0];
    EXPECT_EQ(part.state, HealthState::healthy);
    EXPECT_EQ(part.probes, 3u);
    EXPECT_DOUBLE_EQ(part.last_ms, 7);
    EXPECT_GE(part.p50_ms, 7);
    EXPECT_EQ(part.queue_depth, 12u);
    EXPECT_EQ(part.recommendation, "");
    EXPECT_FALSE(report.parts[1].queue_depth);
}

struct Row {
    const char* what;
    std::vector<ProbeOutcome> outcomes;  // of the vital part, one probe after the other
    std::vector<std::int64_t> takes_ms;
    HealthState part;
    HealthState pool;
    const char* recommendation;
};

ProbeOutcome failure(std::string error, std::string remedy = "") {
    return {std::move(error), "", std::move(remedy), std::nullopt};
}

ProbeOutcome remark(std::string note, std::string remedy = "") {
    return {"", std::move(note), std::move(remedy), std::nullopt};
}

std::vector<Row> rows() {
    using enum HealthState;
    return {
        {"the first probe fails", {failure("no", "do")}, {1}, unhealthy, unhealthy, "no; do"},
        {"one failure behind a success", {{}, failure("no")}, {1, 1}, degraded, degraded, "no"},
        {"two", {{}, failure("a"), failure("b")}, {1, 1, 1}, degraded, degraded, "b"},
        {"three in a row",
         {{}, failure("a"), failure("b"), failure("c")},
         {1, 1, 1, 1},
         unhealthy,
         unhealthy,
         "c"},
        {"works again",
         {failure("gone"), {}},
         {1, 1},
         degraded,
         degraded,
         "works again, but 50 % of the last probes failed: gone"},
        {"something is wrong with it",
         {remark("full", "empty it")},
         {1},
         degraded,
         degraded,
         "full; empty it"},
        {"slow",
         {{}},
         {101},
         degraded,
         degraded,
         "took 101 ms, more than 100 ms; look at the load of this machine and of its disk"},
        {"was slow three probes ago", {{}, {}, {}, {}}, {101, 1, 1, 1}, healthy, healthy, ""},
    };
}

TEST_F(HealthTest, JudgesByTheRules) {
    for (const auto& row : rows()) {
        std::vector<std::unique_ptr<Probe>> probes;
        Script script;
        script.part = "stratum";
        script.vital = true;
        probes.push_back(std::make_unique<ScriptedProbe>(script, clock_));
        metrics::Registry registry;
        HealthMonitor monitor(std::move(probes), {}, registry, clock_, logger_);
        for (std::size_t i = 0; i < row.outcomes.size(); ++i) {
            script.outcome = row.outcomes[i];
            script.takes_ms = row.takes_ms[i];
            ASSERT_TRUE(monitor.check({INT64_MAX, {}}));
        }
        const auto report = monitor.report();
        EXPECT_EQ(report.parts[0].state, row.part) << row.what;
        EXPECT_EQ(report.state, row.pool) << row.what;
        EXPECT_EQ(report.parts[0].recommendation, row.recommendation) << row.what;
    }
}

TEST_F(HealthTest, APartThatMinersDoNotNeedOnlyDegradesThePool) {
    payouts_.outcome.error = "the wallet is gone";
    const auto report = check(3);
    EXPECT_EQ(report.parts[1].state, HealthState::unhealthy);
    EXPECT_EQ(report.state, HealthState::degraded);
    EXPECT_EQ(report.parts[1].last_error, "the wallet is gone");
    EXPECT_EQ(report.parts[1].failures, 3u);
    EXPECT_DOUBLE_EQ(report.parts[1].error_rate, 1);
}

TEST_F(HealthTest, AFailureIsForgottenAfterTwentyGoodProbes) {
    log_.outcome.error = "the disk hangs";
    check();
    log_.outcome.error.clear();
    EXPECT_EQ(check(HealthMonitor::kRecent - 1).state, HealthState::degraded);
    const auto report = check();
    EXPECT_EQ(report.state, HealthState::healthy);
    EXPECT_EQ(report.parts[0].last_error, "the disk hangs");
}

TEST_F(HealthTest, SaysEachChangeOnce) {
    check();
    log_.outcome.error = "the disk hangs";
    check(5);
    log_.outcome.error.clear();
    check(25);
    ASSERT_EQ(lines_.size(), 4u);
    EXPECT_NE(lines_[0].find("state=degraded"), std::string::npos) << lines_[0];
    EXPECT_NE(lines_[1].find("state=unhealthy"), std::string::npos) << lines_[1];
    EXPECT_NE(lines_[2].find("state=degraded"), std::string::npos) << lines_[2];
    EXPECT_NE(lines_[3].find("well again"), std::string::npos) << lines_[3];
}

TEST_F(HealthTest, EndsAtTheDeadlineAndSaysWhichPartWasLeftOut) {
    log_.takes_ms = 500;
    const auto late = monitor_->check({clock_.steady_ms() + 400, {}});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, RefusalKind::deadline);
    EXPECT_NE(late.error().text.find("payouts"), std::string::npos);
    EXPECT_EQ(log_.given_ms, 400);
    EXPECT_EQ(payouts_.runs, 0);
    check();
    EXPECT_EQ(log_.given_ms, HealthSettings{}.probe_limit_ms);
}

TEST_F(HealthTest, IsBrokenOffByItsToken) {
    std::stop_source stop;
    stop.request_stop();
    const auto refused = monitor_->check({INT64_MAX, stop.get_token()});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, RefusalKind::cancelled);
    EXPECT_EQ(log_.runs, 0);
}

TEST_F(HealthTest, ProbesSteadilyBetweenStartAndStop) {
    monitor_->start();
    while (monitor_->report().parts[1].probes == 0)
        std::this_thread::yield();
    // Somebody who asks meanwhile waits for the round that runs.
    EXPECT_EQ(check().state, HealthState::healthy);
    monitor_->stop();
    monitor_->stop();
    EXPECT_GE(log_.runs, 2);
}

}  // namespace
}  // namespace adit::manager
