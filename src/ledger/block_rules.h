// When a found block is confirmed, contested, mature or orphaned, decided from what every
// configured node says of it. Pure values and functions, safe from any thread. One wrong, lagging
// or silent node can delay a decision, but it cannot take a block away: that needs all of them.
#pragma once

#include "ledger/journal.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace adit::ledger {

// Where a node sees a block.
enum class BlockPlace : std::uint8_t {
    unknown = 0,   // it does not know the block
    beside = 1,    // it knows the block, on another branch than its best chain
    in_chain = 2,  // in its best chain
};
std::string_view name_of(BlockPlace place);

// What one configured node says of one block.
struct NodeView {
    std::string node;
    bool answered = false;     // every question; all below holds only then
    bool right_chain = false;  // it is on the configured network
    bool synced = false;
    std::string trouble;       // in words, when it did not answer
    std::int32_t height = -1;  // of its best block
    BlockPlace place = BlockPlace::unknown;
    std::int32_t confirmations = 0;  // in_chain: at least 1
    // The other block that its best chain has at the block's height, and how deep it is (1: the
    // tip). Zero: the chain does not reach that height, or has the block itself there.
    chain::Hash256 rival;
    std::int32_t rival_depth = 0;

    bool usable() const { return answered && right_chain && synced; }
    // It has the block in its best chain.
    bool supports() const;
    // Its best chain is another one. A usable node whose chain does not reach the height of a block
    // that it does not know does neither.
    bool denies() const;
    // "a: in the best chain, 3 confirmations".
    std::string words() const;
};

struct BlockRules {
    std::int32_t maturity = 101;          // confirmations
    std::int32_t void_depth = 6;          // of a rival on every node, when there are several
    std::int32_t void_depth_alone = 100;  // when only one is configured
};

struct BlockDecision {
    share::BlockFact fact = share::BlockFact::confirmed;
    std::int32_t confirmations = 0;  // of the block; 0 unless confirmed or mature
    std::string evidence;            // which node said what, at most share::kEvidenceLimit bytes
};

// The next fact about a block, or none while nothing has changed or the nodes do not suffice to
// decide. Views are those of all configured nodes in the order of the configuration.
//   found     -> confirmed, orphaned (never seen in a chain)
//   confirmed -> mature, contested
//   contested -> confirmed, orphaned
//   mature    -> contested
//   orphaned  -> confirmed
// What was confirmed is orphaned by way of contested, what comes back matures by way of confirmed:
// ask again after each fact.
std::optional<BlockDecision> decide_block(BlockState state, std::span<const NodeView> nodes,
                                          const BlockRules& rules);

}  // namespace adit::ledger
