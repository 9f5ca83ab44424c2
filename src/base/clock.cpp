#include "base/clock.h"

#include <chrono>

namespace adit::base {
namespace {

template <class Duration, class TimePoint>
std::int64_t count(TimePoint now) {
    return std::chrono::duration_cast<Duration>(now.time_since_epoch()).count();
}

}  // namespace

std::int64_t SystemClock::wall_ms() const {
    return count<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

std::int64_t SystemClock::steady_ms() const {
    return count<std::chrono::milliseconds>(std::chrono::steady_clock::now());
}

std::int64_t SystemClock::steady_ns() const {
    return count<std::chrono::nanoseconds>(std::chrono::steady_clock::now());
}

}  // namespace adit::base
