// The embedded chain's retarget rule: which bits the next block must have. A consensus rule, in
// integers only. Pure.
//
// Over the last n = min(window, height) blocks (the first block counts from the first window on),
// block i of n (oldest first) took t_i seconds: its time less the highest time before it, at least
// 1 and at most 6 x block_s. Recent blocks weigh more (an LWMA):
//
//   next target = mean target x sum(i x t_i) / (block_s x n x (n + 1) / 2)
//
// and it moves by at most a factor of 2 per block either way, and never above the limit. The time
// between genesis and the first block is not counted. Until there are two blocks to count the bits
// are the rule's initial_bits.
#pragma once

#include "base/u256.h"
#include "sim/sim_params.h"

#include <span>

namespace adit::sim {

struct RetargetPoint {
    std::uint32_t time = 0;
    std::uint32_t bits = 0;
};

// `recent`: the newest blocks of the branch that count, oldest first, up to window + 1 of
// them.
std::uint32_t next_bits(const RetargetRule& rule, std::uint32_t limit_bits,
                        std::span<const RetargetPoint> recent);

// Expected hashes to meet these bits: floor((2^256 - 1 - t) / (t + 1)) + 1. Zero for bits that are
// no target.
base::U256 block_work(std::uint32_t bits);

// Compact bits of the target that `hashes` tries meet once on average; within the limit.
std::uint32_t bits_for_hashes(std::uint64_t hashes, std::uint32_t limit_bits);

}  // namespace adit::sim
