// A whole pool in this process, built from a PoolSetup as `adit run` builds it, with its log lines
// and metrics at hand. Owned by the test's thread.
#pragma once

#include "manager/pool_manager.h"
#include "tests/support/pool_setup.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace adit::tests {

// The system's time, but the wall clock can be stepped as an operator or NTP does, and time that a
// test need not wait for can be skipped.
class SteppedClock final : public base::Clock {
 public:
    std::int64_t wall_ms() const override { return system_.wall_ms() + skipped_ms_ + ahead_ms_; }
    std::int64_t steady_ms() const override { return system_.steady_ms() + skipped_ms_; }
    std::int64_t steady_ns() const override {
        return system_.steady_ns() + skipped_ms_ * 1'000'000;
    }
    // From now on so much ahead of the system's clock; negative: behind.
    void set_ahead(std::int64_t ms) { ahead_ms_ = ms; }
    // As if so much time had passed; never negative. What waits for a timer of the system waits on.
    void skip(std::int64_t ms) { skipped_ms_ += ms; }

 private:
    base::SystemClock system_;
    std::atomic<std::int64_t> ahead_ms_{0};
    std::atomic<std::int64_t> skipped_ms_{0};
};

class TestPool {
 public:
    // Starts; throws std::runtime_error with the configuration's faults or the reason.
    explicit TestPool(const PoolSetup& setup);
    ~TestPool();
    TestPool(const TestPool&) = delete;
    TestPool& operator=(const TestPool&) = delete;

    manager::PoolManager& manager() { return *manager_; }
    SteppedClock& clock() { return clock_; }
    // Takes over this setup as a SIGHUP does. Throws as the constructor.
    manager::ReloadReport reload(const PoolSetup& setup);
    manager::PoolSummary summary() const { return manager_->summary(); }
    // Of the listener in this place of the setup.
    std::uint16_t port(std::size_t listener = 0) const;
    // Stops as `adit run` does; true when every accepted share was answered.
    bool stop() { return manager_->stop(10'000); }
    // A metric by its name with labels, as in the text format; 0 when it is not there.
    double metric(std::string_view name) const;
    // Log lines that hold this text.
    std::size_t logged(std::string_view text) const;
    std::string log_text() const;

 private:
    SteppedClock clock_;
    metrics::Registry registry_;
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
    base::Logger logger_;
    std::unique_ptr<manager::PoolManager> manager_;
};

}  // namespace adit::tests
