// Every refusal has its sentence, and what a broken store refuses.
#include "auth/accounts_testing.h"

namespace adit::auth {
namespace {

using testing::kPassword;
using testing::kPeer;
using testing::refusal;

class AccountRefusalsTest : public testing::AccountsTest {};

TEST(Refusals, HaveNamesAndSentencesOfTheirOwn) {
    std::set<std::string_view> names;
    std::set<std::string_view> sentences;
    for (std::size_t i = 0; i < kRefusals; ++i) {
        const auto why = static_cast<Refusal>(i);
        EXPECT_TRUE(names.insert(name_of(why)).second);
        EXPECT_TRUE(sentences.insert(describe(why)).second);
        EXPECT_TRUE(describe(why).ends_with('.')) << name_of(why);
    }
}

// One line a case: the simplest way to each refusal that needs no history. The others have tests
// of their own in account_*_test.cpp and accounts_test.cpp.
TEST_F(AccountRefusalsTest, ComeFromWhatIsAsked) {
    const auto alice = make("alice");
    const Principal nobody{9'999, "nobody", Role::miner, {}};
    const auto scopes = Permissions().add(Permission::own_earnings);
    auto& a = *accounts_;
    using enum Refusal;
    const std::vector<std::pair<std::optional<Refusal>, Refusal>> rows{
        {refusal(login("alice", "wrong password!")), wrong_credentials},
        {refusal(login("alice", "")), wrong_credentials},
        {refusal(a.refresh("", kPeer)), bad_token},
        {refusal(a.refresh("adrt_x", kPeer)), bad_token},
        {refusal(a.refresh("adrt_" + std::string(75, '0'), kPeer)), bad_token},
        {refusal(a.logout("")), bad_token},
        {refusal(a.logout("x.y.z")), bad_token},
        {refusal(a.create_user(admin_, "", kPassword, Role::miner)), bad_name},
        {refusal(a.create_user(admin_, "two words", kPassword, Role::miner)), bad_name},
        {refusal(a.create_user(admin_, "caf\xc3\xa9", kPassword, Role::miner)), bad_name},
        {refusal(a.create_user(admin_, std::string(33, 'a'), kPassword, Role::miner)), bad_name},
        {refusal(a.create_user(admin_, "ALICE", kPassword, Role::miner)), name_taken},
        {refusal(a.create_user(admin_, "bob", "12345678901", Role::miner)), weak_password},
        {refusal(a.change_password(alice, kPassword, "short", kPeer)), weak_password},
        {refusal(a.set_disabled(admin_, 9'999, true)), no_such_user},
        {refusal(a.set_role(admin_, 9'999, Role::miner)), no_such_user},
        {refusal(a.reset_password(admin_, 9'999, false)), no_such_user},
        {refusal(a.logout_everywhere(9'999)), no_such_user},
        {refusal(a.offer_second_factor(alice, "wrong password!", kPeer)), wrong_credentials},
        {refusal(a.confirm_second_factor(nobody, "1")), no_such_user},
        {refusal(a.create_api_key(nobody, "k", scopes, 0)), no_such_user},
        {refusal(a.revoke_api_key(admin_, 9'999, 1)), no_such_user},
        {refusal(a.set_disabled(admin_, admin_.user, true)), last_admin},
        {refusal(a.confirm_second_factor(alice, "1")), second_factor_not_offered},
        {refusal(a.remove_second_factor(alice, kPassword, "1", kPeer)), second_factor_off},
        {refusal(a.create_api_key(alice, "k", {}, 0)), bad_scopes},
        {refusal(a.create_api_key(alice, "k", scopes, clock_.wall_ms())), bad_expiry},
        {refusal(a.create_api_key(alice, "k", scopes, -1)), bad_expiry},
        {refusal(a.revoke_api_key(alice, alice.user, 9'999)), no_such_key},
        {refusal(a.settle_change(9'999, ChangeState::applied, "")), no_such_change},
    };
    for (std::size_t i = 0; i < rows.size(); ++i)
        EXPECT_EQ(rows[i].first, rows[i].second) << "row " << i;
}

TEST_F(AccountRefusalsTest, AreTheStoresWhenItIsBroken) {
    const auto alice = make("alice");
    const auto tokens = logged_in("alice");
    const auto scopes = Permissions().add(Permission::own_earnings);
    auto& a = *accounts_;
    store_.broken = true;
    const std::vector<std::optional<Refusal>> rows{
        refusal(login("alice")),
        refusal(a.refresh(tokens.refresh, kPeer)),
        refusal(a.logout(tokens.access)),
        refusal(a.logout_everywhere(alice.user)),
        refusal(a.reload_keys()),
        refusal(a.create_user(admin_, "bob", kPassword, Role::miner)),
        refusal(a.users()),
        refusal(a.set_disabled(admin_, alice.user, true)),
        refusal(a.set_role(admin_, alice.user, Role::admin)),
        refusal(a.reset_password(admin_, alice.user, false)),
        refusal(a.change_password(alice, kPassword, "another password", kPeer)),
        refusal(a.offer_second_factor(alice, kPassword, kPeer)),
        refusal(a.confirm_second_factor(alice, "1")),
        refusal(a.remove_second_factor(alice, kPassword, "1", kPeer)),
        refusal(a.create_api_key(alice, "k", scopes, 0)),
        refusal(a.api_keys(alice.user)),
        refusal(a.revoke_api_key(alice, alice.user, 1)),
        refusal(a.events(0, 1, 0, 1)),
        refusal(a.due_changes(0)),
        refusal(a.settle_change(1, ChangeState::applied, "")),
        refusal(a.changes_of("x")),
        refusal(a.tidy()),
        refusal(a.probe()),
    };
    for (std::size_t i = 0; i < rows.size(); ++i)
        EXPECT_EQ(rows[i], Refusal::store_failed) << "row " << i;
    store_.broken = false;
    EXPECT_TRUE(accounts_->identify(tokens.access));
}

// No place at all, so that the answer does not depend on timing.
TEST_F(AccountRefusalsTest, TooManyPasswordsAtOnceAreRefused) {
    auto settings = testing::quick_settings();
    settings.passwords.at_once = 0;
    settings.passwords.waiting = 0;
    make("alice");
    reopen(settings);
    const auto busy = login("alice");
    ASSERT_EQ(refusal(busy), Refusal::busy);
    EXPECT_GT(busy.error().retry_after_ms, 0);
    EXPECT_EQ(refusal(accounts_->create_user(admin_, "bob", kPassword, Role::miner)),
              Refusal::busy);
    // It was no failure of the one who tried.
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(refusal(login("alice")), Refusal::busy);
}

}  // namespace
}  // namespace adit::auth
