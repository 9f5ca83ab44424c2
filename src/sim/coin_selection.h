// Which coins pay for a transaction: one coin when one suffices (the smallest that does), else the
// largest first; between equals the lower index. Pure.
#pragma once

#include "chain/transaction.h"

#include <optional>
#include <span>
#include <vector>

namespace adit::sim {

struct SelectableCoin {
    std::size_t index = 0;  // the caller's
    std::int64_t value_sat = 0;
    std::int64_t fee_sat = 0;  // what it costs to spend it
    std::int64_t effective_sat() const { return value_sat - fee_sat; }
};

// The caller's indices of coins whose effective values reach target_sat together; nullopt: all that
// are worth spending do not. Coins that cost more than they bring are never chosen.
std::optional<std::vector<std::size_t>> select_coins(std::span<const SelectableCoin> coins,
                                                     std::int64_t target_sat);

}  // namespace adit::sim
