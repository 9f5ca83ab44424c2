// The auth service over an AuthStore. Owns what it remembers of the store (for at most cache_ms, so
// that a change by another instance holds that soon) and the failed attempts, which a restart
// forgets. Safe from any thread; store, clock, registry and log outlive it.
#pragma once

#include "auth/auth_service.h"
#include "auth/jwt.h"
#include "auth/lockout.h"
#include "auth/password.h"
#include "auth/timed_cache.h"
#include "base/log.h"
#include "chain/network.h"

namespace adit::auth {

// What tokens that are not JWTs begin with, so that people and scanners recognise them.
inline constexpr std::string_view kApiKeyPrefix = "adit_";
inline constexpr std::string_view kRefreshPrefix = "adrt_";

struct AccountSettings {
    PasswordSettings passwords;
    std::int64_t access_s = 15 * 60;
    std::int64_t refresh_s = 7 * 86'400;   // a session not refreshed for so long ends
    std::int64_t session_s = 30 * 86'400;  // and any after this
    std::int64_t most_sessions = 32;       // of one user; the oldest goes first
    std::int64_t most_api_keys = 32;
    std::int64_t cache_ms = 5'000;
    std::size_t most_cached = 10'000;
    LockoutSettings by_name;
    LockoutSettings by_peer{.free_failures = 20};
    std::int64_t keep_events_s = 365 * 86'400;
    std::int64_t most_events = 100'000;
    std::int64_t keep_ended_s = 30 * 86'400;  // revoked keys, ended sessions, settled changes
    std::string pool_name = "adit";           // in authenticator apps and signed messages
    chain::Network network = chain::Network::main;
    std::int64_t hold_ms = 24 * 3'600'000;  // of changes that move payouts
    std::int64_t most_changes = 10'000;
    // Told of every event after it is stored, on the thread that caused it; must be quick.
    std::function<void(const Event&)> listener = {};
};

class Accounts final : public AuthService {
 public:
    // Reads or makes the signing key, and makes the user "admin" when no account
    // is an enabled admin. The error is a
    // sentence for the operator.
    static std::expected<std::unique_ptr<Accounts>, std::string> open(AccountSettings settings,
                                                                      AuthStore& store,
                                                                      const base::Clock& clock,
                                                                      metrics::Registry& registry,
                                                                      base::Logger& log);
    ~Accounts() override;

    std::expected<Principal, Denial> identify(std::string_view credential) override;

    Outcome<Tokens> login(const LoginRequest& request) override;
    Outcome<Tokens> refresh(std::string_view refresh_token, std::string_view peer) override;
    Outcome<void> logout(std::string_view access_token) override;
    Outcome<void> logout_everywhere(UserId user) override;
    Outcome<void> reload_keys() override;
    std::optional<FirstAdmin> first_admin() override;

    Outcome<UserId> create_user(const Principal& by, std::string_view name,
                                std::string_view password, Role role) override;
    Outcome<std::vector<UserView>> users() override;
    Outcome<void> set_disabled(const Principal& by, UserId user, bool disabled) override;
    Outcome<void> set_role(const Principal& by, UserId user, Role role) override;
    Outcome<std::string> reset_password(const Principal& by, UserId user,
                                        bool reset_second_factor) override;
    Outcome<void> change_password(const Principal& who, std::string_view old_password,
                                  std::string_view new_password, std::string_view peer) override;

    Outcome<Enrolment> offer_second_factor(const Principal& who, std::string_view password,
                                           std::string_view peer) override;
    Outcome<std::vector<std::string>> confirm_second_factor(const Principal& who,
                                                            std::string_view code) override;
    Outcome<void> remove_second_factor(const Principal& who, std::string_view password,
                                       std::string_view code, std::string_view peer) override;

    Outcome<NewApiKey> create_api_key(const Principal& who, std::string_view name,
                                      Permissions scopes, std::int64_t expires_ms) override;
    Outcome<std::vector<ApiKeyView>> api_keys(UserId user) override;
    Outcome<void> revoke_api_key(const Principal& by, UserId user, std::int64_t id) override;

    Outcome<std::vector<Event>> events(std::int64_t from_ms, std::int64_t to_ms,
                                       std::int64_t before_id, std::size_t most) override;

