// API keys.
#include "auth/accounts.h"
#include "auth/base64url.h"
#include "base/random.h"

namespace adit::auth {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kMostNameCharacters = 64;

// What a stolen key must not give: another key, another password, another user.
bool fits_a_key(Permissions scopes, Role role) {
    if (scopes == Permissions() || scopes.both(Permissions::of(role)) != scopes) return false;
    return !scopes.allows(Permission::own_account) && !scopes.allows(Permission::manage_users);
}

// Printable, so that it can be shown anywhere.
std::string shown(std::string_view name) {
    std::string out(name.substr(0, kMostNameCharacters));
    for (auto& c : out) {
        if (c < 0x20 || c > 0x7e) c = '?';
    }
    return out;
}

}  // namespace

Outcome<NewApiKey> Accounts::create_api_key(const Principal& who, std::string_view name,
                                            Permissions scopes, std::int64_t expires_ms) {
    const auto now = clock_.wall_ms();
    const auto user = user_of(who.user);
    if (!user) return std::unexpected(user.error());
    if (!fits_a_key(scopes, user->role)) return refuse(Refusal::bad_scopes);
    if (expires_ms != 0 && expires_ms <= now) return refuse(Refusal::bad_expiry);
    std::array<std::uint8_t, kKeyBytes> secret;
    base::fill_random(secret);
    auto text = std::string(kApiKeyPrefix) + to_base64url(secret);
    ApiKeyRow key;
    key.user = user->id;
    key.name = shown(name);
    key.key = chain::sha256(base::as_bytes(text));
    key.scopes = scopes;
    key.created_ms = now;
    key.expires_ms = expires_ms;
    const auto added = store_.add_api_key(key, settings_.most_api_keys);
    if (!added) return store_failed(added.error());
    if (!*added) return refuse(Refusal::too_many_keys);
    record(EventKind::api_key_created, user->id, user->name, "",
           fmt::format("number {}, {}", **added, key.name));
    return NewApiKey{**added, std::move(text), expires_ms};
}

Outcome<std::vector<ApiKeyView>> Accounts::api_keys(UserId user) {
    const auto rows = store_.api_keys_of(user);
    if (!rows) return store_failed(rows.error());
    std::vector<ApiKeyView> keys;
    for (const auto& row : *rows) {
        keys.push_back(
            {row.id, row.name, row.scopes, row.created_ms, row.expires_ms, row.revoked_ms});
    }
    return keys;
}

Outcome<void> Accounts::revoke_api_key(const Principal& by, UserId id, std::int64_t key) {
    const auto user = user_of(id);
    if (!user) return std::unexpected(user.error());
    const auto revoked = store_.revoke_api_key(id, key, clock_.wall_ms());
    if (!revoked) return store_failed(revoked.error());
    if (!*revoked) return refuse(Refusal::no_such_key);
    forget_standings();
    record(EventKind::api_key_revoked, id, user->name, "",
           fmt::format("number {}, by {}", key, by.name));
    return {};
}

}  // namespace adit::auth
