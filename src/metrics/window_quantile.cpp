#include "metrics/window_quantile.h"

#include <algorithm>
#include <limits>

namespace adit::metrics {

WindowQuantile::WindowQuantile(const Histogram& histogram)
    : histogram_(histogram),
      before_(histogram.bounds().size() + 1),
      sum_(before_.size()),
      gained_(before_.size() * kTicks) {}

void WindowQuantile::tick() {
    auto* const row = gained_.data() + (ticks_ % kTicks) * sum_.size();
    for (std::size_t i = 0; i < sum_.size(); ++i) {
        const auto now = histogram_.bucket(i);
        const auto gain = looked_ ? now - before_[i] : 0;
        before_[i] = now;
        sum_[i] -= row[i];
        row[i] = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(gain, std::numeric_limits<std::uint32_t>::max()));
        sum_[i] += row[i];
    }
    if (looked_) ++ticks_;
    looked_ = true;
}

std::optional<double> WindowQuantile::quantile(double q) const {
    std::uint64_t total = 0;
    for (const auto n : sum_)
        total += n;
    if (total == 0) return std::nullopt;
    const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(total - 1)) + 1;
    const auto& bounds = histogram_.bounds();
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < bounds.size(); ++i) {
        seen += sum_[i];
        if (seen >= wanted) return bounds[i];
    }
    return bounds.back();
}

std::size_t WindowQuantile::bytes() const {
    return sizeof *this + (before_.size() + sum_.size()) * 8 + gained_.size() * 4;
}

}  // namespace adit::metrics
