#include "node/template_desk_testing.h"

namespace adit::node {
namespace {

using testing::DeskTest;
using testing::kTime;

TEST_F(DeskTest, FetchesFromTheFirstNodeThenHoldsALongPoll) {
    make(2);
    open();
    EXPECT_EQ(fetches, std::vector<std::size_t>{0});
    EXPECT_EQ(polls, std::vector<std::size_t>{0});
}

TEST_F(DeskTest, GivesANewTipFromItsHeaderAtOnceAndThenInFull) {
    make(1);
    open(500);
    nodes[0].tip = tip_at(101);
    step(20'000);
    ASSERT_EQ(deliveries.size(), 2u);
    const auto& early = *deliveries[1].content;
    EXPECT_FALSE(early.complete);
    EXPECT_EQ(early.height, 102);
    EXPECT_EQ(early.previous, nodes[0].tip.hash);
    EXPECT_EQ(early.version, 0x20000000u);
    EXPECT_EQ(early.bits, 0x1d00ffffu);
    EXPECT_EQ(early.min_time, kTime + 1);
    EXPECT_EQ(early.current_time, kTime + 1'020);
    EXPECT_EQ(early.coinbase_value_sat, 5'000'000'000);
    EXPECT_TRUE(early.transactions.empty());
    EXPECT_TRUE(early.segwit);
    EXPECT_EQ(fetches.size(), 2u);
    answer(0, template_on(nodes[0].tip, 0, 100));
    ASSERT_EQ(deliveries.size(), 3u);
    EXPECT_EQ(deliveries[2].reason, DeliveryReason::completed);
    EXPECT_TRUE(deliveries[2].content->complete);
}

TEST_F(DeskTest, SkipsTheHeaderOnlyTemplateWhenTheFullOneIsThere) {
    make(1);
    open();
    const auto next = tip_at(101);
    desk->on_template(0, true, template_on(next, 0), now_ms);
    nodes[0].tip = next;
    step();
    ASSERT_EQ(deliveries.size(), 2u);
    EXPECT_TRUE(deliveries[1].content->complete);
}

struct NoHeaderOnlyCase {
    const char* name;
    chain::Network network;
    Tip tip;
};

TEST_F(DeskTest, WaitsForTheTemplateWhereAHeaderDoesNotTellEnough) {
    auto skipped = tip_at(102);
    auto no_median = tip_at(101);
    no_median.median_time = 0;
    const NoHeaderOnlyCase cases[] = {
        {"testnet4", chain::Network::testnet4, tip_at(101)},
        {"regtest", chain::Network::regtest, tip_at(101)},
        {"two blocks at once", chain::Network::main, skipped},
        {"no median time", chain::Network::main, no_median},
    };
    for (const auto& one : cases) {
        settings.network = one.network;
        make(1);
        deliveries.clear();
        open();
        nodes[0].tip = one.tip;
        step();
        EXPECT_EQ(deliveries.size(), 1u) << one.name;
        answer(0, template_on(one.tip, 0));
        EXPECT_EQ(deliveries.size(), 2u) << one.name;
    }
}

TEST_F(DeskTest, WaitsForTheTemplateAtADifficultyChange) {
    make(1);
    nodes[0].tip = tip_at(2014);
    open();
    nodes[0].tip = tip_at(2015);
    step();
    EXPECT_EQ(deliveries.size(), 1u);
}

TEST_F(DeskTest, NeverMovesToLessWorkUnlessTheNodeHasInvalidatedTheBetterTip) {
    make(1);
    nodes[0].tip = tip_at(101);
    open();
    const auto lower = tip_at(100, 1);
    nodes[0].tip = lower;
    step(20'000);
    answer(0, template_on(lower, 0));
    EXPECT_EQ(deliveries.size(), 1u);
    EXPECT_FALSE(judged.empty());
    nodes[0].invalidated.push_back(tip_at(101).hash);
    step();
    ASSERT_EQ(deliveries.size(), 2u);
    EXPECT_EQ(deliveries[1].content->previous, lower.hash);
}

TEST_F(DeskTest, FailsOverAtOnceAndReturnsWhenThePreferredNodeWasWellForAWhile) {
    make(2);
    open();
    nodes[0].state = NodeState::unreachable;
    step();
    EXPECT_EQ(desk->active(), 1);
    EXPECT_EQ(ended_polls, std::vector<std::size_t>{0});
    answer(1, template_on(nodes[1].tip, 1));
    ASSERT_EQ(deliveries.size(), 2u);
    EXPECT_EQ(deliveries[1].reason, DeliveryReason::other_node);
    nodes[0].state = NodeState::up;
    step();
    EXPECT_EQ(desk->active(), 1);
    step(settings.return_after_ms);
    EXPECT_EQ(desk->active(), 0);
    EXPECT_EQ(switches, (std::vector<int>{0, 1, 0}));
}

struct BadStateCase {
    const char* name;
    std::function<void(DeskTest&)> spoil;
    std::int64_t after_ms;
};

TEST_F(DeskTest, LeavesANodeThatIsNotWell) {
    const auto state = [](NodeState bad) {
        return [bad](DeskTest& test) { test.nodes[0].state = bad; };
    };
    const BadStateCase cases[] = {
        {"syncing", state(NodeState::syncing), 0},
        {"wrong chain", state(NodeState::wrong_chain), 0},
        {"unauthorized", state(NodeState::unauthorized), 0},
        {"unreachable", state(NodeState::unreachable), 0},
        {"hangs", [](DeskTest& test) { test.nodes[0].probe_started_ms = test.now_ms; },
         settings.hang_ms},
        {"lags", [](DeskTest& test) { test.nodes[1].tip = tip_at(101); }, settings.lag_grace_ms},
        {"no template", [](DeskTest& test) { test.fail(0, RpcErrorKind::not_connected); }, 0},
        {"bad template", [](DeskTest& test) { test.fail(0, RpcErrorKind::malformed, true); }, 0},
        {"contradicts itself",
         [](DeskTest& test) {
             auto lie =
                 std::make_shared<job::BlockTemplate>(*test.template_on(test.nodes[0].tip, 0));
             lie->height += 100;
             test.answer(0, lie);
         },
         0},
    };
    for (const auto& one : cases) {
        deliveries.clear();
        make(2);
        open();
        one.spoil(*this);
        step(0);
        if (one.after_ms > 0) {
            EXPECT_EQ(desk->active(), 0) << one.name;
        }
        step(one.after_ms);
        EXPECT_EQ(desk->active(), 1) << one.name;
    }
}

TEST_F(DeskTest, ANodeThatLiesAboutItsHeightDrawsNobodyAway) {
    make(2);
    open();
    nodes[1].tip.height = 900;
    nodes[1].tip.chainwork = base::U256{1'000'000};
    step();
    step(settings.lag_grace_ms);
    ASSERT_EQ(desk->active(), 1);
    answer(1, template_on(tip_at(100), 1));
    EXPECT_EQ(desk->active(), 0);
    EXPECT_EQ(deliveries.size(), 1u);
    EXPECT_NE(desk->template_error(1).find("contradicts"), std::string::npos);
    step(settings.return_after_ms);
    EXPECT_EQ(desk->active(), 0);
}

TEST_F(DeskTest, TriesANodeWhoseTemplateFailedAgain) {
    make(2);
    open();
    fail(0, RpcErrorKind::initial_download);
    ASSERT_EQ(desk->active(), 1);
    fetches.clear();
    step(10'000);
    EXPECT_NE(std::ranges::find(fetches, 0u), fetches.end());
    answer(0, template_on(nodes[0].tip, 0));
    step(settings.return_after_ms);
    EXPECT_EQ(desk->active(), 0);
}

TEST_F(DeskTest, KeepsTheOnlyNodeWhenNoneIsBetter) {
    make(1);
    open();
    fail(0, RpcErrorKind::not_connected);
    EXPECT_EQ(desk->active(), 0);
    fetches.clear();
    step(settings.template_retry_ms);
    EXPECT_EQ(fetches, std::vector<std::size_t>{0});
}

TEST_F(DeskTest, WaitsAtStartForThePreferredNodeToAnswer) {
    make(2);
    nodes[0].state = NodeState::unknown;
    step();
    EXPECT_EQ(desk->active(), ActiveChooser::kNone);
    step(settings.hang_ms);
    EXPECT_EQ(desk->active(), 1);
}

TEST_F(DeskTest, RefreshesTheTimeEvenWithoutANodeButNotForever) {
    make(1);
    open();
    nodes[0].state = NodeState::unreachable;
    for (int i = 1; i <= 20; ++i) {
        step(settings.refresh_ms);
        ASSERT_EQ(deliveries.size(), 1u + static_cast<std::size_t>(i));
        EXPECT_EQ(deliveries.back().reason, DeliveryReason::refresh);
        EXPECT_EQ(deliveries.back().content->current_time,
                  kTime + 1'000 + 30 * static_cast<std::uint32_t>(i));
    }
    step(settings.refresh_ms);
    EXPECT_EQ(deliveries.size(), 21u);
    EXPECT_TRUE(desk->stale());
    nodes[0].state = NodeState::up;
    step();
    answer(0, template_on(nodes[0].tip, 0));
    EXPECT_EQ(deliveries.size(), 22u);
    EXPECT_FALSE(desk->stale());
    EXPECT_EQ(stale_reports, (std::vector<bool>{true, false}));
}

TEST_F(DeskTest, DeliversBetterFeesButNotTooOften) {
    make(1);
    open(1'000);
    step(settings.template_poll_ms);
    answer(0, template_on(nodes[0].tip, 0, 1'040));
    EXPECT_EQ(deliveries.size(), 1u) << "less than five percent";
    step(settings.template_poll_ms);
    answer(0, template_on(nodes[0].tip, 0, 1'060));
    ASSERT_EQ(deliveries.size(), 2u);
    EXPECT_EQ(deliveries[1].reason, DeliveryReason::better_fees);
    answer(0, template_on(nodes[0].tip, 0, 5'000), true);
    EXPECT_EQ(deliveries.size(), 2u) << "too soon after the last";
    step(settings.template_poll_ms);
    EXPECT_EQ(fetches.size(), 4u);
}

TEST_F(DeskTest, ALongPollThatReturnsAtOnceIsNotRepeatedAtOnce) {
    make(1);
    open();
    answer(0, template_on(nodes[0].tip, 0), true);
    EXPECT_EQ(polls.size(), 1u);
    step(2'000);
    EXPECT_EQ(polls.size(), 2u);
    nodes[0].tip = tip_at(101);
    answer(0, template_on(nodes[0].tip, 0), true);
    EXPECT_EQ(polls.size(), 3u) << "a new block may come at any moment";
}

TEST_F(DeskTest, ATemplateOnATipTheNodeDoesNotShowYetWaitsForTheProbe) {
    make(1);
    open();
    const auto next = tip_at(101);
    kicks.clear();
    desk->on_template(0, true, template_on(next, 0), now_ms);
    desk->step(nodes, now_ms);
    EXPECT_EQ(deliveries.size(), 1u);
    EXPECT_EQ(kicks, std::vector<std::size_t>{0});
    nodes[0].tip = next;
    step(1);
    ASSERT_EQ(deliveries.size(), 2u);
    EXPECT_TRUE(deliveries[1].content->complete);
}

TEST_F(DeskTest, UsesAnotherNodeWhenGetblocktemplateHangsButTheProbesDoNot) {
    make(2);
    open();
    step(settings.template_poll_ms);  // a fetch begins and is not answered
    step(settings.slow_template_ms - 1);
    EXPECT_EQ(desk->active(), 0);
    step(1);
    EXPECT_EQ(desk->active(), 1);
    EXPECT_EQ(failures, std::vector<std::string>{"getblocktemplate takes longer than 2000 ms"});
    answer(1, template_on(nodes[1].tip, 1));
    EXPECT_EQ(deliveries.back().content->node, "n1");
    // The late answer does not bring the node back, a trial in time does.
    answer(0, template_on(nodes[0].tip, 0));
    EXPECT_FALSE(desk->template_error(0).empty());
    EXPECT_EQ(failures.size(), 1u) << "said once";
    step(settings.return_after_ms);
    EXPECT_EQ(desk->active(), 1);
    fetches.clear();
    step(10'000);
    ASSERT_NE(std::ranges::find(fetches, 0u), fetches.end());
    answer(0, template_on(nodes[0].tip, 0));
    step(settings.return_after_ms);
    EXPECT_EQ(desk->active(), 0);
}

TEST_F(DeskTest, WaitsForASlowTemplateWhenNoOtherNodeIsWell) {
    make(2);
    nodes[1].state = NodeState::unreachable;
    step(settings.hang_ms);
    step(settings.slow_template_ms * 3);
    EXPECT_EQ(desk->active(), 0);
    answer(0, template_on(nodes[0].tip, 0));
    EXPECT_EQ(deliveries.size(), 1u);
}

TEST_F(DeskTest, LeavesANodeWhoseTemplatesKeepBuildingOnAnotherBlockThanItsBest) {
    make(2);
    open();
    const auto old_tip = nodes[0].tip;
    nodes[0].tip = nodes[1].tip = tip_at(101);
    const auto began_ms = now_ms;
    auto answered = fetches.size();
    while (desk->active() == 0 && now_ms - began_ms < 20'000) {
        step(100);
        if (fetches.size() == answered) continue;
        answered = fetches.size();
        desk->on_template(0, false, template_on(old_tip, 0), now_ms);
    }
    EXPECT_EQ(desk->active(), 1);
    EXPECT_GE(now_ms - began_ms, 5'000) << "a race between two calls is no reason";
    EXPECT_LT(fetches.size(), 20u);
    EXPECT_EQ(desk->template_error(0),
              fmt::format("its templates build on {}, but its best block is {}",
                          old_tip.hash.rpc_hex(), nodes[0].tip.hash.rpc_hex()));
}

TEST_F(DeskTest, FollowsABlockOnTheLastOneWhateverWorkALiarHadGivenThat) {
    make(2);
    nodes[0].tip.chainwork = base::U256{1'000'000'000};
    open();
    nodes[0].state = NodeState::unreachable;
    nodes[1].tip = tip_at(101);
    step();
    ASSERT_EQ(desk->active(), 1);
    EXPECT_EQ(deliveries.back().content->previous, nodes[1].tip.hash);
    answer(1, template_on(nodes[1].tip, 1));
    EXPECT_TRUE(deliveries.back().content->complete);
}

TEST_F(DeskTest, BelievesTheSmallerWorkWhenTwoNodesDifferAboutOneBlock) {
    make(2);
    nodes[0].tip.chainwork = base::U256{1'000'000'000};
    open();
    step();
    EXPECT_EQ(desk->last()->tip.chainwork, tip_at(100).chainwork);
    nodes[0].state = NodeState::unreachable;
    nodes[1].tip = tip_at(102);  // two blocks on, so that it does not follow directly
    step();
    answer(1, template_on(nodes[1].tip, 1));
    EXPECT_EQ(deliveries.back().content->previous, nodes[1].tip.hash);
}

TEST_F(DeskTest, TakesOverTheLastDeliveryOfAnotherDesk) {
    make(1);
    nodes[0].tip = tip_at(101);
    open();
    const Offer before = *desk->last();
    deliveries.clear();
    make(1);
    desk->resume(before);
    step();
    ASSERT_EQ(deliveries.size(), 1u);
    EXPECT_EQ(deliveries[0].reason, DeliveryReason::refresh);
    answer(0, template_on(nodes[0].tip, 0));
    EXPECT_EQ(deliveries.size(), 1u) << "less work than what was delivered before";
    nodes[0].tip = tip_at(101, 1);
    step();
    answer(0, template_on(nodes[0].tip, 0));
    EXPECT_EQ(deliveries.back().content->previous, nodes[0].tip.hash);
}

}  // namespace
}  // namespace adit::node
