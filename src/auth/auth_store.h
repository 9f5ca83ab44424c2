// What the auth service keeps: its rows and the interface to whatever stores them. Implemented by
// store::SqlAuthStore, and in memory for tests. No secret lies here in the clear except the signing
// key and the secrets of second factors, which have to be used; so whoever can read this store can
// act as anybody. Implementations are safe from any thread; each call happens wholly or not at all.
#pragma once

#include "auth/principal.h"
#include "chain/hash.h"

#include <functional>
#include <optional>
#include <vector>

namespace adit::auth {

using UserId = std::int64_t;
using Digest = chain::Hash256;  // SHA-256

// The error is a sentence for the operator that names the store.
template <class T>
using Stored = std::expected<T, std::string>;

enum class SecondFactor : std::uint8_t { off = 0, offered = 1, on = 2 };

struct UserRow {
    UserId id = 0;  // given by the store
    std::string name;
    Role role = Role::miner;
    bool disabled = false;
    std::string password_hash;  // as libsodium writes Argon2id with its parameters
    std::int64_t created_ms = 0;
    std::int64_t changed_ms = 0;
    SecondFactor second_factor = SecondFactor::off;
    base::Bytes totp_secret;
    std::int64_t totp_used_step = 0;  // no code of this time step or an earlier one works again
    std::vector<Digest> backup_codes;
};

// A login that lives on by its refresh token.
struct SessionRow {
    Digest id;                // SHA-256 of the family name in its refresh tokens
    std::int64_t number = 0;  // given by the store, rising
    UserId user = 0;
    Digest refresh;  // SHA-256 of the one refresh token that works
    std::int64_t created_ms = 0;
    std::int64_t used_ms = 0;
    std::int64_t expires_ms = 0;  // unless it is refreshed before
    std::int64_t ends_ms = 0;     // however often it is refreshed
    std::int64_t revoked_ms = 0;  // 0: it is not
    std::string peer;             // where it was opened
};

struct ApiKeyRow {
    std::int64_t id = 0;  // given by the store
    UserId user = 0;
    std::string name;
    Digest key;
    Permissions scopes;
    std::int64_t created_ms = 0;
    std::int64_t expires_ms = 0;  // 0: never
    std::int64_t revoked_ms = 0;
};

// Ed25519. The id goes into the tokens' headers.
struct SigningKey {
    std::string id;
    std::array<std::uint8_t, 32> seed{};
    std::int64_t created_ms = 0;
};

enum class EventKind : std::uint8_t {
    first_admin = 0,
    login = 1,
    login_failed = 2,
    locked_out = 3,
    logout = 4,
    refresh_reused = 5,
    keys_reloaded = 6,
    user_created = 7,
    user_disabled = 8,
    user_enabled = 9,
    role_changed = 10,
    password_changed = 11,
    password_reset = 12,
    second_factor_on = 13,
    second_factor_off = 14,
    backup_code_used = 15,
    api_key_created = 16,
    api_key_revoked = 17,
    change_announced = 18,
    change_applied = 19,
    change_cancelled = 20,
};
std::string_view name_of(EventKind kind);

// One line of the audit log.
struct Event {
    std::int64_t id = 0;  // given by the store, rising
    std::int64_t at_ms = 0;
    EventKind kind = EventKind::login;
    UserId user = 0;      // 0: none is known
    std::string subject;  // a user's name or an address
    std::string peer;     // an address of the network, empty when there is none
    std::string detail;
};

enum class ChangeState : std::uint8_t { waiting = 0, applied = 1, cancelled = 2 };

// A setting that the owner of an address claimed, until its hold time is over.
struct PendingChange {
    std::int64_t id = 0;  // given by the store
    std::string address;
    std::string setting;
    std::string value;
    std::int64_t created_ms = 0;
    std::int64_t apply_at_ms = 0;
    ChangeState state = ChangeState::waiting;
};

class AuthStore {
 public:
    virtual ~AuthStore() = default;

