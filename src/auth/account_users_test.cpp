// What admins and owners do to accounts.
#include "auth/accounts_testing.h"

namespace adit::auth {
namespace {

using testing::kPassword;
using testing::kPeer;
using testing::refusal;

class AccountUsersTest : public testing::AccountsTest {};

TEST_F(AccountUsersTest, CreatesAndListsUsers) {
    const auto id = accounts_->create_user(admin_, "Alice.2-b_c", kPassword, Role::operator_);
    ASSERT_TRUE(id);
    const auto users = accounts_->users();
    ASSERT_TRUE(users);
    ASSERT_EQ(users->size(), 2U);
    const auto& alice = (*users)[1];
    EXPECT_EQ(alice.id, *id);
    EXPECT_EQ(alice.name, "alice.2-b_c");
    EXPECT_EQ(alice.role, Role::operator_);
    EXPECT_FALSE(alice.disabled);
    EXPECT_FALSE(alice.second_factor);
    EXPECT_EQ(alice.created_ms, clock_.wall_ms());
    EXPECT_EQ(heard(EventKind::user_created), 1);
}

TEST_F(AccountUsersTest, DisablesAtOnce) {
    const auto alice = make("alice");
    const auto tokens = logged_in("alice");
    const auto key =
        accounts_->create_api_key(alice, "k", Permissions().add(Permission::own_earnings), 0);
    ASSERT_TRUE(key);
    ASSERT_TRUE(accounts_->identify(tokens.access));
    ASSERT_TRUE(accounts_->identify(key->key));
    ASSERT_TRUE(accounts_->set_disabled(admin_, alice.user, true));
    EXPECT_EQ(denial(tokens.access), Denial::revoked);
    EXPECT_EQ(denial(key->key), Denial::locked);
    EXPECT_EQ(refusal(login("alice")), Refusal::disabled);
    // Only who knows the password learns that.
    EXPECT_EQ(refusal(login("alice", "wrong password!")), Refusal::wrong_credentials);
    ASSERT_TRUE(accounts_->set_disabled(admin_, alice.user, false));
    EXPECT_TRUE(login("alice"));
    EXPECT_TRUE(accounts_->identify(key->key));
    EXPECT_EQ(denial(tokens.access), Denial::revoked);
}

TEST_F(AccountUsersTest, ChangesRolesAtOnce) {
    const auto alice = make("alice");
    const auto tokens = logged_in("alice");
    EXPECT_EQ(accounts_->identify(tokens.access)->role, Role::miner);
    ASSERT_TRUE(accounts_->set_role(admin_, alice.user, Role::operator_));
    const auto who = accounts_->identify(tokens.access);
    ASSERT_TRUE(who);
    EXPECT_EQ(who->role, Role::operator_);
    EXPECT_TRUE(who->permissions.allows(Permission::view_money));
    EXPECT_EQ(heard(EventKind::role_changed), 1);
}

TEST_F(AccountUsersTest, KeepsOneEnabledAdmin) {
    EXPECT_EQ(refusal(accounts_->set_disabled(admin_, admin_.user, true)), Refusal::last_admin);
    EXPECT_EQ(refusal(accounts_->set_role(admin_, admin_.user, Role::miner)), Refusal::last_admin);
    const auto second = make("second", Role::admin);
    ASSERT_TRUE(accounts_->set_disabled(admin_, second.user, true));
    EXPECT_EQ(refusal(accounts_->set_disabled(admin_, admin_.user, true)), Refusal::last_admin);
    ASSERT_TRUE(accounts_->set_disabled(admin_, second.user, false));
    EXPECT_TRUE(accounts_->set_role(admin_, admin_.user, Role::miner));
    EXPECT_EQ(refusal(accounts_->set_role(admin_, second.user, Role::operator_)),
              Refusal::last_admin);
}

TEST_F(AccountUsersTest, ResetsAPassword) {
    const auto alice = make("alice");
    const auto tokens = logged_in("alice");
    for (int i = 0; i < 5; ++i)
        EXPECT_FALSE(login("alice", "wrong password!", "", "198.51.100.1"));
    const auto password = accounts_->reset_password(admin_, alice.user, false);
    ASSERT_TRUE(password);
    EXPECT_EQ(denial(tokens.access), Denial::revoked);
    // The lock is lifted as well.
    EXPECT_TRUE(login("alice", *password));
    EXPECT_EQ(refusal(login("alice")), Refusal::wrong_credentials);
    EXPECT_EQ(heard(EventKind::password_reset), 1);
}

TEST_F(AccountUsersTest, ChangesAPassword) {
    const auto alice = make("alice");
    const auto tokens = logged_in("alice");
    EXPECT_EQ(
        refusal(accounts_->change_password(alice, "wrong password!", "a new password", kPeer)),
        Refusal::wrong_credentials);
    EXPECT_EQ(refusal(accounts_->change_password(alice, kPassword, "short", kPeer)),
              Refusal::weak_password);
    EXPECT_TRUE(accounts_->identify(tokens.access));
    ASSERT_TRUE(accounts_->change_password(alice, kPassword, "a new password", kPeer));
    EXPECT_EQ(denial(tokens.access), Denial::revoked);
    EXPECT_TRUE(login("alice", "a new password"));
    EXPECT_EQ(refusal(login("alice")), Refusal::wrong_credentials);
}

TEST_F(AccountUsersTest, GuessingAtAChangeLocksLikeGuessingAtALogin) {
    const auto alice = make("alice");
    for (int i = 0; i < 5; ++i)
        EXPECT_FALSE(accounts_->change_password(alice, "wrong password!", "a new password", kPeer));
    EXPECT_EQ(refusal(accounts_->change_password(alice, kPassword, "a new password", kPeer)),
              Refusal::locked);
    EXPECT_EQ(refusal(login("alice")), Refusal::locked);
}

TEST_F(AccountUsersTest, BoundsPasswords) {
    EXPECT_EQ(refusal(accounts_->create_user(admin_, "a", std::string(11, 'x'), Role::miner)),
              Refusal::weak_password);
    EXPECT_EQ(refusal(accounts_->create_user(admin_, "a", std::string(257, 'x'), Role::miner)),
              Refusal::weak_password);
    EXPECT_TRUE(accounts_->create_user(admin_, "a", std::string(12, 'x'), Role::miner));
    EXPECT_TRUE(accounts_->create_user(admin_, "b", std::string(256, 'x'), Role::miner));
    EXPECT_TRUE(login("b", std::string(256, 'x')));
    EXPECT_EQ(refusal(login("b", std::string(257, 'x'))), Refusal::wrong_credentials);
}

TEST_F(AccountUsersTest, ALoginUnderWayDoesNotOutliveAReset) {
    const auto alice = make("alice");
    const auto row = store_.user(alice.user).value().value();
    ASSERT_TRUE(accounts_->reset_password(admin_, alice.user, false));
    SessionRow session;
    session.user = alice.user;
    EXPECT_FALSE(store_.add_session(session, row.password_hash, 10).value());
}

TEST_F(AccountUsersTest, RandomPasswordsArePossibleOnes) {
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        const auto password = random_password();
        EXPECT_TRUE(is_password(password));
        EXPECT_TRUE(seen.insert(password).second);
    }
}

}  // namespace
}  // namespace adit::auth
