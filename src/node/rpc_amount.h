// Amounts and fee rates as Bitcoin Core writes them in JSON: bitcoins with eight decimals. The JSON
// parser hands them over as doubles; these functions find the exact integer or say that there is
// none. Pure.
#pragma once

#include "chain/amount.h"

#include <cstdint>
#include <optional>

namespace adit::node {

// The amount whose decimal text, parsed as a double, is this number. nullopt when no amount with
// eight decimals within all coins is: also for more decimals than eight. Never another amount than
// the one that was written.
std::optional<chain::Amount> amount_of_json(double btc);

// BTC per 1,000 virtual bytes as satoshis per 1,000 virtual bytes, rounded up. nullopt unless above
// zero and within all coins.
std::optional<std::int64_t> fee_rate_of_json(double btc);

}  // namespace adit::node
