// Decides from which node templates come. Pure: what the nodes say and the time (steady ms) are
// passed in. Not thread-safe.
#pragma once

#include "node/node.h"

#include <span>
#include <vector>

namespace adit::node {

// What is known of one node at this moment.
struct NodeView {
    NodeState state = NodeState::unknown;
    Tip tip;
    bool responsive = true;    // no probe has been waiting for an answer for too long
    bool templates_ok = true;  // its last getblocktemplate did not fail
};

class ActiveChooser {
 public:
    static constexpr int kNone = -1;

    struct Settings {
        int lag_grace_ms = 500;       // a better node counts after it was ahead for this long
        int return_after_ms = 2'000;  // a preferred node returns after it was well for this long
        int first_wait_ms = 800;      // at start, for nodes that have not answered yet
    };
    ActiveChooser(std::size_t nodes, Settings settings);

    // The index of the node to use: the first that is up, responsive, gives templates and is not
    // behind another such node. When none is, the one in use as long as it is up, then any that is
    // up, else kNone.
    int choose(std::span<const NodeView> nodes, std::int64_t now_ms);
    // As of the last choose().
    bool lagging(std::size_t node) const { return memory_[node].lagging; }

 private:
    struct Memory {
        std::optional<std::int64_t> behind_since;
        std::optional<std::int64_t> well_since;
        bool lagging = false;
    };
    void remember(std::span<const NodeView> nodes, std::int64_t now_ms);
    int first_choice(std::span<const NodeView> nodes, std::int64_t now_ms) const;
    int emergency_choice(std::span<const NodeView> nodes) const;

    Settings settings_;
    std::vector<Memory> memory_;
    std::optional<std::int64_t> started_ms_;
    bool chosen_before_ = false;
    int active_ = kNone;
};

}  // namespace adit::node
