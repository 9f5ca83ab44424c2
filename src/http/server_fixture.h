// A server on a free port of loopback with routes for tests, started with the settings that a test
// wants. Used by one thread.
#pragma once

#include "http/events.h"
#include "http/http_testing.h"
#include "http/server.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

namespace adit::http {

// Something that happens on another thread, to wait for.
class Signal {
 public:
    void raise() {
        {
            const std::scoped_lock lock(mutex_);
            ++count_;
        }
        changed_.notify_all();
    }
    // False when it did not happen that often within 20 s.
    bool wait(std::size_t times = 1) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return count_ >= times; });
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t count_ = 0;
};

class ServerFixture : public testing::Test {
 protected:
    ServerFixture() {
        settings_.listen = {"127.0.0.1:0"};
        settings_.rate = {.per_s = 1e6, .burst = 1e6};
    }

    void add(Method method, std::string pattern, Handler handler,
             auth::Permission permission = auth::Permission::anyone) {
        router_.add({.method = method,
                     .pattern = std::move(pattern),
                     .permission = permission,
                     .summary = "For a test.",
                     .handler = std::move(handler)});
    }
    void add_echo() {
        add(Method::get, "/hello", [](const Request&) { return json_response("\"hello\""); });
        add(Method::post, "/echo",
            [](const Request& request) { return json_response(request.body); });
    }
    // Waits until its token is requested, and counts how often it was entered and left.
    void add_waiting() {
        add(Method::get, "/wait", [this](const Request& request) {
            entered_.raise();
            std::mutex mutex;
            std::condition_variable_any stopped;
            std::unique_lock lock(mutex);
            stopped.wait(lock, request.stop, [] { return false; });
            left_.raise();
            return json_response("\"stopped\"");
        });
    }
    // Waits until the test says go.
    void add_gated() {
        add(Method::get, "/gated", [this](const Request&) {
            entered_.raise();
            EXPECT_TRUE(go_.wait());
            left_.raise();
            return json_response("\"done\"");
        });
    }

    void start() {
        server_.emplace(settings_, router_, clock_, registry_, log_);
        const auto started = server_->start();
        ASSERT_TRUE(started) << started.error();
        address_ = server_->address();
    }
    double open_connections() {
        return registry_.gauge("adit_http_connections", "Open HTTP connections").value();
    }
    std::uint64_t rejected(std::string_view reason) {
        return registry_
            .counter("adit_http_rejected_total", "Connections and requests turned away",
                     {{"reason", std::string(reason)}})
            .value();
    }

    ServerSettings settings_;
    base::SystemClock clock_;
    base::Logger log_{base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}};
    metrics::Registry registry_;
    NamedGatekeeper gatekeeper_;
    Router router_{gatekeeper_};
    Signal entered_;
    Signal left_;
    Signal go_;
    std::optional<Server> server_;
    net::Address address_;
};

}  // namespace adit::http
