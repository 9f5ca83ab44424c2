// Why the auth service refuses. Values; safe from any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace adit::auth {

enum class Refusal : std::uint8_t {
    wrong_credentials,  // name, password or both
    code_needed,        // the password is right, a code of the second factor is missing
    wrong_code,
    locked,    // too many failures; retry_after_ms says how long
    disabled,  // of an account whose password was right
    busy,      // too many passwords are being checked
    bad_token,
    token_expired,
    token_reused,
    session_ended,
    bad_name,
    name_taken,
    weak_password,
    no_such_user,
    last_admin,
    second_factor_on,
    second_factor_not_offered,
    second_factor_off,
    bad_scopes,
    bad_expiry,
    too_many_keys,
    no_such_key,
    bad_message,
    bad_address,
    unsupported_address,
    bad_setting,
    bad_value,
    stale_message,
    nonce_used,
    bad_signature,
    too_many_changes,
    no_such_change,
    store_failed,
};
inline constexpr std::size_t kRefusals = static_cast<std::size_t>(Refusal::store_failed) + 1;
// Such as "wrong_credentials", for machines.
std::string_view name_of(Refusal why);
// A sentence for people that says what to do.
std::string_view describe(Refusal why);

struct Refused {
    Refusal why;
    std::string text;                 // a sentence for people
    std::int64_t retry_after_ms = 0;  // of `locked` and `busy`
};

inline std::unexpected<Refused> refuse(Refusal why) {
    return std::unexpected(Refused{why, std::string(describe(why)), 0});
}
inline std::unexpected<Refused> refuse(Refusal why, std::string text) {
    return std::unexpected(Refused{why, std::move(text), 0});
}

template <class T>
using Outcome = std::expected<T, Refused>;

}  // namespace adit::auth
