#include "net/limits.h"

#include "net/bans.h"
#include "net/file_limit.h"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <unistd.h>

namespace adit::net {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(ConnectionBudget, HandsOutNoMoreThanItsMaximumToManyThreads) {
    ConnectionBudget budget(1000);
    std::atomic<int> got{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 1000; ++i)
                got += budget.acquire() ? 1 : 0;
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(got, 1000);
    budget.set_max(500);  // those above stay, but nobody is added
    budget.release();
    EXPECT_FALSE(budget.acquire());
    EXPECT_EQ(budget.open(), 999u);
}

TEST(HandshakeRate, GivesASecondsWorthAtOnceThenAnEvenPace) {
    HandshakeRate rate(4);
    std::int64_t now = 100 * kSecond;
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(rate.wait_ns(now), 0) << i;
        rate.take(now);
    }
    EXPECT_EQ(rate.wait_ns(now), kSecond / 4);
    now += kSecond / 4;
    EXPECT_EQ(rate.wait_ns(now), 0);
    rate.take(now);
    EXPECT_EQ(rate.wait_ns(now), kSecond / 4);
    now += 60 * kSecond;  // a long rest saves up one second's worth, not sixty
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(rate.wait_ns(now), 0) << i;
        rate.take(now);
    }
    EXPECT_GT(rate.wait_ns(now), 0);
    rate.set_per_s(0);
    EXPECT_EQ(rate.wait_ns(now), 0);
}

TEST(PerAddressLimits, CountsAddressesNotPortsAndForgetsWhenTheLastLeaves) {
    PerAddressLimits limits(2);
    const auto a1 = Address::v4(1, 1000);
    const auto a2 = Address::v4(1, 2000);
    const auto b = Address::v4(2, 1000);
    EXPECT_TRUE(limits.acquire(a1));
    EXPECT_TRUE(limits.acquire(a2));
    EXPECT_FALSE(limits.acquire(a1));
    EXPECT_TRUE(limits.acquire(b));
    EXPECT_EQ(limits.addresses(), 2u);
    limits.release(a2);
    EXPECT_TRUE(limits.acquire(a2));
    limits.set_max(0);
    EXPECT_TRUE(limits.acquire(a1));
    for (int i = 0; i < 3; ++i)
        limits.release(a1);
    limits.release(b);
    EXPECT_EQ(limits.addresses(), 0u);
}

TEST(Bans, EndWhenTheirTimeIsOver) {
    Bans bans(10);
    bans.ban("192.0.2.1 bob", 1000, 500);
    EXPECT_TRUE(bans.banned("192.0.2.1 bob", 1000));
    EXPECT_TRUE(bans.banned("192.0.2.1 bob", 1499));
    EXPECT_FALSE(bans.banned("192.0.2.1 bob", 1500));
    EXPECT_FALSE(bans.banned("192.0.2.1", 1000));
    EXPECT_EQ(bans.expire(1499), 1u);
    EXPECT_EQ(bans.expire(1500), 0u);
}

TEST(Bans, AreExtendedButNeverShortened) {
    Bans bans(10);
    bans.ban("a", 0, 100);
    bans.ban("a", 10, 20);
    EXPECT_TRUE(bans.banned("a", 99));
    bans.ban("a", 50, 100);
    EXPECT_TRUE(bans.banned("a", 149));
    EXPECT_TRUE(bans.lift("a"));
    EXPECT_FALSE(bans.lift("a"));
    EXPECT_FALSE(bans.banned("a", 60));
}

TEST(Bans, AFullTableDropsTheExpiredThenTheSoonestToEnd) {
    Bans bans(2);
    bans.ban("old", 0, 10);
    bans.ban("long", 0, 1000);
    bans.ban("new", 20, 100);  // "old" is over
    EXPECT_EQ(bans.size(), 2u);
    EXPECT_TRUE(bans.banned("long", 20));
    bans.ban("newer", 20, 500);
    EXPECT_EQ(bans.size(), 2u);
    EXPECT_FALSE(bans.banned("new", 21));
    EXPECT_TRUE(bans.banned("long", 21));
    EXPECT_TRUE(bans.banned("newer", 21));
}

// In a child: the limit is the process's.
int change_file_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit low{64, std::min<rlim_t>(limit.rlim_max, 4096)};
    if (setrlimit(RLIMIT_NOFILE, &low) != 0) return 1;
    const auto kept = raise_file_limit(32);
    if (kept.before != 64 || kept.now != 64) return 2;
    const auto raised = raise_file_limit(1000);
    if (raised.before != 64 || raised.now != 1000) return 3;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur != 1000) return 4;
    // More than any system gives: as far as it goes, and told truly.
    const auto most = raise_file_limit(std::uint64_t{1} << 40);
    getrlimit(RLIMIT_NOFILE, &limit);
    return most.now == limit.rlim_cur && most.now >= low.rlim_max ? 0 : 5;
}

TEST(FileLimitDeathTest, RaisesAsFarAsItGoesAndNeverLowers) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(_exit(change_file_limit()), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace adit::net
