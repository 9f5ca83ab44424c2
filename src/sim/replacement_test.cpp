// BIP125: what may replace what in the mempool, one rule a row.
#include "sim/block_cases.h"
#include "sim/tx_rules.h"

#include <gtest/gtest.h>

namespace adit::sim {
namespace {

constexpr std::uint32_t kFinal = 0xffffffff;

class Replacement : public testing::Test {
 protected:
    Replacement() { grow_to(chain, 110); }

    CaseBuilder::Spendable coin(std::int32_t height) const {
        const auto& coinbase = chain.at_height(height)->block->transactions.front();
        return {{coinbase.txid(), 0}, coinbase.outputs[0]};
    }
    // Spends output 0 of the coinbase at each height, then these other outputs of the key, to
    // `outputs` outputs of equal value.
    chain::Transaction spend(const std::vector<CaseBuilder::Spendable>& coins, std::int64_t fee,
                             std::uint32_t sequence, std::size_t outputs = 1) const {
        chain::Transaction made;
        std::int64_t value = -fee;
        for (const auto& spent : coins) {
            auto& input = made.inputs.emplace_back();
            input.previous = spent.outpoint;
            input.sequence = sequence;
            value += spent.output.value_sat;
        }
        const auto share = value / static_cast<std::int64_t>(outputs);
        for (std::size_t i = 0; i < outputs; ++i) {
            made.outputs.push_back({share, builder.key().p2wpkh_script()});
        }
        made.outputs[0].value_sat += value - share * static_cast<std::int64_t>(outputs);
        for (std::size_t i = 0; i < coins.size(); ++i) {
            builder.key().sign(made, i, coins[i].output);
        }
        return made;
    }
    static CaseBuilder::Spendable output(const chain::Transaction& of, std::uint32_t i = 0) {
        return {{of.txid(), i}, of.outputs[i]};
    }
    Verdict accept(const chain::Transaction& transaction) {
        return chain.accept_transaction(transaction);
    }
    static std::int64_t vsize(const chain::Transaction& transaction) {
        return static_cast<std::int64_t>((transaction.weight() + 3) / 4);
    }

