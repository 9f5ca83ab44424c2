#include "node/block_submitter.h"

#include "job/job.h"
#include "node/scripted_node_testing.h"
#include "node/submit_rules.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace adit::node {
namespace {

using testing::mine_block;
using testing::RawAnswer;
using testing::ScriptedNode;

constexpr int kDeadlineMs = 20'000;

TEST(SubmitRules, KnowEveryAnswer) {
    const std::pair<const char*, NodeVerdict> cases[] = {
        {"", NodeVerdict::holds},
        {"duplicate", NodeVerdict::holds},
        {"inconclusive", NodeVerdict::holds},
        {"duplicate-inconclusive", NodeVerdict::holds},
        {"rejected: duplicate", NodeVerdict::holds},
        {"duplicate-invalid", NodeVerdict::refused},
        {"rejected", NodeVerdict::refused},
        {"high-hash", NodeVerdict::refused},
        {"bad-txnmrklroot", NodeVerdict::refused},
        {"bad-cb-amount", NodeVerdict::refused},
        {"prev-blk-not-found", NodeVerdict::refused},
        {"anything else", NodeVerdict::refused},
    };
    for (const auto& [answer, verdict] : cases)
        EXPECT_EQ(verdict_of(answer), verdict) << answer;
}

TEST(SubmitRules, WaitOneTwoFourUpToSixtySeconds) {
    std::vector<std::int64_t> delays;
    for (int attempts = 1; attempts <= 8; ++attempts) {
        delays.push_back(retry_delay_ms(attempts, 1'000, 60'000));
    }
    EXPECT_EQ(delays, (std::vector<std::int64_t>{1'000, 2'000, 4'000, 8'000, 16'000, 32'000, 60'000,
                                                 60'000}));
    EXPECT_EQ(retry_delay_ms(1'000'000, 1'000, 60'000), 60'000);
}

struct DecisionCase {
    const char* name;
    std::vector<NodeOutcome> nodes;
    SubmitState state;
};

NodeOutcome outcome(NodeVerdict verdict, std::int32_t height = 100, bool synced = true) {
    NodeOutcome made;
    made.verdict = verdict;
    made.node_height = height;
    made.synced = synced;
    return made;
}

TEST(SubmitRules, DecideABlocksFate) {
    using V = NodeVerdict;
    using S = SubmitState;
    const DecisionCase cases[] = {
        {"nobody answered", {outcome(V::waiting, -1, false)}, S::pending},
        {"one has it", {outcome(V::refused), outcome(V::in_best_chain)}, S::accepted},
        {"held only", {outcome(V::holds)}, S::pending},
        {"all refuse", {outcome(V::refused), outcome(V::refused, 101)}, S::refused},
        {"one is behind", {outcome(V::refused), outcome(V::refused, 99)}, S::pending},
        {"one is syncing", {outcome(V::refused), outcome(V::refused, 100, false)}, S::pending},
        {"one is gone", {outcome(V::refused), outcome(V::unreachable)}, S::pending},
        {"one holds it", {outcome(V::refused), outcome(V::holds)}, S::pending},
        {"99 deep", {outcome(V::holds, 199)}, S::pending},
        {"100 deep", {outcome(V::holds, 200)}, S::superseded},
        {"100 deep, all say so", {outcome(V::holds, 200), outcome(V::refused, 230)}, S::superseded},
        {"one says 100 deep", {outcome(V::holds, 900), outcome(V::refused, 101)}, S::pending},
        {"100 deep, one is gone",
         {outcome(V::holds, 200), outcome(V::unreachable, 200)},
         S::pending},
        {"100 deep, one is not asked",
         {outcome(V::holds, 200), outcome(V::waiting, -1, false)},
         S::pending},
        {"100 deep, syncing", {outcome(V::holds, 200, false)}, S::pending},
        {"no nodes", {}, S::pending},
    };
    for (const auto& one : cases) {
        EXPECT_EQ(name_of(decide(one.nodes, 100, 100)), name_of(one.state)) << one.name;
    }
}

struct FaultCase {
    const char* name;
    NodeOutcome maker, other;
    bool fault;
    bool wrong_height = false;
};

TEST(SubmitRules, SayWhenARefusalSpeaksAgainstTheTemplate) {
    using V = NodeVerdict;
    const auto refused = [](const char* reason, std::int32_t height = 100, bool synced = true) {
        auto made = outcome(V::refused, height, synced);
        made.reason = reason;
        return made;
    };
    const FaultCase cases[] = {
        {"both say height", refused("bad-cb-height"), refused("bad-cb-height"), true, true},
        {"the maker is gone", outcome(V::unreachable), refused("bad-cb-height"), true, true},
        {"the maker itself says so", refused("bad-cb-height"), outcome(V::waiting), true, true},
        {"with bcoin's word", refused("x"), refused("rejected: bad-cb-height"), true, true},
        {"the maker holds it", outcome(V::holds), refused("bad-cb-height"), false},
        {"in the maker's chain", outcome(V::in_best_chain), refused("bad-cb-height"), false},
        {"the maker has not spoken", outcome(V::waiting), refused("bad-cb-height"), false},
        {"invalid previous block", refused("x"), refused("bad-prevblk"), true},
        {"unknown previous block", refused("x"), refused("prev-blk-not-found", 99), true},
        {"a node behind knows no better", refused("x"), refused("prev-blk-not-found", 98), false},
        {"nor one that syncs", refused("x"), refused("prev-blk-not-found", 99, false), false},
        {"the miner's fault", refused("high-hash"), refused("high-hash"), false},
    };
    auto source = std::make_shared<job::BlockTemplate>();
    source->node = "maker";
    source->height = 100;
    source->previous.bytes[3] = 7;
    auto job = std::make_shared<job::Job>();
    job->source = source;
    auto candidate = std::make_shared<job::BlockCandidate>();
    for (const auto& one : cases) {
        candidate->job = job;
        SubmitReport report;
        report.candidate = candidate;
        report.nodes = {one.other, one.maker};
        report.nodes[0].node = "other";
        report.nodes[1].node = "maker";
        const auto fault = refused_template_of(report);
        ASSERT_EQ(fault.has_value(), one.fault) << one.name;
        if (!fault) continue;
        EXPECT_EQ(fault->wrong_height, one.wrong_height) << one.name;
        EXPECT_EQ(fault->maker, "maker") << one.name;
        EXPECT_EQ(fault->previous, source->previous) << one.name;
        EXPECT_EQ(fault->height, 100) << one.name;
        candidate->job = nullptr;
        EXPECT_FALSE(refused_template_of(report)) << "a job that is not known any more";
    }
}

// Two nodes and a submitter whose clock the test moves.
struct SubmitterTest : ::testing::Test {
    void SetUp() override {
        a.start();
        b.start();
        settings.network = chain::Network::regtest;
        settings.nodes = {a.settings("a"), b.settings("b")};
    }
    void TearDown() override {
        if (submitter) submitter->stop();
    }
    void make() {
        submitter.emplace(settings, registry, clock, log);
        submitter->set_listener([this](const SubmitReport& report) {
            const std::lock_guard lock(mutex);
            reports.push_back(report);
            changed.notify_all();
        });
    }
    void start() {
        make();
        submitter->start();
    }
    std::shared_ptr<const job::BlockCandidate> candidate_on(const chain::Hash256& previous,
                                                            std::int32_t height,
                                                            std::string_view tag = "found") {
        const auto block = mine_block(previous, height, tag);
        auto made = std::make_shared<job::BlockCandidate>();
        made->hash = block.header.hash();
        made->height = height;
        made->block = block.serialize();
        return made;
    }
    std::shared_ptr<const job::BlockCandidate> next_of(const ScriptedNode& node) {
        return candidate_on(node.tip(), node.height() + 1);
    }
    // Waits for a report that satisfies the condition, moving the clock meanwhile.
    std::optional<SubmitReport> wait_for(const std::function<bool(const SubmitReport&)>& condition,
                                         std::int64_t advance_ms = 0) {
        std::unique_lock lock(mutex);
        const auto end = real.steady_ms() + kDeadlineMs;
        while (true) {
            for (; looked_at < reports.size(); ++looked_at) {
                if (condition(reports[looked_at])) return reports[looked_at++];
            }
            clock.advance_ms(advance_ms);
            const std::chrono::milliseconds step(advance_ms > 0 ? 10 : kDeadlineMs);
            changed.wait_for(lock, step, [&] { return looked_at < reports.size(); });
            if (real.steady_ms() > end) return std::nullopt;
        }
    }
    std::optional<SubmitReport> wait_state(SubmitState state, std::int64_t advance_ms = 0) {
        return wait_for([state](const SubmitReport& report) { return report.state == state; },
                        advance_ms);
    }
    // Both nodes, in any report so far or to come.
    bool wait_both(NodeVerdict verdict) {
        looked_at = 0;
        return wait_for([verdict](const SubmitReport& report) {
                   return report.nodes[0].verdict == verdict && report.nodes[1].verdict == verdict;
               })
            .has_value();
    }
    std::optional<SubmitReport> wait_verdict(std::size_t node, NodeVerdict verdict) {
        return wait_for(
            [=](const SubmitReport& report) { return report.nodes[node].verdict == verdict; });
    }

    base::ManualClock clock;  // of the submitter
    base::SystemClock real;   // bounds how long the test waits
    base::Logger log{base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}};
    metrics::Registry registry;
    ScriptedNode a, b;
    SubmitterSettings settings;
    std::optional<BlockSubmitter> submitter;

    std::mutex mutex;
    std::condition_variable changed;
    std::vector<SubmitReport> reports;
    std::size_t looked_at = 0;
};

TEST_F(SubmitterTest, TakesABlockToEveryNode) {
    start();
    const auto block = next_of(a);
    submitter->submit(block);
    submitter->submit(block);
    const auto report = wait_state(SubmitState::accepted);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->confirmations, 1);
    ASSERT_TRUE(wait_both(NodeVerdict::in_best_chain));
    EXPECT_EQ(a.tip(), block->hash);
    EXPECT_EQ(b.tip(), block->hash);
    EXPECT_EQ(a.calls("submitblock"), 1u);
    EXPECT_EQ(submitter->pending(), 0u);
}

TEST_F(SubmitterTest, SendsABlockThatCameBeforeStart) {
    make();
    submitter->submit(next_of(a));
    EXPECT_EQ(submitter->pending(), 1u);
    submitter->start();
    EXPECT_TRUE(wait_state(SubmitState::accepted));
}

TEST_F(SubmitterTest, RetriesANodeThatIsGoneUntilItIsBack) {
    settings.nodes = {a.settings("a")};
    a.stop();
    start();
    const auto block = next_of(a);
    submitter->submit(block);
    ASSERT_TRUE(wait_verdict(0, NodeVerdict::unreachable));
    a.start();
    ASSERT_TRUE(wait_state(SubmitState::accepted, 100));
    EXPECT_EQ(a.tip(), block->hash);
}

TEST_F(SubmitterTest, WaitsLongerAfterEachAttempt) {
    settings.nodes = {a.settings("a")};
    a.set_result("submitblock", R"("high-hash")");
    start();
    submitter->submit(next_of(a));
    ASSERT_TRUE(wait_verdict(0, NodeVerdict::refused));
    // Not due yet: the clock stands still, and it takes the whole second and then two.
    clock.advance_ms(999);
    EXPECT_EQ(a.calls("submitblock"), 1u);
    clock.advance_ms(1);
    ASSERT_TRUE(wait_for([](const SubmitReport& report) { return report.nodes[0].attempts == 2; }));
    clock.advance_ms(1'999);
    EXPECT_EQ(a.calls("submitblock"), 2u);
    clock.advance_ms(1);
    EXPECT_TRUE(wait_for([](const SubmitReport& report) { return report.nodes[0].attempts == 3; }));
}

TEST_F(SubmitterTest, GivesUpOnlyWhenEveryNodeIsAtItsHeightAndRefuses) {
    a.set_result("submitblock", R"("bad-txns")");
    b.set_error("submitblock", -22, "Block decode failed");
    start();
    submitter->submit(next_of(a));
    ASSERT_TRUE(wait_both(NodeVerdict::refused));
    EXPECT_EQ(submitter->pending(), 1u) << "both are one block below it";
    a.add_block("other");
    b.add_block("other");
    const auto report = wait_state(SubmitState::refused, 100);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->nodes[0].reason, "bad-txns");
    EXPECT_NE(report->nodes[1].reason.find("decode"), std::string::npos);
    EXPECT_EQ(submitter->pending(), 0u);
}

TEST_F(SubmitterTest, FollowsABlockThatLostTheRaceUntilItIsBuried) {
    settings.nodes = {a.settings("a")};
    settings.give_up_depth = 5;
    start();
    const auto late = candidate_on(a.tip(), a.height() + 1);
    const auto height = a.height();
    a.add_block("winner");
    submitter->submit(late);
    const auto held = wait_verdict(0, NodeVerdict::holds);
    ASSERT_TRUE(held);
    EXPECT_EQ(held->nodes[0].reason, "inconclusive");
    EXPECT_EQ(held->state, SubmitState::pending);
    while (a.height() < height + 6)
        a.add_block();
    EXPECT_TRUE(wait_state(SubmitState::superseded, 500));
    EXPECT_EQ(a.calls("submitblock"), 1u) << "a node that holds the block is only asked";
}

TEST_F(SubmitterTest, DoesNotBelieveADuplicateThatTheNodeDoesNotKnow) {
    settings.nodes = {a.settings("a")};
    a.set_result("submitblock", R"("rejected: duplicate")");
    start();
    submitter->submit(next_of(a));
    EXPECT_TRUE(wait_verdict(0, NodeVerdict::refused));
}

TEST_F(SubmitterTest, RefusesAnAnswerThatMakesNoSense) {
    settings.nodes = {a.settings("a")};
    a.set_result("submitblock", "7");
    start();
    submitter->submit(next_of(a));
    const auto report = wait_verdict(0, NodeVerdict::unreachable);
    ASSERT_TRUE(report);
    EXPECT_NE(report->nodes[0].reason.find("neither null nor text"), std::string::npos);
}

TEST_F(SubmitterTest, CountsANodeOnAnotherChainAsRefusing) {
    settings.nodes = {a.settings("a")};
    a.set_chain("main");
    start();
    submitter->submit(next_of(a));
    const auto report = wait_verdict(0, NodeVerdict::refused);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->state, SubmitState::pending);
}

TEST_F(SubmitterTest, ResumingABlockThatIsInTheChainSendsNothing) {
    settings.nodes = {a.settings("a")};
    const auto block = next_of(a);
    a.add_block("found");
    ASSERT_EQ(a.tip(), block->hash);
    a.add_block();
    start();
    submitter->resume(block);
    const auto report = wait_state(SubmitState::accepted);
    ASSERT_TRUE(report);
    EXPECT_EQ(report->confirmations, 2);
    EXPECT_EQ(a.calls("submitblock"), 0u);
}

TEST_F(SubmitterTest, BoundsItsQueueAndItsMemoryOfFinishedBlocks) {
    settings.nodes = {a.settings("a")};
    settings.max_pending = 4;
    settings.max_finished = 3;
    make();
    for (int i = 0; i < 20; ++i) {
        submitter->submit(candidate_on(a.tip(), a.height() + 1, fmt::format("{}", i)));
    }
    EXPECT_EQ(submitter->pending(), 4u);
    const auto all = submitter->reports();
    ASSERT_EQ(all.size(), 4u);
    for (const auto& report : all)
        EXPECT_EQ(report.state, SubmitState::pending);
    const auto& pending =
        registry.gauge("adit_submit_pending", "Found blocks without a final state.");
    EXPECT_EQ(pending.value(), 4);
    submitter.reset();
    EXPECT_EQ(pending.value(), 0) << "nobody tries them any more";
}

TEST_F(SubmitterTest, ABlockPushedOutOfTheQueueIsNeverReportedAsFinal) {
    settings.nodes = {a.settings("a")};
    settings.max_pending = 1;
    a.set_result("submitblock", R"("high-hash")");
    start();
    const auto first = next_of(a);
    submitter->submit(first);
    ASSERT_TRUE(wait_verdict(0, NodeVerdict::refused));
    a.clear("submitblock");
    submitter->submit(candidate_on(a.tip(), a.height() + 1, "second"));
    ASSERT_TRUE(wait_state(SubmitState::accepted));
    const std::lock_guard lock(mutex);
    for (const auto& report : reports) {
        EXPECT_EQ(report.state == SubmitState::pending || report.candidate != first, true);
    }
    EXPECT_EQ(
        registry.counter("adit_submit_dropped_total", "Found blocks that a full queue pushed out.")
            .value(),
        1u);
}

TEST_F(SubmitterTest, StopsAtOnceWhileANodeHangs) {
    a.set_hook([](std::string_view) { return RawAnswer{.body = "", .hang = true}; });
    settings.nodes = {a.settings("a")};
    settings.timeout_ms = 600'000;
    start();
    submitter->submit(next_of(a));
    while (a.calls("submitblock") == 0)
        std::this_thread::yield();
    submitter->stop();
    EXPECT_EQ(submitter->pending(), 1u);
}

}  // namespace
}  // namespace adit::node
