#include "sim/difficulty.h"

#include "chain/target.h"

#include <algorithm>

namespace adit::sim {
namespace {

constexpr std::uint32_t kLongestFactor = 6;
constexpr std::uint64_t kStepFactor = 2;
// Intermediate products (target x seconds x weights) need this many spare bits at the top.
constexpr unsigned kSpareBits = 40;

base::U256 target_of(std::uint32_t bits) {
    const auto target = chain::target_from_compact(bits);
    return target ? target->value : base::U256{};
}

// value x numerator / denominator, the value shifted down first when the product would not fit.
base::U256 scaled(const base::U256& value, std::uint64_t numerator, std::uint64_t denominator) {
    const int excess = value.bits() + static_cast<int>(kSpareBits) - 256;
    const auto shift = static_cast<unsigned>(std::max(excess, 0));
    auto result = (value >> shift) * base::U256{numerator} / base::U256{denominator};
    if (result.bits() + static_cast<int>(shift) > 256) return base::U256::max();
    return result << shift;
}

}  // namespace

std::uint32_t next_bits(const RetargetRule& rule, std::uint32_t limit_bits,
                        std::span<const RetargetPoint> recent) {
    if (recent.size() < 3) return rule.initial_bits;
    const auto n = static_cast<std::uint64_t>(recent.size() - 1);
    const auto spacing = static_cast<std::uint64_t>(rule.block_s);
    std::uint64_t weighted = 0;
    base::U256 mean;
    auto highest = recent[0].time;
    for (std::uint64_t i = 1; i <= n; ++i) {
        const auto& point = recent[static_cast<std::size_t>(i)];
        const std::uint64_t took = point.time > highest ? point.time - highest : 1;
        weighted += i * std::min(took, kLongestFactor * spacing);
        highest = std::max(highest, point.time);
        mean += target_of(point.bits) / base::U256{n};
    }
    auto next = scaled(mean, weighted, spacing * n * (n + 1) / 2);
    const auto last = target_of(recent.back().bits);
    next = std::max(next, last / base::U256{kStepFactor});
    next = std::min(next, scaled(last, kStepFactor, 1));
    next = std::clamp(next, base::U256{1}, target_of(limit_bits));
    return chain::compact_from_target({next});
}

base::U256 block_work(std::uint32_t bits) {
    const auto target = target_of(bits);
    if (target == base::U256{}) return {};
    return ~target / (target + base::U256{1}) + base::U256{1};
}

std::uint32_t bits_for_hashes(std::uint64_t hashes, std::uint32_t limit_bits) {
    const auto target = base::U256::max() / base::U256{std::max<std::uint64_t>(hashes, 1)};
    return chain::compact_from_target({std::min(target, target_of(limit_bits))});
}

}  // namespace adit::sim