    base::ManualClock clock;
    SimChain chain{SimParams::regtest(), clock};
    CaseBuilder builder{chain};
};

TEST_F(Replacement, OnlyWhatSignalsIsReplaced) {
    ASSERT_EQ(accept(spend({coin(1)}, 1'000, kFinal)), Verdict::accepted);
    const auto dearer = spend({coin(1)}, 50'000, kReplaceableSequence);
    EXPECT_EQ(accept(dearer), Verdict::mempool_conflict);
    chain.policy().full_rbf = true;
    EXPECT_EQ(accept(dearer), Verdict::accepted);
    EXPECT_EQ(chain.mempool().size(), 1U);
    EXPECT_TRUE(chain.mempool().contains(dearer.txid()));
}

TEST_F(Replacement, PaysMoreByTheRelayFeeAtLeast) {
    const auto first = spend({coin(1)}, 1'000, kReplaceableSequence);
    ASSERT_EQ(accept(first), Verdict::accepted);
    const auto size = vsize(first);
    EXPECT_EQ(accept(spend({coin(1)}, 1'000 - 1, kFinal)), Verdict::insufficient_fee);
    EXPECT_EQ(accept(spend({coin(1)}, 1'000 + size - 2, kFinal)), Verdict::insufficient_fee);
    const auto second = spend({coin(1)}, 1'000 + size + 1, kFinal);
    EXPECT_EQ(accept(second), Verdict::accepted);
    EXPECT_FALSE(chain.mempool().contains(first.txid()));
    EXPECT_EQ(chain.mempool().fees_sat(), 1'000 + size + 1);
}

TEST_F(Replacement, PaysABetterRateThanEachOfThem) {
    const auto small = spend({coin(1)}, 2'000, kReplaceableSequence);
    ASSERT_EQ(accept(small), Verdict::accepted);
    // A higher fee, but for so many bytes that the rate is lower.
    const auto large = spend({coin(1)}, 5'000, kFinal, 60);
    ASSERT_GT(vsize(large), 10 * vsize(small));
    EXPECT_EQ(accept(large), Verdict::insufficient_fee);
}

TEST_F(Replacement, PaysForTheDescendantsThatLeave) {
    const auto parent = spend({coin(1)}, 1'000, kReplaceableSequence);
    const auto child = spend({output(parent)}, 9'000, kFinal);
    ASSERT_EQ(accept(parent), Verdict::accepted);
    ASSERT_EQ(accept(child), Verdict::accepted);
    EXPECT_EQ(accept(spend({coin(1)}, 9'999, kFinal)), Verdict::insufficient_fee);
    const auto enough = spend({coin(1)}, 10'000 + vsize(parent) + 1, kFinal);
    EXPECT_EQ(accept(enough), Verdict::accepted);
    EXPECT_EQ(chain.mempool().size(), 1U);
}

TEST_F(Replacement, ReplacesSeveralAtOnce) {
    ASSERT_EQ(accept(spend({coin(1)}, 1'000, kReplaceableSequence)), Verdict::accepted);
    ASSERT_EQ(accept(spend({coin(2)}, 1'000, kReplaceableSequence)), Verdict::accepted);
    EXPECT_EQ(accept(spend({coin(1), coin(2)}, 10'000, kFinal)), Verdict::accepted);
    EXPECT_EQ(chain.mempool().size(), 1U);
    EXPECT_EQ(chain.mempool().fees_sat(), 10'000);
}

TEST_F(Replacement, SpendsNothingOfWhatItReplaces) {
    const auto parent = spend({coin(1)}, 1'000, kReplaceableSequence);
    ASSERT_EQ(accept(parent), Verdict::accepted);
    EXPECT_EQ(accept(spend({coin(1), output(parent)}, 90'000, kFinal)),
              Verdict::bad_txns_spends_conflicting_tx);
}

TEST_F(Replacement, AddsNoUnconfirmedInput) {
    const auto other = spend({coin(2)}, 1'000, kFinal, 2);
    const auto first = spend({coin(1), output(other, 0)}, 1'000, kReplaceableSequence);
    ASSERT_EQ(accept(other), Verdict::accepted);
    ASSERT_EQ(accept(first), Verdict::accepted);
    const auto fresh = spend({coin(3)}, 1'000, kFinal);
    ASSERT_EQ(accept(fresh), Verdict::accepted);
    EXPECT_EQ(accept(spend({coin(1), output(fresh)}, 90'000, kFinal)),
              Verdict::replacement_adds_unconfirmed);
    // Another output of a parent that the replaced one had is nothing new.
    EXPECT_EQ(accept(spend({coin(1), output(other, 1)}, 90'000, kFinal)), Verdict::accepted);
    EXPECT_FALSE(chain.mempool().contains(first.txid()));
}

TEST_F(Replacement, EvictsAtMostAHundred) {
    const auto parent = spend({coin(1)}, 20'000, kReplaceableSequence, 100);
    ASSERT_EQ(accept(parent), Verdict::accepted);
    for (std::uint32_t i = 0; i < 100; ++i) {
        ASSERT_EQ(accept(spend({output(parent, i)}, 1'000, kFinal)), Verdict::accepted);
    }
    const auto rich = spend({coin(1)}, 1'000'000, kFinal);
    EXPECT_EQ(accept(rich), Verdict::too_many_replacements);
    EXPECT_EQ(chain.mempool().size(), 101U);
    // With 99 children they are a hundred.
    SimChain other(SimParams::regtest(), clock);
    for (std::int32_t height = 1; height <= 110; ++height) {
        ASSERT_EQ(other.process(*chain.at_height(height)->block), Verdict::accepted);
    }
    ASSERT_EQ(other.accept_transaction(parent), Verdict::accepted);
    for (std::uint32_t i = 0; i < 99; ++i) {
        ASSERT_EQ(other.accept_transaction(spend({output(parent, i)}, 1'000, kFinal)),
                  Verdict::accepted);
    }
    EXPECT_EQ(other.accept_transaction(rich), Verdict::accepted);
    EXPECT_EQ(other.mempool().size(), 1U);
}

TEST_F(Replacement, AFailedOneChangesNothing) {
    const auto first = spend({coin(1)}, 1'000, kReplaceableSequence);
    ASSERT_EQ(accept(first), Verdict::accepted);
    auto forged = spend({coin(1)}, 90'000, kFinal);
    forged.outputs[0].value_sat -= 1;
    EXPECT_EQ(accept(forged), Verdict::script_failed);
    EXPECT_TRUE(chain.mempool().contains(first.txid()));
    EXPECT_EQ(chain.mempool().size(), 1U);
}

TEST_F(Replacement, DustAndGiantsAreRefused) {
    auto dusty = spend({coin(1)}, 1'000, kFinal);
    dusty.outputs.push_back({293, builder.key().p2wpkh_script()});
    EXPECT_EQ(accept(dusty), Verdict::dust);
    EXPECT_EQ(dust_threshold_sat(builder.key().p2wpkh_script()), 294);
    EXPECT_EQ(dust_threshold_sat(builder.key().p2pkh_script()), 546);
    base::Bytes taproot{0x51, 32};
    taproot.resize(34);
    EXPECT_EQ(dust_threshold_sat(taproot), 330);
    EXPECT_EQ(dust_threshold_sat(*base::from_hex("6a0100")), 0);
    EXPECT_EQ(accept(spend({coin(1)}, 1'000'000, kFinal, 3'300)), Verdict::tx_size);
}

}  // namespace
}  // namespace adit::sim
