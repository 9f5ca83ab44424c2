#include "manager/workflow.h"

#include "manager/workflow_json.h"
#include "manager/workflow_testing.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace adit::manager {
namespace {

using ::testing::HasSubstr;
using testing::kMinerAccount;
using testing::ScriptedMiner;
using testing::ScriptedPool;
using testing::WorkflowScript;

constexpr std::int64_t kLimitMs = 60'000;

WorkflowReport run(WorkflowScript& script, const WorkflowRequest& request,
                   const Workflow::Progress& progress = {}, std::stop_token stop = {}) {
    ScriptedPool pool(script);
    Workflow workflow(request, kMinerAccount, "rig", std::make_unique<ScriptedMiner>(script), pool,
                      script.clock, progress);
    return workflow.run({script.clock.steady_ms() + kLimitMs, std::move(stop)});
}

const WorkflowStage& stage_of(const WorkflowReport& report, std::string_view name) {
    const auto found = std::ranges::find(report.stages, name, &WorkflowStage::name);
    if (found == report.stages.end()) throw std::runtime_error("no such stage");
    return *found;
}

TEST(Workflow, EveryStageOfAPoolAtWorkIsDone) {
    WorkflowScript script;
    std::vector<std::size_t> seen;
    const auto report = run(script, {"", 3, true},
                            [&](const WorkflowReport& now) { seen.push_back(now.stages.size()); });
    EXPECT_TRUE(report.is_complete());
    EXPECT_TRUE(report.finished);
    EXPECT_TRUE(script.miner_stopped);
    ASSERT_EQ(report.stages.size(), 13U);
    EXPECT_EQ(seen.size(), 13U);
    EXPECT_EQ(seen.front(), 1U);
    for (const auto& stage : report.stages) {
        EXPECT_EQ(stage.state, StageState::ok) << stage.name << ": " << stage.reason;
        EXPECT_TRUE(stage.asked) << stage.name;
        EXPECT_FALSE(stage.evidence.empty()) << stage.name;
    }
    // Three shares, the block, and three on top of it.
    EXPECT_EQ(script.nonces, 7U);
    EXPECT_DOUBLE_EQ(stage_of(report, "shares").ms, 300);
}

TEST(Workflow, WithoutABlockItsStagesAreNotAskedFor) {
    WorkflowScript script;
    const auto report = run(script, {"", 3, false});
    EXPECT_TRUE(report.is_complete());
    for (const auto* name : {"block", "submission", "confirmation", "maturity", "payout"}) {
        EXPECT_EQ(stage_of(report, name).state, StageState::not_tried);
        EXPECT_FALSE(stage_of(report, name).asked);
    }
    EXPECT_EQ(script.blocks_mined, 0U);
    EXPECT_EQ(script.kicks, 0);
}

// One way in which a stage goes wrong.
struct Break {
    const char* name;
    std::function<void(WorkflowScript&)> how;
    const char* stage;
    StageState state;
    const char* reason;
};

class WorkflowBreaks : public ::testing::TestWithParam<Break> {};

TEST_P(WorkflowBreaks, IsNamedByTheStageThatMeetsIt) {
    const auto& broken = GetParam();
    WorkflowScript script;
    broken.how(script);
    const auto begun_ms = script.clock.steady_ms();
    const auto report = run(script, {"", 3, true});
    const auto& stage = stage_of(report, broken.stage);
    EXPECT_EQ(stage.state, broken.state) << stage.reason;
    EXPECT_THAT(stage.reason, HasSubstr(broken.reason));
    EXPECT_FALSE(report.is_complete());
    EXPECT_EQ(report.has_failed(), broken.state == StageState::failed);
    EXPECT_TRUE(script.miner_stopped);
    EXPECT_LE(script.clock.steady_ms() - begun_ms, kLimitMs + 1'000);
    // What came before it was done.
    for (const auto& before : report.stages) {
        if (before.name == broken.stage) break;
        EXPECT_EQ(before.state, StageState::ok) << before.name << ": " << before.reason;
    }
}

using S = WorkflowScript;
using enum StageState;

INSTANTIATE_TEST_SUITE_P(
    All, WorkflowBreaks,
    ::testing::Values(
        Break{"refused", [](S& s) { s.connect_error = "Connection refused"; }, "connect", failed,
              "Connection refused"},
        Break{"full",
              [](S& s) {
                  s.connect_error = "the pool closed the connection";
                  s.closed = "limits.miners = 1";
              },
              "connect", failed, "the pool closed the connection; limits.miners = 1"},
        Break{"connect_late", [](S& s) { s.stuck = "connect"; }, "connect", failed, "nothing came"},
        Break{"name", [](S& s) { s.authorize_error = "the pool refused the name"; }, "authorize",
              failed, "refused the name"},
        Break{"authorize_late", [](S& s) { s.stuck = "authorize"; }, "authorize", failed,
              "nothing came"},
        Break{"ids", [](S& s) { s.ids_error = "no more workers"; }, "authorize", failed,
              "no more workers"},
        Break{"no_work", [](S& s) { s.work_error = "no work"; }, "work", failed, "no work"},
        Break{"work_late", [](S& s) { s.stuck = "work"; }, "work", failed, "nothing came"},
        Break{"tally", [](S& s) { s.tally_error = "the tally stands at 5"; }, "ledger", failed,
              "stands at 5"},
        Break{"ledger", [](S& s) { s.ledger_error = "cannot be read"; }, "ledger", failed,
              "cannot be read"},
        Break{"storage", [](S& s) { s.mine_problem = "storage unavailable"; }, "shares", failed,
              "storage unavailable"},
        Break{"hard", [](S& s) { s.work.share_hashes = 1e9; }, "shares", not_tried,
              "3 shares of 1e+09 hashes each would take 3e+06 s at the 1000 hashes a second"},
        Break{"unlucky", [](S& s) { s.finds_nothing = true; }, "shares", failed,
              "the time allowed was over while it waited for shares"},
        Break{"log", [](S& s) { s.log_error = "checksum"; }, "log", failed, "checksum"},
        Break{"lost", [](S& s) { s.copies = 0; }, "log", failed,
              "was acknowledged and is not in the log"},
        Break{"twice", [](S& s) { s.copies = 2; }, "log", failed, "is in the log 2 times"},
        Break{"difficulty", [](S& s) { s.log_difficulty = *chain::Difficulty::from_double(2); },
              "log", failed, "at difficulty 2, but the miner was told 1"},
        Break{"miscounted", [](S& s) { s.booked_too_much = 1; }, "tally", failed,
              "does somebody else mine as"},
        Break{"imbalance", [](S& s) { s.total.posted = chain::Amount::of(1); }, "balance", failed,
              "do not sum to zero"},
        Break{"hard_block", [](S& s) { s.work.block_hashes = 1e9; }, "block", not_tried,
              "1 block of 1e+09 hashes each would take 1e+06 s"},
        Break{"block_refused", [](S& s) { s.submitted = node::SubmitState::refused; }, "submission",
              failed, "it is refused"},
        Break{"block_unknown", [](S& s) { s.submission_known = false; }, "submission", failed,
              "the time allowed was over"},
        Break{"nodes_silent", [](S& s) { s.submitted = node::SubmitState::pending; }, "submission",
              failed, "a node to have the block in its best chain"},
        Break{"block_not_in_ledger", [](S& s) { s.block_state = std::nullopt; }, "confirmation",
              failed, "the block to be in the ledger"},
        Break{"contested", [](S& s) { s.block_state = ledger::BlockState::contested; },
              "confirmation", failed, "contested in the ledger"},
        Break{"orphaned", [](S& s) { s.block_state = ledger::BlockState::orphaned; },
              "confirmation", failed, "orphaned: a: not in the best chain"},
        Break{"no_part", [](S& s) { s.has_part = false; }, "confirmation", failed, "has no part"},
        Break{"unripe", [](S& s) { s.matures = false; }, "maturity", failed,
              "the block to be mature and posted"},
        Break{"below",
              [](S& s) {
                  s.payout_state = std::nullopt;
                  s.threshold_sat = 60'000;
              },
              "payout", not_tried, "50000 satoshis are available, below the threshold of 60000"},
        Break{"later",
              [](S& s) {
                  s.payout_state = std::nullopt;
                  s.payouts.status.next_round_ms = s.clock.wall_ms() + 3'600'000;
              },
              "payout", not_tried, "the next payouts are due in"},
        Break{"held",
              [](S& s) {
                  s.payout_state = std::nullopt;
                  s.payouts.status.hold_text = "the wallet is locked";
              },
              "payout", failed, "payouts are held: the wallet is locked"},
        Break{"unconfirmed", [](S& s) { s.payout_state = ledger::PayoutState::signed_; }, "payout",
              failed, "to be confirmed"},
        Break{"conflicted", [](S& s) { s.payout_state = ledger::PayoutState::conflicted; },
              "payout", failed, "spent by something else"},
        Break{"approval", [](S& s) { s.payout_state = ledger::PayoutState::waiting_approval; },
              "payout", not_tried, "adit payout approve 3"}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(Workflow, AShareThatIsABlockNeedsNoOther) {
    WorkflowScript script;
    script.block_is_share = true;
    const auto report = run(script, {"", 2, true});
    EXPECT_TRUE(report.is_complete());
    EXPECT_EQ(stage_of(report, "block").ms, 0);
}

TEST(Workflow, APoolThatPaysNothingIsNotAskedToPay) {
    WorkflowScript script;
    script.no_payouts = "payout.mode is \"none\"";
    const auto report = run(script, {"", 1, true});
    EXPECT_TRUE(report.is_complete());
    EXPECT_EQ(stage_of(report, "payout").state, StageState::not_tried);
    EXPECT_FALSE(stage_of(report, "payout").asked);
}

TEST(Workflow, AStopEndsItAndTheRestIsNotTried) {
    WorkflowScript script;
    std::stop_source stop;
    const auto report = run(
        script, {"", 3, true},
        [&](const WorkflowReport& now) {
            if (now.stages.back().name == "work") stop.request_stop();
        },
        stop.get_token());
    EXPECT_FALSE(report.is_complete());
    EXPECT_EQ(stage_of(report, "work").state, StageState::ok);
    EXPECT_EQ(stage_of(report, "shares").state, StageState::not_tried);
    EXPECT_THAT(stage_of(report, "shares").reason, HasSubstr("the run was stopped"));
    EXPECT_EQ(script.nonces, 0U);
    EXPECT_TRUE(script.miner_stopped);
}

TEST(Workflow, ReportsAreJson) {
    WorkflowScript script;
    const auto json = nlohmann::json::parse(workflow_json(run(script, {"", 1, false})));
    EXPECT_TRUE(json.at("complete"));
    EXPECT_FALSE(json.at("failed"));
    EXPECT_EQ(json.at("listener"), "127.0.0.1:3333");
    EXPECT_EQ(json.at("stages").size(), 13U);
    const auto& shares = json.at("stages").at(4);
    EXPECT_EQ(shares.at("stage"), "shares");
    EXPECT_EQ(shares.at("state"), "ok");
    EXPECT_EQ(shares.at("evidence").at("accepted"), 1);
    EXPECT_EQ(shares.at("evidence").at("share_hashes").size(), 1U);
}

}  // namespace
}  // namespace adit::manager
