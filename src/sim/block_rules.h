// Consensus rules of whole blocks, in the order in which Bitcoin Core applies them, so that a block
// with several faults is refused for the same one. Pure.
#pragma once

#include "chain/block.h"
#include "sim/sim_params.h"
#include "sim/tx_rules.h"
#include "sim/verdict.h"

namespace adit::sim {

// Rules that need nothing but the block (CheckBlock). `proof_of_work` false: a proposal.
Verdict check_block(const chain::Block& block, std::uint32_t pow_limit_bits, bool proof_of_work);

// True when the header's hash meets its bits and these are within the limit.
bool meets_own_bits(const chain::BlockHeader& header, std::uint32_t pow_limit_bits);

// What the rules of one height need to know of the branch below.
struct BlockContext {
    std::int32_t height = 0;
    std::uint32_t median_time_past = 0;  // of the parent
    std::int64_t subsidy_sat = 0;
    bool segwit = false;
    bool csv = false;
    MedianTimeAt median_time_at;
};
BlockContext context_at(const SimParams& params, std::int32_t height);

// Rules that need the height and the parent's times (ContextualCheckBlock).
Verdict check_block_context(const chain::Block& block, const SimParams& params,
                            const BlockContext& context);

// Rules that need the coins of the parent (ConnectBlock).
Verdict check_connect(const chain::Block& block, const CoinSource& coins, const SimParams& params,
                      const BlockContext& context);

}  // namespace adit::sim
