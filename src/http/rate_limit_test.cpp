#include "http/rate_limit.h"

#include <gtest/gtest.h>

namespace adit::http {
namespace {

net::Address v4(std::uint32_t ip, std::uint16_t port = 1) {
    return net::Address::v4(ip, port);
}

TEST(RateLimiter, LetsABurstThroughAndThenAnEvenPace) {
    base::ManualClock clock;
    RateLimiter limiter({.per_s = 2, .burst = 3}, clock);
    for (int i = 0; i < 3; ++i)
        EXPECT_FALSE(limiter.take(v4(1)));
    EXPECT_EQ(limiter.take(v4(1)), 500);
    clock.advance_ms(499);
    EXPECT_EQ(limiter.take(v4(1)), 1);
    clock.advance_ms(1);
    EXPECT_FALSE(limiter.take(v4(1)));
    EXPECT_TRUE(limiter.take(v4(1)));
    clock.advance_ms(3'600'000);
    for (int i = 0; i < 3; ++i)
        EXPECT_FALSE(limiter.take(v4(1)));
    EXPECT_TRUE(limiter.take(v4(1)));
}

TEST(RateLimiter, CountsByAddressNotByPort) {
    base::ManualClock clock;
    RateLimiter limiter({.per_s = 1, .burst = 1}, clock);
    EXPECT_FALSE(limiter.take(v4(1, 1'000)));
    EXPECT_TRUE(limiter.take(v4(1, 2'000)));
    EXPECT_FALSE(limiter.take(v4(2, 1'000)));
    net::Address six;
    six.ip = {0x20, 0x01, 0x0d, 0xb8};
    EXPECT_FALSE(limiter.take(six));
    six.ip[15] = 9;  // within the same /64
    EXPECT_TRUE(limiter.take(six));
    six.ip[7] = 1;
    EXPECT_FALSE(limiter.take(six));
}

TEST(RateLimiter, KeepsItsTableBounded) {
    base::ManualClock clock;
    RateLimiter limiter({.per_s = 1, .burst = 2}, clock, 10);
    for (std::uint32_t ip = 0; ip < 10; ++ip)
        EXPECT_FALSE(limiter.take(v4(ip)));
    EXPECT_EQ(limiter.addresses(), 10U);
    // Strangers share what one address has.
    EXPECT_FALSE(limiter.take(v4(100)));
    EXPECT_FALSE(limiter.take(v4(101)));
    EXPECT_TRUE(limiter.take(v4(102)));
    EXPECT_FALSE(limiter.take(v4(3)));
    EXPECT_EQ(limiter.addresses(), 10U);
    // Whoever has been quiet makes room.
    clock.advance_ms(10'000);
    EXPECT_FALSE(limiter.take(v4(102)));
    EXPECT_EQ(limiter.addresses(), 1U);
}

}  // namespace
}  // namespace adit::http
