// Several nodes: the pool leaves one that dies, hangs or lies, goes on with another, and comes
// back; the miners notice nothing but new work.
#include "sim/signer.h"
#include "tests/bcoin/bcoin_node.h"
#include "tests/support/agreement.h"
#include "tests/support/crew.h"
#include "tests/support/sim_host.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pool.h"
#include "tests/support/wait.h"

#include <gtest/gtest.h>

namespace adit::tests {
namespace {

NodeLogin login_of_bcoin(const BcoinNode& node, std::string name) {
    return {std::move(name), node.url(), node.user(), node.password(), ""};
}

// Two embedded nodes that tell each other of blocks, a pool that prefers the first, a miner.
struct TwoSims {
    SimHost first{rules_with_block_hashes(20'000)};
    SimHost second{rules_with_block_hashes(20'000)};
    TempDir dir;
    std::unique_ptr<TestPool> pool;
    Crew crew;

    explicit TwoSims(sim::SimFault at_start = sim::SimFault::none) {
        first->relay_to(*second);
        second->relay_to(*first);
        first->generate(10, other_script());
        first->set_fault(at_start);
        PoolSetup setup;
        setup.data_dir = dir.path() / "data";
        setup.nodes = {login_of(*first, "first"), login_of(*second, "second")};
        setup.difficulty = 1e-7;  // about 430 hashes
        pool = std::make_unique<TestPool>(setup);
        crew.add({pool->port(), miner_address("a") + ".rig", 20'000});
    }
    ~TwoSims() {
        crew.stop(0);
        // Nobody tells anybody of anything while they end.
        first->stop();
        second->stop();
    }
    bool uses(std::string_view node) {
        return eventually([&] { return pool->summary().node == node; });
    }
    // Shares are answered true and the second node's chain grows.
    bool goes_on() {
        const auto shares = crew.book().accepted();
        const auto height = second->height();
        return eventually([&] {
            return crew.book().accepted() >= shares + 10 && second->height() >= height + 2;
        });
    }
};

class Misbehaving : public ::testing::TestWithParam<std::pair<const char*, sim::SimFault>> {};

TEST_P(Misbehaving, FirstNodeIsLeftForTheSecondAndTakenBackWhenItIsWell) {
    TwoSims run;
    ASSERT_TRUE(run.uses("first")) << run.pool->log_text();
    ASSERT_TRUE(run.goes_on()) << run.pool->log_text();
    run.first->set_fault(GetParam().second);
    EXPECT_TRUE(run.uses("second")) << run.pool->log_text();
    EXPECT_TRUE(run.goes_on()) << run.pool->log_text();
    run.first->set_fault(sim::SimFault::none);
    EXPECT_TRUE(run.uses("first")) << run.pool->log_text();
    EXPECT_TRUE(run.goes_on()) << run.pool->log_text();
    EXPECT_EQ(run.crew.reconnects(), 0U);
    run.crew.stop();
    ASSERT_TRUE(run.pool->stop());
    expect_agreement(run.dir.path() / "data", run.crew.book());
}

INSTANTIATE_TEST_SUITE_P(
    Failover, Misbehaving,
    ::testing::Values(std::pair{"Hangs", sim::SimFault::hang},
                      std::pair{"RefusesConnections", sim::SimFault::refuse_connections},
                      std::pair{"Lags", sim::SimFault::lag},
                      std::pair{"TruncatesReplies", sim::SimFault::truncated_reply},
                      std::pair{"TalksNonsense", sim::SimFault::absurd_json},
                      std::pair{"LiesAboutItsHeight", sim::SimFault::wrong_height},
                      std::pair{"ChangesChain", sim::SimFault::wrong_chain},
                      std::pair{"IsSyncing", sim::SimFault::initial_download}),
    [](const auto& row) { return row.param.first; });

TEST(Failover, ANodeThatLiesAboutItsHeightFromTheStartIsLeftUntilItTellsTheTruth) {
    TwoSims run(sim::SimFault::wrong_height);
    EXPECT_TRUE(run.uses("second")) << run.pool->log_text();
    EXPECT_TRUE(run.goes_on()) << run.pool->log_text();
    EXPECT_TRUE(eventually([&] { return run.pool->summary().blocks_accepted >= 2; }));
    EXPECT_TRUE(run.uses("second")) << run.pool->log_text();
    EXPECT_EQ(run.pool->metric("adit_node_doubted{node=\"first\"}"), 1);
    EXPECT_EQ(run.pool->metric("adit_node_doubted{node=\"second\"}"), 0);
    EXPECT_GE(run.pool->logged("its coinbase and the headers since prove"), 1U);
    run.first->set_fault(sim::SimFault::none);
    EXPECT_TRUE(run.uses("first")) << run.pool->log_text();
    EXPECT_TRUE(run.goes_on()) << run.pool->log_text();
    EXPECT_EQ(run.pool->logged("the node's answers agree again"), 1U);
    EXPECT_EQ(run.crew.reconnects(), 0U);
    run.crew.stop();
    ASSERT_TRUE(run.pool->stop());
    expect_agreement(run.dir.path() / "data", run.crew.book());
}

TEST(Failover, ATemplateThatLacksATransactionIsNotMined) {
    TwoSims run;
    const auto key = sim::SimKey::from_seed("a wallet");
    const auto funded = run.first->generate(1, key.p2wpkh_script()).at(0);
    run.first->generate(100, other_script());
    constexpr std::int32_t kGrown = 111;
    run.first->with_chain([&](sim::SimChain& chain) {
        const auto& coinbase = chain.find(funded)->block->transactions[0];
        chain::Transaction spend;
        spend.inputs.emplace_back().previous = {coinbase.txid(), 0};
        spend.outputs.push_back({coinbase.outputs[0].value_sat - 5'000, key.p2wpkh_script()});
        key.sign(spend, 0, coinbase.outputs[0]);
        ASSERT_EQ(chain.accept_transaction(spend), sim::Verdict::accepted);
    });
    ASSERT_TRUE(run.uses("first"));
    run.first->set_fault(sim::SimFault::drop_transaction);
    // A block makes the pool ask again; the second node's templates are whole.
    EXPECT_TRUE(run.goes_on()) << run.pool->log_text();
    EXPECT_EQ(run.crew.reconnects(), 0U);
    run.crew.stop();
    ASSERT_TRUE(run.pool->stop());
    const auto log = expect_agreement(run.dir.path() / "data", run.crew.book());
    // While the chain grew by a hundred blocks, one of ours may have come too late.
    const auto overtaken =
        std::ranges::count_if(log.blocks, [](const auto& block) { return block.height <= kGrown; });
    EXPECT_LE(run.pool->metric("adit_blocks_refused_total"), overtaken) << run.pool->log_text();
    for (const auto& block : log.blocks)
        EXPECT_TRUE(run.second.holds(block.hash)) << block.hash.rpc_hex();
}

TEST(Failover, OneOfTwoBcoinsIsKilledAndAnotherHangs) {
    BcoinNode first;
    const BcoinNode second;
    first.connect_to(second);
    const TempDir dir;
    PoolSetup setup;
    setup.data_dir = dir.path() / "data";
    setup.nodes = {login_of_bcoin(first, "first"), login_of_bcoin(second, "second")};
    TestPool pool(setup);
    Crew crew;
    crew.add({pool.port(), miner_address("a") + ".rig", 8});
    const auto uses = [&](std::string_view node) {
        return eventually([&] { return pool.summary().node == node; });
    };
    const auto goes_on = [&] { return second.wait_for_height(second.height() + 3); };
    ASSERT_TRUE(uses("first")) << pool.log_text();
    ASSERT_TRUE(goes_on()) << pool.log_text();

    first.suspend();
    EXPECT_TRUE(uses("second")) << pool.log_text();
    EXPECT_TRUE(goes_on()) << pool.log_text();
    first.resume();
    EXPECT_TRUE(uses("first")) << pool.log_text();

    first.kill();
    EXPECT_TRUE(uses("second")) << pool.log_text();
    EXPECT_TRUE(goes_on()) << pool.log_text();
    // It comes back with nothing and learns the chain from the other.
    first.restart();
    first.connect_to(second);
    EXPECT_TRUE(uses("first")) << pool.log_text();
    EXPECT_TRUE(goes_on()) << pool.log_text();
    EXPECT_EQ(crew.reconnects(), 0U);

    crew.stop();
    ASSERT_TRUE(pool.stop());
    const auto script = base::to_hex(pool_script());
    for (std::int32_t height = 1; height <= second.height(); ++height)
        EXPECT_EQ(second.coinbase_scripts(height).at(0), script) << height;
    expect_agreement(dir.path() / "data", crew.book());
}

}  // namespace
}  // namespace adit::tests
