// A whole pool in this process, built from a PoolSetup as `adit run` builds it, with its log lines
// and metrics at hand. Owned by the test's thread.
#pragma once

#include "manager/pool_manager.h"
#include "tests/support/pool_setup.h"

#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace adit::tests {

class TestPool {
 public:
    // Starts; throws std::runtime_error with the configuration's faults or the reason.
    explicit TestPool(const PoolSetup& setup);
    ~TestPool();
    TestPool(const TestPool&) = delete;
    TestPool& operator=(const TestPool&) = delete;

    manager::PoolManager& manager() { return *manager_; }
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
    base::SystemClock clock_;
    metrics::Registry registry_;
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
    base::Logger logger_;
    std::unique_ptr<manager::PoolManager> manager_;
};

}  // namespace adit::tests
