// Logins, tokens, sessions and the audit log.
#include "auth/accounts_testing.h"

namespace adit::auth {
namespace {

using ::testing::HasSubstr;
using testing::kPassword;
using testing::kPeer;
using testing::quick_settings;
using testing::refusal;

class AccountsTest : public testing::AccountsTest {};

TEST_F(AccountsTest, MakesTheFirstAdminOnce) {
    EXPECT_EQ(first_.name, "admin");
    EXPECT_EQ(first_.password.size(), 20U);
    EXPECT_FALSE(accounts_->first_admin());
    const auto tokens = logged_in("admin", first_.password);
    EXPECT_EQ(tokens.principal.role, Role::admin);
    EXPECT_TRUE(tokens.principal.permissions.allows(Permission::manage_users));
    EXPECT_EQ(heard(EventKind::first_admin), 1);

    reopen(quick_settings());
    EXPECT_FALSE(accounts_->first_admin());
    EXPECT_EQ(heard(EventKind::first_admin), 1);
    EXPECT_TRUE(login("admin", first_.password));
    EXPECT_EQ(accounts_->users()->size(), 1U);
}

TEST_F(AccountsTest, MakesAnAdminAgainWhenNoneIsLeft) {
    const auto alice = make("alice");
    // As an operator does in the database when the password is lost.
    const auto gone = store_.change_user(admin_.user, [](UserRow& row, std::int64_t) {
        row.name = "old";
        row.disabled = true;
        return true;
    });
    ASSERT_TRUE(gone.value());
    const auto before = first_.password;
    reopen(quick_settings());
    EXPECT_NE(first_.password, before);
    EXPECT_TRUE(login("admin", first_.password));
    EXPECT_TRUE(login("alice"));
}

TEST_F(AccountsTest, SaysWhatToDoWhenNoAdminCanBeMade) {
    ASSERT_TRUE(store_.change_user(admin_.user, [](UserRow& row, std::int64_t) {
        row.disabled = true;
        return true;
    }));
    const auto opened = Accounts::open(quick_settings(), store_, clock_, registry_, log_);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error(), HasSubstr("enable an admin"));
}

TEST_F(AccountsTest, DoesNotStartWithoutItsStore) {
    store_.broken = true;
    const auto opened = Accounts::open(quick_settings(), store_, clock_, registry_, log_);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error(), HasSubstr("broken by a test"));
}

