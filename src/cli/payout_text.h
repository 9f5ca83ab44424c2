// What the pool answers about payouts and accounts, in words for people, and what people write of
// amounts. Pure: JSON of the control socket in, text out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace adit::cli {

// The results of payout.run, payout.status, payout.approve and its like, and payout.explain.
std::string round_text(const std::string& json);
std::string payout_status_text(const std::string& json);
std::string decided_text(const std::string& json);
std::string explained_text(const std::string& json);
// The result of account.set.
std::string settings_text(const std::string& json);

// "0.005", "0.005BTC" or "500000sat" in satoshis, and "pool" as 0; nullopt for anything else: a
// whole number without a unit could be either.
std::optional<std::int64_t> parse_threshold(std::string_view text);
// "1.5%" or "1.5" in parts per million.
std::optional<std::uint32_t> parse_donation(std::string_view text);

}  // namespace adit::cli
