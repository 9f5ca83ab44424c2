// Logins, sessions and tokens.
#include "auth/accounts.h"
#include "auth/base64url.h"
#include "base/random.h"

namespace adit::auth {
namespace {

constexpr std::size_t kFamilyBytes = 16;
constexpr std::size_t kSecretBytes = 32;

// A refresh token names its session by a secret family name, so that nobody who knows a session
// otherwise can pretend that one of its tokens was used again.
struct RefreshToken {
    Digest session;
    Digest token;
};

std::string make_family() {
    std::array<std::uint8_t, kFamilyBytes> bytes;
    base::fill_random(bytes);
    return base::to_hex(bytes);
}

std::string make_refresh(std::string_view family) {
    std::array<std::uint8_t, kSecretBytes> secret;
    base::fill_random(secret);
    return fmt::format("{}{}{}", kRefreshPrefix, family, to_base64url(secret));
}

std::optional<RefreshToken> parse_refresh(std::string_view text) {
    constexpr auto kFamily = 2 * kFamilyBytes;
    constexpr auto kSecret = (kSecretBytes * 4 + 2) / 3;
    if (!text.starts_with(kRefreshPrefix)) return std::nullopt;
    if (text.size() != kRefreshPrefix.size() + kFamily + kSecret) return std::nullopt;
    const auto family = text.substr(kRefreshPrefix.size(), kFamily);
    return RefreshToken{chain::sha256(base::as_bytes(family)), chain::sha256(base::as_bytes(text))};
}

Refusal refusal_of(Denial denial) {
    switch (denial) {
        case Denial::missing:
        case Denial::invalid:
            return Refusal::bad_token;
        case Denial::expired:
            return Refusal::token_expired;
        case Denial::revoked:
            return Refusal::session_ended;
        case Denial::locked:
            return Refusal::disabled;
        case Denial::unavailable:
            return Refusal::store_failed;
    }
    return Refusal::bad_token;
}

}  // namespace

Outcome<Accounts::Attempt> Accounts::begin_attempt(std::string_view name, std::string_view peer) {
    Attempt attempt{canonical_user_name(name), lockout_peer(peer)};
    const auto now = clock_.steady_ms();
    const std::lock_guard lock(mutex_);
    const auto wait =
        std::max(names_.wait_ms(attempt.name, now), peers_.wait_ms(attempt.peer, now));
    if (wait > 0) {
        Refused refused{Refusal::locked, std::string(describe(Refusal::locked)), wait};
        return std::unexpected(std::move(refused));
    }
    names_.attempt(attempt.name, now);
    peers_.attempt(attempt.peer, now);
    return attempt;
}

void Accounts::forgive(const Attempt& attempt) {
    const std::lock_guard lock(mutex_);
    names_.forgive(attempt.name);
    peers_.forgive(attempt.peer);
}

// The peer's other failures stay, or its own account would let it guess at others' for ever.
void Accounts::succeed(const Attempt& attempt) {
    const std::lock_guard lock(mutex_);
    names_.clear(attempt.name);
    peers_.forgive(attempt.peer);
}

std::unexpected<Refused> Accounts::fail(const Attempt& attempt, UserId user, Refusal why) {
    // What is no name may be a password in the wrong field.
    const std::string subject = is_user_name(attempt.name) ? attempt.name : "(no user name)";
    record(EventKind::login_failed, user, subject, attempt.peer, name_of(why));
    const auto now = clock_.steady_ms();
    std::int64_t name_wait = 0;
    std::int64_t peer_wait = 0;
    {
        const std::lock_guard lock(mutex_);
        name_wait = names_.wait_ms(attempt.name, now);
        peer_wait = peers_.wait_ms(attempt.peer, now);
    }
    if (name_wait > 0) {
        record(EventKind::locked_out, user, subject, attempt.peer,
               fmt::format("the name, for {} s", name_wait / 1'000));
    }
    if (peer_wait > 0) {
        record(EventKind::locked_out, user, subject, attempt.peer,
               fmt::format("the peer, for {} s", peer_wait / 1'000));
    }
    auto refused = refuse(why);
    refused.error().retry_after_ms = std::max(name_wait, peer_wait);
    return refused;
}

Outcome<UserRow> Accounts::check_password(const Attempt& attempt, std::string_view password) {
    std::optional<UserRow> user;
    if (is_user_name(attempt.name)) {
        auto found = store_.user_named(attempt.name);
        if (!found) {
            forgive(attempt);
            return store_failed(found.error());
        }
        user = std::move(*found);
    }
    // Unknown names and impossible passwords take as long as any.
    const bool possible = user && password.size() <= kPasswordMax;
    const auto right = passwords_.check(password.substr(0, kPasswordMax),
                                        possible ? user->password_hash : std::string());
    if (!right) {
        forgive(attempt);
        Refused refused{Refusal::busy, std::string(describe(Refusal::busy)), 1'000};
        return std::unexpected(std::move(refused));
    }
    if (!*right) return fail(attempt, user ? user->id : 0, Refusal::wrong_credentials);
    return std::move(*user);
}

Outcome<Tokens> Accounts::judged(Outcome<Tokens> outcome, std::string_view what) {
    const auto result = outcome ? "done" : name_of(outcome.error().why);
    registry_
        .counter("adit_auth_logins_total", "Logins and refreshes, by what came of them.",
                 {{"what", std::string(what)}, {"result", std::string(result)}})
        .add();
    return outcome;
}

Outcome<Tokens> Accounts::login(const LoginRequest& request) {
    const auto attempt = begin_attempt(request.name, request.peer);
    if (!attempt) return judged(std::unexpected(attempt.error()), "login");
    const auto user = check_password(*attempt, request.password);
    if (!user) return judged(std::unexpected(user.error()), "login");
    if (user->disabled) {
        forgive(*attempt);
        return judged(refuse(Refusal::disabled), "login");
    }
    if (user->second_factor == SecondFactor::on) {
        if (request.code.empty()) {
            forgive(*attempt);
            return judged(refuse(Refusal::code_needed), "login");
        }
        const auto checked = check_code(*attempt, *user, request.code);
        if (!checked) return judged(std::unexpected(checked.error()), "login");
    }
    succeed(*attempt);
    auto tokens = open_session(*user, request.peer);
    if (tokens) {
        record(EventKind::login, user->id, user->name, request.peer, "");
        refresh_hash(*user, request.password);
    }
    return judged(std::move(tokens), "login");
}

void Accounts::refresh_hash(const UserRow& user, std::string_view password) {
    if (!passwords_.is_outdated(user.password_hash)) return;
    const auto fresh = passwords_.hash(password);
    if (!fresh) return;
    const auto changed = store_.change_user(user.id, [&](UserRow& row, std::int64_t) {
        // Unless it was changed meanwhile.
        if (row.password_hash != user.password_hash) return false;
        row.password_hash = *fresh;
        return true;
    });
    if (!changed) store_failed(changed.error());
}

Outcome<Tokens> Accounts::open_session(const UserRow& user, std::string_view peer) {
    const auto now = clock_.wall_ms();
    const auto family = make_family();
    auto refresh = make_refresh(family);
    SessionRow session;
    session.id = chain::sha256(base::as_bytes(family));
    session.user = user.id;
    session.refresh = chain::sha256(base::as_bytes(refresh));
    session.created_ms = session.used_ms = now;
    session.ends_ms = now + settings_.session_s * 1'000;
    session.expires_ms = std::min(now + settings_.refresh_s * 1'000, session.ends_ms);
    session.peer = peer.substr(0, 64);
    const auto added = store_.add_session(session, user.password_hash, settings_.most_sessions);
    if (!added) return store_failed(added.error());
    if (!*added) return refuse(Refusal::wrong_credentials);
    return tokens_for(user, session, std::move(refresh));
}

Outcome<Tokens> Accounts::tokens_for(const UserRow& user, const SessionRow& session,
                                     std::string refresh) {
    const auto key = signing_key(settings_.cache_ms);
    if (!key) return refuse(Refusal::store_failed);
    const auto now = clock_.wall_ms();
    Claims claims;
    claims.user = user.id;
    claims.session = session.id;
    claims.id = base::random_hex(16);
    claims.issued_s = now / 1'000;
    claims.expires_s = std::min(claims.issued_s + settings_.access_s, session.ends_ms / 1'000);
    Tokens tokens;
    tokens.access = make_token(**key, claims);
    tokens.access_expires_ms = claims.expires_s * 1'000;
    tokens.refresh = std::move(refresh);
    tokens.refresh_expires_ms = session.expires_ms;
    tokens.principal = {user.id, user.name, user.role, Permissions::of(user.role)};
    return tokens;
}

Outcome<Tokens> Accounts::refresh(std::string_view refresh_token, std::string_view peer) {
    const auto token = parse_refresh(refresh_token);
    if (!token) return judged(refuse(Refusal::bad_token), "refresh");
    const auto now = clock_.wall_ms();
    const auto family = refresh_token.substr(kRefreshPrefix.size(), 2 * kFamilyBytes);
    auto fresh = make_refresh(family);
    auto why = std::optional(Refusal::bad_token);
    SessionRow after;
    const auto changed = store_.change_session(token->session, [&](SessionRow& session) {
        after = session;
        why = std::nullopt;
        if (session.revoked_ms != 0) {
            why = Refusal::session_ended;
        } else if (session.expires_ms <= now) {
            why = Refusal::token_expired;
        } else if (session.refresh != token->token) {
            why = Refusal::token_reused;
            session.revoked_ms = now;
            return true;
        }
        if (why) return false;
        session.refresh = chain::sha256(base::as_bytes(fresh));
        session.used_ms = now;
        session.expires_ms = std::min(now + settings_.refresh_s * 1'000, session.ends_ms);
        after = session;
        return true;
    });
    if (!changed) return judged(store_failed(changed.error()), "refresh");
    if (why == Refusal::token_reused) {
        forget_standings();
        const auto user = user_of(after.user);
        record(EventKind::refresh_reused, after.user, user ? user->name : "", peer,
               "the session has been ended");
    }
    if (why) return judged(refuse(*why), "refresh");
    const auto user = user_of(after.user);
    if (!user) return judged(std::unexpected(user.error()), "refresh");
    if (user->disabled) return judged(refuse(Refusal::disabled), "refresh");
    return judged(tokens_for(*user, after, std::move(fresh)), "refresh");
}

Outcome<void> Accounts::logout(std::string_view access_token) {
    const auto claims = claims_in(access_token);
    if (!claims) return refuse(refusal_of(claims.error()));
    const auto now = clock_.wall_ms();
    const auto changed = store_.change_session(claims->session, [&](SessionRow& session) {
        if (session.revoked_ms != 0) return false;
        session.revoked_ms = now;
        return true;
    });
    if (!changed) return store_failed(changed.error());
    if (!*changed) return refuse(Refusal::session_ended);
    forget_standings();
    const auto user = user_of(claims->user);
    record(EventKind::logout, claims->user, user ? user->name : "", "", "");
    return {};
}

Outcome<void> Accounts::logout_everywhere(UserId id) {
    const auto user = user_of(id);
    if (!user) return std::unexpected(user.error());
    const auto revoked = store_.revoke_sessions(id, clock_.wall_ms());
    if (!revoked) return store_failed(revoked.error());
    forget_standings();
    record(EventKind::logout, id, user->name, "", "everywhere");
    return {};
}

Outcome<void> Accounts::reload_keys() {
    const auto now = clock_.wall_ms();
    const auto key = make_signing_key(now);
    const auto replaced = store_.replace_signing_key(key, now);
    if (!replaced) return store_failed(replaced.error());
    {
        const std::lock_guard lock(mutex_);
        key_ = {std::make_shared<const SigningKey>(key), clock_.steady_ms()};
        ++forgotten_;
        standings_.clear();
    }
    record(EventKind::keys_reloaded, 0, "", "", "all tokens are void");
    return {};
}

}  // namespace adit::auth
