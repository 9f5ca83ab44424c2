// What a node's answer to submitblock means, and when a block's fate is decided. Pure.
#pragma once

#include "node/block_submitter.h"

namespace adit::node {

// submitblock's result: empty text stands for null. BIP22, and bcoin's "rejected: duplicate".
NodeVerdict verdict_of(std::string_view answer);

// The state that follows from all nodes' outcomes.
SubmitState decide(std::span<const NodeOutcome> nodes, std::int32_t height,
                   std::int32_t give_up_depth);

// How long to wait after this many attempts (1, 2, 3 ...): first, doubled each time, at most most.
std::int64_t retry_delay_ms(int attempts, int first_ms, int most_ms);

}  // namespace adit::node