    // Users. Adding gives nullopt when the name is taken.
    virtual Stored<std::optional<UserId>> add_user(const UserRow& user) = 0;
    // Adds it only when there is no enabled admin; nullopt otherwise, or when the name is taken.
    virtual Stored<std::optional<UserId>> add_first_admin(const UserRow& user) = 0;
    virtual Stored<std::optional<UserRow>> user(UserId id) = 0;
    virtual Stored<std::optional<UserRow>> user_named(std::string_view name) = 0;
    virtual Stored<std::vector<UserRow>> users() = 0;
    // Reads, changes and writes a row while nobody else writes. `change` gets how many other
    // enabled admins there are and says whether its change holds; it must not call the store.
    // False: there is no such row, or the change did not hold.
    using UserChange = std::function<bool(UserRow& user, std::int64_t other_admins)>;
    virtual Stored<bool> change_user(UserId id, const UserChange& change) = 0;

    // Sessions. Of one user at most so many are kept, the latest. False: the user is gone,
    // disabled, or has another password than this hash by now.
    virtual Stored<bool> add_session(const SessionRow& session, const std::string& password_hash,
                                     std::int64_t most) = 0;
    virtual Stored<std::optional<SessionRow>> session(const Digest& id) = 0;
    using SessionChange = std::function<bool(SessionRow& session)>;
    virtual Stored<bool> change_session(const Digest& id, const SessionChange& change) = 0;
    virtual Stored<void> revoke_sessions(UserId user, std::int64_t now_ms) = 0;

    // API keys. Adding gives nullopt when the user has `most` already; revoked ones and those that
    // expired before created_ms do not count.
    virtual Stored<std::optional<std::int64_t>> add_api_key(const ApiKeyRow& key,
                                                            std::int64_t most) = 0;
    virtual Stored<std::optional<ApiKeyRow>> api_key(const Digest& key) = 0;
    virtual Stored<std::vector<ApiKeyRow>> api_keys_of(UserId user) = 0;
    // False: this user has no such key, or it is revoked already.
    virtual Stored<bool> revoke_api_key(UserId user, std::int64_t id, std::int64_t now_ms) = 0;

    // The one signing key. The first writes this key when there is none and gives the one that
    // stands; the second puts it in place of any other and revokes all sessions.
    virtual Stored<SigningKey> signing_key_or(const SigningKey& fresh) = 0;
    virtual Stored<void> replace_signing_key(const SigningKey& fresh, std::int64_t now_ms) = 0;

    // The audit log, the latest first. `before_id` 0: from the end.
    virtual Stored<void> add_event(const Event& event) = 0;
    virtual Stored<std::vector<Event>> events(std::int64_t from_ms, std::int64_t to_ms,
                                              std::int64_t before_id, std::int64_t most) = 0;

    // Claimed settings. Adding takes the nonce until it expires, and cancels a waiting change of
    // the same address and setting. Nothing is added when the nonce was taken before, or when
    // `most` changes are waiting.
    struct ChangeAdded {
        enum class Outcome : std::uint8_t { added, nonce_used, full } outcome;
        std::int64_t id = 0;
    };
    virtual Stored<ChangeAdded> add_change(const PendingChange& change, const Digest& nonce,
                                           std::int64_t nonce_expires_ms, std::int64_t most) = 0;
    // Waiting ones whose time has come, in the order of their times.
    virtual Stored<std::vector<PendingChange>> due_changes(std::int64_t now_ms,
                                                           std::int64_t most) = 0;
    virtual Stored<std::vector<PendingChange>> changes_of(std::string_view address) = 0;
    // The change as it now is; nullopt when none with this id is waiting.
    virtual Stored<std::optional<PendingChange>> settle_change(std::int64_t id,
                                                               ChangeState state) = 0;

    // Deletes what is over: sessions and API keys that ended before `ended_ms`, events before
    // `events_ms` and all but the latest `most_events`, nonces that expired before `now_ms`,
    // settled changes created before `ended_ms`.
    struct Bounds {
        std::int64_t now_ms = 0;
        std::int64_t ended_ms = 0;
        std::int64_t events_ms = 0;
        std::int64_t most_events = 0;
    };
    virtual Stored<void> tidy(const Bounds& bounds) = 0;
};

}  // namespace adit::auth
