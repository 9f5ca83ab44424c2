// Accounts of people: logins, tokens, API keys, second factors, and settings that the owner of an
// address claims by a signed message. Miners need none of it: an address is a name. Every call is
// safe from any thread; those that hash a password (login, passwords, creating users) take tens to
// hundreds of milliseconds and belong on a thread that may wait. Nothing here checks permissions:
// whoever calls has asked identify() and compared what it allows.
#pragma once

#include "auth/auth_store.h"
#include "auth/refusal.h"

namespace adit::auth {

struct LoginRequest {
    std::string_view name;
    std::string_view password;
    std::string_view code;  // of the second factor, or a backup code; empty: none was given
    std::string_view peer;  // the address it comes from, without a port
};

struct Tokens {
    std::string access;  // a JWT, for the Authorization header
    std::int64_t access_expires_ms = 0;
    std::string refresh;  // works once; brings new tokens
    std::int64_t refresh_expires_ms = 0;
    Principal principal;
};

// A user as shown to people: nothing secret.
struct UserView {
    UserId id = 0;
    std::string name;
    Role role = Role::miner;
    bool disabled = false;
    bool second_factor = false;
    std::int64_t created_ms = 0;
    std::int64_t changed_ms = 0;
};

// What is shown once, when the first user is made.
struct FirstAdmin {
    std::string name;
    std::string password;
};

struct NewApiKey {
    std::int64_t id = 0;
    std::string key;  // shown once: only its hash is stored
    std::int64_t expires_ms = 0;
};

// An API key as listed: the key itself is gone.
struct ApiKeyView {
    std::int64_t id = 0;
    std::string name;
    Permissions scopes;
    std::int64_t created_ms = 0;
    std::int64_t expires_ms = 0;
    std::int64_t revoked_ms = 0;
};

struct Enrolment {
    std::string secret;  // base32, to type in
    std::string uri;     // otpauth://, to draw as a QR code
};

// A claim as it arrives.
struct SignedClaim {
    std::string_view message;
    std::string_view signature;  // base64
    std::string_view peer;
};

class AuthService : public Gatekeeper {
 public:
    // Logins and tokens. A session lives until it expires, is refreshed too late, or is revoked.
    virtual Outcome<Tokens> login(const LoginRequest& request) = 0;
    // The old refresh token works no more. One that was used before ends its session.
    virtual Outcome<Tokens> refresh(std::string_view refresh_token, std::string_view peer) = 0;
    // Ends the session of this access token.
    virtual Outcome<void> logout(std::string_view access_token) = 0;
    // Ends all sessions of a user.
    virtual Outcome<void> logout_everywhere(UserId user) = 0;
    // A new signing key: all access and refresh tokens are void, API keys stay.
    virtual Outcome<void> reload_keys() = 0;

    // What the first start made; once, then nullopt.
    virtual std::optional<FirstAdmin> first_admin() = 0;

    // Accounts. `by` is who does it, for the audit log.
    virtual Outcome<UserId> create_user(const Principal& by, std::string_view name,
                                        std::string_view password, Role role) = 0;
    virtual Outcome<std::vector<UserView>> users() = 0;
    virtual Outcome<void> set_disabled(const Principal& by, UserId user, bool disabled) = 0;
    virtual Outcome<void> set_role(const Principal& by, UserId user, Role role) = 0;
    // A new random password, returned once; sessions end, the second factor is switched off when
    // asked.
    virtual Outcome<std::string> reset_password(const Principal& by, UserId user,
                                                bool reset_second_factor) = 0;
    virtual Outcome<void> change_password(const Principal& who, std::string_view old_password,
                                          std::string_view new_password, std::string_view peer) = 0;

    // Second factor (RFC 6238): offered to who knows the password, then switched on by a code of
    // it, which brings ten backup codes, shown once.
    virtual Outcome<Enrolment> offer_second_factor(const Principal& who, std::string_view password,
                                                   std::string_view peer) = 0;
    virtual Outcome<std::vector<std::string>> confirm_second_factor(const Principal& who,
                                                                    std::string_view code) = 0;
    virtual Outcome<void> remove_second_factor(const Principal& who, std::string_view password,
                                               std::string_view code, std::string_view peer) = 0;

    // API keys. Scopes must be among what the role allows, without own_account and manage_users: a
    // key cannot make itself another one. `expires_ms` 0: never.
    virtual Outcome<NewApiKey> create_api_key(const Principal& who, std::string_view name,
                                              Permissions scopes, std::int64_t expires_ms) = 0;
    virtual Outcome<std::vector<ApiKeyView>> api_keys(UserId user) = 0;
    virtual Outcome<void> revoke_api_key(const Principal& by, UserId user, std::int64_t id) = 0;

    // The audit log, the latest first. `before_id` 0: from the end.
    virtual Outcome<std::vector<Event>> events(std::int64_t from_ms, std::int64_t to_ms,
                                               std::int64_t before_id, std::size_t most) = 0;

    // Settings of an address, claimed by its owner. Accepted ones wait for their hold time.
    virtual Outcome<PendingChange> claim(const SignedClaim& claim) = 0;
    // What has to be written into the ledger now; settle each when it is.
    virtual Outcome<std::vector<PendingChange>> due_changes(std::int64_t now_ms) = 0;
    virtual Outcome<void> settle_change(std::int64_t id, ChangeState state,
                                        std::string_view detail) = 0;
    virtual Outcome<std::vector<PendingChange>> changes_of(std::string_view address) = 0;

    // Deletes what is over; call it every few minutes.
    virtual Outcome<void> tidy() = 0;
    // Makes and checks a token and reads the store, as a probe of health.
    virtual Outcome<void> probe() = 0;
};

}  // namespace adit::auth
