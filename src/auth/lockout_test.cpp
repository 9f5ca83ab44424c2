#include "auth/lockout.h"

#include <gtest/gtest.h>

namespace adit::auth {
namespace {

LockoutSettings settings() {
    LockoutSettings settings;
    settings.free_failures = 3;
    settings.first_delay_ms = 1'000;
    settings.longest_delay_ms = 6'000;
    settings.forget_after_ms = 60'000;
    settings.most_keys = 4;
    return settings;
}

TEST(Lockout, DoublesTheWaitAfterTheFreeFailures) {
    Lockout lockout(settings());
    std::int64_t now = 0;
    EXPECT_EQ(lockout.attempt("a", now), 0);
    EXPECT_EQ(lockout.attempt("a", now), 0);
    EXPECT_EQ(lockout.wait_ms("a", now), 0);
    EXPECT_EQ(lockout.attempt("a", now), 0);
    for (const std::int64_t wait : {1'000, 2'000, 4'000, 6'000, 6'000}) {
        EXPECT_EQ(lockout.attempt("a", now), wait);
        // Trying too early costs nothing more.
        EXPECT_EQ(lockout.attempt("a", now + wait - 1), 1);
        now += wait;
        EXPECT_EQ(lockout.attempt("a", now), 0);
    }
    EXPECT_EQ(lockout.attempt("b", now), 0);
}

TEST(Lockout, ForgetsAfterAQuietWhile) {
    Lockout lockout(settings());
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(lockout.attempt("a", 0), 0);
    EXPECT_EQ(lockout.wait_ms("a", 0), 1'000);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(lockout.attempt("a", 60'000), 0);
    EXPECT_EQ(lockout.wait_ms("a", 60'000), 1'000);
}

TEST(Lockout, ClearsAndForgives) {
    Lockout lockout(settings());
    for (int i = 0; i < 3; ++i)
        lockout.attempt("a", 0);
    lockout.forgive("a");
    EXPECT_EQ(lockout.attempt("a", 0), 0);
    EXPECT_EQ(lockout.wait_ms("a", 0), 1'000);
    lockout.clear("a");
    EXPECT_EQ(lockout.wait_ms("a", 0), 0);
    EXPECT_EQ(lockout.size(), 0U);
    lockout.attempt("b", 0);
    lockout.forgive("b");
    EXPECT_EQ(lockout.size(), 0U);
    lockout.forgive("nobody");
    lockout.clear("nobody");
}

TEST(Lockout, IsBoundedAndKeepsTheLatest) {
    Lockout lockout(settings());
    for (int i = 0; i < 3; ++i)
        lockout.attempt("guessed", 10);
    for (const auto* key : {"a", "b", "c"})
        lockout.attempt(key, 20);
    EXPECT_EQ(lockout.size(), 4U);
    EXPECT_EQ(lockout.wait_ms("guessed", 20), 990);
    // A further attempt makes it the latest again, so the next stranger takes another one's place.
    EXPECT_EQ(lockout.attempt("guessed", 1'010), 0);
    lockout.attempt("d", 1'020);
    EXPECT_EQ(lockout.size(), 4U);
    EXPECT_GT(lockout.wait_ms("guessed", 1'020), 0);
    for (const auto* key : {"e", "f", "g"})
        lockout.attempt(key, 1'030);
    EXPECT_EQ(lockout.size(), 4U);
    lockout.attempt("h", 1'040);
    EXPECT_EQ(lockout.wait_ms("guessed", 1'040), 0);
}

TEST(Lockout, TakesANetworkOfIpv6AsOnePeer) {
    EXPECT_EQ(lockout_peer("192.0.2.7"), "192.0.2.7");
    EXPECT_EQ(lockout_peer("2001:db8:1:2:3:4:5:6"), lockout_peer("2001:db8:1:2::9"));
    EXPECT_NE(lockout_peer("2001:db8:1:2::9"), lockout_peer("2001:db8:1:3::9"));
    EXPECT_EQ(lockout_peer("2001:db8:1:2::9"), "2001:0db8:0001:0002::/64");
    EXPECT_EQ(lockout_peer("::ffff:192.0.2.7"), "192.0.2.7");
    EXPECT_EQ(lockout_peer("unix"), "unix");
    EXPECT_EQ(lockout_peer(std::string(1'000, 'x')).size(), 64U);
}

}  // namespace
}  // namespace adit::auth
