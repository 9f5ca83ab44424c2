#include "net/loop.h"

#include "net/test_server.h"

#include <gmock/gmock.h>

namespace adit::net {
namespace {

using testing::ElementsAre;

TEST(Loop, RunsPostedTasksInOrderOfPosting) {
    TestServer server;
    std::vector<int> order;
    for (int i = 0; i < 5; ++i)
        server.loop().post([&order, i] { order.push_back(i); });
    server.on_loop([] {});
    EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
}

TEST(Loop, RunsEveryTaskPostedFromManyThreads) {
    TestServer server;
    constexpr int kThreads = 4;
    constexpr int kTasks = 5000;
    int ran = 0;  // touched on the loop's thread only
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < kTasks; ++i)
                server.loop().post([&ran] { ++ran; });
        });
    }
    for (auto& thread : threads)
        thread.join();
    server.on_loop([&] { EXPECT_EQ(ran, kThreads * kTasks); });
}

TEST(Loop, ATaskPostedByATaskRunsInALaterTurn) {
    TestServer server;
    std::promise<std::uint64_t> turns;
    server.loop().post([&] {
        const auto before = server.metrics.turns.value();
        server.loop().post([&, before] { turns.set_value(server.metrics.turns.value() - before); });
    });
    EXPECT_EQ(turns.get_future().get(), 1u);
}

TEST(Loop, TimersFireInOrderOfTimeAndOnce) {
    TestServer server;
    std::vector<int> fired;
    server.on_loop([&] {
        server.loop().after(300, [&] { fired.push_back(3); });
        server.loop().after(100, [&] { fired.push_back(1); });
        server.loop().after(200, [&] { fired.push_back(2); });
    });
    server.advance_ms(99);
    server.on_loop([&] { EXPECT_THAT(fired, ElementsAre()); });
    server.advance_ms(1);
    server.on_loop([&] { EXPECT_THAT(fired, ElementsAre(1)); });
    server.advance_ms(1000);
    server.advance_ms(1000);
    server.on_loop([&] { EXPECT_THAT(fired, ElementsAre(1, 2, 3)); });
}

TEST(Loop, ACancelledTimerDoesNotFire) {
    TestServer server;
    int fired = 0;
    TimerId repeated{};
    server.on_loop([&] {
        const auto once = server.loop().after(10, [&] { fired += 100; });
        server.loop().cancel(once);
        server.loop().cancel(once);  // harmless
        repeated = server.loop().every(10, [&] {
            if (++fired == 3) server.loop().cancel(repeated);
        });
    });
    for (int i = 0; i < 10; ++i)
        server.advance_ms(10);
    server.on_loop([&] { EXPECT_EQ(fired, 3); });
}

TEST(Loop, TurnEndComesAfterAllLinesOfTheTurnAndBeforeTheirRepliesLeave) {
    class Batching : public RecordingHandler {
     public:
        bool on_open(Connection& connection) override {
            ids.push_back(connection.id());
            return RecordingHandler::on_open(connection);
        }
        void on_line(Connection& connection, std::string_view line) override {
            batch.emplace_back(connection.id(), line);
        }
        std::vector<ConnectionId> ids;
        std::vector<std::pair<ConnectionId, std::string>> batch;
        std::size_t largest = 0;
    } handler;
    TestServer server({}, {}, &handler);
    server.on_loop([&] {
        server.loop().on_turn_end([&] {
            handler.largest = std::max(handler.largest, handler.batch.size());
            for (const auto& [id, line] : std::exchange(handler.batch, {})) {
                server.loop().find(id)->send("checked " + line + "\n");
            }
        });
    });
    std::vector<std::unique_ptr<LineClient>> clients;
    for (int i = 0; i < 8; ++i)
        clients.push_back(server.connect());
    ASSERT_TRUE(handler.wait_opened(8));
    auto go = server.hold();
    for (auto& client : clients)
        ASSERT_TRUE(client->send_bytes("a\nb\n", kTestTimeoutMs));
    go.set_value();
    for (auto& client : clients) {
        EXPECT_EQ(client->receive_line(kTestTimeoutMs), "checked a");
        EXPECT_EQ(client->receive_line(kTestTimeoutMs), "checked b");
    }
    server.on_loop([&] { EXPECT_EQ(handler.largest, 16u); });
}

TEST(Loop, VisitsEveryOpenConnection) {
    TestServer server;
    std::vector<std::unique_ptr<LineClient>> clients;
    for (int i = 0; i < 5; ++i)
        clients.push_back(server.connect());
    ASSERT_TRUE(server.handler().wait_opened(5));
    clients[1].reset();
    ASSERT_TRUE(server.handler().wait_closed(1));
    server.on_loop([&] {
        int visited = 0;
        server.loop().for_each([&](Connection& connection) {
            ++visited;
            connection.send_now("news\n");
        });
        EXPECT_EQ(visited, 4);
    });
    EXPECT_EQ(clients[4]->receive_line(kTestTimeoutMs), "news");
}

TEST(Loop, CountsBytes) {
    TestServer server;
    const auto client = server.connect();
    ASSERT_TRUE(client->send_line("12345", kTestTimeoutMs));
    EXPECT_EQ(client->receive_line(kTestTimeoutMs), "echo 12345");
    server.on_loop([] {});
    EXPECT_EQ(server.metrics.bytes_in.value(), 6u);
    EXPECT_EQ(server.metrics.bytes_out.value(), 11u);
    EXPECT_EQ(server.metrics.accepted.value(), 1u);
}

}  // namespace
}  // namespace adit::net
