#include "miner/pool_url.h"

#include <gtest/gtest.h>

namespace adit::miner {
namespace {

TEST(PoolUrl, ReadsEverySchemeAndPlainAddresses) {
    const std::pair<const char*, PoolUrl> kCases[] = {
        {"stratum+tcp://pool.example:3333", {"pool.example", 3333, false}},
        {"stratum://pool.example:3333", {"pool.example", 3333, false}},
        {"tcp://10.0.0.1:1", {"10.0.0.1", 1, false}},
        {"pool.example:65535", {"pool.example", 65535, false}},
        {"STRATUM+SSL://pool.example:443/", {"pool.example", 443, true}},
        {"stratum+tls://[2001:db8::1]:443", {"2001:db8::1", 443, true}},
        {"ssl://h:2", {"h", 2, true}},
        {"tls://h:2", {"h", 2, true}},
        {"[::1]:3333", {"::1", 3333, false}},
    };
    for (const auto& [text, expected] : kCases) {
        const auto url = parse_pool_url(text);
        ASSERT_TRUE(url) << text;
        EXPECT_EQ(*url, expected) << text;
        EXPECT_EQ(*parse_pool_url(to_string(*url)), expected) << text;
    }
}

TEST(PoolUrl, RefusesEveryKindOfMistakeByName) {
    const std::pair<const char*, PoolUrlError> kCases[] = {
        {"", PoolUrlError::empty},
        {"http://pool.example:80", PoolUrlError::unknown_scheme},
        {"stratum+tcp://:3333", PoolUrlError::missing_host},
        {"[::1:3333", PoolUrlError::missing_host},
        {"pool.example", PoolUrlError::missing_port},
        {"[::1]", PoolUrlError::missing_port},
        {"pool.example:", PoolUrlError::missing_port},
        {"pool.example:0", PoolUrlError::bad_port},
        {"pool.example:65536", PoolUrlError::bad_port},
        {"pool.example:x", PoolUrlError::bad_port},
        {"pool.example:33 33", PoolUrlError::trailing_text},
    };
    std::set<PoolUrlError> seen;
    for (const auto& [text, expected] : kCases) {
        const auto url = parse_pool_url(text);
        ASSERT_FALSE(url) << text;
        EXPECT_EQ(url.error(), expected) << text;
        EXPECT_NE(describe(url.error()), "unknown") << text;
        seen.insert(url.error());
    }
    EXPECT_EQ(seen.size(), kPoolUrlErrorCount);
}

TEST(PoolUrl, RedirectsOnlyWithinOneDomain) {
    EXPECT_TRUE(may_redirect("eu.pool.example", "us.pool.example"));
    EXPECT_TRUE(may_redirect("pool.example", "Stratum.POOL.example"));
    EXPECT_TRUE(may_redirect("10.0.0.1", "10.0.0.1"));
    EXPECT_TRUE(may_redirect("localhost", "localhost"));
    EXPECT_FALSE(may_redirect("pool.example", "pool.thief"));
    EXPECT_FALSE(may_redirect("pool.example", "poolxexample"));
    EXPECT_FALSE(may_redirect("10.0.0.1", "10.1.0.1"));
    EXPECT_FALSE(may_redirect("2001:db8::1", "2001:db8::2"));
    EXPECT_FALSE(may_redirect("localhost", "thief"));
}

}  // namespace
}  // namespace adit::miner
