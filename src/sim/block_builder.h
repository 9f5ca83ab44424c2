// Blocks out of templates, mined by real hashing: for generatetoaddress, traffic and tests. Pure.
#pragma once

#include "sim/sim_chain.h"

#include <optional>

namespace adit::sim {

// A whole block without proof of work: the template's transactions behind a coinbase that pays the
// whole value to `script`. `extra` makes coinbases of one height differ.
chain::Block build_block(const SimTemplate& source, base::ByteSpan script, std::uint64_t extra = 0);

// Recomputes the witness commitment (when the coinbase has one) and the merkle root after the
// transactions were changed.
void refresh_commitments(chain::Block& block);

// Counts the nonce up from where it stands until the hash meets the header's bits. False: not
// within max_tries, or the bits are no target.
bool grind(chain::BlockHeader& header, std::uint64_t max_tries);

// Mines one block on the chain's tip and submits it; nullopt: not within max_tries (decremented by
// the tries used) or refused.
std::optional<chain::Hash256> mine_block(SimChain& chain, base::ByteSpan script,
                                         std::uint64_t& max_tries);

// Mines one block on this one, which need not be the tip, with exactly these transactions (parents
// before children), and submits it; nullopt: not within max_tries, or refused. A block on a side
// branch counts as taken.
std::optional<chain::Hash256> mine_block_on(SimChain& chain, const BlockEntry& parent,
                                            const std::vector<chain::Transaction>& transactions,
                                            base::ByteSpan script, std::uint64_t& max_tries);

}  // namespace adit::sim
