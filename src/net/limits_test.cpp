#include "net/limits.h"

#include "net/bans.h"
#include "net/file_limit.h"

#include <gmock/gmock.h>

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

// What is open and what is held, as "open+held".
std::string counted(ConnectionBudget& budget, std::int64_t now_ms) {
    const auto counts = budget.counts(now_ms);
    return fmt::format("{}+{}", counts.open, counts.held);
}

TEST(Reservations, OthersAreTurnedAwayAtTheLimitAndTheExpectedGetIn) {
    ConnectionBudget budget(4);
    const auto expected = Address::v4(1, 1000);
    const auto other = Address::v4(2, 1000);
    ASSERT_TRUE(budget.acquire(other, 0));
    const auto id = budget.reserve(Address::v4(1, 7), 2, 1'000, 0);
    ASSERT_TRUE(id);
    EXPECT_EQ(counted(budget, 0), "1+2");
    ASSERT_TRUE(budget.acquire(other, 0));
    EXPECT_FALSE(budget.acquire(other, 0));
    EXPECT_FALSE(budget.acquire());
    const auto first = budget.acquire(expected, 0);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->reservation, *id);
    ASSERT_TRUE(budget.acquire(Address::v4(1, 2000), 0));  // the port does not matter
    EXPECT_EQ(counted(budget, 0), "4+0");
    EXPECT_FALSE(budget.acquire(expected, 0));  // all that was reserved is taken
    // Who leaves can come back, and nobody else takes the place.
    budget.release(*first);
    EXPECT_EQ(counted(budget, 0), "3+1");
    EXPECT_FALSE(budget.acquire(other, 0));
    EXPECT_TRUE(budget.acquire(expected, 0));
}

