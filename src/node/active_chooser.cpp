#include "node/active_chooser.h"

namespace adit::node {
namespace {

bool trustworthy(const NodeView& node) {
    return node.state == NodeState::up && node.responsive && node.templates_ok;
}

}  // namespace

ActiveChooser::ActiveChooser(std::size_t nodes, Settings settings)
    : settings_(settings), memory_(nodes) {}

void ActiveChooser::remember(std::span<const NodeView> nodes, std::int64_t now_ms) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        Memory& memory = memory_[i];
        const bool behind = std::ranges::any_of(nodes, [&](const NodeView& other) {
            return trustworthy(other) && other.tip.beats(nodes[i].tip);
        });
        if (!behind)
            memory.behind_since.reset();
        else if (!memory.behind_since)
            memory.behind_since = now_ms;
        memory.lagging = behind && now_ms - *memory.behind_since >= settings_.lag_grace_ms;
        if (!trustworthy(nodes[i]) || memory.lagging)
            memory.well_since.reset();
        else if (!memory.well_since)
            memory.well_since = now_ms;
    }
}

int ActiveChooser::first_choice(std::span<const NodeView> nodes, std::int64_t now_ms) const {
    const bool active_well =
        active_ != kNone && memory_[static_cast<std::size_t>(active_)].well_since.has_value();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const int index = static_cast<int>(i);
        const bool waiting = !chosen_before_ && nodes[i].state == NodeState::unknown &&
                             now_ms - *started_ms_ < settings_.first_wait_ms;
        if (waiting) return kNone;
        if (!memory_[i].well_since) continue;
        if (index == active_ || !active_well) return index;
        if (now_ms - *memory_[i].well_since >= settings_.return_after_ms) return index;
    }
    return kNone;
}

int ActiveChooser::emergency_choice(std::span<const NodeView> nodes) const {
    const auto up = [&](int i) {
        return i != kNone && nodes[static_cast<std::size_t>(i)].state == NodeState::up;
    };
    if (up(active_)) return active_;
    for (int i = 0; i < static_cast<int>(nodes.size()); ++i) {
        if (chosen_before_ && up(i)) return i;
    }
    return kNone;
}

int ActiveChooser::choose(std::span<const NodeView> nodes, std::int64_t now_ms) {
    if (!started_ms_) started_ms_ = now_ms;
    if (now_ms - *started_ms_ >= settings_.first_wait_ms) chosen_before_ = true;
    remember(nodes, now_ms);
    const int choice = first_choice(nodes, now_ms);
    active_ = choice != kNone ? choice : emergency_choice(nodes);
    chosen_before_ = chosen_before_ || active_ != kNone;
    return active_;
}

}  // namespace adit::node
