// What becomes of found blocks, with real nodes: confirmed, reorganised away, orphaned only when
// every node agrees, credited again when they come back; nodes that lie, hang or are of another
// kind.
#include "manager/block_ledger_testing.h"
#include "manager/settler.h"
#include "tests/bcoin/bcoin_node.h"
#include "tests/support/pool_setup.h"
#include "tests/support/sim_host.h"
#include "tests/support/wait.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace adit::tests {
namespace {

using ledger::BlockState;
using manager::testing::BlockLedger;

constexpr std::int32_t kHeight = 11;  // of the own block
constexpr std::int64_t kReward = 5'000'000'000;
constexpr std::int32_t kMaturity = 8;

// Blocks of one chain, from one height to another, to a node.
void hand_over(SimHost& from, SimHost& to, std::int32_t first, std::int32_t last) {
    for (auto height = first; height <= last; ++height)
        to->receive(from.block(height));
    const auto hash = from.block(last)->header.hash();
    ASSERT_TRUE(eventually([&] { return to.holds(hash); }));
}

// A settler whose rounds the test orders.
class Settling {
 public:
    explicit Settling(std::vector<node::NodeSettings> nodes, std::int32_t alone = 100) {
        node::BlockWatchSettings settings;
        settings.network = chain::Network::regtest;
        settings.nodes = std::move(nodes);
        settings.rules = {.maturity = kMaturity, .void_depth = 6, .void_depth_alone = alone};
        settings.interval_ms = 1'000'000'000;
        settings.timeout_ms = 500;
        settler_.emplace(settings, books, books, registry_, clock_, logger_);
        settler_->start();
        EXPECT_TRUE(eventually([&] { return settler_->rounds() >= 1; }));
    }
    ~Settling() { settler_->stop(); }

    void round() {
        const auto before = settler_->rounds();
        settler_->kick();
        ASSERT_TRUE(eventually([&] { return settler_->rounds() > before; }));
    }
    // The facts so far, after another round.
    std::string story() {
        round();
        return books.story();
    }
    void expect_balance(std::int64_t pending_sat, std::int64_t posted_sat) {
        const auto balance = books.balance();
        EXPECT_EQ(balance.pending.sat(), pending_sat);
        EXPECT_EQ(balance.posted.sat(), posted_sat);
    }

    BlockLedger books;

 private:
    base::SystemClock clock_;
    base::Logger logger_{base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}};
    metrics::Registry registry_;
    std::optional<manager::Settler> settler_;
};

// Two nodes that the pool asks and the rest of the network, which mines a branch of its own. The
// nodes hear of nothing but what the test hands over.
class SettlementTest : public ::testing::Test {
 protected:
    void SetUp() override {
        rest->generate(kHeight - 1, other_script());
        for (auto* node : {&first, &second})
            hand_over(rest, *node, 1, kHeight - 1);
        own = first->generate(1, pool_script()).at(0);
        hand_over(first, second, kHeight, kHeight);
        settling.emplace(std::vector{settings_of(login_of(*first, "first")),
                                     settings_of(login_of(*second, "second"))});
        settling->books.add(own, kHeight);
    }
    // The own branch grows by these, on both nodes.
    void grow(int blocks) {
        const auto height = first->height();
        first->generate(blocks, other_script());
        hand_over(first, second, height + 1, height + blocks);
    }
    // The network's branch is `depth` blocks long from the own block's height on; a node gets it.
    void reorganise(SimHost& node, std::int32_t depth) {
        const auto last = kHeight + depth - 1;
        if (rest->height() < last) rest->generate(last - rest->height(), other_script());
        hand_over(rest, node, kHeight, last);
    }
    BlockState state() { return settling->books.row(own).state; }

    SimHost first{sim::SimParams::regtest(), false};
    SimHost second{sim::SimParams::regtest(), false};
    SimHost rest{sim::SimParams::regtest(), false};
    chain::Hash256 own;
    std::optional<Settling> settling;
};

