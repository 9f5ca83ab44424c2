#include "net/connection.h"

#include "base/wait.h"
#include "net/test_server.h"

#include <gmock/gmock.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace adit::net {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

int option(int fd, int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    getsockopt(fd, level, name, &value, &size);
    return value;
}

std::string receive(LineClient& client) {
    const auto line = client.receive_line(kTestTimeoutMs);
    return line ? *line : "error: " + std::string(describe(line.error().error));
}

// Turns the loop until no connection is left.
bool all_gone(TestServer& server) {
    const base::SystemClock clock;
    return base::wait_until(clock, clock.steady_ms() + kTestTimeoutMs, [&] {
        std::size_t left = 0;
        server.on_loop([&] { left = server.loop().connections(); });
        return left == 0;
    });
}

TEST(Connection, AnswersALine) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(client->send_line("hello", kTestTimeoutMs));
    EXPECT_EQ(receive(*client), "echo hello");
}

TEST(Connection, PutsPartialLinesTogether) {
    TestServer server;
    const auto client = server.connect();
    const std::string text = "one\ntwo\nthree\n";
    for (const char c : text) {
        ASSERT_TRUE(client->send_bytes({&c, 1}, kTestTimeoutMs));
        server.on_loop([] {});  // likely, not surely, a turn of its own for each byte
    }
    EXPECT_EQ(receive(*client), "echo one");
    EXPECT_EQ(receive(*client), "echo two");
    EXPECT_EQ(receive(*client), "echo three");
}

TEST(Connection, AcceptsCarriageReturnsAndSkipsBlankLines) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(client->send_bytes("a\r\n\n\r\nb\n\r\nc\r\n", kTestTimeoutMs));
    EXPECT_EQ(receive(*client), "echo a");
    EXPECT_EQ(receive(*client), "echo b");
    EXPECT_EQ(receive(*client), "echo c");
    EXPECT_THAT(server.handler().lines(), ElementsAre("a", "b", "c"));
}

TEST(Connection, TakesALineOfTheLimitAndRefusesOneMoreByte) {
    for (const char* const line_end : {"\n", "\r\n"}) {
        TestServer server;
        const auto client = server.connect();
        const std::string longest(16 * 1024, 'x');
        ASSERT_TRUE(client->send_bytes(longest + line_end, kTestTimeoutMs));
        EXPECT_EQ(receive(*client), "echo " + longest);
        ASSERT_TRUE(client->send_bytes(longest + "x" + line_end, kTestTimeoutMs));
        EXPECT_EQ(receive(*client), "too long");
        EXPECT_EQ(receive(*client), "error: the other side closed the connection");
        ASSERT_TRUE(server.handler().wait_closed(1));
        EXPECT_EQ(server.handler().closed()[0].reason, CloseReason::protocol_error);
    }
}

