// Handlers that take long, peers that leave meanwhile, and stopping.
#include "base/wait.h"
#include "http/server_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::http {
namespace {

using testing::HasSubstr;

class ServerWorkTest : public ServerFixture {
 protected:
    bool wait_until(const std::function<bool()>& done) {
        return base::wait_until(clock_, clock_.steady_ms() + 20'000, done);
    }
};

TEST_F(ServerWorkTest, TellsTheHandlerThatThePeerHasGone) {
    add_waiting();
    start();
    RawClient client(address_);
    client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(entered_.wait());
    client.close();
    EXPECT_TRUE(left_.wait());
    EXPECT_TRUE(wait_until([&] { return open_connections() == 0; }));
}

TEST_F(ServerWorkTest, StopsTheHandlerAndStillAnswersWhoHasOnlyFinishedSending) {
    add_waiting();
    start();
    RawClient client(address_);
    client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(entered_.wait());
    client.finish_sending();
    EXPECT_EQ(client.read_answer().body, "\"stopped\"");
    EXPECT_TRUE(client.at_end());
}

TEST_F(ServerWorkTest, GivesUpOnAHandlerWhoseTimeIsUp) {
    add_gated();
    add_waiting();
    router_.add({.method = Method::get,
                 .pattern = "/short",
                 .permission = auth::Permission::anyone,
                 .summary = "For a test.",
                 .timeout = std::chrono::milliseconds(50),
                 .handler = router_.routes().back().handler});
    start();
    RawClient client(address_);
    const auto answer = client.get("/short");
    EXPECT_EQ(answer.status, 503U);
    EXPECT_THAT(answer.body, HasSubstr("\"timeout\""));
    EXPECT_TRUE(client.at_end());
    EXPECT_TRUE(left_.wait());
}

TEST_F(ServerWorkTest, ShedsWorkWhenAllWorkersAreBusy) {
    settings_.workers = 2;
    settings_.most_waiting = 3;
    add_gated();
    add_echo();
    start();
    std::vector<std::unique_ptr<RawClient>> clients;
    const auto ask = [&] {
        clients.push_back(std::make_unique<RawClient>(address_));
        clients.back()->send("GET /gated HTTP/1.1\r\nHost: a\r\n\r\n");
    };
    ask();
    ask();
    ASSERT_TRUE(entered_.wait(2));
    // Three may wait; which three of the four is up to the threads.
    for (int i = 0; i < 4; ++i)
        ask();
    EXPECT_TRUE(wait_until([&] { return rejected("queue_full") == 1; }));
    // What needs no worker is answered all the while.
    RawClient other(address_);
    EXPECT_EQ(other.get("/nothing").status, 404U);
    const auto shed = other.get("/hello");
    EXPECT_EQ(shed.status, 503U);
    EXPECT_EQ(shed.header("Retry-After"), "1");
    for (int i = 0; i < 5; ++i)
        go_.raise();
    std::map<unsigned, int> statuses;
    for (auto& client : clients)
        ++statuses[client->read_answer().status];
    EXPECT_EQ(statuses[200], 5);
    EXPECT_EQ(statuses[503], 1);
    EXPECT_EQ(other.get("/hello").status, 200U);
}

TEST_F(ServerWorkTest, KeepsWorkersForQuickRoutesWhileSlowOnesRun) {
    settings_.workers = 1;
    settings_.slow_workers = 1;
    add_gated();
    add_echo();
    router_.add({.method = Method::get,
                 .pattern = "/slow",
                 .permission = auth::Permission::anyone,
                 .summary = "For a test.",
                 .slow = true,
                 .handler = router_.routes().front().handler});
    start();
    RawClient slow(address_);
    RawClient slower(address_);
    slow.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    slower.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(entered_.wait());
    RawClient quick(address_);
    EXPECT_EQ(quick.get("/hello").status, 200U);
    go_.raise();
    EXPECT_EQ(slow.read_answer().status, 200U);
    EXPECT_EQ(slower.read_answer().status, 200U);
}

TEST_F(ServerWorkTest, ServesManyConnectionsAtOnce) {
    settings_.max_connections_per_address = 0;
    settings_.most_waiting = 1'000;
    add_echo();
    start();
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 300; ++i) {
        clients.push_back(std::make_unique<RawClient>(address_));
        clients.back()->send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n1");
    }
    for (auto& client : clients)
        client->send("234POST /echo HTTP/1.1\r\nHost: a\r\n");
    for (auto& client : clients)
        EXPECT_EQ(client->read_answer().body, "1234");
    for (auto& client : clients)
        client->send("Content-Length: 1\r\n\r\nx");
    for (auto& client : clients)
        EXPECT_EQ(client->read_answer().body, "x");
}

TEST_F(ServerWorkTest, LetsRequestsFinishWhenItStops) {
    add_gated();
    add_echo();
    start();
    RawClient busy(address_);
    busy.send("GET /gated HTTP/1.1\r\nHost: a\r\n\r\n");
    RawClient idle(address_);
    EXPECT_EQ(idle.get("/hello").status, 200U);
    ASSERT_TRUE(entered_.wait());
    std::thread stopping([&] { server_->stop(std::chrono::seconds(20)); });
    EXPECT_TRUE(idle.at_end());
    go_.raise();
    const auto answer = busy.read_answer();
    EXPECT_EQ(answer.body, "\"done\"");
    EXPECT_EQ(answer.header("Connection"), "close");
    EXPECT_TRUE(busy.at_end());
    stopping.join();
    EXPECT_EQ(open_connections(), 0);
}

TEST_F(ServerWorkTest, AsksHandlersToStopWhenTheTimeToDrainIsUp) {
    settings_.workers = 1;
    add_waiting();
    start();
    RawClient first(address_);
    RawClient second(address_);
    first.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(entered_.wait());
    second.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    RawClient half(address_);
    half.send("GET /wait HTT");
    server_->stop(std::chrono::milliseconds(10));
    EXPECT_TRUE(left_.wait());
    EXPECT_EQ(first.read_answer().body, "\"stopped\"");
    half.read_all();
    second.read_all();
    EXPECT_EQ(open_connections(), 0);
}

TEST_F(ServerWorkTest, SaysWhyItCannotListen) {
    add_echo();
    start();
    struct Row {
        std::string listen;
        const char* words;
    };
    const Row rows[] = {
        {fmt::format("127.0.0.1:{}", address_.port), "another program uses this port"},
        {"127.0.0.1", "write it like"},
        {"127.0.0.1:99999", "write it like"},
        {"192.0.2.1:0", "no such address"},
    };
    for (const auto& row : rows) {
        auto settings = settings_;
        settings.listen = {"127.0.0.1:0", row.listen};
        metrics::Registry registry;
        Server server(settings, router_, clock_, registry, log_);
        const auto started = server.start();
        ASSERT_FALSE(started) << row.listen;
        EXPECT_THAT(started.error(), HasSubstr(row.words));
        EXPECT_THAT(started.error(), HasSubstr(row.listen));
    }
}

TEST_F(ServerWorkTest, FreesItsPortWhenItStops) {
    add_echo();
    start();
    server_->stop(std::chrono::milliseconds(0));
    settings_.listen = {address_.text()};
    metrics::Registry registry;
    Server next(settings_, router_, clock_, registry, log_);
    const auto started = next.start();
    ASSERT_TRUE(started) << started.error();
    RawClient client(address_);
    EXPECT_EQ(client.get("/hello").status, 200U);
    // Stopping again does no harm.
    server_->stop(std::chrono::milliseconds(0));
}

TEST_F(ServerWorkTest, ListensOnSeveralAddresses) {
    add_echo();
    settings_.listen = {"127.0.0.1:0", "localhost:0"};
    start();
    ASSERT_GE(server_->addresses().size(), 2U);
    for (const auto& address : server_->addresses()) {
        if (!address.is_v4()) continue;
        RawClient client(address);
        EXPECT_EQ(client.get("/hello").status, 200U) << address.text();
    }
}

}  // namespace
}  // namespace adit::http
