#include "sim/sim_chain.h"

#include "sim/block_builder.h"
#include "sim/block_cases.h"

#include <gtest/gtest.h>

namespace adit::sim {
namespace {

void expect_all_verdicts(SimParams params, std::int32_t height) {
    const base::ManualClock clock;
    SimChain chain(params, clock);
    grow_to(chain, height);
    for (const auto& row : block_cases()) {
        if (!applies(row, chain)) continue;
        SCOPED_TRACE(row.name);
        const CaseBuilder builder(chain);
        const auto blocks = row.make(builder);
        const auto tip_before = chain.tip().hash;
        for (std::size_t i = 0; i + 1 < blocks.size(); ++i)
            chain.submit(blocks[i]);
        const auto verdict = chain.submit(blocks.back().serialize());
        EXPECT_EQ(text_of(verdict), text_of(row.verdict));
        const auto hash = blocks.back().header.hash();
        EXPECT_EQ(chain.tip().hash, verdict == Verdict::accepted ? hash : tip_before);
    }
}

TEST(SimChain, JudgesEveryCaseUnderCoresRegtestRules) {
    expect_all_verdicts(SimParams::regtest(), 110);
}

TEST(SimChain, JudgesEveryCaseBeforeAndAfterSegwitUnderBcoinsRules) {
    expect_all_verdicts(SimParams::bcoin_regtest(), 110);
    expect_all_verdicts(SimParams::bcoin_regtest(), 435);
}

class SimChainTest : public testing::Test {
 protected:
    chain::Block block_on(const BlockEntry& parent, std::uint64_t extra) const {
        return builder.finish(
            build_block(chain.make_empty_template(parent), builder.key().p2pkh_script(), extra));
    }

