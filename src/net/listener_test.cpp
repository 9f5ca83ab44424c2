#include "net/listener.h"

#include "net/test_server.h"

#include <gmock/gmock.h>

#include <sys/resource.h>
#include <unistd.h>

namespace adit::net {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

std::string receive(LineClient& client) {
    const auto line = client.receive_line(kTestTimeoutMs);
    return line ? *line : "error: " + std::string(describe(line.error().error));
}

constexpr const char* kReset = "error: the connection was reset";

TEST(Listener, RefusesAboveTheTotalLimitAndTakesAgainWhenOneLeaves) {
    ConnectionBudget budget(2);
    ConnectionSettings settings;
    settings.budget = &budget;
    TestServer server(settings);
    auto a = server.connect();
    const auto b = server.connect();
    ASSERT_TRUE(server.handler().wait_opened(2));
    EXPECT_TRUE(server.turns_away());
    EXPECT_EQ(server.metrics.refused(RefuseReason::max_connections).value(), 1u);
    a.reset();
    ASSERT_TRUE(server.handler().wait_closed(1));
    server.on_loop([] {});
    const auto d = server.connect();
    ASSERT_TRUE(d->send_line("hello", kTestTimeoutMs));
    EXPECT_EQ(receive(*d), "echo hello");
}

TEST(Listener, KeepsReservedRoomForTheirPeer) {
    ConnectionBudget budget(2);
    ConnectionSettings settings;
    settings.budget = &budget;
    TestServer server(settings);
    const auto now_ms = server.clock.steady_ms();
    const auto elsewhere = budget.reserve(Address::v4(0xc0000201, 0), 2, now_ms + 1'000, now_ms);
    ASSERT_TRUE(elsewhere);
    EXPECT_TRUE(server.turns_away());
    ASSERT_TRUE(budget.cancel(*elsewhere, now_ms));
    ASSERT_TRUE(budget.reserve(Address::v4(0x7f000001, 0), 2, now_ms + 1'000, now_ms));
    auto a = server.connect();
    const auto b = server.connect();
    ASSERT_TRUE(server.handler().wait_opened(2));
    EXPECT_TRUE(server.turns_away());
    a.reset();
    ASSERT_TRUE(server.handler().wait_closed(1));
    server.on_loop([] {});
    EXPECT_EQ(budget.counts(now_ms).held, 1u);
    const auto again = server.connect();
    EXPECT_TRUE(server.handler().wait_opened(3));
}

TEST(Listener, KeepsReservedRoomBehindAProxy) {
    ConnectionBudget budget(1);
    ConnectionSettings settings;
    settings.budget = &budget;
    settings.proxy_protocol = true;
    TestServer server(settings);
    const auto now_ms = server.clock.steady_ms();
    ASSERT_TRUE(budget.reserve(Address::v4(0xc0000207, 0), 1, now_ms + 1'000, now_ms));
    const auto other = server.connect();
    ASSERT_TRUE(other->send_bytes("PROXY TCP4 192.0.2.8 127.0.0.1 5555 3333\r\n", kTestTimeoutMs));
    EXPECT_EQ(receive(*other), kReset);
    EXPECT_EQ(server.metrics.refused(RefuseReason::max_connections).value(), 1u);
    const auto expected = server.connect();
    ASSERT_TRUE(expected->send_bytes("PROXY TCP4 192.0.2.7 127.0.0.1 5555 3333\r\nhello\n",
                                     kTestTimeoutMs));
    EXPECT_EQ(receive(*expected), "echo hello");
    EXPECT_EQ(budget.counts(now_ms).held, 0u);
}

TEST(Listener, RefusesAboveTheLimitOfOneAddress) {
    PerAddressLimits per_address(1);
    ConnectionSettings settings;
    settings.per_address = &per_address;
    TestServer server(settings);
    auto a = server.connect();
    ASSERT_TRUE(server.handler().wait_opened(1));
    EXPECT_TRUE(server.turns_away());
    EXPECT_EQ(server.metrics.refused(RefuseReason::per_address).value(), 1u);
    EXPECT_THAT(server.handler().opened(), SizeIs(1));
    a.reset();
    ASSERT_TRUE(server.handler().wait_closed(1));
    server.on_loop([] {});
    EXPECT_EQ(per_address.addresses(), 0u);
    const auto c = server.connect();
    EXPECT_TRUE(server.handler().wait_opened(2));
}

TEST(Listener, RefusesWhatTheFilterOrTheHandlerDoesNotWant) {
    std::atomic<bool> admit{false};
    ConnectionSettings settings;
    settings.admit = [&](const Address& address) {
        EXPECT_EQ(address.ip_text(), "127.0.0.1");
        return admit.load();
    };
    TestServer server(settings);
    EXPECT_TRUE(server.turns_away());
    EXPECT_THAT(server.handler().opened(), SizeIs(0));
    admit = true;
    server.handler().refuse = true;
    EXPECT_TRUE(server.turns_away());
    EXPECT_EQ(server.metrics.refused(RefuseReason::filtered).value(), 2u);
    EXPECT_THAT(server.handler().closed(), SizeIs(0));  // they were never open
    server.on_loop([] {});
    EXPECT_EQ(server.budget.open(), 0u);
}

TEST(Listener, LetsConnectionsWaitWhenHandshakesPerSecondAreUsedUp) {
    HandshakeRate rate(5);
    TestServer server({}, {.handshakes = &rate});
    std::vector<std::unique_ptr<LineClient>> clients;
    for (int i = 0; i < 12; ++i)
        clients.push_back(server.connect());  // the kernel takes them all
    ASSERT_TRUE(server.handler().wait_opened(5));
    server.on_loop([] {});
    EXPECT_THAT(server.handler().opened(), SizeIs(5));
    server.advance_ms(1000);
    ASSERT_TRUE(server.handler().wait_opened(10));
    server.on_loop([] {});
    EXPECT_THAT(server.handler().opened(), SizeIs(10));
    server.advance_ms(1000);
    ASSERT_TRUE(server.handler().wait_opened(12));
    EXPECT_GE(server.metrics.rate_pauses.value(), 2u);
}

TEST(Listener, ClosingItKeepsItsConnections) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(server.handler().wait_opened(1));
    const auto port = server.port();
    server.on_loop([&] { server.listener->close(); });
    const auto late = LineClient::connect({"127.0.0.1", port}, kTestTimeoutMs);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().error, LineClient::Error::refused);
    ASSERT_TRUE(client->send_line("still", kTestTimeoutMs));
    EXPECT_EQ(receive(*client), "echo still");
}

TEST(Listener, SharesAPortBetweenLoops) {
    TestServer first;
    metrics::Registry registry;
    Metrics metrics(registry);
    Loop loop(first.clock, metrics);
    const auto second = Listener::open(loop, first.listener->address(), {});
    EXPECT_TRUE(second) << (second ? "" : second.error());
}

TEST(Listener, SaysWhatCannotBeBound) {
    base::ManualClock clock;
    metrics::Registry registry;
    Metrics metrics(registry);
    Loop loop(clock, metrics);
    const auto failed = Listener::open(loop, Address::v4(0xc0000201, 3333), {});  // TEST-NET-1
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error(), HasSubstr("192.0.2.1:3333: cannot bind: "));
}

TEST(Listener, ServesIpv4OnTheAddressForAll) {
    base::SystemClock clock;
    metrics::Registry registry;
    Metrics metrics(registry);
    ConnectionBudget budget(10);
    RecordingHandler handler;
    ConnectionSettings settings;
    settings.handler = &handler;
    settings.budget = &budget;
    Loop loop(clock, metrics);
    const auto any = resolve(*Endpoint::parse("*:0"));
    ASSERT_TRUE(any);
    const auto listener = Listener::open(loop, any->front(), settings);
    ASSERT_TRUE(listener) << listener.error();
    std::thread thread([&] { loop.run(); });
    const auto client =
        LineClient::connect({"127.0.0.1", (*listener)->address().port}, kTestTimeoutMs);
    EXPECT_TRUE(client);
    EXPECT_TRUE(handler.wait_opened(1));
    if (!handler.opened().empty()) {
        EXPECT_EQ(handler.opened()[0].second.ip_text(), "127.0.0.1");
    }
    loop.stop();
    thread.join();
}

// Runs in a child process, because the limit is the process's. 0: all went as it should.
int run_out_of_descriptors() {
    TestServer server;
    const auto early = server.connect();
    if (!server.handler().wait_opened(1)) return 1;
    // While the loop is held, clients arrive in the kernel's queue and descriptors run out.
    auto go = server.hold();
    std::vector<std::unique_ptr<LineClient>> late;
    for (int i = 0; i < 3; ++i)
        late.push_back(server.connect());
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit tight{64, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &tight) != 0) return 2;
    std::vector<int> filling;
    for (int fd = dup(0); fd >= 0; fd = dup(0))
        filling.push_back(fd);
    go.set_value();
    // Many turns, but one attempt: accepting pauses. One waiting client is turned away.
    for (int i = 0; i < 50; ++i)
        server.on_loop([] {});
    if (server.metrics.descriptor_pauses.value() != 1) return 3;
    if (server.metrics.refused(RefuseReason::no_descriptor).value() != 1) return 4;
    if (receive(*late[0]) != kReset) return 5;
    // Who is connected already is served meanwhile.
    if (!early->send_line("hello", kTestTimeoutMs) || receive(*early) != "echo hello") return 6;
    server.advance_ms(100);
    server.on_loop([] {});
    if (server.metrics.descriptor_pauses.value() != 2) return 7;
    if (receive(*late[1]) != kReset) return 8;
    for (const int fd : filling)
        close(fd);
    server.advance_ms(100);
    if (!late[2]->send_line("at last", kTestTimeoutMs)) return 9;
    return receive(*late[2]) == "echo at last" ? 0 : 10;
}

TEST(ListenerDeathTest, PausesWhenDescriptorsRunOutAndRecovers) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(_exit(run_out_of_descriptors()), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace adit::net
