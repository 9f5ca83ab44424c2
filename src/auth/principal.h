// Who asks, and what they may do. Values; safe from any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace adit::auth {

enum class Role : std::uint8_t { miner = 0, operator_ = 1, admin = 2 };

// What a route or an operation asks for. Each names exactly one.
enum class Permission : std::uint8_t {
    anyone = 0,           // no login
    own_account = 1,      // one's own password, second factor, keys and settings
    own_earnings = 2,     // what one's own addresses earned and were paid
    view_pool = 3,        // health details, metrics and their history, miners, blocks
    view_money = 4,       // everybody's balances and payouts
    operate_pool = 5,     // the pool manager's operations
    operate_payouts = 6,  // approve, cancel, replace, explain
    manage_users = 7,     // accounts of others, their roles, the audit log
};
inline constexpr std::size_t kPermissions = 8;

std::string_view name_of(Role role);
std::string_view name_of(Permission permission);
// nullopt: there is none of this name.
std::optional<Role> role_named(std::string_view name);
std::optional<Permission> permission_named(std::string_view name);

// A set of permissions.
class Permissions {
 public:
    constexpr Permissions() = default;
    static Permissions of(Role role);

    constexpr bool allows(Permission permission) const {
        return permission == Permission::anyone || (bits_ & bit(permission)) != 0;
    }
    constexpr Permissions& add(Permission permission) {
        bits_ |= bit(permission);
        return *this;
    }
    constexpr Permissions both(Permissions other) const { return Permissions(bits_ & other.bits_); }
    constexpr std::uint32_t bits() const { return bits_; }
    static constexpr Permissions from_bits(std::uint32_t bits) { return Permissions(bits); }
    constexpr bool operator==(const Permissions&) const = default;

 private:
    constexpr explicit Permissions(std::uint32_t bits) : bits_(bits) {}
    static constexpr std::uint32_t bit(Permission permission) {
        return std::uint32_t{1} << static_cast<unsigned>(permission);
    }
    std::uint32_t bits_ = 0;
};

// Who a token or an API key stands for.
struct Principal {
    std::int64_t user = 0;  // its id
    std::string name;
    Role role = Role::miner;
    Permissions permissions;  // of the role, within the scopes of the key
};

// Why nobody was recognised.
enum class Denial : std::uint8_t {
    missing = 0,
    invalid = 1,
    expired = 2,
    revoked = 3,
    locked = 4,       // the account is disabled
    unavailable = 5,  // the accounts cannot be read at present
};
inline constexpr std::size_t kDenials = 6;
std::string_view name_of(Denial denial);

// What a server asks for each request. Implemented by AuthService; safe from any thread and quick
// (no password is hashed here).
class Gatekeeper {
 public:
    virtual ~Gatekeeper() = default;
    // `credential`: what follows "Bearer " in the Authorization header; empty: none was sent.
    virtual std::expected<Principal, Denial> identify(std::string_view credential) = 0;
};

}  // namespace adit::auth
