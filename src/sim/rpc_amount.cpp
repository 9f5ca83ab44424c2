#include "sim/rpc_amount.h"

#include "sim/tx_rules.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace adit::sim {
namespace {

using Json = nlohmann::json;

constexpr int kBitcoinPlaces = 8;
constexpr int kFeeRatePlaces = 3;

bool is_digits(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

void write(const Json& json, std::string& out) {
    if (json.is_binary()) {
        out += base::as_text(json.get_binary());
    } else if (json.is_array()) {
        out += '[';
        for (std::size_t i = 0; i < json.size(); ++i) {
            if (i > 0) out += ',';
            write(json[i], out);
        }
        out += ']';
    } else if (json.is_object()) {
        out += '{';
        bool first = true;
        for (const auto& [key, value] : json.items()) {
            if (!first) out += ',';
            first = false;
            out += Json(key).dump() + ":";
            write(value, out);
        }
        out += '}';
    } else {
        out += json.dump();
    }
}

// A number as the shortest decimal that names the same double: for a number that was written with
// up to 15 digits, or as an amount, that is what was written.
std::optional<std::string> decimal_text(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_float()) return fmt::format("{}", value.get<double>());
    if (value.is_number_integer()) return value.dump();
    if (value.is_binary()) return std::string(base::as_text(value.get_binary()));
    return std::nullopt;
}

// 10^n, n from 0 to 18.
std::int64_t power_of_ten(int n) {
    std::int64_t power = 1;
    for (; n > 0; --n)
        power *= 10;
    return power;
}

}  // namespace

std::string bitcoins_text(std::int64_t sat) {
    const auto magnitude = sat < 0 ? -sat : sat;
    return fmt::format("{}{}.{:08}", sat < 0 ? "-" : "", magnitude / kCoin, magnitude % kCoin);
}

Json amount_json(std::int64_t sat) {
    const auto text = bitcoins_text(sat);
    return Json::binary(std::vector<std::uint8_t>(text.begin(), text.end()));
}

std::string write_json(const Json& json) {
    std::string out;
    write(json, out);
    return out;
}

std::optional<std::int64_t> parse_decimal(std::string_view text, int places) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    int exponent = 0;
    if (const auto at = text.find_first_of("eE"); at != std::string_view::npos) {
        auto digits = text.substr(at + 1);
        if (digits.starts_with('+')) digits.remove_prefix(1);
        const auto* end = digits.data() + digits.size();
        const auto [stop, error] = std::from_chars(digits.data(), end, exponent);
        if (error != std::errc() || stop != end || exponent > 30 || exponent < -30) {
            return std::nullopt;
        }
        text = text.substr(0, at);
    }
    const auto point = text.find('.');
    const auto whole = text.substr(0, point);
    const auto fraction =
        point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
    if (whole.empty() || !is_digits(whole) || !is_digits(fraction)) return std::nullopt;
    if (point != std::string_view::npos && fraction.empty()) return std::nullopt;
    auto digits = std::string(whole) + std::string(fraction);
    auto shift = places + exponent - static_cast<int>(fraction.size());
    for (; shift < 0 && digits.ends_with('0'); ++shift)
        digits.pop_back();
    const auto significant = std::min(digits.find_first_not_of('0'), digits.size());
    digits.erase(0, significant);
    if (digits.empty()) return 0;
    if (shift < 0 || digits.size() + static_cast<std::size_t>(shift) > 18) return std::nullopt;
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    value *= power_of_ten(shift);
    return negative ? -value : value;
}

RpcFailure read_amount(const Json& value, std::int64_t& sat) {
    const auto text = decimal_text(value);
    if (!text) return {rpc_code::kType, "Amount is not a number or string"};
    const auto parsed = parse_decimal(*text, kBitcoinPlaces);
    if (!parsed) return {rpc_code::kType, "Invalid amount"};
    if (*parsed < 0 || *parsed > kMaxMoney) return {rpc_code::kType, "Amount out of range"};
    sat = *parsed;
    return {};
}

RpcFailure read_fee_rate(const Json& value, std::int64_t& sat_per_kvb) {
    const auto text = decimal_text(value);
    if (!text) return {rpc_code::kType, "Amount is not a number or string"};
    const auto parsed = parse_decimal(*text, kFeeRatePlaces);
    if (!parsed) return {rpc_code::kType, "Invalid amount"};
    if (*parsed < 0 || *parsed > kMaxMoney) return {rpc_code::kType, "Amount out of range"};
    sat_per_kvb = *parsed;
    return {};
}

}  // namespace adit::sim
