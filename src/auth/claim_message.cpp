#include "auth/claim_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace adit::auth {
namespace {

constexpr std::string_view kTitle = "Adit settings";
constexpr std::size_t kMostCharacters = 1'024;
constexpr std::size_t kMostValueCharacters = 256;
constexpr std::int64_t kAllCoins_sat = 21'000'000 * std::int64_t{100'000'000};

// Decimal digits in their one spelling.
std::optional<std::int64_t> number_in(std::string_view text) {
    std::int64_t value = 0;
    const auto* end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end || fmt::format("{}", value) != text) {
        return std::nullopt;
    }
    return value;
}

bool is_place_to_notify(std::string_view value) {
    if (value.empty() || value.size() > kMostValueCharacters) return false;
    if (!std::ranges::all_of(value, [](char c) { return c > 0x20 && c < 0x7f; })) return false;
    if (value == "off") return true;
    if (value.starts_with("https://") || value.starts_with("http://")) return true;
    const auto at = value.find('@');
    return at != value.npos && at > 0 && at + 1 < value.size() &&
           value.find('@', at + 1) == value.npos;
}

bool fits(Setting setting, std::string_view value) {
    const auto number = number_in(value);
    switch (setting) {
        case Setting::threshold:
            return number && *number >= 1 && *number <= kAllCoins_sat;
        case Setting::donation:
            return number && *number >= 0 && *number <= 1'000'000;
        case Setting::notify:
            return is_place_to_notify(value);
    }
    return false;
}

bool is_nonce(std::string_view nonce) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    return nonce.size() >= 8 && nonce.size() <= 64 && std::ranges::all_of(nonce, fits);
}

// Takes "name: value" and its line end off the front; nullopt when it is another line.
std::optional<std::string> take_line(std::string_view& text, std::string_view name) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    if (!line.starts_with(name) || line.substr(name.size(), 2) != ": ") return std::nullopt;
    return std::string(line.substr(name.size() + 2));
}

}  // namespace

std::string_view name_of(Setting setting) {
    switch (setting) {
        case Setting::threshold:
            return "threshold";
        case Setting::donation:
            return "donation";
        case Setting::notify:
            return "notify";
    }
    return "threshold";
}

std::optional<Setting> setting_named(std::string_view name) {
    for (const auto setting : {Setting::threshold, Setting::donation, Setting::notify}) {
        if (name == name_of(setting)) return setting;
    }
    return std::nullopt;
}

bool moves_payouts(Setting setting) {
    switch (setting) {
        case Setting::threshold:
        case Setting::donation:
            return true;
        case Setting::notify:
            return false;
    }
    return true;
}

std::expected<ClaimMessage, Refusal> parse_claim_message(std::string_view text) {
    const auto bad = std::unexpected(Refusal::bad_message);
    if (text.size() > kMostCharacters || text.substr(0, text.find('\n')) != kTitle) return bad;
    auto rest = text.substr(std::min(text.size(), kTitle.size() + 1));
    constexpr std::array<std::string_view, 6> kNames{"pool",  "address", "setting",
                                                     "value", "time",    "nonce"};
    std::array<std::string, 6> values;
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        auto value = take_line(rest, kNames[i]);
        if (!value) return bad;
        values[i] = std::move(*value);
    }
    const auto time = number_in(values[4]);
    if (!time || *time < 0 || *time > 1'000'000'000'000 || !is_nonce(values[5])) return bad;
    const auto setting = setting_named(values[2]);
    if (!setting) return std::unexpected(Refusal::bad_setting);
    if (!fits(*setting, values[3])) return std::unexpected(Refusal::bad_value);
    ClaimMessage message{values[0], values[1], *setting, values[3], *time, values[5]};
    // Nothing before, between or after: the signed text has one spelling.
    if (claim_text(message) != text) return bad;
    return message;
}

std::string claim_text(const ClaimMessage& message) {
    return fmt::format("{}\npool: {}\naddress: {}\nsetting: {}\nvalue: {}\ntime: {}\nnonce: {}",
                       kTitle, message.pool, message.address, name_of(message.setting),
                       message.value, message.time_s, message.nonce);
}

}  // namespace adit::auth