TEST_F(AccountsTest, RecognisesAnAccessTokenUntilItExpires) {
    make("alice", Role::operator_);
    const auto tokens = logged_in("Alice");
    const auto who = accounts_->identify(tokens.access);
    ASSERT_TRUE(who);
    EXPECT_EQ(who->name, "alice");
    EXPECT_EQ(who->role, Role::operator_);
    EXPECT_EQ(who->permissions, Permissions::of(Role::operator_));
    EXPECT_EQ(tokens.access_expires_ms, clock_.wall_ms() + 900'000);
    clock_.advance_ms(899'000);
    EXPECT_TRUE(accounts_->identify(tokens.access));
    clock_.advance_ms(1'000);
    EXPECT_EQ(denial(tokens.access), Denial::expired);
}

TEST_F(AccountsTest, DeniesWhatIsNoCredential) {
    make("alice");
    const auto tokens = logged_in("alice");
    EXPECT_EQ(denial(""), Denial::missing);
    for (const auto* credential : {"x", "a.b.c", "adit_", "adit_AAAA", "adrt_x", "Bearer x"})
        EXPECT_EQ(denial(credential), Denial::invalid) << credential;
    // A refresh token is no access token.
    EXPECT_EQ(denial(tokens.refresh), Denial::invalid);
    EXPECT_EQ(denial("adit_" + std::string(100'000, 'x')), Denial::invalid);
}

TEST_F(AccountsTest, AnswersFromMemoryForAMoment) {
    make("alice");
    const auto tokens = logged_in("alice");
    EXPECT_TRUE(accounts_->identify(tokens.access));
    const int reads = store_.reads;
    for (int i = 0; i < 100; ++i)
        EXPECT_TRUE(accounts_->identify(tokens.access));
    EXPECT_EQ(store_.reads, reads);
    // What an unknown key is, is remembered too.
    EXPECT_EQ(denial("adit_unknown"), Denial::invalid);
    const int after_one = store_.reads;
    EXPECT_EQ(denial("adit_unknown"), Denial::invalid);
    EXPECT_EQ(store_.reads, after_one);
    clock_.advance_ms(5'000);
    EXPECT_TRUE(accounts_->identify(tokens.access));
    EXPECT_GT(store_.reads, after_one);
}

TEST_F(AccountsTest, NoticesWhatAnotherInstanceChanged) {
    const auto alice = make("alice");
    const auto tokens = logged_in("alice");
    EXPECT_TRUE(accounts_->identify(tokens.access));
    auto other = Accounts::open(quick_settings(), store_, clock_, registry_, log_);
    ASSERT_TRUE(other);
    EXPECT_TRUE((*other)->identify(tokens.access));
    ASSERT_TRUE((*other)->logout_everywhere(alice.user));
    EXPECT_EQ((*other)->identify(tokens.access).error(), Denial::revoked);
    clock_.advance_ms(5'000);
    EXPECT_EQ(denial(tokens.access), Denial::revoked);

    // A new key of the other one is found as soon as a token names it.
    clock_.advance_ms(1'000);
    ASSERT_TRUE((*other)->reload_keys());
    const auto fresh = (*other)->login({"alice", kPassword, "", kPeer});
    ASSERT_TRUE(fresh);
    EXPECT_TRUE(accounts_->identify(fresh->access));
}

TEST_F(AccountsTest, RotatesRefreshTokens) {
    make("alice");
    const auto first = logged_in("alice");
    clock_.advance_ms(600'000);
    const auto second = accounts_->refresh(first.refresh, kPeer);
    ASSERT_TRUE(second);
    EXPECT_NE(second->refresh, first.refresh);
    EXPECT_NE(second->access, first.access);
    EXPECT_TRUE(accounts_->identify(second->access));
    const auto third = accounts_->refresh(second->refresh, kPeer);
    ASSERT_TRUE(third);
    EXPECT_TRUE(accounts_->identify(third->access));
}

TEST_F(AccountsTest, EndsTheSessionWhenARefreshTokenIsReused) {
    make("alice");
    const auto elsewhere = logged_in("alice");
    const auto first = logged_in("alice");
    const auto second = accounts_->refresh(first.refresh, kPeer);
    ASSERT_TRUE(second);
    EXPECT_TRUE(accounts_->identify(second->access));
    EXPECT_EQ(refusal(accounts_->refresh(first.refresh, kPeer)), Refusal::token_reused);
    EXPECT_EQ(heard(EventKind::refresh_reused), 1);
    // Thief and owner are both out, other sessions are not.
    EXPECT_EQ(denial(second->access), Denial::revoked);
    EXPECT_EQ(refusal(accounts_->refresh(second->refresh, kPeer)), Refusal::session_ended);
    EXPECT_TRUE(accounts_->identify(elsewhere.access));
    EXPECT_TRUE(accounts_->refresh(elsewhere.refresh, kPeer));
}

TEST_F(AccountsTest, EndsASessionThatIsNotRefreshedAndAnyInTheEnd) {
    make("alice");
    const auto idle = logged_in("alice");
    clock_.advance_ms(idle.refresh_expires_ms - clock_.wall_ms());
    EXPECT_EQ(refusal(accounts_->refresh(idle.refresh, kPeer)), Refusal::token_expired);

    auto tokens = logged_in("alice");
    int days = 0;
    for (; days < 40; days += 5) {
        const auto next = accounts_->refresh(tokens.refresh, kPeer);
        if (!next) break;
        tokens = *next;
        clock_.advance_ms(5 * 86'400'000);
    }
    EXPECT_EQ(days, 30);
    EXPECT_EQ(refusal(accounts_->refresh(tokens.refresh, kPeer)), Refusal::token_expired);
}

TEST_F(AccountsTest, LogsOut) {
    const auto alice = make("alice");
    const auto one = logged_in("alice");
    const auto two = logged_in("alice");
    const auto three = logged_in("alice");
    ASSERT_TRUE(accounts_->identify(one.access));
    ASSERT_TRUE(accounts_->logout(one.access));
    EXPECT_EQ(denial(one.access), Denial::revoked);
    EXPECT_EQ(refusal(accounts_->refresh(one.refresh, kPeer)), Refusal::session_ended);
    EXPECT_TRUE(accounts_->identify(two.access));
    ASSERT_TRUE(accounts_->logout_everywhere(alice.user));
    EXPECT_EQ(denial(two.access), Denial::revoked);
    EXPECT_EQ(denial(three.access), Denial::revoked);
    EXPECT_EQ(heard(EventKind::logout), 2);
}

TEST_F(AccountsTest, ReloadsItsKeysAndVoidsAllTokens) {
    make("alice");
    const auto tokens = logged_in("alice");
    const auto key = accounts_->create_api_key(
        admin_, "k", Permissions::of(Role::miner).both(Permissions().add(Permission::own_earnings)),
        0);
    ASSERT_TRUE(key);
    ASSERT_TRUE(accounts_->identify(tokens.access));
    ASSERT_TRUE(accounts_->reload_keys());
    EXPECT_EQ(denial(tokens.access), Denial::invalid);
    EXPECT_EQ(refusal(accounts_->refresh(tokens.refresh, kPeer)), Refusal::session_ended);
    EXPECT_TRUE(accounts_->identify(key->key));
    EXPECT_TRUE(accounts_->identify(logged_in("alice").access));
    EXPECT_EQ(heard(EventKind::keys_reloaded), 1);
}

TEST_F(AccountsTest, KeepsTokensOverARestart) {
    make("alice");
    const auto tokens = logged_in("alice");
    reopen(quick_settings());
    EXPECT_TRUE(accounts_->identify(tokens.access));
    EXPECT_TRUE(accounts_->refresh(tokens.refresh, kPeer));
}

TEST_F(AccountsTest, EndsTheOldestOfTooManySessions) {
    auto settings = quick_settings();
    settings.most_sessions = 3;
    reopen(settings);
    make("alice");
    std::vector<Tokens> tokens;
    for (int i = 0; i < 4; ++i)
        tokens.push_back(logged_in("alice"));
    EXPECT_EQ(denial(tokens[0].access), Denial::revoked);
    for (std::size_t i = 1; i < 4; ++i)
        EXPECT_TRUE(accounts_->identify(tokens[i].access));
}

TEST_F(AccountsTest, LocksANameAfterFailuresFromAnywhere) {
    make("alice");
    for (int i = 0; i < 5; ++i) {
        const auto peer = fmt::format("192.0.2.{}", i);
        EXPECT_EQ(refusal(login("alice", "wrong password!", "", peer)), Refusal::wrong_credentials);
    }
    EXPECT_EQ(heard(EventKind::locked_out), 1);
    const auto locked = login("alice", kPassword, "", "198.51.100.1");
    ASSERT_EQ(refusal(locked), Refusal::locked);
    EXPECT_EQ(locked.error().retry_after_ms, 2'000);
    // Others go on.
    EXPECT_TRUE(login("admin", first_.password));
    clock_.advance_ms(2'000);
    EXPECT_EQ(refusal(login("alice", "wrong password!")), Refusal::wrong_credentials);
    EXPECT_EQ(login("alice").error().retry_after_ms, 4'000);
    clock_.advance_ms(4'000);
    // Success forgets the failures.
    EXPECT_TRUE(login("alice"));
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(refusal(login("alice", "wrong password!")), Refusal::wrong_credentials);
    EXPECT_TRUE(login("alice"));
}

TEST_F(AccountsTest, LocksAPeerThatTriesManyNames) {
    make("alice");
    for (int i = 0; i < 20; ++i) {
        // An own account in between does not help.
        EXPECT_TRUE(login("alice"));
        EXPECT_EQ(refusal(login(fmt::format("name{}", i), "wrong password!")),
                  Refusal::wrong_credentials);
    }
    EXPECT_EQ(refusal(login("alice")), Refusal::locked);
    EXPECT_TRUE(login("alice", kPassword, "", "198.51.100.1"));
    clock_.advance_ms(2'000);
    EXPECT_TRUE(login("alice"));
}

TEST_F(AccountsTest, DoesTheSameWorkForUnknownNames) {
    make("alice");
    auto& hashed = registry_.histogram("adit_auth_password_hash_milliseconds", "",
                                       metrics::latency_bounds_ms());
    const auto before = hashed.count();
    EXPECT_EQ(refusal(login("nobody")), Refusal::wrong_credentials);
    EXPECT_EQ(refusal(login("no name at all, not even one")), Refusal::wrong_credentials);
    EXPECT_EQ(refusal(login("alice", std::string(10'000, 'x'))), Refusal::wrong_credentials);
    EXPECT_EQ(refusal(login("alice", "wrong password!")), Refusal::wrong_credentials);
    EXPECT_EQ(hashed.count() - before, 4U);
    // What may be a password in the wrong field is not written down.
    const auto events = accounts_->events(0, clock_.wall_ms() + 1, 0, 10);
    ASSERT_TRUE(events);
    EXPECT_EQ((*events)[2].subject, "(no user name)");
    EXPECT_EQ((*events)[3].subject, "nobody");
}

TEST_F(AccountsTest, HashesAgainWhenTheParametersChanged) {
    const auto alice = make("alice");
    const auto before = store_.user(alice.user).value()->password_hash;
    auto settings = quick_settings();
    settings.passwords.operations = 2;
    reopen(settings);
    EXPECT_TRUE(login("alice"));
    const auto after = store_.user(alice.user).value()->password_hash;
    EXPECT_NE(after, before);
    EXPECT_TRUE(after.starts_with("$argon2id$"));
    EXPECT_TRUE(login("alice"));
    EXPECT_EQ(store_.user(alice.user).value()->password_hash, after);
}

TEST_F(AccountsTest, BoundsAndPagesTheAuditLog) {
    auto settings = quick_settings();
    settings.most_events = 10;
    settings.keep_events_s = 3'600;
    reopen(settings);
    make("alice");
    for (int i = 0; i < 20; ++i)
        logged_in("alice");
    ASSERT_TRUE(accounts_->tidy());
    const auto to_ms = clock_.wall_ms() + 1;
    const auto all = accounts_->events(0, to_ms, 0, 1'000);
    ASSERT_TRUE(all);
    ASSERT_EQ(all->size(), 10U);
    EXPECT_EQ(all->front().kind, EventKind::login);
    EXPECT_EQ(all->front().subject, "alice");
    EXPECT_EQ(all->front().peer, kPeer);
    const auto page = accounts_->events(0, to_ms, (*all)[3].id, 4);
    ASSERT_TRUE(page);
    ASSERT_EQ(page->size(), 4U);
    EXPECT_EQ(page->front().id, (*all)[4].id);
    clock_.advance_ms(3'600'001);
    ASSERT_TRUE(accounts_->tidy());
    EXPECT_TRUE(accounts_->events(0, clock_.wall_ms(), 0, 10)->empty());
}

TEST_F(AccountsTest, ProbesItsKeyAndItsStore) {
    EXPECT_TRUE(accounts_->probe());
    store_.broken = true;
    EXPECT_EQ(refusal(accounts_->probe()), Refusal::store_failed);
    EXPECT_GT(registry_.counter("adit_auth_store_errors_total", "").value(), 0U);
    store_.broken = false;
    EXPECT_TRUE(accounts_->probe());
}

TEST_F(AccountsTest, AFailingStoreCostsNobodyAnAttempt) {
    make("alice");
    const auto tokens = logged_in("alice");
    store_.broken = true;
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(refusal(login("alice")), Refusal::store_failed);
    EXPECT_EQ(denial(tokens.access), Denial::unavailable);
    store_.broken = false;
    EXPECT_TRUE(login("alice"));
    EXPECT_TRUE(accounts_->identify(tokens.access));
}

TEST_F(AccountsTest, CountsWhatItSees) {
    make("alice");
    const auto tokens = logged_in("alice");
    EXPECT_TRUE(accounts_->identify(tokens.access));
    EXPECT_EQ(denial("x"), Denial::invalid);
    EXPECT_EQ(refusal(login("alice", "wrong password!")), Refusal::wrong_credentials);
    const auto text = registry_.text();
    for (const auto* line : {R"(adit_auth_requests_total{result="recognised"} 1)",
                             R"(adit_auth_requests_total{result="invalid"} 1)",
                             R"(adit_auth_logins_total{result="done",what="login"} 1)",
                             R"(adit_auth_logins_total{result="wrong_credentials",what="login"} 1)",
                             R"(adit_auth_events_total{kind="login"} 1)"}) {
        EXPECT_THAT(text, HasSubstr(line));
    }
}

}  // namespace
}  // namespace adit::auth
