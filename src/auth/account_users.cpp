// Accounts as an admin and their owners change them.
#include "auth/accounts.h"

namespace adit::auth {

Outcome<std::string> Accounts::hashed(std::string_view password) {
    if (!is_password(password)) return refuse(Refusal::weak_password);
    auto hash = passwords_.hash(password);
    if (!hash) {
        Refused refused{Refusal::busy, std::string(describe(Refusal::busy)), 1'000};
        return std::unexpected(std::move(refused));
    }
    return std::move(*hash);
}

Outcome<UserId> Accounts::create_user(const Principal& by, std::string_view name,
                                      std::string_view password, Role role) {
    const auto canonical = canonical_user_name(name);
    if (!is_user_name(canonical)) return refuse(Refusal::bad_name);
    auto hash = hashed(password);
    if (!hash) return std::unexpected(hash.error());
    UserRow user;
    user.name = canonical;
    user.role = role;
    user.password_hash = std::move(*hash);
    user.created_ms = user.changed_ms = clock_.wall_ms();
    const auto added = store_.add_user(user);
    if (!added) return store_failed(added.error());
    if (!*added) return refuse(Refusal::name_taken);
    record(EventKind::user_created, **added, canonical, "",
           fmt::format("{}, by {}", name_of(role), by.name));
    return **added;
}

Outcome<std::vector<UserView>> Accounts::users() {
    const auto rows = store_.users();
    if (!rows) return store_failed(rows.error());
    std::vector<UserView> users;
    for (const auto& row : *rows) {
        users.push_back({row.id, row.name, row.role, row.disabled,
                         row.second_factor == SecondFactor::on, row.created_ms, row.changed_ms});
    }
    return users;
}

// A change that may take away the last enabled admin.
Outcome<UserRow> Accounts::change(UserId id, const std::function<void(UserRow&)>& change) {
    auto why = std::optional(Refusal::no_such_user);
    UserRow after;
    const auto now = clock_.wall_ms();
    const auto changed = store_.change_user(id, [&](UserRow& user, std::int64_t other_admins) {
        const bool was_admin = user.role == Role::admin && !user.disabled;
        change(user);
        const bool is_admin = user.role == Role::admin && !user.disabled;
        why = was_admin && !is_admin && other_admins == 0 ? std::optional(Refusal::last_admin)
                                                          : std::nullopt;
        user.changed_ms = now;
        after = user;
        return !why.has_value();
    });
    if (!changed) return store_failed(changed.error());
    if (why) return refuse(*why);
    forget_standings();
    return after;
}

Outcome<void> Accounts::set_disabled(const Principal& by, UserId id, bool disabled) {
    const auto user = change(id, [&](UserRow& row) { row.disabled = disabled; });
    if (!user) return std::unexpected(user.error());
    if (disabled) {
        const auto revoked = store_.revoke_sessions(id, clock_.wall_ms());
        if (!revoked) return store_failed(revoked.error());
        forget_standings();
    }
    record(disabled ? EventKind::user_disabled : EventKind::user_enabled, id, user->name, "",
           "by " + by.name);
    return {};
}

Outcome<void> Accounts::set_role(const Principal& by, UserId id, Role role) {
    const auto user = change(id, [&](UserRow& row) { row.role = role; });
    if (!user) return std::unexpected(user.error());
    record(EventKind::role_changed, id, user->name, "",
           fmt::format("{}, by {}", name_of(role), by.name));
    return {};
}

Outcome<std::string> Accounts::reset_password(const Principal& by, UserId id,
                                              bool reset_second_factor) {
    auto password = random_password();
    const auto hash = hashed(password);
    if (!hash) return std::unexpected(hash.error());
    const auto user = change(id, [&](UserRow& row) {
        row.password_hash = *hash;
        if (!reset_second_factor) return;
        row.second_factor = SecondFactor::off;
        row.totp_secret.clear();
        row.backup_codes.clear();
    });
    if (!user) return std::unexpected(user.error());
    const auto revoked = store_.revoke_sessions(id, clock_.wall_ms());
    if (!revoked) return store_failed(revoked.error());
    forget_standings();
    {
        const std::lock_guard lock(mutex_);
        names_.clear(user->name);
    }
    record(EventKind::password_reset, id, user->name, "", "by " + by.name);
    if (reset_second_factor) {
        record(EventKind::second_factor_off, id, user->name, "", "by " + by.name);
    }
    return password;
}

Outcome<void> Accounts::change_password(const Principal& who, std::string_view old_password,
                                        std::string_view new_password, std::string_view peer) {
    if (!is_password(new_password)) return refuse(Refusal::weak_password);
    const auto attempt = begin_attempt(who.name, peer);
    if (!attempt) return std::unexpected(attempt.error());
    const auto user = check_password(*attempt, old_password);
    if (!user) return std::unexpected(user.error());
    // Not a success: that would forget guesses at the second factor's codes.
    forgive(*attempt);
    const auto hash = hashed(new_password);
    if (!hash) return std::unexpected(hash.error());
    const auto changed = change(user->id, [&](UserRow& row) { row.password_hash = *hash; });
    if (!changed) return std::unexpected(changed.error());
    const auto revoked = store_.revoke_sessions(user->id, clock_.wall_ms());
    if (!revoked) return store_failed(revoked.error());
    forget_standings();
    record(EventKind::password_changed, user->id, user->name, peer, "");
    return {};
}

}  // namespace adit::auth
