#include "node/rpc_amount.h"

#include <cmath>

namespace adit::node {
namespace {

constexpr double kCoin = 100'000'000;
constexpr double kMostBtc = 21'000'000;

// The integer nearest to btc x 10^8, for numbers within all coins.
std::int64_t nearest_sat(double btc) {
    return std::llround(btc * kCoin);
}

// The double that a correct parser makes of the decimal k / 10^8: both operands are exact as
// doubles (k < 2^53), and IEEE 754 rounds their quotient to the double nearest to the true one.
double btc_of(std::int64_t sat) {
    return static_cast<double>(sat) / kCoin;
}

}  // namespace

// Why this is exact. Let the text be k / 10^8 with |k| <= 2.1 x 10^15 < 2^51.
//  - The parsed double is d = k / 10^8 x (1 + e), |e| <= 2^-53, and the product d x 10^8 is rounded
//    once more, so it is k x (1 + e') with |e'| < 2^-52 x 1.01: less than 0.48 away from k.
//    Rounding to the nearest integer gives k.
//  - btc_of(k) == d then holds. If some other number came in, of which no eight decimals are the
//    text, it fails: doubles below 2^25 are at most 2^-28 < 10^-8 / 2 apart, so different k have
//    different doubles, and a double is accepted for one k only.
std::optional<chain::Amount> amount_of_json(double btc) {
    if (!(btc >= -kMostBtc && btc <= kMostBtc)) return std::nullopt;
    const auto sat = nearest_sat(btc);
    if (btc_of(sat) != btc) return std::nullopt;
    return chain::Amount::from_sat(sat);
}

std::optional<std::int64_t> fee_rate_of_json(double btc) {
    if (!(btc > 0 && btc <= kMostBtc)) return std::nullopt;
    const auto sat = nearest_sat(btc);
    return btc_of(sat) < btc ? sat + 1 : sat;
}

}  // namespace adit::node
