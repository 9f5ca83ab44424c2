#include "net/proxy_header.h"

#include "base/bytes.h"
#include "net/test_server.h"

namespace adit::net {
namespace {

std::string hex(std::string_view digits) {
    const auto bytes = base::from_hex(digits);
    EXPECT_TRUE(bytes) << digits;
    return bytes ? std::string(base::as_text(*bytes)) : "";
}

const std::string kSignature = "0d0a0d0a000d0a515549540a";

struct Good {
    const char* what;
    std::string bytes;
    std::string source;  // empty: keep the socket's
};

const std::vector<Good>& good_headers() {
    static const std::vector<Good> headers{
        {"v1 TCP4", "PROXY TCP4 192.0.2.1 198.51.100.7 56324 3333\r\n", "192.0.2.1:56324"},
        {"v1 TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", "[2001:db8::1]:1"},
        {"v1 UNKNOWN alone", "PROXY UNKNOWN\r\n", ""},
        {"v1 UNKNOWN with more", "PROXY UNKNOWN ffff::1 junk 0 0\r\n", ""},
        {"v1 longest",
         "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535" + std::string(48, 'x') +
             "\r\n",
         ""},
        {"v2 TCP4", hex(kSignature + "2111000cc0000201c6336407dc040d05"), "192.0.2.1:56324"},
        {"v2 TCP4 with TLV", hex(kSignature + "21110010c0000201c6336407dc040d0503000101"),
         "192.0.2.1:56324"},
        {"v2 TCP6",
         hex(kSignature + "2121002420010db8000000000000000000000001"
                          "20010db8000000000000000000000002dc040d05"),
         "[2001:db8::1]:56324"},
        {"v2 LOCAL", hex(kSignature + "20000000"), ""},
        {"v2 LOCAL with addresses to ignore", hex(kSignature + "2011000cc0000201c6336407dc040d05"),
         ""},
        {"v2 UNSPEC", hex(kSignature + "2100000411223344"), ""},
    };
    return headers;
}

TEST(ProxyHeader, ReadsEveryForm) {
    for (const auto& good : good_headers()) {
        const auto parsed = parse_proxy_header(good.bytes + "{\"id\":1}\n");
        ASSERT_TRUE(parsed && *parsed) << good.what;
        EXPECT_EQ((*parsed)->size, good.bytes.size()) << good.what;
        EXPECT_EQ((*parsed)->source ? (*parsed)->source->text() : "", good.source) << good.what;
    }
}

TEST(ProxyHeader, AsksForMoreAtEveryShorterLength) {
    for (const auto& good : good_headers()) {
        for (std::size_t n = 0; n < good.bytes.size(); ++n) {
            const auto parsed = parse_proxy_header(std::string_view(good.bytes).substr(0, n));
            ASSERT_TRUE(parsed) << good.what << " at " << n << ": " << describe(parsed.error());
            EXPECT_FALSE(*parsed) << good.what << " at " << n;
        }
    }
}

TEST(ProxyHeader, RefusesWithAReason) {
    struct Bad {
        std::string bytes;
        ProxyError error;
    };
    const Bad cases[] = {
        {"{\"id\":1,\"method\":\"mining.subscribe\"}\n", ProxyError::no_signature},
        {"\n", ProxyError::no_signature},
        {"PROXY\tTCP4", ProxyError::no_signature},
        {"proxy TCP4 ", ProxyError::no_signature},
        {"PROXY TCP4 " + std::string(96, '1'), ProxyError::too_long},
        {"PROXY UNKNOWN" + std::string(93, ' ') + "\r\n", ProxyError::too_long},
        {"PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n", ProxyError::bad_line},
        {"PROXY UNKNOWN\n\r\n", ProxyError::bad_line},
        {"PROXY TCP4 192.0.2.1 198.51.100.7 1\r\n", ProxyError::bad_line},
        {"PROXY TCP4  192.0.2.1 198.51.100.7 1 2\r\n", ProxyError::bad_line},
        {"PROXY TCP4 192.0.2.1 198.51.100.7 1 2 \r\n", ProxyError::bad_line},
        {"PROXY \r\n", ProxyError::bad_family},
        {"PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n", ProxyError::bad_family},
        {"PROXY TCP4 192.0.2.256 198.51.100.7 1 2\r\n", ProxyError::bad_address},
        {"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", ProxyError::bad_address},
        {"PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n", ProxyError::bad_address},
        {"PROXY TCP4 192.0.2.1 nowhere 1 2\r\n", ProxyError::bad_address},
        {"PROXY TCP4 192.0.2.1 198.51.100.7 65536 2\r\n", ProxyError::bad_port},
        {"PROXY TCP4 192.0.2.1 198.51.100.7 1 -2\r\n", ProxyError::bad_port},
        {"PROXY TCP4 192.0.2.1 198.51.100.7 01 2\r\n", ProxyError::bad_port},
        {hex(kSignature + "1111000c"), ProxyError::bad_version},
        {hex(kSignature + "2211000c"), ProxyError::bad_command},
        {hex(kSignature + "2112000c"), ProxyError::bad_transport},  // UDP
        {hex(kSignature + "2131000c"), ProxyError::bad_transport},  // Unix socket
        {hex(kSignature + "2111000b"), ProxyError::bad_length},
        {hex(kSignature + "21210023"), ProxyError::bad_length},
        {hex(kSignature + "2111ffff"), ProxyError::too_long},
        {hex(kSignature + "20000209"), ProxyError::too_long},  // 16 + 521 bytes
    };
    for (const auto& bad : cases) {
        const auto parsed = parse_proxy_header(bad.bytes);
        ASSERT_FALSE(parsed) << bad.bytes;
        EXPECT_EQ(describe(parsed.error()), describe(bad.error)) << bad.bytes;
    }
}

TEST(ProxyHeader, GivesTheClientsAddressAndLosesNoByteAfterIt) {
    ConnectionSettings settings;
    settings.proxy_protocol = true;
    for (const auto& good : good_headers()) {
        TestServer server(settings);
        const auto client = server.connect();
        ASSERT_TRUE(client->send_bytes(good.bytes + "hello\nworld\n", kTestTimeoutMs));
        EXPECT_EQ(client->receive_line(kTestTimeoutMs), "echo hello") << good.what;
        EXPECT_EQ(client->receive_line(kTestTimeoutMs), "echo world") << good.what;
        const auto peer = server.handler().opened()[0].second;
        EXPECT_EQ(good.source.empty() ? peer.ip_text() : peer.text(),
                  good.source.empty() ? "127.0.0.1" : good.source);
    }
}

TEST(ProxyHeader, MayArriveByteByByte) {
    ConnectionSettings settings;
    settings.proxy_protocol = true;
    TestServer server(settings);
    const auto client = server.connect();
    for (const char c : good_headers()[0].bytes + "hello\n") {
        ASSERT_TRUE(client->send_bytes({&c, 1}, kTestTimeoutMs));
        server.on_loop([] {});
    }
    EXPECT_EQ(client->receive_line(kTestTimeoutMs), "echo hello");
    EXPECT_EQ(server.handler().opened()[0].second.text(), "192.0.2.1:56324");
}

TEST(ProxyHeader, AMissingOneResetsTheConnectionBeforeItOpens) {
    ConnectionSettings settings;
    settings.proxy_protocol = true;
    TestServer server(settings);
    const auto client = server.connect();
    ASSERT_TRUE(client->send_line("{\"id\":1}", kTestTimeoutMs));
    const auto line = client->receive_line(kTestTimeoutMs);
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error().error, LineClient::Error::reset);
    EXPECT_TRUE(server.handler().opened().empty());
    EXPECT_EQ(server.metrics.closes(CloseReason::handshake_failed).value(), 1u);
}

TEST(ProxyHeader, MustComeInTime) {
    ConnectionSettings settings;
    settings.proxy_protocol = true;
    TestServer server(settings);
    const auto client = server.connect();
    ASSERT_TRUE(client->send_bytes("PROXY TCP4 19", kTestTimeoutMs));
    server.on_loop([] {});
    server.advance_ms(12'000);
    const auto line = client->receive_line(kTestTimeoutMs);
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error().error, LineClient::Error::reset);
    EXPECT_EQ(server.metrics.closes(CloseReason::timeout).value(), 1u);
}

TEST(ProxyHeader, ItsAddressIsWhatLimitsCount) {
    PerAddressLimits per_address(1);
    ConnectionSettings settings;
    settings.proxy_protocol = true;
    settings.per_address = &per_address;
    TestServer server(settings);
    const auto a = server.connect();
    const auto b = server.connect();
    ASSERT_TRUE(a->send_bytes("PROXY TCP4 192.0.2.1 198.51.100.7 1 2\r\na\n", kTestTimeoutMs));
    ASSERT_TRUE(b->send_bytes("PROXY TCP4 192.0.2.2 198.51.100.7 1 2\r\nb\n", kTestTimeoutMs));
    EXPECT_EQ(a->receive_line(kTestTimeoutMs), "echo a");
    EXPECT_EQ(b->receive_line(kTestTimeoutMs), "echo b");
    const auto c = server.connect();
    ASSERT_TRUE(c->send_bytes("PROXY TCP4 192.0.2.1 198.51.100.7 9 2\r\nc\n", kTestTimeoutMs));
    EXPECT_FALSE(c->receive_line(kTestTimeoutMs));
    EXPECT_EQ(server.metrics.refused(RefuseReason::per_address).value(), 1u);
}

}  // namespace
}  // namespace adit::net
