#include "manager/payout_desk.h"

#include "manager/block_ledger_testing.h"
#include "manager/payout_service_testing.h"

#include <gmock/gmock.h>

#include <future>
#include <limits>

namespace adit::manager {
namespace {

using ::testing::AnyOf;
using testing::BlockLedger;
using ::testing::ElementsAre;
using testing::PayoutScript;
using testing::ScriptedPayouts;

class PayoutDeskTest : public ::testing::Test {
 protected:
    // By default no step comes by itself but the first.
    void start(std::int64_t interval_ms = std::numeric_limits<std::int32_t>::max()) {
        desk.emplace(std::make_unique<ScriptedPayouts>(script), PayoutDeskSettings{interval_ms},
                     books, registry, clock, logger);
        desk->start();
        ASSERT_TRUE(script.wait_for_calls(1));
    }

    base::SystemClock clock;
    base::Logger logger{base::LogLevel::error};
    metrics::Registry registry;
    BlockLedger books;
    PayoutScript script;
    std::optional<PayoutDesk> desk;  // last: its thread uses all of the above
};

TEST_F(PayoutDeskTest, StepsAtOnceAndWheneverItIsKicked) {
    start();
    desk->kick();
    ASSERT_TRUE(script.wait_for_calls(2));
    desk->stop();
    EXPECT_THAT(script.calls(), ElementsAre("step", "step"));
    desk->kick();
    EXPECT_EQ(desk->view().steps, 2u);
}

TEST_F(PayoutDeskTest, StepsByItselfAfterItsInterval) {
    start(1);
    EXPECT_TRUE(script.wait_for_calls(5));
}

TEST_F(PayoutDeskTest, AKickDuringAStepIsNotForgotten) {
    script.hold("step");
    start();
    desk->kick();
    script.let_go();
    EXPECT_TRUE(script.wait_for_calls(2));
}

TEST_F(PayoutDeskTest, ACommandWaitsForTheStepThatRunsAndIsActedUponAtOnce) {
    script.hold("step");
    start();
    auto approval =
        std::async(std::launch::async, [&] { return desk->approve(3, "ok", std::stop_token()); });
    EXPECT_EQ(approval.wait_for(std::chrono::milliseconds(0)), std::future_status::timeout);
    EXPECT_THAT(script.calls(), ElementsAre("step"));
    script.let_go();
    const auto row = approval.get();
    ASSERT_TRUE(row) << row.error();
    EXPECT_EQ(row->id, 3u);
    ASSERT_TRUE(script.wait_for_calls(3));
    EXPECT_THAT(script.calls(), ElementsAre("step", "approve 3 ok", "step"));
}

TEST_F(PayoutDeskTest, CommandsAndStepsAreNeverInTheServiceAtOnce) {
    start(1);
    std::vector<std::future<bool>> commands;
    for (int i = 0; i < 4; ++i) {
        commands.push_back(std::async(std::launch::async, [&, i] {
            bool good = true;
            for (int n = 0; n < 50; ++n) {
                good &= desk->run(true, std::stop_token()).has_value();
                good &= desk->cancel(static_cast<unsigned>(i), "", std::stop_token()).has_value();
                desk->kick();
            }
            return good;
        }));
    }
    for (auto& command : commands)
        EXPECT_TRUE(command.get());
    desk->stop();
    EXPECT_EQ(std::ranges::count(script.calls(), "dry run"), 200);
}

TEST_F(PayoutDeskTest, EveryCommandReachesTheServiceAndItsRefusalTheCaller) {
    start();
    const std::stop_token never;
    ledger::SpendExplanation explanation;
    explanation.note = "mine";
    for (int i = 0; i < 2; ++i) {
        const bool good = i == 0;
        EXPECT_EQ(desk->run(false, never).has_value(), good);
        EXPECT_EQ(desk->run(true, never).has_value(), good);
        EXPECT_EQ(desk->approve(1, "a", never).has_value(), good);
        EXPECT_EQ(desk->cancel(2, "b", never).has_value(), good);
        EXPECT_EQ(desk->replace_anchor(3, "c", never).has_value(), good);
        EXPECT_EQ(desk->explain(explanation, never).has_value(), good);
        script.refuse_with("no such payout");
    }
    EXPECT_EQ(desk->approve(1, "", never).error(), "no such payout");
    desk->stop();
    auto calls = script.calls();
    std::erase(calls, "step");
    calls.resize(6);
    EXPECT_THAT(calls, ElementsAre("run", "dry run", "approve 1 a", "cancel 2 b", "replace 3 c",
                                   "explain 0000 payees=false account= amount=0 note=mine"));
}

TEST_F(PayoutDeskTest, StopWaitsForASlowStepAndRefusesWhatWaitsBehindIt) {
    script.hold("step");
    start();
    auto waiting =
        std::async(std::launch::async, [&] { return desk->run(false, std::stop_token()); });
    auto stopping = std::async(std::launch::async, [&] { desk->stop(); });
    // The command is refused although the step is still running.
    EXPECT_EQ(waiting.get().error(), "the pool is ending; nothing was done");
    EXPECT_EQ(stopping.wait_for(std::chrono::milliseconds(0)), std::future_status::timeout);
    script.let_go();
    stopping.get();
    EXPECT_THAT(script.calls(), ElementsAre("step"));
    EXPECT_TRUE(script.was_cut_short());
    EXPECT_FALSE(desk->run(false, std::stop_token()));
    desk->stop();
}

TEST_F(PayoutDeskTest, StopWaitsForTheCommandThatRuns) {
    script.hold("run");
    start();
    auto running =
        std::async(std::launch::async, [&] { return desk->run(false, std::stop_token()); });
    ASSERT_TRUE(script.wait_for_calls(2));
    auto stopping = std::async(std::launch::async, [&] { desk->stop(); });
    EXPECT_EQ(stopping.wait_for(std::chrono::milliseconds(0)), std::future_status::timeout);
    script.let_go();
    stopping.get();
    EXPECT_TRUE(running.get());
    // A step may have come between the command and the stop.
    EXPECT_THAT(script.calls(),
                AnyOf(ElementsAre("step", "run"), ElementsAre("step", "run", "step")));
}

TEST_F(PayoutDeskTest, ACommandGivesUpWaitingWhenItsTokenSaysSo) {
    script.hold("step");
    start();
    std::stop_source source;
    auto waiting =
        std::async(std::launch::async, [&] { return desk->cancel(9, "", source.get_token()); });
    source.request_stop();
    EXPECT_EQ(waiting.get().error(), "the wait for other commands was given up; nothing was done");
    script.let_go();
    desk->stop();
    EXPECT_THAT(script.calls(), ElementsAre("step"));
}

TEST_F(PayoutDeskTest, AnotherServiceTakesOverBetweenTwoSteps) {
    script.hold("step");
    start();
    auto replacing = std::async(std::launch::async, [&] {
        desk->replace(std::make_unique<ScriptedPayouts>(script, "second "));
    });
    EXPECT_EQ(replacing.wait_for(std::chrono::milliseconds(0)), std::future_status::timeout);
    script.let_go();
    replacing.get();
    EXPECT_EQ(desk->view().status.hold_text, "second status");
    ASSERT_TRUE(script.wait_for_calls(2));
    desk->stop();
    EXPECT_THAT(script.calls(), ElementsAre("step", "second step"));
}

TEST_F(PayoutDeskTest, ShowsWhereItStandsWithoutWaiting) {
    books.set_balances({{":sent", {ledger::Amount::of(7), {}, ledger::Amount::of(2)}}}, {});
    script.hold("run");
    start();
    ASSERT_TRUE(desk->run(true, std::stop_token()));
    auto running =
        std::async(std::launch::async, [&] { return desk->run(false, std::stop_token()); });
    ASSERT_TRUE(script.wait_for("run"));
    const auto view = desk->view();
    script.let_go();
    EXPECT_EQ(view.status.hold_text, "status");
    EXPECT_EQ(view.paid, ledger::Amount::of(7));
    EXPECT_EQ(view.under_way, ledger::Amount::of(2));
}

}  // namespace
}  // namespace adit::manager
