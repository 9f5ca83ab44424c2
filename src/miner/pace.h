// Spreads work evenly over time, for miners that shall not use the whole processor. A value with
// the time passed in; one owner.
#pragma once

#include <cstdint>

namespace adit::miner {

class Pace {
 public:
    // Units of work a second, > 0.
    explicit Pace(double per_s) : ns_per_unit_(1e9 / per_s) {}

    // `units` were done by now: how long to wait before the next. Time that was missed by more than
    // a second is not caught up.
    std::int64_t after(std::uint64_t units, std::int64_t now_ns) {
        constexpr double kForgiveNs = 1e9;
        const auto now = static_cast<double>(now_ns);
        if (!started_ || due_ns_ < now - kForgiveNs) due_ns_ = now;
        started_ = true;
        due_ns_ += static_cast<double>(units) * ns_per_unit_;
        return due_ns_ <= now ? 0 : static_cast<std::int64_t>(due_ns_ - now);
    }

 private:
    double ns_per_unit_;
    double due_ns_ = 0;
    bool started_ = false;
};

}  // namespace adit::miner
