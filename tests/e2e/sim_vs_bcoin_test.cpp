// The embedded chain and bcoin are given the same blocks and must judge them alike. Where they use
// other words, or bcoin's rules differ, the table of cases says so (sim/block_cases.h).
#include "sim/block_builder.h"
#include "sim/block_cases.h"
#include "tests/bcoin/bcoin_node.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace adit::sim {
namespace {

constexpr std::int32_t kBeforeSegwit = 110;
constexpr std::int32_t kSegwit = 435;

class SimVsBcoin : public testing::Test {
 protected:
    void grow_both_to(std::int32_t height) {
        grow_to(chain, height, [&](const chain::Block& block) {
            ASSERT_EQ(bcoin.submit_block(block.serialize()), "") << "height " << chain.tip().height;
        });
    }

    void compare(const BlockCase& row) {
        SCOPED_TRACE(fmt::format("{} at {}", row.name, chain.tip().height));
        const CaseBuilder builder(chain);
        const auto blocks = row.make(builder);
        for (std::size_t i = 0; i + 1 < blocks.size(); ++i) {
            chain.submit(blocks[i]);
            bcoin.submit_block(blocks[i].serialize());
        }
        const auto raw = blocks.back().serialize();
        const auto verdict = chain.submit(raw);
        EXPECT_EQ(text_of(verdict), text_of(row.verdict));
        EXPECT_EQ(bcoin.submit_block(raw), row.bcoin.value_or(text_of(row.verdict)));
        EXPECT_EQ(bcoin.best_hash(), chain.tip().hash.rpc_hex());
    }

    int compare_all() {
        int compared = 0;
        for (const auto& row : block_cases()) {
            if (!applies(row, chain)) continue;
            compare(row);
            ++compared;
        }
        return compared;
    }

    base::SystemClock clock;
    SimChain chain{SimParams::bcoin_regtest(), clock};
    tests::BcoinNode bcoin;
};

TEST_F(SimVsBcoin, BothJudgeEveryBlockAlikeBeforeAndAfterSegwit) {
    grow_both_to(kBeforeSegwit);
    EXPECT_GT(compare_all(), 35);
    grow_both_to(kSegwit);
    EXPECT_GT(compare_all(), 45);
}

TEST_F(SimVsBcoin, BothFollowTheBranchWithMoreWork) {
    grow_both_to(102);
    const auto& fork = *chain.at_height(100);
    const CaseBuilder builder(chain);
    const BlockEntry* parent = &fork;
    for (std::uint64_t i = 0; i < 3; ++i) {
        const auto block = builder.finish(
            build_block(chain.make_empty_template(*parent), builder.key().p2pkh_script(), 50 + i));
        const auto verdict = chain.submit(block);
        EXPECT_EQ(verdict, i < 2 ? Verdict::inconclusive : Verdict::accepted);
        EXPECT_EQ(bcoin.submit_block(block.serialize()), "");
        EXPECT_EQ(bcoin.best_hash(), chain.tip().hash.rpc_hex());
        parent = chain.find(block.header.hash());
    }
    EXPECT_EQ(chain.tip().height, 103);
}

}  // namespace
}  // namespace adit::sim
