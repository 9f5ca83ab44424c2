#include "sim/difficulty.h"

#include "chain/target.h"
#include "sim/block_cases.h"

#include <gtest/gtest.h>

namespace adit::sim {
namespace {

constexpr std::uint32_t kLimit = 0x207fffff;
constexpr RetargetRule kRule{20, 0x1e0fffff, 20, 0};

std::vector<RetargetPoint> history(std::size_t blocks, std::uint32_t spacing_s,
                                   std::uint32_t bits) {
    std::vector<RetargetPoint> points;
    for (std::uint32_t i = 0; i < blocks; ++i)
        points.push_back({1'000 + i * spacing_s, bits});
    return points;
}

double ratio(std::uint32_t bits, std::uint32_t to) {
    return chain::hashes_of(chain::work_of(*chain::target_from_compact(to))) /
           chain::hashes_of(chain::work_of(*chain::target_from_compact(bits)));
}

TEST(Difficulty, StartsWithTheInitialBits) {
    EXPECT_EQ(next_bits(kRule, kLimit, {}), kRule.initial_bits);
    EXPECT_EQ(next_bits(kRule, kLimit, history(2, 20, 0x1f00ffff)), kRule.initial_bits);
}

TEST(Difficulty, StaysWhenBlocksComeOnTime) {
    EXPECT_NEAR(ratio(0x1e0fffff, next_bits(kRule, kLimit, history(21, 20, 0x1e0fffff))), 1.0,
                0.01);
}

TEST(Difficulty, FollowsTheRateOfBlocks) {
    const std::uint32_t bits = 0x1e0fffff;
    EXPECT_NEAR(ratio(bits, next_bits(kRule, kLimit, history(21, 16, bits))), 1.25, 0.01);
    EXPECT_NEAR(ratio(bits, next_bits(kRule, kLimit, history(21, 25, bits))), 0.8, 0.01);
}

TEST(Difficulty, MovesByAtMostTwoPerBlock) {
    const std::uint32_t bits = 0x1e0fffff;
    EXPECT_NEAR(ratio(bits, next_bits(kRule, kLimit, history(21, 1, bits))), 2.0, 0.01);
    EXPECT_NEAR(ratio(bits, next_bits(kRule, kLimit, history(21, 10'000, bits))), 0.5, 0.01);
}

TEST(Difficulty, NeverLeavesTheLimit) {
    EXPECT_EQ(next_bits(kRule, kLimit, history(21, 10'000, kLimit)), kLimit);
}

TEST(Difficulty, TimesThatGoBackCountAsOneSecond) {
    auto points = history(21, 20, 0x1e0fffff);
    points.back().time = 5;
    const auto bits = next_bits(kRule, kLimit, points);
    EXPECT_GT(ratio(0x1e0fffff, bits), 1.0);
}

TEST(Difficulty, WorkIsTheExpectedNumberOfHashes) {
    EXPECT_EQ(block_work(0x207fffff), base::U256{2});
    EXPECT_EQ(block_work(0x1d00ffff), base::U256{0x100010001});
    EXPECT_EQ(block_work(0), base::U256{});
}

TEST(Difficulty, BitsForHashesAreMetOnceInSoMany) {
    EXPECT_EQ(bits_for_hashes(1, kLimit), kLimit);
    const auto bits = bits_for_hashes(1'000'000, kLimit);
    EXPECT_NEAR(static_cast<double>(block_work(bits).low64()), 1e6, 1e3);
}

// A chain of 200 blocks whose miners change their speed converges on the block time.
TEST(Difficulty, ConvergesOnTheBlockTimeWhenTheHashrateChanges) {
    std::vector<RetargetPoint> points;
    double hashrate = 1'000'000;
    double clock = 1'000'000;
    double elapsed = 0;
    for (int i = 0; i < 400; ++i) {
        if (i == 200) hashrate *= 5;
        const auto from = points.size() > 21 ? points.size() - 21 : 0;
        const auto bits = next_bits(kRule, kLimit, std::span(points).subspan(from));
        const auto took = static_cast<double>(block_work(bits).low64()) / hashrate;
        clock += took;
        if (i >= 300) elapsed += took;
        points.push_back({static_cast<std::uint32_t>(clock), bits});
    }
    EXPECT_NEAR(elapsed / 100, 20.0, 2.0);
}

TEST(Difficulty, DemoChainDemandsTheRulesBits) {
    base::ManualClock clock;
    SimChain chain(SimParams::demo(20, 0x2000ffff), clock);
    const auto easy = chain.params().retarget->easy_blocks;
    EXPECT_EQ(chain.required_bits(chain.tip()), kLimit);
    grow_to(chain, easy);
    EXPECT_EQ(chain.required_bits(chain.tip()), 0x2000ffffU);
    clock.advance_ms(60'000);
    const CaseBuilder builder(chain);
    for (int i = 0; i < 30; ++i) {
        clock.advance_ms(5'000);
        ASSERT_EQ(chain.submit(builder.finish(builder.base())), Verdict::accepted);
    }
    EXPECT_GT(ratio(0x2000ffff, chain.required_bits(chain.tip())), 2.0);
    auto cheap = builder.base();
    cheap.header.bits = 0x2000ffff;
    EXPECT_EQ(chain.submit(builder.mine(cheap)), Verdict::bad_diffbits);
}

}  // namespace
}  // namespace adit::sim
