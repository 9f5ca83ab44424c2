// Unsigned 256-bit integers for targets and work. Exact; overflow wraps as for built-in unsigned
// types, and the operations that must not wrap say so. Value type, safe from any thread.
#pragma once

#include "base/bytes.h"

#include <array>
#include <bit>
#include <compare>
#include <cstdint>

namespace adit::base {

__extension__ typedef unsigned __int128 U128;

class U256 {
 public:
    constexpr U256() = default;
    constexpr U256(std::uint64_t value) : limbs_{value, 0, 0, 0} {}
    static constexpr U256 from_u128(U128 value) {
        U256 result;
        result.limbs_[0] = static_cast<std::uint64_t>(value);
        result.limbs_[1] = static_cast<std::uint64_t>(value >> 64);
        return result;
    }
    // 32 bytes, least significant first (a block hash in internal order).
    static U256 from_le(std::span<const std::uint8_t, 32> bytes);
    static constexpr U256 max() { return ~U256{}; }

    std::array<std::uint8_t, 32> to_le() const;
    // 64 hex digits, most significant first.
    std::string to_hex() const;

    // Number of significant bits; 0 for zero.
    constexpr int bits() const {
        for (int i = 3; i >= 0; --i) {
            if (limbs_[static_cast<std::size_t>(i)] != 0) {
                return 64 * i + 64 - std::countl_zero(limbs_[static_cast<std::size_t>(i)]);
            }
        }
        return 0;
    }
    constexpr std::uint64_t low64() const { return limbs_[0]; }
    constexpr U128 low128() const { return U128{limbs_[1]} << 64 | limbs_[0]; }
    // Limb i of four, least significant first.
    constexpr std::uint64_t limb(std::size_t i) const { return limbs_[i]; }

    constexpr U256 operator~() const {
        U256 result;
        for (std::size_t i = 0; i < 4; ++i)
            result.limbs_[i] = ~limbs_[i];
        return result;
    }
    constexpr U256& operator+=(const U256& other) {
        U128 carry = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            carry += U128{limbs_[i]} + other.limbs_[i];
            limbs_[i] = static_cast<std::uint64_t>(carry);
            carry >>= 64;
        }
        return *this;
    }
    constexpr U256& operator-=(const U256& other) {
        U256 negated = ~other;
        negated += U256{1};
        return *this += negated;
    }
    constexpr U256& operator<<=(unsigned shift) {
        U256 result;
        for (unsigned i = 0; i < 4; ++i) {
            for (unsigned part = 0; part < 2; ++part) {
                const unsigned to = i + shift / 64 + part;
                if (to > 3) continue;
                if (part == 0)
                    result.limbs_[to] |= limbs_[i] << shift % 64;
                else if (shift % 64 != 0)
                    result.limbs_[to] |= limbs_[i] >> (64 - shift % 64);
            }
        }
        return *this = result;
    }
    constexpr U256& operator>>=(unsigned shift) {
        U256 result;
        for (unsigned i = shift / 64; i < 4; ++i) {
            const unsigned to = i - shift / 64;
            result.limbs_[to] |= limbs_[i] >> shift % 64;
            if (shift % 64 != 0 && to > 0) result.limbs_[to - 1] |= limbs_[i] << (64 - shift % 64);
        }
        return *this = result;
    }
    // Product modulo 2^256.
    U256& operator*=(const U256& other);
    // Quotient rounded down; the divisor must not be zero.
    U256& operator/=(const U256& divisor);

    friend constexpr U256 operator+(U256 a, const U256& b) { return a += b; }
    friend constexpr U256 operator-(U256 a, const U256& b) { return a -= b; }
    friend constexpr U256 operator<<(U256 a, unsigned shift) { return a <<= shift; }
    friend constexpr U256 operator>>(U256 a, unsigned shift) { return a >>= shift; }
    friend U256 operator*(U256 a, const U256& b) { return a *= b; }
    friend U256 operator/(U256 a, const U256& b) { return a /= b; }
    friend constexpr bool operator==(const U256&, const U256&) = default;
    friend constexpr std::strong_ordering operator<=>(const U256& a, const U256& b) {
        for (std::size_t i = 4; i-- > 0;) {
            if (a.limbs_[i] != b.limbs_[i]) return a.limbs_[i] <=> b.limbs_[i];
        }
        return std::strong_ordering::equal;
    }

 private:
    std::array<std::uint64_t, 4> limbs_{};
};

}  // namespace adit::base
