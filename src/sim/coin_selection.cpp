#include "sim/coin_selection.h"

#include <algorithm>

namespace adit::sim {

std::optional<std::vector<std::size_t>> select_coins(std::span<const SelectableCoin> coins,
                                                     std::int64_t target_sat) {
    std::vector<SelectableCoin> sorted(coins.begin(), coins.end());
    std::erase_if(sorted, [](const SelectableCoin& coin) { return coin.effective_sat() <= 0; });
    std::ranges::sort(sorted, [](const SelectableCoin& a, const SelectableCoin& b) {
        return a.effective_sat() != b.effective_sat() ? a.effective_sat() > b.effective_sat()
                                                      : a.index < b.index;
    });
    const auto smaller = std::ranges::find_if(
        sorted, [&](const SelectableCoin& coin) { return coin.effective_sat() < target_sat; });
    if (target_sat > 0 && smaller != sorted.begin()) return {{std::prev(smaller)->index}};
    std::vector<std::size_t> chosen;
    std::int64_t sum = 0;
    for (const auto& coin : sorted) {
        if (sum >= target_sat) break;
        chosen.push_back(coin.index);
        sum += coin.effective_sat();
    }
    if (sum < target_sat) return std::nullopt;
    return chosen;
}

}  // namespace adit::sim
