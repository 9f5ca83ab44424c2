// For tests: a loop on a thread of its own with a listener on 127.0.0.1:0 and a handler that echoes
// and records. Waiting is for conditions, never for time.
#pragma once

#include "base/clock.h"
#include "metrics/registry.h"
#include "net/line_client.h"
#include "net/listener.h"
#include "net/loop.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace adit::net {

inline constexpr int kTestTimeoutMs = 30'000;

// Echoes "TEXT" as "echo TEXT"; some lines are orders. What happens is recorded for any thread.
class RecordingHandler : public ConnectionHandler {
 public:
    struct Closed {
        ConnectionId id;
        CloseReason reason;
    };

    bool on_open(Connection& connection) override {
        note([&] { opened_.push_back({connection.id(), connection.peer()}); });
        return !refuse;
    }
    void on_line(Connection& connection, std::string_view line) override {
        note([&] { lines_.emplace_back(line); });
        if (line == "quit") {
            connection.send("bye\n");
            return connection.close_gracefully();
        }
        if (line == "abort") return connection.abort(CloseReason::banned);
        if (line.starts_with("flood ")) {
            return connection.send(std::string(std::stoul(std::string(line.substr(6))), 'x'));
        }
        connection.send("echo ");
        connection.send(line);
        connection.send("\n");
    }
    void on_late_line(Connection&, std::string_view line) override {
        note([&] { late_lines_.emplace_back(line); });
    }
    void on_protocol_error(Connection& connection, ProtocolError) override {
        note([&] { ++protocol_errors_; });
        connection.send("too long\n");
        connection.close_gracefully(CloseReason::protocol_error);
    }
    void on_closed(Connection& connection, CloseReason reason) override {
        note([&] { closed_.push_back({connection.id(), reason}); });
    }

    std::vector<std::pair<ConnectionId, Address>> opened() const { return read(opened_); }
    std::vector<std::string> lines() const { return read(lines_); }
    std::vector<std::string> late_lines() const { return read(late_lines_); }
    std::vector<Closed> closed() const { return read(closed_); }
    int protocol_errors() const { return read(protocol_errors_); }

    // False when the condition did not come true in time.
    bool wait(const std::function<bool()>& condition) {
        std::unique_lock lock(wait_mutex_);
        return changed_.wait_for(lock, std::chrono::milliseconds(kTestTimeoutMs), condition);
    }
    bool wait_closed(std::size_t n) {
        return wait([this, n] { return closed().size() >= n; });
    }
    bool wait_opened(std::size_t n) {
        return wait([this, n] { return opened().size() >= n; });
    }

    std::atomic<bool> refuse{false};

 protected:
    template <class Change>
    void note(Change change) {
        {
            const std::lock_guard lock(mutex_);
            change();
        }
        const std::lock_guard lock(wait_mutex_);
        changed_.notify_all();
    }
    template <class T>
    T read(const T& value) const {
        const std::lock_guard lock(mutex_);
        return value;
    }

    mutable std::mutex mutex_;
    std::mutex wait_mutex_;
    std::condition_variable changed_;
    std::vector<std::pair<ConnectionId, Address>> opened_;
    std::vector<std::string> lines_, late_lines_;
    std::vector<Closed> closed_;
    int protocol_errors_ = 0;
};

class TestServer {
 public:
    explicit TestServer(ConnectionSettings settings = {}, ListenerOptions options = {},
                        RecordingHandler* handler = nullptr)
        : handler_(handler != nullptr ? *handler : own_handler_), loop_(clock, metrics) {
        settings.handler = &handler_;
        settings.metrics = &metrics;
        if (settings.budget == nullptr) settings.budget = &budget;
        auto opened = Listener::open(loop_, Address::v4(0x7f000001, 0), settings, options);
        if (!opened) throw std::runtime_error(opened.error());
        listener = std::move(*opened);
        thread_ = std::thread([this] { loop_.run(); });
    }
    ~TestServer() { stop(); }

    void stop(std::int64_t linger_ms = 0) {
        if (!thread_.joinable()) return;
        loop_.stop(linger_ms);
        thread_.join();
    }
    // Runs on the loop's thread and waits for its end.
    void on_loop(std::function<void()> task) {
        const auto done = std::make_shared<std::promise<void>>();
        loop_.post([task = std::move(task), done] {
            task();
            done->set_value();
        });
        ASSERT_EQ(done->get_future().wait_for(std::chrono::milliseconds(kTestTimeoutMs)),
                  std::future_status::ready);
    }
    // Returns when the loop's thread waits; it goes on when the value is set. What becomes ready
    // meanwhile is served in one turn.
    std::promise<void> hold() {
        std::promise<void> go;
        auto holding = std::make_shared<std::promise<void>>();
        auto held = holding->get_future();
        loop_.post([holding, gone = go.get_future().share()] {
            holding->set_value();
            gone.wait();
        });
        held.wait();
        return go;
    }
    // Time passes for the loop, and its regular sweep has run.
    void advance_ms(std::int64_t ms) {
        clock.advance_ms(ms);
        on_loop([] {});  // timers run in the turn of this task ...
        on_loop([] {});  // ... which is over now
    }
    std::unique_ptr<LineClient> connect(LineClient::Options options = {}) {
        auto client = LineClient::connect({"127.0.0.1", port()}, kTestTimeoutMs, options);
        EXPECT_TRUE(client) << (client ? "" : client.error().detail);
        return client ? std::move(*client) : nullptr;
    }
    // True when a new connection is reset, be it during connect() or after.
    bool turns_away() {
        const auto client = LineClient::connect({"127.0.0.1", port()}, kTestTimeoutMs);
        if (!client) return client.error().error == LineClient::Error::reset;
        const auto line = (*client)->receive_line(kTestTimeoutMs);
        return !line && line.error().error == LineClient::Error::reset;
    }
    std::uint16_t port() const { return listener->address().port; }
    Loop& loop() { return loop_; }
    RecordingHandler& handler() { return handler_; }

    base::ManualClock clock;
    metrics::Registry registry;
    Metrics metrics{registry};
    ConnectionBudget budget{100'000};

 private:
    RecordingHandler own_handler_;
    RecordingHandler& handler_;
    Loop loop_;
    std::thread thread_;

 public:
    std::unique_ptr<Listener> listener;  // ends before its loop
};

}  // namespace adit::net