TEST(Connection, RefusesAnEndlessLineOnceAndDiscardsTheRest) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(client->send_bytes(std::string(60'000, 'x'), kTestTimeoutMs));
    EXPECT_EQ(receive(*client), "too long");
    EXPECT_EQ(receive(*client), "error: the other side closed the connection");
    EXPECT_EQ(server.handler().protocol_errors(), 1);
    EXPECT_THAT(server.handler().lines(), SizeIs(0));
}

TEST(Connection, ServesManyLinesOfOnePacketInOrder) {
    TestServer server;
    const auto client = server.connect();
    std::string text;
    for (int i = 0; i < 3000; ++i)
        text += fmt::format("{}\n", i);  // many turns' worth of lines
    ASSERT_TRUE(client->send_bytes(text, kTestTimeoutMs));
    for (int i = 0; i < 3000; ++i)
        ASSERT_EQ(receive(*client), fmt::format("echo {}", i));
}

TEST(Connection, AFlooderDoesNotStarveOthers) {
    TestServer server;
    const auto flooder = server.connect();
    const auto other = server.connect();
    ASSERT_TRUE(server.handler().wait_opened(2));
    auto go = server.hold();
    std::string text;
    for (int i = 0; i < 10'000; ++i)
        text += "f\n";  // 40 turns' worth of lines, one read
    ASSERT_TRUE(flooder->send_bytes(text, kTestTimeoutMs));
    ASSERT_TRUE(other->send_line("o", kTestTimeoutMs));
    go.set_value();
    EXPECT_EQ(receive(*other), "echo o");
    for (int i = 0; i < 10'000; ++i)
        ASSERT_EQ(receive(*flooder), "echo f");
    const auto lines = server.handler().lines();
    EXPECT_LE(std::ranges::find(lines, "o") - lines.begin(), 256);
}

TEST(Connection, GracefulCloseDeliversTheLastReplyAndHandsLaterLinesOverAsLate) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(client->send_bytes("one\nquit\ntwo\nthr", kTestTimeoutMs));
    EXPECT_EQ(receive(*client), "echo one");
    EXPECT_EQ(receive(*client), "bye");
    EXPECT_EQ(receive(*client), "error: the other side closed the connection");
    EXPECT_THAT(server.handler().lines(), ElementsAre("one", "quit"));
    ASSERT_TRUE(server.handler().wait_closed(1));
    EXPECT_EQ(server.handler().closed()[0].reason, CloseReason::server);
    // The other side may not have seen the close yet.
    ASSERT_TRUE(client->send_bytes("ee\nfour\n", kTestTimeoutMs));
    ASSERT_TRUE(server.handler().wait([&] { return server.handler().late_lines().size() == 3; }));
    EXPECT_THAT(server.handler().late_lines(), ElementsAre("two", "three", "four"));
    EXPECT_THAT(server.handler().lines(), ElementsAre("one", "quit"));
}

TEST(Connection, LateLinesAreBounded) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(client->send_line("quit", kTestTimeoutMs));
    EXPECT_EQ(receive(*client), "bye");
    std::string text;
    for (int i = 0; i < 2'000; ++i)
        text += std::string(99, 'l') + "\n";
    ASSERT_TRUE(client->send_bytes(text, kTestTimeoutMs));
    client->shutdown_send();
    // The peer's end comes behind all of it.
    ASSERT_TRUE(all_gone(server));
    EXPECT_GE(server.handler().late_lines().size(), 500U);
    EXPECT_LE(server.handler().late_lines().size(), 1'000U);  // the bound and one read more
}

TEST(Connection, AnEndlessLateLineEndsTheLateLines) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(
        client->send_bytes("quit\n" + std::string(20'000, 'x') + "\nlast\n", kTestTimeoutMs));
    client->shutdown_send();
    ASSERT_TRUE(all_gone(server));
    EXPECT_THAT(server.handler().late_lines(), SizeIs(0));
    EXPECT_EQ(server.handler().protocol_errors(), 0);
}

TEST(Connection, WhatHasArrivedCanBeTakenBeforeAnAbort) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(server.handler().wait_opened(1));
    const auto id = server.handler().opened()[0].first;
    server.on_loop([&] {
        std::string text;
        for (int i = 0; i < 600; ++i)  // more than a turn's worth of lines
            text += "a\n";
        ASSERT_TRUE(client->send_bytes(text + "half", kTestTimeoutMs));
        server.loop().find(id)->take_arrived();
        EXPECT_THAT(server.handler().lines(), SizeIs(600));
        server.loop().find(id)->abort(CloseReason::banned);
    });
    ASSERT_TRUE(server.handler().wait_closed(1));
    EXPECT_THAT(server.handler().lines(), SizeIs(600));
}

TEST(Connection, GracefulCloseDeliversMoreThanTheKernelHolds) {
    ConnectionSettings settings;
    settings.max_output = 32 << 20;
    TestServer server(settings);
    const auto client = server.connect();
    ASSERT_TRUE(client->send_bytes("flood 20000000\nquit\n", kTestTimeoutMs));
    const auto rest = client->receive_rest(kTestTimeoutMs);
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->size(), 20'000'000 + 4u);
    EXPECT_TRUE(rest->ends_with("xbye\n"));
}

TEST(Connection, LingeringEndsWhenThePeerDoesNotClose) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(client->send_line("quit", kTestTimeoutMs));
    EXPECT_EQ(receive(*client), "bye");
    server.on_loop([&] { EXPECT_EQ(server.loop().connections(), 1u); });
    server.advance_ms(2000);
    server.on_loop([&] { EXPECT_EQ(server.loop().connections(), 0u); });
    EXPECT_EQ(server.budget.open(), 0u);
}

TEST(Connection, AbortResetsThePeer) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(client->send_line("abort", kTestTimeoutMs));
    EXPECT_EQ(receive(*client), "error: the connection was reset");
    ASSERT_TRUE(server.handler().wait_closed(1));
    EXPECT_EQ(server.handler().closed()[0].reason, CloseReason::banned);
    server.on_loop([] {});
    EXPECT_EQ(server.metrics.closes(CloseReason::banned).value(), 1u);
}

TEST(Connection, APeerThatEndsGetsItsRepliesFirst) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(client->send_bytes("last\nunfinished", kTestTimeoutMs));
    client->shutdown_send();
    EXPECT_EQ(receive(*client), "echo last");
    EXPECT_EQ(receive(*client), "error: the other side closed the connection");
    ASSERT_TRUE(server.handler().wait_closed(1));
    EXPECT_EQ(server.handler().closed()[0].reason, CloseReason::peer);
}

TEST(Connection, AHandlerMayAnswerAPeerThatEndedItsSide) {
    class Late final : public RecordingHandler {
     public:
        void on_input_end(Connection& connection) override {
            connection.loop().post([&loop = connection.loop(), id = connection.id()] {
                loop.find(id)->send("late\n");
                loop.find(id)->close_gracefully(CloseReason::peer);
            });
        }
    } handler;
    TestServer server({}, {}, &handler);
    const auto client = server.connect();
    ASSERT_TRUE(client->send_bytes("last\n", kTestTimeoutMs));
    client->shutdown_send();
    EXPECT_EQ(receive(*client), "echo last");
    EXPECT_EQ(receive(*client), "late");
    EXPECT_EQ(receive(*client), "error: the other side closed the connection");
    ASSERT_TRUE(handler.wait_closed(1));
    EXPECT_EQ(handler.closed()[0].reason, CloseReason::peer);
}

TEST(Connection, APeerThatNeverReadsIsResetAtTheOutputLimit) {
    TestServer server;
    const auto client = server.connect();
    int floods = 0;
    while (server.handler().closed().empty() && ++floods < 1000) {
        if (!client->send_line("flood 100000", kTestTimeoutMs)) break;
        server.on_loop([] {});
    }
    ASSERT_TRUE(server.handler().wait_closed(1));
    EXPECT_EQ(server.handler().closed()[0].reason, CloseReason::output_limit);
    server.on_loop([] {});
    EXPECT_EQ(server.metrics.closes(CloseReason::output_limit).value(), 1u);
    server.on_loop([&] { EXPECT_EQ(server.loop().connections(), 0u); });
    // What the kernel held, and nothing more: the 128 KiB of ListenerOptions, doubled by Linux,
    // and what the client's receive buffer took.
    EXPECT_EQ(client->receive_rest(kTestTimeoutMs).error().error, LineClient::Error::reset);
}

TEST(Connection, APeerThatStopsReadingIsResetAfterTheStallTimeout) {
    ConnectionSettings settings;
    settings.max_output = 64 << 20;
    TestServer server(settings);
    const auto client = server.connect();
    ASSERT_TRUE(client->send_line("flood 30000000", kTestTimeoutMs));
    ASSERT_TRUE(server.handler().wait([&] { return server.handler().lines().size() == 1; }));
    server.on_loop([] {});
    server.advance_ms(59'000);
    EXPECT_THAT(server.handler().closed(), SizeIs(0));
    // The socket may have taken some more after the first write, which renews the time.
    for (int i = 0; i < 20 && server.handler().closed().empty(); ++i)
        server.advance_ms(61'000);
    ASSERT_THAT(server.handler().closed(), SizeIs(1));
    EXPECT_EQ(server.handler().closed()[0].reason, CloseReason::output_limit);
}

TEST(Connection, ASlowReaderGetsEverything) {
    ConnectionSettings settings;
    settings.max_output = 64 << 20;
    TestServer server(settings);
    const auto client = server.connect();
    ASSERT_TRUE(client->send_bytes("flood 5000000\nflood 5000000\n", kTestTimeoutMs));
    client->shutdown_send();
    const auto rest = client->receive_rest(kTestTimeoutMs);
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->size(), 10'000'000u);
}

TEST(Connection, SendNowKeepsTheOrderOfBytes) {
    ConnectionSettings settings;
    settings.max_output = 64 << 20;
    TestServer server(settings);
    const auto client = server.connect();
    ASSERT_TRUE(server.handler().wait_opened(1));
    const auto id = server.handler().opened()[0].first;
    const std::string big(3'000'000, 'x');
    server.on_loop([&] {
        auto* const connection = server.loop().find(id);
        ASSERT_NE(connection, nullptr);
        connection->send("a");
        connection->send_now("b", "c\n");  // pending and both parts in one write
        connection->send("d\n");
        connection->send_now(big, big + "\n");  // more than the socket takes
        connection->send_now("e", "f\n");       // while blocked
        connection->close_gracefully();
    });
    const auto rest = client->receive_rest(kTestTimeoutMs);
    ASSERT_TRUE(rest);
    EXPECT_TRUE(*rest == "abc\nd\n" + big + big + "\nef\n");
}

TEST(Connection, AResetStormLeavesNothingBehind) {
    TestServer server;
    for (int i = 0; i < 500; ++i) {
        const auto client = server.connect();
        if (i % 2 == 0) {
            ASSERT_TRUE(client->send_bytes("half a li", kTestTimeoutMs));
        }
        client->reset();
    }
    ASSERT_TRUE(server.handler().wait_closed(server.handler().opened().size()));
    const auto client = server.connect();  // accepted after all before it
    ASSERT_TRUE(client->send_line("alive", kTestTimeoutMs));
    EXPECT_EQ(receive(*client), "echo alive");
    ASSERT_TRUE(server.handler().wait_closed(server.handler().opened().size() - 1));
    server.on_loop([] {});  // the turn of the last end is over
    EXPECT_EQ(server.budget.open(), 1u);
    EXPECT_EQ(server.metrics.open.value(), 1);
}

TEST(Connection, AThousandHalfOpenConnectionsDoNotDisturbAndExpire) {
    class Expiring : public RecordingHandler {
        bool on_open(Connection& connection) override {
            connection.expire_in(10'000);
            return RecordingHandler::on_open(connection);
        }
        void on_line(Connection& connection, std::string_view line) override {
            connection.expire_in(600'000);
            RecordingHandler::on_line(connection, line);
        }
    } handler;
    TestServer server({}, {}, &handler);
    std::vector<std::unique_ptr<LineClient>> idle;
    for (int i = 0; i < 1000; ++i) {
        idle.push_back(server.connect());
        if (i % 2 == 0) {
            ASSERT_TRUE(idle.back()->send_bytes("{\"id\":", kTestTimeoutMs));
        }
    }
    const auto client = server.connect();
    ASSERT_TRUE(client->send_line("hello", kTestTimeoutMs));
    EXPECT_EQ(receive(*client), "echo hello");
    ASSERT_TRUE(handler.wait_opened(1001));
    server.advance_ms(11'000);
    ASSERT_THAT(handler.closed(), SizeIs(1000));
    for (const auto& closed : handler.closed())
        EXPECT_EQ(closed.reason, CloseReason::timeout);
    EXPECT_EQ(receive(*idle[7]), "error: the connection was reset");
    ASSERT_TRUE(client->send_line("again", kTestTimeoutMs));
    EXPECT_EQ(receive(*client), "echo again");
    server.advance_ms(601'000);
    EXPECT_THAT(handler.closed(), SizeIs(1001));
}

TEST(Connection, AReusedSlotDoesNotAnswerToTheOldId) {
    TestServer server;
    auto first = server.connect();
    ASSERT_TRUE(server.handler().wait_opened(1));
    const auto old_id = server.handler().opened()[0].first;
    first.reset();
    ASSERT_TRUE(server.handler().wait_closed(1));
    const auto second = server.connect();
    ASSERT_TRUE(server.handler().wait_opened(2));
    const auto new_id = server.handler().opened()[1].first;
    EXPECT_EQ(static_cast<std::uint32_t>(old_id), static_cast<std::uint32_t>(new_id));
    EXPECT_NE(old_id, new_id);
    server.on_loop([&] {
        EXPECT_EQ(server.loop().find(old_id), nullptr);
        ASSERT_NE(server.loop().find(new_id), nullptr);
        EXPECT_EQ(server.loop().find(ConnectionId{77}), nullptr);
    });
}

TEST(Connection, KeepsItsStateForLateLinesAndAtLeastUntilOnClosedReturned) {
    struct State : ConnectionState {
        explicit State(std::atomic<int>& count) : alive(count) { ++alive; }
        ~State() override { --alive; }
        std::atomic<int>& alive;
    };
    class Stateful : public RecordingHandler {
     public:
        std::atomic<int> alive{0};
        std::atomic<int> seen_in_closed{0};

     private:
        bool on_open(Connection& connection) override {
            connection.set_state(std::make_unique<State>(alive));
            return RecordingHandler::on_open(connection);
        }
        void on_closed(Connection& connection, CloseReason reason) override {
            seen_in_closed += connection.state<State>()->alive.load();
            connection.send("ignored");
            RecordingHandler::on_closed(connection, reason);
        }
    } handler;
    TestServer server({}, {}, &handler);
    const auto client = server.connect();
    ASSERT_TRUE(client->send_line("quit", kTestTimeoutMs));
    EXPECT_EQ(receive(*client), "bye");
    ASSERT_TRUE(handler.wait_closed(1));
    EXPECT_EQ(handler.seen_in_closed, 1);
    server.on_loop([] {});
    EXPECT_EQ(handler.alive, 1);
    server.advance_ms(2000);
    EXPECT_EQ(handler.alive, 0);
    const auto other = server.connect();
    ASSERT_TRUE(other->send_line("abort", kTestTimeoutMs));
    ASSERT_TRUE(handler.wait_closed(2));
    EXPECT_EQ(handler.seen_in_closed, 2);
    server.on_loop([] {});
    EXPECT_EQ(handler.alive, 0);
}

TEST(Connection, EveryConnectionIsToldWhenTheLoopStops) {
    TestServer server;
    const auto a = server.connect();
    const auto b = server.connect();
    ASSERT_TRUE(server.handler().wait_opened(2));
    server.stop();
    ASSERT_THAT(server.handler().closed(), SizeIs(2));
    EXPECT_EQ(server.handler().closed()[0].reason, CloseReason::shutdown);
    EXPECT_EQ(server.budget.open(), 0u);
}

TEST(Connection, AStoppingLoopThatLingersDeliversEverything) {
    ConnectionSettings settings;
    settings.max_output = 32 << 20;
    TestServer server(settings);
    const auto client = server.connect();
    ASSERT_TRUE(client->send_line("flood 20000000", kTestTimeoutMs));
    ASSERT_TRUE(server.handler().wait([&] { return server.handler().lines().size() == 1; }));
    // More input that is never read by a handler: closing without reading it would send RST.
    ASSERT_TRUE(client->send_bytes(std::string(10'000, 'z'), kTestTimeoutMs));
    std::thread stopping([&] { server.stop(kTestTimeoutMs); });
    const auto rest = client->receive_rest(kTestTimeoutMs);
    client->reset();
    stopping.join();
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->size(), 20'000'000u);
    ASSERT_THAT(server.handler().closed(), SizeIs(1));
    EXPECT_EQ(server.handler().closed()[0].reason, CloseReason::shutdown);
}

TEST(Connection, InheritsTheSocketOptionsOfItsListener) {
    class Inspecting : public RecordingHandler {
     public:
        bool on_open(Connection& connection) override {
            const int fd = connection.descriptor();
            note([&] {
                options = {option(fd, IPPROTO_TCP, TCP_NODELAY),
                           option(fd, SOL_SOCKET, SO_KEEPALIVE),
                           option(fd, IPPROTO_TCP, TCP_KEEPIDLE),
                           option(fd, IPPROTO_TCP, TCP_KEEPINTVL),
                           option(fd, IPPROTO_TCP, TCP_KEEPCNT),
                           option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT)};
            });
            return RecordingHandler::on_open(connection);
        }
        std::vector<int> options;
    } handler;
    TestServer server({}, {}, &handler);
    const auto client = server.connect();
    ASSERT_TRUE(handler.wait_opened(1));
    server.stop();
    EXPECT_THAT(handler.options, ElementsAre(1, 1, 60, 10, 3, 90'000));
}

}  // namespace
}  // namespace adit::net