TEST_F(SettlementTest, ABlockIsConfirmedAndMatures) {
    EXPECT_EQ(settling->story(), "confirmed");
    settling->expect_balance(kReward, 0);
    grow(kMaturity - 2);
    EXPECT_EQ(settling->story(), "confirmed");
    grow(1);
    EXPECT_EQ(settling->story(), "confirmed mature");
    settling->expect_balance(0, kReward);
    grow(5);
    EXPECT_EQ(settling->story(), "confirmed mature");
}

TEST_F(SettlementTest, IsOrphanedOnlyWhenBothNodesAgreeAndCreditedAgainWhenItComesBack) {
    EXPECT_EQ(settling->story(), "confirmed");
    // Six deep on the first node; the second has the block still.
    reorganise(first, 6);
    EXPECT_EQ(settling->story(), "confirmed contested");
    EXPECT_EQ(settling->story(), "confirmed contested");
    settling->expect_balance(kReward, 0);
    // Five deep on the second, then six.
    reorganise(second, 5);
    EXPECT_EQ(settling->story(), "confirmed contested");
    reorganise(second, 6);
    EXPECT_EQ(settling->story(), "confirmed contested orphaned");
    settling->expect_balance(0, 0);
    // The own branch overtakes.
    first->with_chain([&](sim::SimChain& chain) {
        ASSERT_TRUE(chain.invalidate(chain.at_height(kHeight)->hash));
        ASSERT_EQ(chain.tip().hash, own);
    });
    grow(6);
    ASSERT_TRUE(second.in_best_chain(own));
    EXPECT_EQ(settling->story(), "confirmed contested orphaned confirmed");
    settling->expect_balance(kReward, 0);
    grow(1);
    EXPECT_EQ(settling->story(), "confirmed contested orphaned confirmed mature");
    settling->expect_balance(0, kReward);
    EXPECT_EQ(settling->books.refused_facts(), 0);
}

TEST_F(SettlementTest, APostedBlockThatIsReorganisedAwayIsReversed) {
    grow(kMaturity - 1);
    EXPECT_EQ(settling->story(), "confirmed mature");
    settling->expect_balance(0, kReward);
    reorganise(first, kMaturity + 1);
    EXPECT_EQ(settling->story(), "confirmed mature contested");
    settling->expect_balance(0, kReward);
    reorganise(second, kMaturity + 1);
    EXPECT_EQ(settling->story(), "confirmed mature contested orphaned");
    settling->expect_balance(0, 0);
}

TEST_F(SettlementTest, ABlockThatNoNodeEverHadIsGivenUpOnceItIsBuried) {
    SimHost lonely{sim::SimParams::regtest(), false};
    hand_over(rest, lonely, 1, kHeight - 1);
    const auto lost = lonely->generate(1, other_script()).at(0);
    ASSERT_NE(lost, own);
    settling->books.add(lost, kHeight);
    EXPECT_EQ(settling->story(), "confirmed");
    EXPECT_EQ(settling->books.row(lost).state, BlockState::found);
    grow(5);
    settling->round();
    EXPECT_EQ(settling->books.row(lost).state, BlockState::orphaned);
    settling->expect_balance(kReward, 0);
}

TEST_F(SettlementTest, ANodeThatKeepsToAnotherBranchKeepsTheBlockFromBeingPosted) {
    EXPECT_EQ(settling->story(), "confirmed");
    // The second node follows a branch that the first never hears of.
    reorganise(second, 3);
    EXPECT_EQ(settling->story(), "confirmed") << "nothing is posted yet";
    first->generate(kMaturity - 1, other_script());
    EXPECT_EQ(settling->story(), "confirmed contested");
    first->generate(20, other_script());
    EXPECT_EQ(settling->story(), "confirmed contested");
    settling->expect_balance(kReward, 0);
    hand_over(first, second, kHeight + 1, first->height());
    EXPECT_EQ(settling->story(), "confirmed contested confirmed mature");
    settling->expect_balance(0, kReward);
}

TEST_F(SettlementTest, ClaimedHeightsMatureNothing) {
    for (auto* node : {&first, &second})
        (*node)->set_fault(sim::SimFault::wrong_height);
    grow(kMaturity - 3);
    EXPECT_EQ(settling->story(), "confirmed") << "five more are claimed than there are";
}

