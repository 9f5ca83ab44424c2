// The text that the owner of an address signs to change one of its settings, exactly these lines
// with "\n" between them and none at the end:
//
//   Adit settings
//   pool: adit
//   address: bc1q...
//   setting: threshold
//   value: 100000
//   time: 1700000000
//   nonce: 8 to 64 letters and digits
//
// The time is in seconds since 1970 and holds for ten minutes. Pure functions, safe from any
// thread.
#pragma once

#include "auth/refusal.h"

#include <optional>

namespace adit::auth {

inline constexpr std::int64_t kClaimLife_s = 600;

enum class Setting : std::uint8_t {
    threshold = 0,  // satoshis, 1 to 21 million coins
    donation = 1,   // millionths of what is earned, 0 to 1,000,000
    notify = 2,     // where to tell of payouts: an http(s) URL, an e-mail address, or "off"
};
std::string_view name_of(Setting setting);
// nullopt: there is no such setting.
std::optional<Setting> setting_named(std::string_view name);
// Whether a thief could gain by it: such changes wait for their hold time.
bool moves_payouts(Setting setting);

struct ClaimMessage {
    std::string pool;
    std::string address;
    Setting setting = Setting::threshold;
    std::string value;  // fits the setting
    std::int64_t time_s = 0;
    std::string nonce;
};

// Refuses with bad_message, bad_setting or bad_value. Neither pool, address, time nor signature are
// judged.
std::expected<ClaimMessage, Refusal> parse_claim_message(std::string_view text);
// What a wallet has to sign.
std::string claim_text(const ClaimMessage& message);

}  // namespace adit::auth