TEST(Reservations, EndWithTheirTimeOrWhenCancelledAndConnectionsStay) {
    ConnectionBudget budget(3);
    const auto expected = Address::v4(1, 0);
    const auto other = Address::v4(2, 0);
    const auto id = budget.reserve(expected, 3, 1'000, 0);
    ASSERT_TRUE(id);
    const auto place = budget.acquire(expected, 0);
    ASSERT_TRUE(place);
    EXPECT_FALSE(budget.acquire(other, 999));
    EXPECT_THAT(budget.reservations(999), ::testing::SizeIs(1));
    EXPECT_TRUE(budget.acquire(other, 1'000));
    EXPECT_EQ(counted(budget, 1'000), "2+0");
    EXPECT_THAT(budget.reservations(1'000), ::testing::IsEmpty());
    EXPECT_FALSE(budget.cancel(*id, 1'000));
    budget.release(*place);  // its reservation is gone: the place is everybody's
    EXPECT_EQ(counted(budget, 1'000), "1+0");

    const auto again = budget.reserve(expected, 2, 9'000, 1'000);
    ASSERT_TRUE(again);
    EXPECT_NE(*again, *id);
    EXPECT_FALSE(budget.acquire(other, 1'000));
    EXPECT_TRUE(budget.cancel(*again, 1'000));
    EXPECT_FALSE(budget.cancel(*again, 1'000));
    EXPECT_TRUE(budget.acquire(other, 1'000));
}

TEST(Reservations, AreRefusedBeyondTheirBounds) {
    ConnectionBudget budget(100);
    const auto peer = Address::v4(1, 0);
    constexpr auto kLongest = ConnectionBudget::kLongestMs;
    EXPECT_EQ(budget.reserve(peer, 0, 10, 0).error(), ReserveFault::none_asked);
    EXPECT_EQ(budget.reserve(peer, 1, 10, 10).error(), ReserveFault::none_asked);
    EXPECT_EQ(budget.reserve(peer, 1, kLongest + 11, 10).error(), ReserveFault::too_long);
    EXPECT_EQ(budget.reserve(peer, 101, 10, 0).error(), ReserveFault::no_room);
    EXPECT_EQ(budget.reserve(peer, UINT32_MAX, 10, 0).error(), ReserveFault::no_room);
    EXPECT_EQ(counted(budget, 0), "0+0");
    for (std::size_t i = 0; i < ConnectionBudget::kMostReservations; ++i)
        ASSERT_TRUE(budget.reserve(peer, 1, kLongest, 0)) << i;
    EXPECT_EQ(budget.reserve(peer, 1, 10, 0).error(), ReserveFault::too_many);
    EXPECT_TRUE(budget.reserve(peer, 1, kLongest + 10, kLongest));  // the others have ended
    EXPECT_EQ(counted(budget, kLongest), "0+1");
}

TEST(Reservations, APeerBehindAProxyBorrowsUntilItIsKnown) {
    ConnectionBudget budget(2);
    const auto expected = Address::v4(1, 0);
    const auto other = Address::v4(2, 0);
    ASSERT_TRUE(budget.reserve(expected, 1, 1'000, 0));
    auto free = budget.acquire_unnamed(0);
    ASSERT_TRUE(free);
    EXPECT_FALSE(free->is_borrowed);
    EXPECT_TRUE(budget.settle(*free, other, 0));
    auto borrowed = budget.acquire_unnamed(0);
    ASSERT_TRUE(borrowed);
    EXPECT_TRUE(borrowed->is_borrowed);
    EXPECT_FALSE(budget.acquire_unnamed(0));  // never above the maximum
    EXPECT_FALSE(budget.settle(*borrowed, other, 0));
    budget.release(*borrowed);
    EXPECT_EQ(counted(budget, 0), "1+1");
    borrowed = budget.acquire_unnamed(0);
    ASSERT_TRUE(borrowed);
    EXPECT_TRUE(budget.settle(*borrowed, expected, 0));
    EXPECT_EQ(counted(budget, 0), "2+0");
    budget.release(*borrowed);
    EXPECT_EQ(counted(budget, 0), "1+1");
    // An expected peer that got a free place takes its reserved one, and the free one is free.
    budget.release(*free);
    free = budget.acquire_unnamed(0);
    ASSERT_TRUE(free);
    EXPECT_TRUE(budget.settle(*free, expected, 0));
    EXPECT_EQ(counted(budget, 0), "1+0");
    // Its time ends while it is borrowed: the place is anybody's.
    budget.release(*free);
    ASSERT_TRUE(budget.acquire(other, 0));
    borrowed = budget.acquire_unnamed(0);
    ASSERT_TRUE(borrowed);
    EXPECT_TRUE(budget.settle(*borrowed, other, 1'000));
    EXPECT_EQ(counted(budget, 1'000), "2+0");
}

TEST(Reservations, ManyThreadsNeverExceedTheLimitNorLoseAPlace) {
    ConnectionBudget budget(50);
    const auto expected = Address::v4(1, 0);
    std::atomic<bool> exceeded{false};
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            std::vector<Place> places;
            for (int i = 0; i < 5'000; ++i) {
                const auto place =
                    t % 2 == 0 ? budget.acquire(Address::v4(t, 0), 0) : budget.acquire(expected, 0);
                if (place) places.push_back(*place);
                if (budget.open() > 50) exceeded = true;
                if (i % 7 == 0) {
                    const auto id = budget.reserve(expected, 3, 1'000, 0);
                    if (id && i % 2 == 0) budget.cancel(*id, 0);
                }
                if (i % 3 != 0 && !places.empty()) {
                    budget.release(places.back());
                    places.pop_back();
                }
            }
            for (const auto& place : places)
                budget.release(place);
        });
    }
    for (auto& thread : threads)
        thread.join();
    EXPECT_FALSE(exceeded);
    EXPECT_EQ(budget.open(), 0u);
    std::uint32_t left = 0;
    for (const auto& reservation : budget.reservations(0)) {
        EXPECT_EQ(reservation.left, reservation.count);
        left += reservation.left;
    }
    EXPECT_EQ(budget.counts(0).held, left);
    EXPECT_EQ(counted(budget, 1'000), "0+0");
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
    EXPECT_EQ(limits.open_from(Address::v4(1, 9)), 2u);
    EXPECT_EQ(limits.open_from(Address::v4(3, 9)), 0u);
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