    base::ManualClock clock;
    SimChain chain{SimParams::regtest(), clock};
    CaseBuilder builder{chain};
};

TEST_F(SimChainTest, StartsFromRegtestsGenesis) {
    EXPECT_EQ(chain.tip().hash.rpc_hex(),
              "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206");
    EXPECT_EQ(chain.tip().height, 0);
    EXPECT_EQ(chain.coins().size(), 0U);
}

TEST_F(SimChainTest, PaysTheSubsidyAndHalvesIt) {
    EXPECT_EQ(chain.subsidy_sat(1), 5'000'000'000);
    EXPECT_EQ(chain.subsidy_sat(149), 5'000'000'000);
    EXPECT_EQ(chain.subsidy_sat(150), 2'500'000'000);
}

TEST_F(SimChainTest, ReorganisesToTheBranchWithMoreWorkAndReturnsItsTransactions) {
    grow_to(chain, 101);
    const auto& fork = chain.tip();
    const auto spend = builder.spend(builder.mature_coin());
    const auto coins_at_fork = chain.coins().size();
    ASSERT_EQ(chain.submit(builder.finish(builder.with({spend}, CaseBuilder::kFee))),
              Verdict::accepted);
    const auto abandoned = chain.tip().hash;

    const auto rival = block_on(fork, 1);
    ASSERT_EQ(chain.submit(rival), Verdict::inconclusive);
    EXPECT_EQ(chain.tip().hash, abandoned);
    const auto second = block_on(*chain.find(rival.header.hash()), 2);
    ASSERT_EQ(chain.submit(second), Verdict::accepted);

    EXPECT_EQ(chain.tip().hash, second.header.hash());
    EXPECT_FALSE(chain.on_main_chain(*chain.find(abandoned)));
    EXPECT_TRUE(chain.mempool().contains(spend.txid()));
    EXPECT_EQ(chain.coins().size(), coins_at_fork + 2);
    EXPECT_EQ(chain.tips().size(), 2U);
}

TEST_F(SimChainTest, StaysOnItsBranchWhenALongerOneTurnsOutBad) {
    grow_to(chain, 101);
    const auto& fork = chain.tip();
    grow_to(chain, 102);
    const auto good = chain.tip().hash;
    const auto coins = chain.coins().size();
    auto bad = block_on(fork, 1);
    bad.transactions[0].outputs[0].value_sat += 1;
    bad = builder.finish(std::move(bad));
    ASSERT_EQ(chain.submit(bad), Verdict::inconclusive);
    const auto child = block_on(*chain.find(bad.header.hash()), 2);
    EXPECT_EQ(chain.submit(child), Verdict::inconclusive);
    EXPECT_EQ(chain.tip().hash, good);
    EXPECT_EQ(chain.coins().size(), coins);
    EXPECT_TRUE(chain.find(child.header.hash())->failed);
}

TEST_F(SimChainTest, InvalidatesAndReconsidersABlock) {
    grow_to(chain, 105);
    const auto top = chain.tip().hash;
    const auto target = chain.at_height(103)->hash;
    ASSERT_TRUE(chain.invalidate(target));
    EXPECT_EQ(chain.tip().height, 102);
    ASSERT_TRUE(chain.reconsider(target));
    EXPECT_EQ(chain.tip().hash, top);
    EXPECT_FALSE(chain.invalidate(chain.genesis().hash));
    EXPECT_FALSE(chain.reconsider(chain::Hash256{}));
}

TEST_F(SimChainTest, AMutatedBlockDoesNotCondemnItsHeader) {
    grow_to(chain, 101);
    const auto first = builder.spend(builder.mature_coin());
    const auto good =
        builder.finish(builder.with({first, builder.spend_again(first)}, 2 * CaseBuilder::kFee));
    auto mutated = good;
    mutated.transactions[2].inputs[0].witness[0][9] ^= 1;
    EXPECT_EQ(chain.submit(mutated), Verdict::bad_witness_merkle_match);
    EXPECT_EQ(chain.submit(good), Verdict::accepted);
}

TEST_F(SimChainTest, ABlockTooFarAheadIsGoodLater) {
    auto block = builder.base();
    block.header.time += 3 * 3600;
    block = builder.mine(std::move(block));
    EXPECT_EQ(chain.submit(block), Verdict::time_too_new);
    clock.advance_ms(2 * 3600 * 1000);
    EXPECT_EQ(chain.submit(block), Verdict::accepted);
}

TEST_F(SimChainTest, RefusesBytesThatAreNoBlock) {
    EXPECT_EQ(chain.submit(base::Bytes(79)), Verdict::decode_failed);
    auto raw = builder.finish(builder.base()).serialize();
    raw.push_back(0);
    EXPECT_EQ(chain.submit(raw), Verdict::decode_failed);
}

TEST_F(SimChainTest, JudgesProposalsWithoutProofOfWork) {
    grow_to(chain, 101);
    auto block = builder.base();
    refresh_commitments(block);
    EXPECT_EQ(chain.propose(block), Verdict::accepted);
    EXPECT_EQ(chain.tip().height, 101);
    block.transactions[0].outputs[0].value_sat += 1;
    refresh_commitments(block);
    EXPECT_EQ(chain.propose(block), Verdict::bad_cb_amount);
    EXPECT_EQ(chain.propose(*chain.tip().block), Verdict::duplicate);
    block.header.previous = chain.genesis().hash;
    EXPECT_EQ(chain.propose(block), Verdict::inconclusive_not_best_prevblk);
}

TEST_F(SimChainTest, TemplatesCarryTheMempoolParentsFirstAndItsFees) {
    grow_to(chain, 101);
    const auto parent = builder.spend(builder.mature_coin(), 1'000);
    const auto child = builder.spend_again(parent, 50'000);
    ASSERT_EQ(chain.accept_transaction(parent), Verdict::accepted);
    ASSERT_EQ(chain.accept_transaction(child), Verdict::accepted);
    const auto offered = chain.make_template();
    ASSERT_EQ(offered.transactions.size(), 2U);
    EXPECT_EQ(offered.transactions[0].entry->txid, parent.txid());
    EXPECT_EQ(offered.transactions[1].depends, std::vector<std::size_t>{1});
    EXPECT_EQ(offered.coinbase_value_sat, chain.subsidy_sat(102) + 51'000);
    std::uint64_t tries = 1'000'000;
    ASSERT_TRUE(mine_block(chain, builder.key().p2pkh_script(), tries));
    EXPECT_EQ(chain.mempool().size(), 0U);
    EXPECT_EQ(chain.tip().transaction_count, 3U);
}

TEST_F(SimChainTest, RefusesTransactionsForTheMempoolWithTheReason) {
    grow_to(chain, 101);
    const auto coin = builder.mature_coin();
    const auto good = builder.spend(coin);
    auto unsigned_one = builder.unsigned_spend(coin, CaseBuilder::kFee);
    auto late = unsigned_one;
    late.lock_time = 5'000;
    late.inputs[0].sequence = 0;
    auto relative = unsigned_one;
    relative.inputs[0].sequence = 50'000;
    auto unknown = unsigned_one;
    unknown.inputs[0].previous.index = 7;
    const auto& mined = chain.tip().block->transactions[0];
    const std::vector<std::pair<chain::Transaction, Verdict>> rows{
        {mined, Verdict::coinbase},
        {late, Verdict::non_final},
        {relative, Verdict::non_bip68_final},
        {unknown, Verdict::bad_txns_inputs_missingorspent},
        {unsigned_one, Verdict::script_failed},
        {builder.spend(coin, 10), Verdict::min_relay_fee_not_met},
        {builder.spend(builder.immature_coin()), Verdict::bad_txns_premature_spend_of_coinbase},
        {good, Verdict::accepted},
        {good, Verdict::already_in_mempool},
        {builder.spend(coin, 20'000), Verdict::mempool_conflict},
    };
    for (const auto& [transaction, verdict] : rows) {
        EXPECT_EQ(text_of(chain.accept_transaction(transaction)), text_of(verdict));
    }
    std::uint64_t tries = 1'000'000;
    ASSERT_TRUE(mine_block(chain, builder.key().p2pkh_script(), tries));
    EXPECT_EQ(chain.accept_transaction(good), Verdict::already_in_chain);
}

TEST(SimChainLimits, RefusesTransactionsBeyondTheMempoolsBound) {
    const base::ManualClock clock;
    auto params = SimParams::regtest();
    params.max_mempool_transactions = 1;
    SimChain chain(params, clock);
    grow_to(chain, 101);
    const CaseBuilder builder(chain);
    const auto first = builder.spend(builder.mature_coin());
    ASSERT_EQ(chain.accept_transaction(first), Verdict::accepted);
    EXPECT_EQ(chain.accept_transaction(builder.spend_again(first)), Verdict::mempool_full);
}

TEST(SimChainLimits, KeepsOnlyTheConfiguredNumberOfWholeBlocks) {
    const base::ManualClock clock;
    auto params = SimParams::regtest();
    params.keep_blocks = 10;
    SimChain chain(params, clock);
    grow_to(chain, 30);
    EXPECT_FALSE(chain.at_height(20)->block);
    EXPECT_TRUE(chain.at_height(21)->block);
    EXPECT_FALSE(chain.invalidate(chain.at_height(15)->hash));
    EXPECT_TRUE(chain.invalidate(chain.at_height(25)->hash));
    EXPECT_EQ(chain.tip().height, 24);
}

}  // namespace
}  // namespace adit::sim