    Outcome<PendingChange> claim(const SignedClaim& claim) override;
    Outcome<std::vector<PendingChange>> due_changes(std::int64_t now_ms) override;
    Outcome<void> settle_change(std::int64_t id, ChangeState state,
                                std::string_view detail) override;
    Outcome<std::vector<PendingChange>> changes_of(std::string_view address) override;

    Outcome<void> tidy() override;
    Outcome<void> probe() override;

 private:
    // What a session or an API key stands for, as it was a moment ago.
    struct Standing {
        UserId user = 0;
        std::string name;
        Role role = Role::miner;
        Permissions scopes;
        std::int64_t expires_ms = 0;  // 0: never
        bool revoked = false;
        bool disabled = false;
    };
    // nullopt: there is no such thing.
    using Found = std::optional<Standing>;
    struct Kept {
        std::shared_ptr<const SigningKey> key;
        std::int64_t read_ms = 0;
    };
    // An attempt to prove who one is, counted for a name and a peer.
    struct Attempt {
        std::string name;
        std::string peer;
    };

    Accounts(AccountSettings settings, AuthStore& store, const base::Clock& clock,
             metrics::Registry& registry, base::Logger& log);
    std::expected<void, std::string> start();
    Stored<bool> has_enabled_admin();

    std::expected<Principal, Denial> recognise(std::string_view credential);
    std::expected<Principal, Denial> recognise_token(std::string_view token);
    std::expected<Principal, Denial> recognise_key(std::string_view key);
    std::expected<Claims, Denial> claims_in(std::string_view token);
    Stored<std::shared_ptr<const SigningKey>> signing_key(std::int64_t at_most_ms_old);
    // Answers from memory, or asks `read` and remembers what it says.
    Stored<Found> standing(const Digest& id, const std::function<Stored<Found>()>& read);
    Stored<Found> standing_of_session(const Digest& id);
    Stored<Found> standing_of_key(const Digest& key);
    void forget_standings();

    Outcome<Attempt> begin_attempt(std::string_view name, std::string_view peer);
    void forgive(const Attempt& attempt);
    void succeed(const Attempt& attempt);
    std::unexpected<Refused> fail(const Attempt& attempt, UserId user, Refusal why);
    // The user whose password this is, its second factor still unchecked.
    Outcome<UserRow> check_password(const Attempt& attempt, std::string_view password);
    // Whether the code is one of the user's; it is used up then.
    Outcome<void> check_code(const Attempt& attempt, const UserRow& user, std::string_view code);
    Outcome<Tokens> open_session(const UserRow& user, std::string_view peer);
    Outcome<Tokens> tokens_for(const UserRow& user, const SessionRow& session, std::string refresh);
    Outcome<Tokens> judged(Outcome<Tokens> outcome, std::string_view what);
    void refresh_hash(const UserRow& user, std::string_view password);
    Outcome<std::string> hashed(std::string_view password);
    Outcome<UserRow> user_of(UserId id);
    Outcome<UserRow> change(UserId id, const std::function<void(UserRow&)>& change);

    std::unexpected<Refused> store_failed(std::string_view why);
    void record(EventKind kind, UserId user, std::string_view subject, std::string_view peer,
                std::string_view detail);

    AccountSettings settings_;
    AuthStore& store_;
    const base::Clock& clock_;
    metrics::Registry& registry_;
    base::Logger& log_;
    Passwords passwords_;
    metrics::Counter& store_errors_;
    std::array<metrics::Counter*, 1 + kDenials> identified_;  // recognised, then by denial

    std::mutex mutex_;  // of all below; never held while the store is asked or a password hashed
    Kept key_;
    TimedCache<Digest, Found, chain::Hash256Hasher> standings_;
    std::uint64_t forgotten_ = 0;  // how often; what was read before does not count any more
    Lockout names_;
    Lockout peers_;
    std::optional<FirstAdmin> first_admin_;
};

// a to z, 0 to 9, dot, dash and underscore, 1 to 32 of them.
bool is_user_name(std::string_view name);
// Upper-case letters become lower-case.
std::string canonical_user_name(std::string_view name);

}  // namespace adit::auth