class WhileANodeFails
    : public SettlementTest,
      public ::testing::WithParamInterface<std::pair<const char*, sim::SimFault>> {};

TEST_P(WhileANodeFails, ABuriedBlockStaysContestedAndNothingMoves) {
    EXPECT_EQ(settling->story(), "confirmed");
    for (auto* node : {&first, &second})
        reorganise(*node, 8);
    second->set_fault(GetParam().second);
    EXPECT_EQ(settling->story(), "confirmed contested");
    EXPECT_EQ(settling->story(), "confirmed contested");
    settling->expect_balance(kReward, 0);
    second->set_fault(sim::SimFault::none);
    EXPECT_EQ(settling->story(), "confirmed contested orphaned");
    settling->expect_balance(0, 0);
}

INSTANTIATE_TEST_SUITE_P(
    Settlement, WhileANodeFails,
    ::testing::Values(std::pair{"Hangs", sim::SimFault::hang},
                      std::pair{"RefusesConnections", sim::SimFault::refuse_connections},
                      std::pair{"WarmsUp", sim::SimFault::warming_up},
                      std::pair{"Lags", sim::SimFault::lag},
                      std::pair{"TruncatesReplies", sim::SimFault::truncated_reply},
                      std::pair{"TalksNonsense", sim::SimFault::absurd_json},
                      std::pair{"RefusesThePassword", sim::SimFault::wrong_credentials},
                      std::pair{"ChangesChain", sim::SimFault::wrong_chain}),
    [](const auto& row) { return row.param.first; });

// bcoin counts confirmations from the height, on side branches too, and has error codes of its own.
TEST(SettlementWithBcoin, ASideBranchIsNoConfirmation) {
    SimHost ours(sim::SimParams::bcoin_regtest(), false);
    SimHost rest(sim::SimParams::bcoin_regtest(), false);
    rest->generate(kHeight - 1, other_script());
    hand_over(rest, ours, 1, kHeight - 1);
    const auto own = ours->generate(1, pool_script()).at(0);
    const BcoinNode bcoin;
    const auto feed = [&](SimHost& from, std::int32_t first, std::int32_t last) {
        for (auto height = first; height <= last; ++height)
            bcoin.submit_block(from.block(height)->serialize());
        ASSERT_EQ(bcoin.best_hash(), from.block(last)->header.hash().rpc_hex());
    };
    feed(ours, 1, kHeight);
    Settling settling({settings_of({"bcoin", bcoin.url(), bcoin.user(), bcoin.password(), ""})},
                      kMaturity + 2);
    settling.books.add(own, kHeight);
    EXPECT_EQ(settling.story(), "confirmed");
    settling.expect_balance(kReward, 0);
    // The rest of the network is ahead; by bcoin's own count the block would be mature.
    rest->generate(kMaturity + 1, other_script());
    feed(rest, kHeight, kHeight + kMaturity);
    EXPECT_GE(bcoin.call("getblockheader", {own.rpc_hex(), true})["confirmations"], kMaturity);
    EXPECT_EQ(settling.story(), "confirmed contested");
    settling.expect_balance(kReward, 0);
    rest->generate(1, other_script());
    feed(rest, kHeight + kMaturity + 1, kHeight + kMaturity + 1);
    EXPECT_EQ(settling.story(), "confirmed contested orphaned");
    settling.expect_balance(0, 0);
    // One that bcoin never heard of.
    const auto lost = ours->generate(1, pool_script()).at(0);
    settling.books.add(lost, kHeight + 1);
    settling.round();
    EXPECT_EQ(settling.books.row(lost).state, BlockState::found) << "nine deep only";
    rest->generate(1, other_script());
    feed(rest, kHeight + kMaturity + 2, kHeight + kMaturity + 2);
    settling.round();
    EXPECT_EQ(settling.books.row(lost).state, BlockState::orphaned);
}

}  // namespace
}  // namespace adit::tests
