#include "manager/workflow_desk.h"

#include "manager/workflow_side.h"

#include <gmock/gmock.h>

#include <semaphore>

namespace adit::manager {
namespace {

using ::testing::HasSubstr;

class WorkflowDeskTest : public ::testing::Test {
 protected:
    // Tells of one stage, then waits to be let go or stopped.
    Outcome<WorkflowReport> work(const WorkflowRequest& request, const CallLimits& limits,
                                 const Workflow::Progress& progress) {
        if (request.user == "nobody") {
            return std::unexpected(OperationRefusal{RefusalKind::bad_request, "no name"});
        }
        if (request.user == "throws") throw std::runtime_error("no more threads");
        WorkflowReport report;
        report.stages.resize(1);
        deadline_ms = limits.deadline_ms;
        progress(report);
        begun.release();
        const std::stop_callback on_stop(limits.stop, [this] { let_go.release(); });
        let_go.acquire();
        report.finished = true;
        report.stages[0].state = limits.stop.stop_requested() ? StageState::failed : StageState::ok;
        return report;
    }
    // Until the run has ended.
    WorkflowReport end_of(std::uint64_t run) {
        while (true) {
            const auto report = desk.report(run);
            if (!report || report->finished) return report.value_or(WorkflowReport{});
            std::this_thread::yield();
        }
    }

    base::ManualClock clock;
    std::counting_semaphore<> begun{0};
    std::counting_semaphore<> let_go{0};
    std::int64_t deadline_ms = 0;
    WorkflowDesk desk{[this](const auto& request, const auto& limits, const auto& progress) {
                          return work(request, limits, progress);
                      },
                      clock};
};

TEST_F(WorkflowDeskTest, ARunInTheBackgroundIsSeenAsFarAsItHasCome) {
    const auto first = desk.begin({}, 5'000);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->run, 1U);
    EXPECT_FALSE(first->finished);
    begun.acquire();
    EXPECT_EQ(deadline_ms, clock.steady_ms() + 5'000);
    EXPECT_EQ(desk.report(1)->stages.size(), 1U);
    EXPECT_FALSE(desk.report(1)->finished);
    EXPECT_EQ(desk.report(1)->run, 1U);
    let_go.release();
    EXPECT_EQ(end_of(1).stages[0].state, StageState::ok);
    const auto other = desk.report(2);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().kind, RefusalKind::bad_request);
    EXPECT_THAT(other.error().text, HasSubstr("the last one was 1"));
}

TEST_F(WorkflowDeskTest, OneRunsAtATime) {
    ASSERT_TRUE(desk.begin({}, 5'000));
    begun.acquire();
    for (const auto& refused : {desk.begin({}, 5'000), desk.run({}, {INT64_MAX, {}})}) {
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().kind, RefusalKind::unavailable);
        EXPECT_THAT(refused.error().text, HasSubstr("run 1 of the workflow has not ended"));
    }
    let_go.release();
    end_of(1);
    let_go.release();
    EXPECT_EQ(desk.run({}, {INT64_MAX, {}})->run, 2U);
}

TEST_F(WorkflowDeskTest, ARunIsCancelledByItsNumberByItsCallerAndByTheEnd) {
    ASSERT_TRUE(desk.begin({}, 5'000));
    begun.acquire();
    EXPECT_FALSE(desk.cancel(7));
    EXPECT_TRUE(desk.cancel(1));
    EXPECT_EQ(end_of(1).stages[0].state, StageState::failed);

    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(desk.run({}, {INT64_MAX, stop.get_token()})->stages[0].state, StageState::failed);
    begun.acquire();

    ASSERT_TRUE(desk.begin({}, 5'000));
    begun.acquire();
    desk.stop();
    EXPECT_TRUE(desk.report(3)->finished);
    EXPECT_EQ(desk.begin({}, 5'000).error().kind, RefusalKind::wrong_state);
}

TEST_F(WorkflowDeskTest, WhatCannotBeRunIsRefusedAndTheNextCan) {
    EXPECT_EQ(desk.run({"nobody"}, {INT64_MAX, {}}).error().kind, RefusalKind::bad_request);
    EXPECT_EQ(desk.report(1).error().kind, RefusalKind::bad_request);
    EXPECT_EQ(desk.run({"throws"}, {INT64_MAX, {}}).error().text, "no more threads");
    let_go.release();
    EXPECT_TRUE(desk.run({}, {INT64_MAX, {}}));
}

TEST(WorkflowSide, NamesAreTheOneSpellingAndHaveAWorker) {
    PoolConfig pool;
    pool.chain = chain::Network::regtest;
    pool.address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
    EXPECT_EQ(workflow_names("", pool)->account, pool.address);
    EXPECT_EQ(workflow_names("", pool)->worker, "adit-selftest");
    EXPECT_EQ(workflow_names("BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080.rig", pool)->account,
              pool.address);
    EXPECT_EQ(workflow_names(pool.address + ".rig", pool)->worker, "rig");
    EXPECT_EQ(workflow_names("nobody", pool).error().kind, RefusalKind::bad_request);
}

TEST(WorkflowSide, PlainListenersArePreferred) {
    const ProbedListener plain{"a", false, false};
    const ProbedListener proxy{"b", false, true};
    const ProbedListener tls{"c", true, false};
    EXPECT_EQ(easiest_listener({tls, proxy, plain}).address, "a");
    EXPECT_EQ(easiest_listener({tls, proxy}).address, "b");
    EXPECT_EQ(easiest_listener({tls}).address, "c");
}

}  // namespace
}  // namespace adit::manager
