// Quantiles of what a histogram observed in the last minute, from what its buckets gained every
// tick: a histogram alone only tells of the time since start. Belongs to one History, not
// thread-safe.
#pragma once

#include "metrics/registry.h"

#include <optional>
#include <vector>

namespace adit::metrics {

class WindowQuantile {
 public:
    static constexpr std::size_t kTicks = 60;
    static constexpr std::size_t kMaxBounds = 64;  // of a histogram that is followed

    // The histogram has at least one and at most kMaxBounds bounds.
    explicit WindowQuantile(const Histogram& histogram);
    // Takes what was observed since the last call; the first call only looks.
    void tick();
    // The upper bound of the bucket that holds the quantile (0..1) of the last kTicks ticks, the
    // greatest bound when it lies above all; nullopt when nothing was observed.
    std::optional<double> quantile(double q) const;
    std::size_t bytes() const;

 private:
    const Histogram& histogram_;
    std::vector<std::uint64_t> before_;
    std::vector<std::uint64_t> sum_;
    std::vector<std::uint32_t> gained_;  // kTicks rows, the oldest is overwritten
    std::size_t ticks_ = 0;
    bool looked_ = false;
};

}  // namespace adit::metrics
