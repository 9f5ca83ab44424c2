#include "job/allotment.h"

namespace adit::job {
namespace {

constexpr std::uint32_t kOneMillion = 1'000'000;

}  // namespace

std::vector<chain::Amount> allot(chain::Amount total, std::span<const chain::Work> weights) {
    ADIT_CHECK(total.sat() >= 0, "only what is there can be divided");
    std::vector<chain::Amount> parts(weights.size());
    chain::Work sum = 0;
    for (const auto weight : weights) {
        ADIT_CHECK(weight <= ~sum, "the weights' sum fits into 128 bits");
        sum += weight;
    }
    if (sum == 0) return parts;
    const auto divisor = base::U256::from_u128(sum);
    const base::U256 amount(static_cast<std::uint64_t>(total.sat()));
    auto left = total;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        const auto part = amount * base::U256::from_u128(weights[i]) / divisor;
        parts[i] = chain::Amount::of(static_cast<std::int64_t>(part.low64()));
        left -= parts[i];
    }
    // Fewer than there are weights, since each part lost less than one satoshi.
    const auto one = chain::Amount::of(1);
    for (std::size_t i = 0; !left.is_zero(); ++i) {
        if (weights[i] == 0) continue;  // no part of nothing
        parts[i] += one;
        left -= one;
    }
    return parts;
}

chain::Amount fraction_of(chain::Amount amount, std::uint32_t ppm) {
    ADIT_CHECK(amount.sat() >= 0 && ppm <= kOneMillion, "a part of what is there");
    const auto product = base::U128{static_cast<std::uint64_t>(amount.sat())} * ppm;
    return chain::Amount::of(static_cast<std::int64_t>(product / kOneMillion));
}

}  // namespace adit::job
