#include "ledger/block_rules.h"

namespace adit::ledger {
namespace {

using share::BlockFact;

constexpr std::size_t kTroubleLimit = 200;  // bytes of one node's trouble in the evidence

// The first node that says anything of this block: the one whose word makes it confirmed.
const NodeView* first_opinion(std::span<const NodeView> nodes) {
    const auto found = std::ranges::find_if(
        nodes, [](const NodeView& node) { return node.supports() || node.denies(); });
    return found == nodes.end() ? nullptr : &*found;
}

bool any_denies(std::span<const NodeView> nodes) {
    return std::ranges::any_of(nodes, &NodeView::denies);
}

// The most confirmations that a usable node sees; 0: none has the block in its chain.
std::int32_t depth_of(std::span<const NodeView> nodes) {
    std::int32_t depth = 0;
    for (const auto& node : nodes) {
        if (node.supports()) depth = std::max(depth, node.confirmations);
    }
    return depth;
}

// Every configured node is usable, none has the block in its chain, and all have the same other
// block there, deep enough.
bool is_buried(std::span<const NodeView> nodes, const BlockRules& rules) {
    if (nodes.empty()) return false;
    const auto depth = nodes.size() == 1 ? rules.void_depth_alone : rules.void_depth;
    return std::ranges::all_of(nodes, [&](const NodeView& node) {
        return node.denies() && !node.rival.is_zero() && node.rival == nodes[0].rival &&
               node.rival_depth >= depth;
    });
}

BlockDecision decision(BlockFact fact, std::span<const NodeView> nodes) {
    BlockDecision made;
    made.fact = fact;
    if (fact == BlockFact::confirmed || fact == BlockFact::mature) {
        made.confirmations = depth_of(nodes);
    }
    for (const auto& node : nodes) {
        if (!made.evidence.empty()) made.evidence += "; ";
        made.evidence += node.words();
    }
    if (made.evidence.size() > share::kEvidenceLimit) made.evidence.resize(share::kEvidenceLimit);
    return made;
}

}  // namespace

std::string_view name_of(BlockPlace place) {
    switch (place) {
        case BlockPlace::unknown:
            return "unknown";
        case BlockPlace::beside:
            return "beside";
        case BlockPlace::in_chain:
            return "in_chain";
    }
    return "?";
}

bool NodeView::supports() const {
    return usable() && place == BlockPlace::in_chain && confirmations >= 1;
}

bool NodeView::denies() const {
    return usable() && place != BlockPlace::in_chain &&
           (place == BlockPlace::beside || !rival.is_zero());
}

std::string NodeView::words() const {
    if (!answered) return fmt::format("{}: no answer ({})", node, trouble.substr(0, kTroubleLimit));
    if (!right_chain) return fmt::format("{}: on another network", node);
    if (!synced) return fmt::format("{}: not synchronised, at height {}", node, height);
    if (place == BlockPlace::in_chain) {
        return fmt::format("{}: in the best chain, {} confirmation{}", node, confirmations,
                           confirmations == 1 ? "" : "s");
    }
    const auto where = place == BlockPlace::beside ? "known but not in the best chain" : "unknown";
    if (rival.is_zero()) return fmt::format("{}: {}, best height {}", node, where, height);
    return fmt::format("{}: {}, {} is there, {} deep", node, where, rival.rpc_hex(), rival_depth);
}

std::optional<BlockDecision> decide_block(BlockState state, std::span<const NodeView> nodes,
                                          const BlockRules& rules) {
    const auto* first = first_opinion(nodes);
    if (first == nullptr) return std::nullopt;  // nobody says anything
    const auto undisputed = depth_of(nodes) > 0 && !any_denies(nodes);
    switch (state) {
        case BlockState::found:
            if (first->supports()) return decision(BlockFact::confirmed, nodes);
            if (is_buried(nodes, rules)) return decision(BlockFact::orphaned, nodes);
            return std::nullopt;
        case BlockState::confirmed:
            if (first->denies()) return decision(BlockFact::contested, nodes);
            if (depth_of(nodes) < rules.maturity) return std::nullopt;
            return decision(undisputed ? BlockFact::mature : BlockFact::contested, nodes);
        case BlockState::contested:
            if (undisputed) return decision(BlockFact::confirmed, nodes);
            if (is_buried(nodes, rules)) return decision(BlockFact::orphaned, nodes);
            return std::nullopt;
        case BlockState::mature:
            if (any_denies(nodes)) return decision(BlockFact::contested, nodes);
            return std::nullopt;
        case BlockState::orphaned:
            if (undisputed) return decision(BlockFact::confirmed, nodes);
            return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace adit::ledger
