// Waiting for conditions in end-to-end tests: never for a time. Any thread.
#pragma once

#include "base/clock.h"

#include <poll.h>

namespace adit::tests {

// Generous: what takes longer than this on a loaded machine is broken.
inline constexpr std::int64_t kDeadlineMs = 60'000;

// Looks again and again until the condition holds; false after the deadline.
template <class Condition>
bool eventually(Condition&& holds, std::int64_t deadline_ms = kDeadlineMs) {
    const base::SystemClock clock;
    const auto deadline = clock.steady_ms() + deadline_ms;
    while (!holds()) {
        if (clock.steady_ms() > deadline) return false;
        ::poll(nullptr, 0, 5);
    }
    return true;
}

}  // namespace adit::tests
