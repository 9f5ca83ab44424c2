// What a node's answer to submitblock means, and when a block's fate is decided. Pure.
#pragma once

#include "node/block_submitter.h"

namespace adit::node {

// submitblock's result: empty text stands for null. BIP22, and bcoin's "rejected: duplicate".
NodeVerdict verdict_of(std::string_view answer);

// The state that follows from all nodes' outcomes.
SubmitState decide(std::span<const NodeOutcome> nodes, std::int32_t height,
                   std::int32_t give_up_depth);

// What a node's refusal says against the template that a block was made from.
struct RefusedTemplate {
    std::string maker;          // the node that made the template
    chain::Hash256 previous;    // the block that it builds on
    std::int32_t height = 0;    // of the template
    bool wrong_height = false;  // else it builds on a block that is none or is invalid
    std::string refused_by;
    std::string reason;  // the node's own word
};
// nullopt when there is nothing to say: the maker holds the block or has not answered yet, no node
// refuses it for what its template was, or the template is not known any more (after a restart).
std::optional<RefusedTemplate> refused_template_of(const SubmitReport& report);

// How long to wait after this many attempts (1, 2, 3 ...): first, doubled each time, at most most.
std::int64_t retry_delay_ms(int attempts, int first_ms, int most_ms);

}  // namespace adit::node
