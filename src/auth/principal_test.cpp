#include "auth/principal.h"

#include <gtest/gtest.h>

#include <set>

namespace adit::auth {
namespace {

TEST(Principal, NamesComeBack) {
    for (const auto role : {Role::miner, Role::operator_, Role::admin})
        EXPECT_EQ(role_named(name_of(role)), role);
    EXPECT_FALSE(role_named("operator_"));
    EXPECT_FALSE(role_named(""));
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < kPermissions; ++i) {
        const auto permission = static_cast<Permission>(i);
        EXPECT_TRUE(names.insert(name_of(permission)).second);
        EXPECT_EQ(permission_named(name_of(permission)), permission);
    }
    EXPECT_FALSE(permission_named("root"));
    std::set<std::string_view> denials;
    for (std::size_t i = 0; i < kDenials; ++i)
        EXPECT_TRUE(denials.insert(name_of(static_cast<Denial>(i))).second);
}

// As the table in docs/auth.md says.
TEST(Principal, RolesAllowWhatTheTableSays) {
    using enum Permission;
    const auto allowed = [](Role role) {
        std::set<Permission> set;
        for (std::size_t i = 0; i < kPermissions; ++i) {
            const auto permission = static_cast<Permission>(i);
            if (Permissions::of(role).allows(permission)) set.insert(permission);
        }
        return set;
    };
    EXPECT_EQ(allowed(Role::miner), (std::set{anyone, own_account, own_earnings}));
    EXPECT_EQ(allowed(Role::operator_),
              (std::set{anyone, own_account, own_earnings, view_pool, view_money}));
    EXPECT_EQ(allowed(Role::admin),
              (std::set{anyone, own_account, own_earnings, view_pool, view_money, operate_pool,
                        operate_payouts, manage_users}));
    EXPECT_TRUE(Permissions().allows(anyone));
    EXPECT_FALSE(Permissions().allows(own_account));
}

TEST(Principal, PermissionsMeet) {
    const auto one = Permissions().add(Permission::view_pool).add(Permission::view_money);
    const auto other = Permissions().add(Permission::view_pool).add(Permission::own_account);
    EXPECT_EQ(one.both(other), Permissions().add(Permission::view_pool));
    EXPECT_EQ(Permissions::from_bits(one.bits()), one);
}

}  // namespace
}  // namespace adit::auth
