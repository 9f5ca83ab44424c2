#include "net/address.h"

#include <gtest/gtest.h>

#include <sys/socket.h>

namespace adit::net {
namespace {

TEST(Address, ReadsAnIpAndNothingElse) {
    EXPECT_EQ(Address::parse_ip("192.0.2.1"), Address::v4(0xc0000201, 0));
    EXPECT_EQ(Address::parse_ip("::ffff:192.0.2.1"), Address::v4(0xc0000201, 0));
    EXPECT_EQ(Address::parse_ip("2001:db8::1")->ip_text(), "2001:db8::1");
    for (const auto* text : {"", "192.0.2", "192.0.2.1:3333", "[::1]", "localhost", "1.2.3.4 "})
        EXPECT_FALSE(Address::parse_ip(text)) << text;
}

TEST(Endpoint, ReadsHostAndPort) {
    struct Case {
        const char* text;
        const char* host;
        int port;
    };
    const Case cases[] = {
        {"0.0.0.0:3333", "0.0.0.0", 3333},
        {"pool.example:1", "pool.example", 1},
        {"[::1]:65535", "::1", 65535},
        {"[2001:db8::1]:0", "2001:db8::1", 0},
        {"*:3333", "::", 3333},
        {":3333", "::", 3333},
    };
    for (const auto& c : cases) {
        const auto endpoint = Endpoint::parse(c.text);
        ASSERT_TRUE(endpoint) << c.text;
        EXPECT_EQ(endpoint->host, c.host);
        EXPECT_EQ(endpoint->port, c.port);
        EXPECT_EQ(Endpoint::parse(endpoint->text())->text(), endpoint->text());
    }
}

TEST(Endpoint, RefusesWithAReason) {
    struct Case {
        const char* text;
        EndpointError error;
    };
    const Case cases[] = {
        {"", EndpointError::no_port},
        {"host", EndpointError::no_port},
        {"host:", EndpointError::no_port},
        {"[::1]", EndpointError::no_port},
        {"host:65536", EndpointError::bad_port},
        {"host:-1", EndpointError::bad_port},
        {"host:12a", EndpointError::bad_port},
        {"host: 12", EndpointError::bad_port},
        {"[]:1", EndpointError::no_host},
        {"[::1:3333", EndpointError::unclosed_bracket},
        {"[::1]3333", EndpointError::unclosed_bracket},
        {"::1:3333", EndpointError::too_many_colons},
    };
    for (const auto& c : cases) {
        const auto endpoint = Endpoint::parse(c.text);
        ASSERT_FALSE(endpoint) << c.text;
        EXPECT_EQ(describe(endpoint.error()), describe(c.error)) << c.text;
    }
}

TEST(Address, SurvivesTheSystemsForm) {
    for (const char* const text : {"192.0.2.1:3333", "[2001:db8::1]:3333", "[::1]:1"}) {
        const auto resolved = resolve(*Endpoint::parse(text));
        ASSERT_TRUE(resolved) << text;
        ASSERT_FALSE(resolved->empty());
        const auto& address = resolved->front();
        EXPECT_EQ(address.text(), text);
        sockaddr_storage storage;
        address.to(storage);
        EXPECT_EQ(Address::from(reinterpret_cast<const sockaddr*>(&storage)), address);
    }
}

TEST(Address, AMappedAddressIsTheIpv4Address) {
    const auto mapped = resolve(*Endpoint::parse("[::ffff:192.0.2.1]:5"));
    ASSERT_TRUE(mapped);
    EXPECT_EQ(mapped->front(), Address::v4(0xc0000201, 5));
    EXPECT_EQ(mapped->front().text(), "192.0.2.1:5");
}

TEST(Address, AHostThatIsNoneGivesTheResolversWords) {
    const auto failed = resolve({"256.0.0.1.invalid", 1});
    ASSERT_FALSE(failed);
    EXPECT_TRUE(failed.error().starts_with("256.0.0.1.invalid: ")) << failed.error();
}

}  // namespace
}  // namespace adit::net
