// The only place that reads time. Everything else is handed a Clock or a point in time, so that
// tests move time by hand. Implementations are safe from any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace adit::base {

class Clock {
 public:
    virtual ~Clock() = default;
    // Milliseconds since 1970-01-01 UTC; may step in either direction.
    virtual std::int64_t wall_ms() const = 0;
    // Milliseconds since an arbitrary point; never goes back. For deadlines and intervals.
    virtual std::int64_t steady_ms() const = 0;
    // Nanoseconds since the same arbitrary point as steady_ms().
    virtual std::int64_t steady_ns() const = 0;
};

class SystemClock final : public Clock {
 public:
    std::int64_t wall_ms() const override;
    std::int64_t steady_ms() const override;
    std::int64_t steady_ns() const override;
};

// Stands still until told otherwise.
class ManualClock final : public Clock {
 public:
    explicit ManualClock(std::int64_t wall_ms = 1'700'000'000'000) : wall_ms_(wall_ms) {}
    std::int64_t wall_ms() const override { return wall_ms_; }
    std::int64_t steady_ms() const override { return steady_ns_ / 1'000'000; }
    std::int64_t steady_ns() const override { return steady_ns_; }
    // Moves both clocks forward.
    void advance_ms(std::int64_t ms) {
        wall_ms_ += ms;
        steady_ns_ += ms * 1'000'000;
    }
    // Steps the wall clock alone, as an operator or NTP does.
    void step_wall_ms(std::int64_t ms) { wall_ms_ += ms; }

 private:
    std::atomic<std::int64_t> wall_ms_;
    std::atomic<std::int64_t> steady_ns_{1'000'000'000};
};

}  // namespace adit::base
