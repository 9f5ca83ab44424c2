#include "node/submit_rules.h"

namespace adit::node {

std::string_view name_of(NodeVerdict verdict) {
    switch (verdict) {
        case NodeVerdict::waiting:
            return "waiting";
        case NodeVerdict::holds:
            return "holds";
        case NodeVerdict::in_best_chain:
            return "in_best_chain";
        case NodeVerdict::refused:
            return "refused";
        case NodeVerdict::unreachable:
            return "unreachable";
    }
    return "?";
}

std::string_view name_of(SubmitState state) {
    switch (state) {
        case SubmitState::pending:
            return "pending";
        case SubmitState::accepted:
            return "accepted";
        case SubmitState::refused:
            return "refused";
        case SubmitState::superseded:
            return "superseded";
    }
    return "?";
}

NodeVerdict verdict_of(std::string_view answer) {
    static constexpr std::array<std::string_view, 5> kHolds{
        "", "duplicate", "inconclusive", "duplicate-inconclusive", "rejected: duplicate"};
    const bool holds = std::ranges::find(kHolds, answer) != kHolds.end();
    return holds ? NodeVerdict::holds : NodeVerdict::refused;
}

SubmitState decide(std::span<const NodeOutcome> nodes, std::int32_t height,
                   std::int32_t give_up_depth) {
    const auto is = [](NodeVerdict verdict) {
        return [verdict](const NodeOutcome& node) { return node.verdict == verdict; };
    };
    if (std::ranges::any_of(nodes, is(NodeVerdict::in_best_chain))) return SubmitState::accepted;
    const bool all_refuse = std::ranges::all_of(nodes, [&](const NodeOutcome& node) {
        return node.verdict == NodeVerdict::refused && node.synced && node.node_height >= height;
    });
    if (all_refuse && !nodes.empty()) return SubmitState::refused;
    // Heights are only said, so one node's word does not end the attempts.
    const bool buried = std::ranges::all_of(nodes, [&](const NodeOutcome& node) {
        const bool answered =
            node.verdict == NodeVerdict::holds || node.verdict == NodeVerdict::refused;
        return answered && node.synced && node.node_height >= height + give_up_depth;
    });
    return buried && !nodes.empty() ? SubmitState::superseded : SubmitState::pending;
}

std::int64_t retry_delay_ms(int attempts, int first_ms, int most_ms) {
    const int doublings = std::clamp(attempts - 1, 0, 30);
    return std::min<std::int64_t>(std::int64_t{first_ms} << doublings, most_ms);
}

}  // namespace adit::node
