#include "node/submit_rules.h"

#include "job/job.h"

namespace adit::node {
namespace {

bool says(const NodeOutcome& node, std::initializer_list<std::string_view> reasons) {
    return node.verdict == NodeVerdict::refused &&
           std::ranges::any_of(reasons, [&](std::string_view reason) {
               return node.reason.find(reason) != std::string::npos;
           });
}

}  // namespace

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

std::optional<RefusedTemplate> refused_template_of(const SubmitReport& report) {
    const auto& candidate = *report.candidate;
    if (candidate.job == nullptr || candidate.job->source == nullptr) return std::nullopt;
    const auto& source = *candidate.job->source;
    const auto maker = std::ranges::find(report.nodes, source.node, &NodeOutcome::node);
    if (maker == report.nodes.end() || maker->verdict == NodeVerdict::waiting ||
        maker->verdict == NodeVerdict::holds || maker->verdict == NodeVerdict::in_best_chain) {
        return std::nullopt;
    }
    for (const auto& node : report.nodes) {
        const bool wrong_height = says(node, {"bad-cb-height"});
        // A node that has not come so far cannot know the previous block.
        const bool no_previous = says(node, {"prev-blk-not-found"}) && node.synced &&
                                 node.node_height >= source.height - 1;
        if (!wrong_height && !no_previous && !says(node, {"bad-prevblk"})) continue;
        return RefusedTemplate{.maker = source.node,
                               .previous = source.previous,
                               .height = source.height,
                               .wrong_height = wrong_height,
                               .refused_by = node.node,
                               .reason = node.reason};
    }
    return std::nullopt;
}

std::int64_t retry_delay_ms(int attempts, int first_ms, int most_ms) {
    const int doublings = std::clamp(attempts - 1, 0, 30);
    return std::min<std::int64_t>(std::int64_t{first_ms} << doublings, most_ms);
}

}  // namespace adit::node
