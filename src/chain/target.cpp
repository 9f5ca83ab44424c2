#include "chain/target.h"

#include "base/check.h"

#include <bit>
#include <charconv>
#include <cmath>

namespace adit::chain {
namespace {

using base::U128;
using base::U256;

// The target of difficulty 1.
const U256 kDifficultyOne = U256{0xffff} << 208;
constexpr double kLargest = 0x1p53;
constexpr double kSmallest = 0x1p-40;
constexpr int kMantissaBits = 53;

// rest = 2 x rest mod divisor; returns the next bit of the quotient. rest < divisor.
bool next_quotient_bit(U256& rest, const U256& divisor) {
    const bool carry = rest.limb(3) >> 63 != 0;
    rest = rest + rest;
    if (!carry && rest < divisor) return false;
    rest -= divisor;
    return true;
}

// floor(value x 2^shift / divisor), saturated to 2^256 - 1. shift < 128.
U256 shifted_quotient(const U256& value, unsigned shift, std::uint64_t divisor) {
    std::array<std::uint64_t, 6> limbs{};
    for (unsigned i = 0; i < 4; ++i) {
        limbs[i + shift / 64] |= value.limb(i) << shift % 64;
        if (shift % 64 != 0) limbs[i + shift / 64 + 1] |= value.limb(i) >> (64 - shift % 64);
    }
    U128 rest = 0;
    for (std::size_t i = limbs.size(); i-- > 0;) {
        rest = rest << 64 | limbs[i];
        limbs[i] = static_cast<std::uint64_t>(rest / divisor);
        rest %= divisor;
    }
    if (limbs[4] != 0 || limbs[5] != 0) return U256::max();
    U256 quotient;
    for (unsigned i = 0; i < 4; ++i)
        quotient += U256{limbs[i]} << (64 * i);
    return quotient;
}

}  // namespace

std::optional<Target> target_from_compact(std::uint32_t bits) {
    const std::uint32_t size = bits >> 24;
    const std::uint32_t mantissa = bits & 0x007fffff;
    const bool negative = (bits & 0x00800000) != 0;
    if (negative || mantissa == 0) return std::nullopt;
    if (size <= 3) {
        const std::uint32_t value = mantissa >> (8 * (3 - size));
        if (value == 0) return std::nullopt;
        return Target{U256{value}};
    }
    const unsigned shift = 8 * (size - 3);
    if (shift + static_cast<unsigned>(std::bit_width(mantissa)) > 256) return std::nullopt;
    return Target{U256{mantissa} << shift};
}

std::uint32_t compact_from_target(const Target& target) {
    auto size = static_cast<std::uint32_t>(target.value.bits() + 7) / 8;
    auto mantissa =
        static_cast<std::uint32_t>(size <= 3 ? target.value.low64() << (8 * (3 - size))
                                             : (target.value >> (8 * (size - 3))).low64());
    // The mantissa's top bit is a sign.
    if ((mantissa & 0x00800000) != 0) {
        mantissa >>= 8;
        ++size;
    }
    return mantissa | size << 24;
}

std::optional<Difficulty> Difficulty::from_double(double value) {
    // Written so that NaN is refused too.
    if (!(value >= kSmallest && value <= kLargest)) return std::nullopt;
    return Difficulty{value >= 1 ? std::floor(value) : value};
}

Difficulty Difficulty::from_target(const Target& target) {
    if (target.value == U256{}) return Difficulty{kLargest};
    if (target.value <= kDifficultyOne) {
        // Integers: floor(one / d) >= t exactly when d <= one / t.
        const U256 quotient = kDifficultyOne / target.value;
        if (quotient.bits() > kMantissaBits) return Difficulty{kLargest};
        return Difficulty{static_cast<double>(quotient.low64())};
    }
    // one / t in binary, cut off behind the bits of a double: the largest double that is not above.
    U256 rest = kDifficultyOne;
    std::uint64_t mantissa = 0;
    int exponent = 0;
    while (std::bit_width(mantissa) < kMantissaBits) {
        mantissa = mantissa << 1 | (next_quotient_bit(rest, target.value) ? 1 : 0);
        --exponent;
    }
    return Difficulty{std::ldexp(static_cast<double>(mantissa), exponent)};
}

Target Difficulty::target() const {
    int exponent = 0;
    const double fraction = std::frexp(value_, &exponent);
    const auto mantissa = static_cast<std::uint64_t>(std::ldexp(fraction, kMantissaBits));
    // value = mantissa x 2^(exponent - 53), where the difference is at most 1 for values to 2^53.
    const int shift = kMantissaBits - exponent;
    if (shift < 0) return {shifted_quotient(kDifficultyOne, 0, mantissa << -shift)};
    return {shifted_quotient(kDifficultyOne, static_cast<unsigned>(shift), mantissa)};
}

std::string Difficulty::wire() const {
    // 2^-40 with all digits of a double needs 2 + 12 + 17 characters.
    std::array<char, 64> text;
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), value_, std::chars_format::fixed);
    ADIT_CHECK(end.ec == std::errc{}, "a difficulty is at most 2^53");
    return {text.data(), end.ptr};
}

Work work_of(const Target& target) {
    constexpr unsigned kExponent = 256 + kWorkFraction;
    const U256 divisor = target.value + U256{1};
    if (divisor == U256{}) return Work{1} << kWorkFraction;
    // The quotient has 128 bits at most when the divisor is above 2^(272 - 128).
    if (divisor <= U256{1} << (kExponent - 128)) return ~Work{0};
    // Long division of 2^272, begun where the remainder is the power of two below the divisor.
    const auto begun = static_cast<unsigned>(divisor.bits() - 1);
    U256 rest = U256{1} << begun;
    Work quotient = 0;
    if (rest == divisor) {
        rest = U256{};
        quotient = 1;
    }
    for (unsigned i = begun; i < kExponent; ++i) {
        quotient = quotient << 1 | (next_quotient_bit(rest, divisor) ? 1U : 0U);
    }
    return quotient;
}

double hashes_of(Work work) {
    return static_cast<double>(work) / (1U << kWorkFraction);
}

}  // namespace adit::chain
