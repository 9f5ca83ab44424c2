#include "auth/accounts_testing.h"

namespace adit::auth {
namespace {

using testing::quick_settings;
using testing::refusal;

class AccountKeysTest : public testing::AccountsTest {
 protected:
    static Permissions scopes(std::initializer_list<Permission> permissions) {
        Permissions set;
        for (const auto permission : permissions)
            set.add(permission);
        return set;
    }
};

TEST_F(AccountKeysTest, RecognisesAKeyWithinItsScopes) {
    const auto alice = make("alice", Role::operator_);
    const auto key =
        accounts_->create_api_key(alice, "grafana", scopes({Permission::view_pool}), 0);
    ASSERT_TRUE(key);
    EXPECT_TRUE(key->key.starts_with("adit_"));
    EXPECT_EQ(key->key.size(), 48U);
    const auto who = accounts_->identify(key->key);
    ASSERT_TRUE(who);
    EXPECT_EQ(who->name, "alice");
    EXPECT_TRUE(who->permissions.allows(Permission::view_pool));
    EXPECT_FALSE(who->permissions.allows(Permission::view_money));
    EXPECT_FALSE(who->permissions.allows(Permission::own_account));
    // Only its hash is kept.
    EXPECT_EQ(store_.api_keys_of(alice.user).value()[0].key,
              chain::sha256(base::as_bytes(key->key)));
    auto other = key->key;
    other.back() = other.back() == 'A' ? 'B' : 'A';
    EXPECT_EQ(denial(other), Denial::invalid);
}

TEST_F(AccountKeysTest, LosesWhatTheRoleLoses) {
    const auto alice = make("alice", Role::admin);
    const auto key = accounts_->create_api_key(
        alice, "k", scopes({Permission::operate_pool, Permission::view_pool}), 0);
    ASSERT_TRUE(key);
    EXPECT_TRUE(accounts_->identify(key->key)->permissions.allows(Permission::operate_pool));
    ASSERT_TRUE(accounts_->set_role(admin_, alice.user, Role::operator_));
    const auto who = accounts_->identify(key->key);
    EXPECT_FALSE(who->permissions.allows(Permission::operate_pool));
    EXPECT_TRUE(who->permissions.allows(Permission::view_pool));
}

TEST_F(AccountKeysTest, Expires) {
    const auto alice = make("alice");
    const auto until = clock_.wall_ms() + 60'000;
    const auto key =
        accounts_->create_api_key(alice, "k", scopes({Permission::own_earnings}), until);
    ASSERT_TRUE(key);
    EXPECT_EQ(key->expires_ms, until);
    clock_.advance_ms(59'999);
    EXPECT_TRUE(accounts_->identify(key->key));
    clock_.advance_ms(1);
    EXPECT_EQ(denial(key->key), Denial::expired);
}

TEST_F(AccountKeysTest, ListsAndRevokes) {
    const auto alice = make("alice");
    const auto bob = make("bob");
    const auto key =
        accounts_->create_api_key(alice, "a\nkey", scopes({Permission::own_earnings}), 0);
    ASSERT_TRUE(key);
    ASSERT_TRUE(accounts_->identify(key->key));
    const auto keys = accounts_->api_keys(alice.user);
    ASSERT_TRUE(keys);
    ASSERT_EQ(keys->size(), 1U);
    EXPECT_EQ((*keys)[0].name, "a?key");
    EXPECT_EQ((*keys)[0].id, key->id);
    EXPECT_EQ(refusal(accounts_->revoke_api_key(bob, bob.user, key->id)), Refusal::no_such_key);
    ASSERT_TRUE(accounts_->revoke_api_key(alice, alice.user, key->id));
    EXPECT_EQ(denial(key->key), Denial::revoked);
    EXPECT_EQ(refusal(accounts_->revoke_api_key(alice, alice.user, key->id)), Refusal::no_such_key);
    EXPECT_EQ((*accounts_->api_keys(alice.user))[0].revoked_ms, clock_.wall_ms());
    // In the end it is forgotten.
    clock_.advance_ms(31 * std::int64_t{86'400'000});
    ASSERT_TRUE(accounts_->tidy());
    EXPECT_TRUE(accounts_->api_keys(alice.user)->empty());
    EXPECT_EQ(denial(key->key), Denial::invalid);
}

TEST_F(AccountKeysTest, AreBounded) {
    auto settings = quick_settings();
    settings.most_api_keys = 2;
    reopen(settings);
    const auto alice = make("alice");
    const auto only = scopes({Permission::own_earnings});
    const auto first = accounts_->create_api_key(alice, "1", only, clock_.wall_ms() + 1);
    ASSERT_TRUE(first);
    const auto second = accounts_->create_api_key(alice, "2", only, 0);
    ASSERT_TRUE(second);
    EXPECT_EQ(refusal(accounts_->create_api_key(alice, "3", only, 0)), Refusal::too_many_keys);
    // Expired and revoked ones do not count.
    clock_.advance_ms(1);
    EXPECT_TRUE(accounts_->create_api_key(alice, "3", only, 0));
    EXPECT_EQ(refusal(accounts_->create_api_key(alice, "4", only, 0)), Refusal::too_many_keys);
    ASSERT_TRUE(accounts_->revoke_api_key(alice, alice.user, second->id));
    EXPECT_TRUE(accounts_->create_api_key(alice, "4", only, 0));
}

TEST_F(AccountKeysTest, NeverHoldMoreThanTheRoleNorAccounts) {
    const auto alice = make("alice", Role::operator_);
    const auto refused = [&](const Principal& who, Permissions asked) {
        return refusal(accounts_->create_api_key(who, "k", asked, 0)) == Refusal::bad_scopes;
    };
    EXPECT_TRUE(refused(alice, {}));
    EXPECT_TRUE(refused(alice, scopes({Permission::operate_pool})));
    EXPECT_TRUE(refused(alice, scopes({Permission::view_pool, Permission::operate_pool})));
    EXPECT_TRUE(refused(alice, scopes({Permission::own_account})));
    EXPECT_TRUE(refused(admin_, scopes({Permission::own_account})));
    EXPECT_TRUE(refused(admin_, scopes({Permission::manage_users})));
    EXPECT_TRUE(refused(admin_, Permissions::from_bits(1U << 31)));
    EXPECT_FALSE(refused(admin_, scopes({Permission::operate_pool})));
}

}  // namespace
}  // namespace adit::auth
