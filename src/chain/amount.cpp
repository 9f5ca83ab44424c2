#include "chain/amount.h"

#include <fmt/format.h>

namespace adit::chain {
namespace {

constexpr std::int64_t kCoin = 100'000'000;
constexpr std::size_t kDecimals = 8;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

}  // namespace

std::optional<Amount> Amount::from_btc(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const auto dot = text.find('.');
    const auto whole = text.substr(0, dot);
    const auto decimals = dot == std::string_view::npos ? std::string_view{} : text.substr(dot + 1);
    if (whole.empty() || whole.size() > kDecimals || decimals.size() > kDecimals) {
        return std::nullopt;
    }
    if (dot != std::string_view::npos && decimals.empty()) return std::nullopt;
    std::int64_t sat = 0;
    for (const char c : whole) {
        if (!is_digit(c)) return std::nullopt;
        sat = sat * 10 + (c - '0');
    }
    for (std::size_t i = 0; i < kDecimals; ++i) {
        const char c = i < decimals.size() ? decimals[i] : '0';
        if (!is_digit(c)) return std::nullopt;
        sat = sat * 10 + (c - '0');
    }
    return from_sat(negative ? -sat : sat);
}

std::string Amount::btc() const {
    const auto size = sat_ < 0 ? -sat_ : sat_;
    return fmt::format("{}{}.{:08}", sat_ < 0 ? "-" : "", size / kCoin, size % kCoin);
}

}  // namespace adit::chain
