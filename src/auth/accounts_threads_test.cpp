// Many threads at the same time. Meant for the thread sanitizer as well.
#include "auth/accounts_testing.h"
#include "auth/totp.h"

#include <barrier>

namespace adit::auth {
namespace {

using testing::kPassword;
using testing::kPeer;
using testing::quick_settings;
using testing::refusal;

class AccountThreadsTest : public testing::AccountsTest {
 protected:
    AccountThreadsTest() {
        auto settings = quick_settings();
        settings.by_name.free_failures = 1'000;
        settings.by_peer.free_failures = 1'000;
        reopen(settings);
    }
    // Runs it on so many threads that start together.
    static void together(int threads, const std::function<void(int)>& work) {
        std::barrier gate(threads);
        std::vector<std::jthread> running;
        for (int i = 0; i < threads; ++i) {
            running.emplace_back([&, i] {
                gate.arrive_and_wait();
                work(i);
            });
        }
    }
};

TEST_F(AccountThreadsTest, OneOfManyRefreshesWithOneToken) {
    make("alice");
    for (int round = 0; round < 20; ++round) {
        const auto tokens = logged_in("alice");
        std::atomic<int> refreshed = 0;
        together(4, [&](int) {
            const auto outcome = accounts_->refresh(tokens.refresh, kPeer);
            if (outcome) {
                ++refreshed;
            } else {
                const auto why = refusal(outcome);
                EXPECT_TRUE(why == Refusal::token_reused || why == Refusal::session_ended);
            }
        });
        EXPECT_EQ(refreshed, 1);
        EXPECT_EQ(denial(tokens.access), Denial::revoked);
    }
}

TEST_F(AccountThreadsTest, OneOfManyLogsInWithOneCode) {
    const auto alice = make("alice");
    ASSERT_TRUE(accounts_->offer_second_factor(alice, kPassword, kPeer));
    const auto secret = store_.user(alice.user).value()->totp_secret;
    const auto code = [&] { return totp_code(secret, clock_.wall_ms() / 1'000); };
    const auto backup = accounts_->confirm_second_factor(alice, code());
    ASSERT_TRUE(backup);
    for (const auto& backup_code : *backup) {
        clock_.advance_ms(30'000);
        for (const auto& one : {code(), backup_code}) {
            std::atomic<int> entered = 0;
            together(4, [&](int) {
                const auto outcome = login("alice", kPassword, one);
                if (outcome) {
                    ++entered;
                } else {
                    EXPECT_EQ(refusal(outcome), Refusal::wrong_code);
                }
            });
            EXPECT_EQ(entered, 1);
        }
    }
}

TEST_F(AccountThreadsTest, OneOfTheLastAdminsStays) {
    for (int round = 0; round < 20; ++round) {
        std::vector<UserId> admins{admin_.user};
        for (int i = 0; i < 3; ++i)
            admins.push_back(make(fmt::format("a{}-{}", round, i), Role::admin).user);
        std::atomic<int> disabled = 0;
        together(4, [&](int i) {
            const auto id = admins[static_cast<std::size_t>(i)];
            if (accounts_->set_disabled(admin_, id, true)) ++disabled;
        });
        EXPECT_EQ(disabled, 3);
        ASSERT_TRUE(accounts_->set_disabled(admin_, admin_.user, false));
        for (std::size_t i = 1; i < admins.size(); ++i) {
            const auto one = accounts_->set_disabled(admin_, admins[i], true);
            EXPECT_TRUE(one);
        }
    }
}

TEST_F(AccountThreadsTest, NothingIsRecognisedAfterItsEnd) {
    make("alice");
    for (int round = 0; round < 50; ++round) {
        const auto tokens = logged_in("alice");
        std::atomic<bool> over = false;
        std::jthread asks([&] {
            while (!over)
                accounts_->identify(tokens.access);
        });
        ASSERT_TRUE(accounts_->logout(tokens.access));
        // Whatever the other thread read before must not be believed now.
        EXPECT_EQ(denial(tokens.access), Denial::revoked);
        over = true;
        asks.join();
        EXPECT_EQ(denial(tokens.access), Denial::revoked);
    }
}

TEST_F(AccountThreadsTest, EverythingAtOnceIsSound) {
    for (int i = 0; i < 4; ++i)
        make(fmt::format("user{}", i));
    together(4, [&](int i) {
        const auto name = fmt::format("user{}", i);
        for (int round = 0; round < 30; ++round) {
            auto tokens = login(name);
            ASSERT_TRUE(tokens) << tokens.error().text;
            accounts_->identify(tokens->access);
            accounts_->refresh(tokens->refresh, kPeer);
            const auto key = accounts_->create_api_key(
                tokens->principal, "k", Permissions().add(Permission::own_earnings), 0);
            ASSERT_TRUE(key);
            EXPECT_TRUE(accounts_->identify(key->key));
            EXPECT_TRUE(
                accounts_->revoke_api_key(tokens->principal, tokens->principal.user, key->id));
            EXPECT_EQ(denial(key->key), Denial::revoked);
            if (round % 10 == i) {
                EXPECT_TRUE(accounts_->reload_keys());
            }
            EXPECT_TRUE(accounts_->tidy());
            EXPECT_TRUE(accounts_->probe());
            clock_.advance_ms(7);
        }
    });
}

TEST_F(AccountThreadsTest, AFewHashWhileTheOthersWait) {
    auto settings = quick_settings();
    settings.passwords.at_once = 1;
    settings.passwords.waiting = 3;
    reopen(settings);
    make("alice");
    std::atomic<int> entered = 0;
    together(4, [&](int) {
        if (login("alice")) ++entered;
    });
    EXPECT_EQ(entered, 4);
}

}  // namespace
}  // namespace adit::auth
