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

U256& U256::operator/=(const U256& divisor) {
    ADIT_CHECK(divisor != U256{}, "division by zero");
    U256 quotient;
    const int shift = bits() - divisor.bits();
    if (shift >= 0) {
        U256 scaled = divisor << static_cast<unsigned>(shift);
        for (int i = shift; i >= 0; --i) {
            if (*this >= scaled) {
                *this -= scaled;
                quotient += U256{1} << static_cast<unsigned>(i);
            }
            scaled >>= 1;
        }
    }
    return *this = quotient;
}

}  // namespace adit::base
