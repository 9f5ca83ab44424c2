#include "auth/refusal.h"

namespace adit::auth {
namespace {

struct Words {
    Refusal why;
    std::string_view name;
    std::string_view sentence;
};

// In the order of the enumeration.
constexpr std::array kWords{
    Words{Refusal::wrong_credentials, "wrong_credentials", "Name or password is wrong."},
    Words{Refusal::code_needed, "code_needed",
          "This account has a second factor: send a code of it with the login."},
    Words{Refusal::wrong_code, "wrong_code",
          "The code is wrong, too old, or was used before: wait for the next one."},
    Words{Refusal::locked, "locked", "Too many failed attempts: wait before the next one."},
    Words{Refusal::disabled, "disabled", "This account is disabled: ask an admin of the pool."},
    Words{Refusal::busy, "busy", "Too many logins are being checked: try again in a moment."},
    Words{Refusal::bad_token, "bad_token", "This token is not one of this pool: log in again."},
    Words{Refusal::token_expired, "token_expired", "This token has expired: log in again."},
    Words{Refusal::token_reused, "token_reused",
          "This refresh token was used before, so its session has been ended: log in "
          "again, and change the password if somebody else may have had it."},
    Words{Refusal::session_ended, "session_ended", "This session has been ended: log in again."},
    Words{Refusal::bad_name, "bad_name",
          "A user name has 1 to 32 characters: a to z, 0 to 9, dot, dash, underscore."},
    Words{Refusal::name_taken, "name_taken",
          "There is a user of this name already: choose another one."},
    Words{Refusal::weak_password, "weak_password", "A password has 12 to 256 bytes."},
    Words{Refusal::no_such_user, "no_such_user", "There is no such user."},
    Words{Refusal::last_admin, "last_admin",
          "This is the last enabled admin: make another one first."},
    Words{Refusal::second_factor_on, "second_factor_on",
          "The second factor is on already: remove it before enrolling another one."},
    Words{Refusal::second_factor_not_offered, "second_factor_not_offered",
          "No enrolment is under way: start one before confirming it."},
    Words{Refusal::second_factor_off, "second_factor_off", "This account has no second factor."},
    Words{Refusal::bad_scopes, "bad_scopes",
          "Scopes must be one or more of what the account's role allows, without "
          "own_account and manage_users."},
    Words{Refusal::bad_expiry, "bad_expiry", "The expiry must be in the future, or 0 for none."},
    Words{Refusal::too_many_keys, "too_many_keys",
          "This account has too many API keys: revoke one first."},
    Words{Refusal::no_such_key, "no_such_key",
          "This account has no such API key, or it is revoked."},
    Words{Refusal::bad_message, "bad_message",
          "The message must be exactly as documented: one line each for pool, address, "
          "setting, value, time and nonce."},
    Words{Refusal::bad_address, "bad_address", "The message's address is not one of this network."},
    Words{Refusal::unsupported_address, "unsupported_address",
          "Messages can be signed for P2PKH, P2WPKH, P2SH-P2WPKH and P2TR addresses."},
    Words{Refusal::bad_setting, "bad_setting", "There is no such setting."},
    Words{Refusal::bad_value, "bad_value", "The value does not fit the setting."},
    Words{Refusal::stale_message, "stale_message",
          "The message's time is more than ten minutes from now: sign a new one."},
    Words{Refusal::nonce_used, "nonce_used",
          "A message with this nonce was used before: sign a new one."},
    Words{Refusal::bad_signature, "bad_signature",
          "The signature is not one of this message by the owner of this address."},
    Words{Refusal::too_many_changes, "too_many_changes",
          "Too many changes are waiting: try again later."},
    Words{Refusal::no_such_change, "no_such_change", "No such change is waiting."},
    Words{Refusal::store_failed, "store_failed",
          "The accounts cannot be read or written at present."},
};

constexpr bool in_order() {
    for (std::size_t i = 0; i < kWords.size(); ++i) {
        if (static_cast<std::size_t>(kWords[i].why) != i) return false;
    }
    return kWords.size() == kRefusals;
}
static_assert(in_order());

const Words& words_of(Refusal why) {
    return kWords[static_cast<std::size_t>(why)];
}

}  // namespace

std::string_view name_of(Refusal why) {
    return words_of(why).name;
}

std::string_view describe(Refusal why) {
    return words_of(why).sentence;
}

}  // namespace adit::auth
