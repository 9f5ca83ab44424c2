// Divides an amount among weights so that the parts sum exactly to it: every part is rounded down,
// and the satoshis left over go, one each, in the order of the weights. Whoever divides money here,
// a ledger or a coinbase, comes to the same parts. Pure.
#pragma once

#include "chain/amount.h"
#include "chain/target.h"

#include <span>
#include <vector>

namespace adit::job {

// parts.size() == weights.size(). The amount must not be negative. With weights that sum to zero
// (or none) every part is zero: the caller decides who gets the amount then. The weights' sum must
// fit into 128 bits.
std::vector<chain::Amount> allot(chain::Amount total, std::span<const chain::Work> weights);

// floor(amount x ppm / 1,000,000); ppm at most 1,000,000, the amount not negative.
chain::Amount fraction_of(chain::Amount amount, std::uint32_t ppm);

}  // namespace adit::job
