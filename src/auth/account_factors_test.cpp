#include "auth/accounts_testing.h"
#include "auth/totp.h"

namespace adit::auth {
namespace {

using testing::kPassword;
using testing::kPeer;
using testing::refusal;

class AccountFactorsTest : public testing::AccountsTest {
 protected:
    std::string code(const Principal& user) {
        const auto row = store_.user(user.user).value().value();
        return totp_code(row.totp_secret, clock_.wall_ms() / 1'000);
    }
    std::vector<std::string> enrol(const Principal& user) {
        const auto offered = accounts_->offer_second_factor(user, kPassword, kPeer);
        EXPECT_TRUE(offered);
        auto codes = accounts_->confirm_second_factor(user, code(user));
        EXPECT_TRUE(codes);
        clock_.advance_ms(30'000);
        return codes.value_or(std::vector<std::string>());
    }
};

TEST_F(AccountFactorsTest, EnrolsByACode) {
    const auto alice = make("alice");
    const auto offered = accounts_->offer_second_factor(alice, kPassword, kPeer);
    ASSERT_TRUE(offered);
    EXPECT_EQ(offered->secret.size(), 32U);
    EXPECT_EQ(offered->uri, totp_uri("test pool", "alice", offered->secret));
    // Until it is confirmed nothing changes.
    EXPECT_TRUE(login("alice"));
    EXPECT_FALSE((*accounts_->users())[1].second_factor);
    const auto right = code(alice);
    const std::string wrong = right == "000000" ? "000001" : "000000";
    EXPECT_EQ(refusal(accounts_->confirm_second_factor(alice, wrong)), Refusal::wrong_code);
    const auto codes = accounts_->confirm_second_factor(alice, right);
    ASSERT_TRUE(codes);
    EXPECT_EQ(std::set(codes->begin(), codes->end()).size(), 10U);
    EXPECT_TRUE((*accounts_->users())[1].second_factor);
    EXPECT_EQ(refusal(login("alice")), Refusal::code_needed);
    // The code of the enrolment is used up.
    EXPECT_EQ(refusal(login("alice", kPassword, right)), Refusal::wrong_code);
}

TEST_F(AccountFactorsTest, TakesEachCodeOnce) {
    const auto alice = make("alice");
    enrol(alice);
    const auto now = code(alice);
    EXPECT_EQ(refusal(login("alice", "wrong password!", now)), Refusal::wrong_credentials);
    EXPECT_TRUE(login("alice", kPassword, now));
    EXPECT_EQ(refusal(login("alice", kPassword, now)), Refusal::wrong_code);
    clock_.advance_ms(30'000);
    EXPECT_TRUE(login("alice", kPassword, code(alice)));
}

TEST_F(AccountFactorsTest, GuessingCodesLocks) {
    const auto alice = make("alice");
    enrol(alice);
    const auto right = code(alice);
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(refusal(login("alice", kPassword, "not it")), Refusal::wrong_code);
    EXPECT_EQ(refusal(login("alice", kPassword, right)), Refusal::locked);
    clock_.advance_ms(2'000);
    EXPECT_TRUE(login("alice", kPassword, code(alice)));
    // To ask for the code is no guess.
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(refusal(login("alice")), Refusal::code_needed);
}

// Who has stolen a session and the password must not get more guesses by it.
TEST_F(AccountFactorsTest, APasswordAloneForgetsNoGuesses) {
    const auto alice = make("alice");
    enrol(alice);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(refusal(accounts_->remove_second_factor(alice, kPassword, "not it", kPeer)),
                  Refusal::wrong_code);
        if (i == 4) break;
        EXPECT_EQ(refusal(accounts_->offer_second_factor(alice, kPassword, kPeer)),
                  Refusal::second_factor_on);
        EXPECT_TRUE(accounts_->change_password(alice, kPassword, kPassword, kPeer));
    }
    EXPECT_EQ(refusal(accounts_->remove_second_factor(alice, kPassword, code(alice), kPeer)),
              Refusal::locked);
}

TEST_F(AccountFactorsTest, TakesEachBackupCodeOnceHoweverItIsWritten) {
    const auto alice = make("alice");
    const auto codes = enrol(alice);
    EXPECT_TRUE(login("alice", kPassword, codes[0]));
    EXPECT_EQ(refusal(login("alice", kPassword, codes[0])), Refusal::wrong_code);
    auto small = codes[1];
    std::erase(small, '-');
    for (auto& c : small)
        c = static_cast<char>(std::tolower(c));
    EXPECT_TRUE(login("alice", kPassword, small));
    EXPECT_EQ(refusal(login("alice", kPassword, codes[1])), Refusal::wrong_code);
    EXPECT_EQ(store_.user(alice.user).value()->backup_codes.size(), 8U);
    EXPECT_EQ(heard(EventKind::backup_code_used), 2);
    const auto events = accounts_->events(0, clock_.wall_ms() + 1, 0, 100);
    EXPECT_TRUE(std::ranges::any_of(*events, [](const Event& event) {
        return event.kind == EventKind::backup_code_used && event.detail == "8 left";
    }));
}

TEST_F(AccountFactorsTest, RemovesItByPasswordAndCode) {
    const auto alice = make("alice");
    enrol(alice);
    EXPECT_EQ(refusal(accounts_->offer_second_factor(alice, kPassword, kPeer)),
              Refusal::second_factor_on);
    EXPECT_EQ(refusal(accounts_->confirm_second_factor(alice, code(alice))),
              Refusal::second_factor_on);
    EXPECT_EQ(
        refusal(accounts_->remove_second_factor(alice, "wrong password!", code(alice), kPeer)),
        Refusal::wrong_credentials);
    EXPECT_EQ(refusal(accounts_->remove_second_factor(alice, kPassword, "not it", kPeer)),
              Refusal::wrong_code);
    ASSERT_TRUE(accounts_->remove_second_factor(alice, kPassword, code(alice), kPeer));
    EXPECT_TRUE(login("alice"));
    EXPECT_TRUE(store_.user(alice.user).value()->totp_secret.empty());
    EXPECT_EQ(refusal(accounts_->remove_second_factor(alice, kPassword, "1", kPeer)),
              Refusal::second_factor_off);
    EXPECT_EQ(refusal(accounts_->confirm_second_factor(alice, "1")),
              Refusal::second_factor_not_offered);
}

TEST_F(AccountFactorsTest, AnAdminsResetTakesItAwayWhenAsked) {
    const auto alice = make("alice");
    enrol(alice);
    const auto kept = accounts_->reset_password(admin_, alice.user, false);
    ASSERT_TRUE(kept);
    EXPECT_EQ(refusal(login("alice", *kept)), Refusal::code_needed);
    const auto bare = accounts_->reset_password(admin_, alice.user, true);
    ASSERT_TRUE(bare);
    EXPECT_TRUE(login("alice", *bare));
    EXPECT_EQ(heard(EventKind::second_factor_off), 1);
}

}  // namespace
}  // namespace adit::auth
