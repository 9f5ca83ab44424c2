#include "auth/accounts.h"

#include "base/random.h"

namespace adit::auth {
namespace {

constexpr std::string_view kFirstName = "admin";
// A token of an unknown key makes us look for a new one in the store, but not more often.
constexpr std::int64_t kKeyLookup_ms = 1'000;
constexpr std::size_t kMostEventsAnswered = 1'000;

Principal principal_of(UserId user, const std::string& name, Role role, Permissions permissions) {
    return {user, name, role, permissions};
}

Denial denial_of(TokenFault fault) {
    switch (fault) {
        case TokenFault::malformed:
        case TokenFault::wrong_algorithm:
        case TokenFault::other_key:
        case TokenFault::bad_signature:
        case TokenFault::not_yet:
            return Denial::invalid;
        case TokenFault::expired:
            return Denial::expired;
    }
    return Denial::invalid;
}

}  // namespace

bool is_user_name(std::string_view name) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    };
    return !name.empty() && name.size() <= 32 && std::ranges::all_of(name, fits);
}

std::string canonical_user_name(std::string_view name) {
    std::string lower(name.substr(0, 64));
    for (auto& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

Accounts::Accounts(AccountSettings settings, AuthStore& store, const base::Clock& clock,
                   metrics::Registry& registry, base::Logger& log)
    : settings_(std::move(settings)),
      store_(store),
      clock_(clock),
      registry_(registry),
      log_(log),
      passwords_(settings_.passwords, clock, registry),
      store_errors_(registry.counter("adit_auth_store_errors_total",
                                     "Calls of the store of accounts that failed.")),
      standings_(settings_.most_cached, settings_.cache_ms),
      names_(settings_.by_name),
      peers_(settings_.by_peer) {
    for (std::size_t i = 0; i < identified_.size(); ++i) {
        const auto result = i == 0 ? "recognised" : name_of(static_cast<Denial>(i - 1));
        identified_[i] = &registry.counter("adit_auth_requests_total",
                                           "Credentials looked at, by what came of it.",
                                           {{"result", std::string(result)}});
    }
}

Accounts::~Accounts() = default;

std::expected<std::unique_ptr<Accounts>, std::string> Accounts::open(AccountSettings settings,
                                                                     AuthStore& store,
                                                                     const base::Clock& clock,
                                                                     metrics::Registry& registry,
                                                                     base::Logger& log) {
    std::unique_ptr<Accounts> accounts;
    try {
        accounts.reset(new Accounts(std::move(settings), store, clock, registry, log));
    } catch (const std::runtime_error& error) {
        return std::unexpected(error.what());
    }
    if (auto started = accounts->start(); !started) return std::unexpected(started.error());
    return accounts;
}

std::expected<void, std::string> Accounts::start() {
    const auto now = clock_.wall_ms();
    const auto key = store_.signing_key_or(make_signing_key(now));
    if (!key) return std::unexpected(key.error());
    key_ = {std::make_shared<const SigningKey>(*key), clock_.steady_ms()};

    auto has_admin = has_enabled_admin();
    if (!has_admin) return std::unexpected(has_admin.error());
    if (*has_admin) return {};
    FirstAdmin first{std::string(kFirstName), random_password()};
    const auto hash = passwords_.hash(first.password);
    if (!hash) return std::unexpected("there is no memory to hash the first admin's password");
    UserRow admin;
    admin.name = first.name;
    admin.role = Role::admin;
    admin.password_hash = *hash;
    admin.created_ms = admin.changed_ms = now;
    const auto added = store_.add_first_admin(admin);
    if (!added) return std::unexpected(added.error());
    if (*added) {
        first_admin_ = std::move(first);
        record(EventKind::first_admin, **added, admin.name, "", "");
        return {};
    }
    // Another instance was first and shows the password, or the name belongs to somebody else.
    has_admin = has_enabled_admin();
    if (!has_admin) return std::unexpected(has_admin.error());
    if (*has_admin) return {};
    return std::unexpected(
        "no account is an enabled admin, and one cannot be made because the name \"admin\" is "
        "taken: enable an admin, or delete that user, in the database of the accounts");
}

Stored<bool> Accounts::has_enabled_admin() {
    const auto users = store_.users();
    if (!users) return std::unexpected(users.error());
    return std::ranges::any_of(
        *users, [](const UserRow& user) { return user.role == Role::admin && !user.disabled; });
}

std::optional<FirstAdmin> Accounts::first_admin() {
    const std::lock_guard lock(mutex_);
    return std::exchange(first_admin_, std::nullopt);
}

std::expected<Principal, Denial> Accounts::identify(std::string_view credential) {
    auto who = recognise(credential);
    const auto result = who ? 0 : 1 + static_cast<std::size_t>(who.error());
    identified_[result]->add();
    return who;
}

std::expected<Principal, Denial> Accounts::recognise(std::string_view credential) {
    if (credential.empty()) return std::unexpected(Denial::missing);
    return credential.starts_with(kApiKeyPrefix) ? recognise_key(credential)
                                                 : recognise_token(credential);
}

std::expected<Claims, Denial> Accounts::claims_in(std::string_view token) {
    const auto now_s = clock_.wall_ms() / 1'000;
    auto key = signing_key(settings_.cache_ms);
    if (!key) return std::unexpected(Denial::unavailable);
    auto claims = read_token(**key, token, now_s);
    if (!claims && claims.error() == TokenFault::other_key) {
        // Another instance may have made a new key just now.
        key = signing_key(kKeyLookup_ms);
        if (!key) return std::unexpected(Denial::unavailable);
        claims = read_token(**key, token, now_s);
    }
    if (!claims) return std::unexpected(denial_of(claims.error()));
    return *claims;
}

std::expected<Principal, Denial> Accounts::recognise_token(std::string_view token) {
    const auto claims = claims_in(token);
    if (!claims) return std::unexpected(claims.error());
    const auto found = standing_of_session(claims->session);
    if (!found) return std::unexpected(Denial::unavailable);
    // A session that was deleted had ended before.
    if (!*found) return std::unexpected(Denial::revoked);
    const auto& session = **found;
    if (session.revoked || session.user != claims->user) return std::unexpected(Denial::revoked);
    if (session.disabled) return std::unexpected(Denial::locked);
    return principal_of(session.user, session.name, session.role, Permissions::of(session.role));
}

std::expected<Principal, Denial> Accounts::recognise_key(std::string_view text) {
    if (text.size() > 128) return std::unexpected(Denial::invalid);
    const auto found = standing_of_key(chain::sha256(base::as_bytes(text)));
    if (!found) return std::unexpected(Denial::unavailable);
    if (!*found) return std::unexpected(Denial::invalid);
    const auto& key = **found;
    if (key.revoked) return std::unexpected(Denial::revoked);
    if (key.expires_ms != 0 && key.expires_ms <= clock_.wall_ms()) {
        return std::unexpected(Denial::expired);
    }
    if (key.disabled) return std::unexpected(Denial::locked);
    return principal_of(key.user, key.name, key.role, Permissions::of(key.role).both(key.scopes));
}

Stored<std::shared_ptr<const SigningKey>> Accounts::signing_key(std::int64_t at_most_ms_old) {
    const auto asked_ms = clock_.steady_ms();
    std::uint64_t forgotten = 0;
    {
        const std::lock_guard lock(mutex_);
        if (asked_ms - key_.read_ms < at_most_ms_old) return key_.key;
        forgotten = forgotten_;
    }
    const auto key = store_.signing_key_or(make_signing_key(clock_.wall_ms()));
    if (!key) {
        store_failed(key.error());
        return std::unexpected(key.error());
    }
    const std::lock_guard lock(mutex_);
    // What was set meanwhile may be newer than the answer.
    if (forgotten == forgotten_) {
        if (key_.key->id != key->id) key_.key = std::make_shared<const SigningKey>(*key);
        key_.read_ms = asked_ms;
    }
    return key_.key;
}

Stored<Accounts::Found> Accounts::standing(const Digest& id,
                                           const std::function<Stored<Found>()>& read) {
    std::uint64_t forgotten = 0;
    {
        const std::lock_guard lock(mutex_);
        if (auto known = standings_.get(id, clock_.steady_ms())) return *known;
        forgotten = forgotten_;
    }
    auto found = read();
    if (!found) {
        store_failed(found.error());
        return found;
    }
    const std::lock_guard lock(mutex_);
    // What was read while something changed may be what stood before.
    if (forgotten == forgotten_) standings_.put(id, *found, clock_.steady_ms());
    return found;
}

Stored<Accounts::Found> Accounts::standing_of_session(const Digest& id) {
    return standing(id, [&]() -> Stored<Found> {
        const auto session = store_.session(id);
        if (!session) return std::unexpected(session.error());
        if (!*session) return Found();
        const auto user = store_.user((*session)->user);
        if (!user) return std::unexpected(user.error());
        if (!*user) return Found();
        return Standing{
            (*user)->id,      (*user)->name, (*user)->role, {}, 0, (*session)->revoked_ms != 0,
            (*user)->disabled};
    });
}

Stored<Accounts::Found> Accounts::standing_of_key(const Digest& id) {
    return standing(id, [&]() -> Stored<Found> {
        const auto key = store_.api_key(id);
        if (!key) return std::unexpected(key.error());
        if (!*key) return Found();
        const auto user = store_.user((*key)->user);
        if (!user) return std::unexpected(user.error());
        if (!*user) return Found();
        return Standing{(*user)->id,      (*user)->name,      (*user)->role,
                        (*key)->scopes,   (*key)->expires_ms, (*key)->revoked_ms != 0,
                        (*user)->disabled};
    });
}

void Accounts::forget_standings() {
    const std::lock_guard lock(mutex_);
    ++forgotten_;
    standings_.clear();
}

Outcome<UserRow> Accounts::user_of(UserId id) {
    auto user = store_.user(id);
    if (!user) return store_failed(user.error());
    if (!*user) return refuse(Refusal::no_such_user);
    return **user;
}

std::unexpected<Refused> Accounts::store_failed(std::string_view why) {
    store_errors_.add();
    log_.error("auth", "the accounts cannot be read or written", {{"why", why}});
    return refuse(Refusal::store_failed);
}

void Accounts::record(EventKind kind, UserId user, std::string_view subject, std::string_view peer,
                      std::string_view detail) {
    Event event;
    event.at_ms = clock_.wall_ms();
    event.kind = kind;
    event.user = user;
    event.subject = subject.substr(0, 128);
    event.peer = peer.substr(0, 64);
    event.detail = detail.substr(0, 256);
    registry_
        .counter("adit_auth_events_total", "Security events in the audit log.",
                 {{"kind", std::string(name_of(kind))}})
        .add();
    log_.info("auth", name_of(kind),
              {{"subject", event.subject}, {"peer", event.peer}, {"detail", event.detail}});
    if (const auto stored = store_.add_event(event); !stored) store_failed(stored.error());
    if (settings_.listener) settings_.listener(event);
}

Outcome<std::vector<Event>> Accounts::events(std::int64_t from_ms, std::int64_t to_ms,
                                             std::int64_t before_id, std::size_t most) {
    const auto bounded = static_cast<std::int64_t>(std::min(most, kMostEventsAnswered));
    auto events = store_.events(from_ms, to_ms, before_id, bounded);
    if (!events) return store_failed(events.error());
    return std::move(*events);
}

Outcome<void> Accounts::tidy() {
    const auto now = clock_.wall_ms();
    const auto done = store_.tidy({.now_ms = now,
                                   .ended_ms = now - settings_.keep_ended_s * 1'000,
                                   .events_ms = now - settings_.keep_events_s * 1'000,
                                   .most_events = settings_.most_events});
    if (!done) return store_failed(done.error());
    return {};
}

Outcome<void> Accounts::probe() {
    // 0: what is remembered says nothing about the store.
    const auto key = signing_key(0);
    if (!key) return refuse(Refusal::store_failed);
    const auto now_s = clock_.wall_ms() / 1'000;
    Claims claims;
    claims.id = base::random_hex(16);
    claims.issued_s = now_s;
    claims.expires_s = now_s + 1;
    const auto read = read_token(**key, make_token(**key, claims), now_s);
    if (!read || read->id != claims.id) return refuse(Refusal::bad_token);
    const auto session = store_.session(claims.session);
    if (!session) return store_failed(session.error());
    return {};
}

}  // namespace adit::auth
