// What makes the desk leave a node that is up and gives templates: what it says is wrong.
#include "node/template_desk_testing.h"

namespace adit::node {
namespace {

using testing::DeskTest;

// A node that says of the true tip that it is five blocks higher, in all its answers.
Tip lie_about(Tip tip) {
    tip.height += 5;
    return tip;
}

TEST_F(DeskTest, LeavesANodeThatIsProvenWrongAboutItsHeightUntilItAgrees) {
    make(2);
    nodes[0].tip = lie_about(nodes[0].tip);
    open();
    EXPECT_EQ(desk->active(), 0) << "nobody knows better yet";
    EXPECT_EQ(proofs_wanted, (std::vector<std::size_t>{0, 1, 0, 1}));
    prove(1, 100);
    step();
    EXPECT_EQ(desk->active(), 1);
    EXPECT_NE(desk->doubt(0).find("has height 105, but its coinbase"), std::string::npos);
    EXPECT_TRUE(desk->doubt(1).empty());
    answer(1, template_on(nodes[1].tip, 1));
    ASSERT_EQ(deliveries.size(), 2u);
    EXPECT_EQ(deliveries[1].reason, DeliveryReason::other_node);
    EXPECT_EQ(deliveries[1].content->height, 101);
    // The next block follows a known one: no proof is needed to know better.
    proofs_wanted.clear();
    nodes[1].tip = tip_at(101);
    nodes[0].tip = lie_about(tip_at(101));
    step(settings.return_after_ms);
    EXPECT_EQ(desk->active(), 1);
    EXPECT_TRUE(proofs_wanted.empty());
    EXPECT_EQ(doubts.size(), 1u) << "said once";
    nodes[0].tip = tip_at(101);
    step();
    step(settings.return_after_ms);
    EXPECT_EQ(desk->active(), 0);
    EXPECT_TRUE(desk->doubt(0).empty());
    EXPECT_EQ(doubts.back(), "");
}

TEST_F(DeskTest, ALiarDrawsNoTemplatesEvenWhenHeightsAreAllThatNodesSay) {
    make(2);
    nodes[0].tip.chainwork = nodes[1].tip.chainwork = {};  // as btcd
    prove(0, 100);
    open();
    nodes[1].tip.height = 900;
    step();
    step(settings.lag_grace_ms);
    step(settings.lag_grace_ms);
    EXPECT_EQ(desk->active(), 0);
    EXPECT_FALSE(desk->doubt(1).empty());
}

TEST_F(DeskTest, KeepsTheOnlyNodeThatIsWrongAboutItsHeightButSaysSo) {
    make(1);
    nodes[0].tip = lie_about(nodes[0].tip);
    open();
    prove(0, 100);
    step();
    EXPECT_EQ(desk->active(), 0);
    EXPECT_FALSE(desk->doubt(0).empty());
    EXPECT_EQ(doubts.size(), 1u);
}

TEST_F(DeskTest, LeavesANodeWhoseBlocksAreRefusedForTheirHeight) {
    make(2);
    nodes[0].tip = lie_about(nodes[0].tip);
    open();
    desk->on_refused_template(fault(nodes[0].tip, true), nodes);
    step();
    EXPECT_EQ(desk->active(), 1);
    EXPECT_NE(desk->doubt(0).find("a block made for it was refused"), std::string::npos);
    nodes[0].tip.height = 100;
    step();
    step(settings.return_after_ms);
    EXPECT_EQ(desk->active(), 0);
}

TEST_F(DeskTest, ARefusalForTheHeightDoesNotStandAgainstAProof) {
    make(2);
    prove(0, 100);
    open();
    desk->on_refused_template(fault(nodes[0].tip, true), nodes);
    step();
    EXPECT_EQ(desk->active(), 0);
    EXPECT_TRUE(desk->doubt(0).empty());
}

TEST_F(DeskTest, LeavesANodeWhoseBlocksAreRefusedForTheirPreviousBlockUntilItLeavesThat) {
    make(2);
    nodes[0].tip = tip_at(100, 1);
    open();
    desk->on_refused_template(fault(nodes[0].tip, false), nodes);
    step();
    EXPECT_EQ(desk->active(), 1);
    EXPECT_EQ(desk->doubt(0), "n1 refused a block on its template: bad-prevblk");
    nodes[0].tip = tip_at(101, 1);  // goes on where it was
    step(settings.return_after_ms);
    EXPECT_EQ(desk->active(), 1);
    nodes[0].tip = nodes[1].tip = tip_at(102);
    step();
    step(settings.return_after_ms);
    EXPECT_EQ(desk->active(), 0);
    EXPECT_TRUE(desk->doubt(0).empty());
}

}  // namespace
}  // namespace adit::node
