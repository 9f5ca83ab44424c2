// Amounts of bitcoin: a whole number of satoshis that cannot leave the range of all coins, negative
// for debts. Arithmetic that would leave it stops the process; what comes from outside goes through
// from_sat(). Value type, safe from any thread.
#pragma once

#include "base/check.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace adit::chain {

class Amount {
 public:
    // 21 million bitcoins (Bitcoin Core's MAX_MONEY).
    static constexpr std::int64_t kMaxSat = 2'100'000'000'000'000;

    constexpr Amount() = default;
    // nullopt outside of [-kMaxSat, kMaxSat].
    static constexpr std::optional<Amount> from_sat(std::int64_t sat) {
        if (sat < -kMaxSat || sat > kMaxSat) return std::nullopt;
        return Amount(sat);
    }
    // For values that were checked where they came in.
    static constexpr Amount of(std::int64_t sat) {
        ADIT_CHECK(sat >= -kMaxSat && sat <= kMaxSat, "an amount is within all coins");
        return Amount(sat);
    }
    // "0.00012345" (optional sign, at most eight decimals), exactly; nullopt for anything else.
    static std::optional<Amount> from_btc(std::string_view text);

    constexpr std::int64_t sat() const { return sat_; }
    constexpr bool is_zero() const { return sat_ == 0; }
    // Bitcoins with eight decimals: "-0.00012345".
    std::string btc() const;

    constexpr Amount& operator+=(Amount other) { return *this = of(sat_ + other.sat_); }
    constexpr Amount& operator-=(Amount other) { return *this = of(sat_ - other.sat_); }
    friend constexpr Amount operator+(Amount a, Amount b) { return a += b; }
    friend constexpr Amount operator-(Amount a, Amount b) { return a -= b; }
    friend constexpr Amount operator-(Amount a) { return Amount(-a.sat_); }
    friend constexpr auto operator<=>(const Amount&, const Amount&) = default;

 private:
    explicit constexpr Amount(std::int64_t sat) : sat_(sat) {}
    std::int64_t sat_ = 0;
};

}  // namespace adit::chain
