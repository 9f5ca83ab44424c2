// Waits for a condition that nobody announces, by looking at it every few milliseconds. For starts
// and stops only, where it is asked a few hundred times at most; everything else is told.
#pragma once

#include "base/clock.h"

#include <functional>

namespace adit::base {

// True as soon as `done` is, false when it is not by end_ms (of clock.steady_ms()).
bool wait_until(const Clock& clock, std::int64_t end_ms, const std::function<bool()>& done);

}  // namespace adit::base
