#include "base/u256.h"

#include "base/check.h"

#include <algorithm>

namespace adit::base {

U256 U256::from_le(std::span<const std::uint8_t, 32> bytes) {
    U256 result;
    for (std::size_t i = 0; i < 4; ++i) {
        result.limbs_[i] = load_le<std::uint64_t>(bytes.data() + 8 * i);
    }
    return result;
}

std::array<std::uint8_t, 32> U256::to_le() const {
    std::array<std::uint8_t, 32> bytes;
    for (std::size_t i = 0; i < 4; ++i)
        store_le(bytes.data() + 8 * i, limbs_[i]);
    return bytes;
}

std::string U256::to_hex() const {
    auto bytes = to_le();
    std::reverse(bytes.begin(), bytes.end());
    return base::to_hex(bytes);
}

U256& U256::operator*=(const U256& other) {
    U256 result;
    for (std::size_t i = 0; i < 4; ++i) {
        U128 carry = 0;
        for (std::size_t j = 0; i + j < 4; ++j) {
            carry += U128{limbs_[i]} * other.limbs_[j] + result.limbs_[i + j];
            result.limbs_[i + j] = static_cast<std::uint64_t>(carry);
            carry >>= 64;
        }
    }
    return *this = result;
}

// Knuth's algorithm D over 32-bit digits (The Art of Computer Programming, volume 2, 4.3.1), whose
// steps fit into the machine's own 64-bit division.
U256& U256::operator/=(const U256& divisor) {
    constexpr std::uint64_t kBase = std::uint64_t{1} << 32;
    ADIT_CHECK(divisor != U256{}, "division by zero");
    if (*this < divisor) return *this = {};
    const auto digit = [](const U256& number, std::size_t i) {
        return number.limbs_[i / 2] >> (i % 2 * 32) & (kBase - 1);
    };
    const auto divisor_digits = (static_cast<std::size_t>(divisor.bits()) + 31) / 32;
    const auto digits = (static_cast<std::size_t>(bits()) + 31) / 32;
    // Both are scaled so that the divisor's highest digit has its highest bit: a quotient's digit
    // guessed from the highest digits alone is then at most two too large.
    const auto scale =
        static_cast<unsigned>(divisor_digits * 32) - static_cast<unsigned>(divisor.bits());
    std::array<std::uint64_t, 9> by{};
    std::array<std::uint64_t, 9> rest{};
    const auto scaled_divisor = divisor << scale;
    const auto scaled = *this << scale;
    for (std::size_t i = 0; i < 8; ++i) {
        by[i] = digit(scaled_divisor, i);
        rest[i] = digit(scaled, i);
    }
    if (scale > 0) rest[8] = digit(*this, 7) >> (32 - scale);
    const auto top = by[divisor_digits - 1];
    const auto second = divisor_digits > 1 ? by[divisor_digits - 2] : 0;
    U256 quotient;
    for (auto j = digits - divisor_digits + 1; j-- > 0;) {
        auto* at = rest.data() + j;
        const auto high = at[divisor_digits] * kBase + at[divisor_digits - 1];
        auto guess = high / top;
        auto left = high % top;
        const auto third = divisor_digits > 1 ? at[divisor_digits - 2] : 0;
        while (left < kBase && (guess >= kBase || guess * second > left * kBase + third)) {
            --guess;
            left += top;
        }
        // Subtracts; a borrow at the end says that the guess was one too large still.
        std::uint64_t carry = 0;
        std::uint64_t borrow = 0;
        for (std::size_t i = 0; i <= divisor_digits; ++i) {
            carry += guess * by[i];
            const auto difference = at[i] - (carry & (kBase - 1)) - borrow;
            carry >>= 32;
            borrow = difference >> 63;
            at[i] = difference & (kBase - 1);
        }
        if (borrow != 0) {
            --guess;
            carry = 0;
            for (std::size_t i = 0; i <= divisor_digits; ++i) {
                carry += at[i] + by[i];
                at[i] = carry & (kBase - 1);
                carry >>= 32;
            }
        }
        quotient.limbs_[j / 2] |= guess << (j % 2 * 32);
    }
    return *this = quotient;
}

}  // namespace adit::base
