#include "net/line_client.h"

#include "net/test_server.h"

namespace adit::net {
namespace {

using Error = LineClient::Error;

TEST(LineClient, SaysWhenNobodyListens) {
    std::uint16_t port = 0;
    {
        TestServer server;
        port = server.port();
    }
    const auto client = LineClient::connect({"127.0.0.1", port}, kTestTimeoutMs);
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().error, Error::refused);
    EXPECT_EQ(client.error().detail, "Connection refused");
}

TEST(LineClient, SaysWhenAHostHasNoAddress) {
    const auto client = LineClient::connect({"nowhere.invalid", 1}, kTestTimeoutMs);
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().error, Error::resolve);
}

TEST(LineClient, StopsWaitingAtTheDeadline) {
    TestServer server;
    const auto client = server.connect();
    const auto line = client->receive_line(1);
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error().error, Error::timeout);
}

TEST(LineClient, KeepsAnIncompleteLineOverADeadline) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(server.handler().wait_opened(1));
    const auto send = [&](std::string_view bytes) {
        server.on_loop([&] {
            server.loop().for_each([&](Connection& connection) { connection.send(bytes); });
        });
    };
    send("first ha");
    EXPECT_EQ(client->receive_line(1).error().error, Error::timeout);
    send("lf\r\nsecond\nrest");
    EXPECT_EQ(client->receive_line(kTestTimeoutMs), "first half");
    EXPECT_EQ(client->receive_line(kTestTimeoutMs), "second");
    server.on_loop([&] {
        server.loop().for_each([](Connection& connection) { connection.close_gracefully(); });
    });
    EXPECT_EQ(client->receive_rest(kTestTimeoutMs), "rest");
}

TEST(LineClient, RefusesALineAboveItsLimit) {
    TestServer server;
    const auto client = server.connect({.tls = nullptr, .max_line = 1000});
    ASSERT_TRUE(client->send_line("flood 5000", kTestTimeoutMs));
    const auto line = client->receive_line(kTestTimeoutMs);
    ASSERT_FALSE(line);
    EXPECT_EQ(line.error().error, Error::too_long);
}

TEST(LineClient, CancelEndsAWaitOnAnotherThread) {
    TestServer server;
    const auto client = server.connect();
    std::thread waiting([&] {
        const auto line = client->receive_line(kTestTimeoutMs);
        EXPECT_EQ(line.error().error, Error::cancelled);
    });
    client->cancel();
    waiting.join();
    EXPECT_EQ(client->send_line("x", kTestTimeoutMs).error().error, Error::cancelled);
}

TEST(LineClient, CanBeResetOnPurpose) {
    TestServer server;
    auto client = server.connect();
    ASSERT_TRUE(server.handler().wait_opened(1));
    client->reset();
    EXPECT_FALSE(client->send_line("x", kTestTimeoutMs));
    ASSERT_TRUE(server.handler().wait_closed(1));
    EXPECT_EQ(server.handler().closed()[0].reason, CloseReason::reset);
}

}  // namespace
}  // namespace adit::net
