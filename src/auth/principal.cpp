#include "auth/principal.h"

namespace adit::auth {

std::string_view name_of(Role role) {
    switch (role) {
        case Role::miner:
            return "miner";
        case Role::operator_:
            return "operator";
        case Role::admin:
            return "admin";
    }
    return "miner";
}

std::string_view name_of(Permission permission) {
    switch (permission) {
        case Permission::anyone:
            return "anyone";
        case Permission::own_account:
            return "own_account";
        case Permission::own_earnings:
            return "own_earnings";
        case Permission::view_pool:
            return "view_pool";
        case Permission::view_money:
            return "view_money";
        case Permission::operate_pool:
            return "operate_pool";
        case Permission::operate_payouts:
            return "operate_payouts";
        case Permission::manage_users:
            return "manage_users";
    }
    return "anyone";
}

std::optional<Role> role_named(std::string_view name) {
    for (const auto role : {Role::miner, Role::operator_, Role::admin}) {
        if (name == name_of(role)) return role;
    }
    return std::nullopt;
}

std::optional<Permission> permission_named(std::string_view name) {
    for (std::size_t i = 0; i < kPermissions; ++i) {
        const auto permission = static_cast<Permission>(i);
        if (name == name_of(permission)) return permission;
    }
    return std::nullopt;
}

std::string_view name_of(Denial denial) {
    switch (denial) {
        case Denial::missing:
            return "missing";
        case Denial::invalid:
            return "invalid";
        case Denial::expired:
            return "expired";
        case Denial::revoked:
            return "revoked";
        case Denial::locked:
            return "locked";
        case Denial::unavailable:
            return "unavailable";
    }
    return "invalid";
}

Permissions Permissions::of(Role role) {
    Permissions all;
    all.add(Permission::own_account).add(Permission::own_earnings);
    if (role == Role::miner) return all;
    all.add(Permission::view_pool).add(Permission::view_money);
    if (role == Role::operator_) return all;
    return all.add(Permission::operate_pool)
        .add(Permission::operate_payouts)
        .add(Permission::manage_users);
}

}  // namespace adit::auth
