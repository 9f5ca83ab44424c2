#include "base/wait.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace adit::base {

bool wait_until(const Clock& clock, std::int64_t end_ms, const std::function<bool()>& done) {
    constexpr auto kLookAgain = std::chrono::milliseconds(2);
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock lock(mutex);
    while (!done()) {
        if (clock.steady_ms() >= end_ms) return false;
        never.wait_for(lock, kLookAgain);
    }
    return true;
}

}  // namespace adit::base
