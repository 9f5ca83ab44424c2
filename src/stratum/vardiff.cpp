#include "stratum/vardiff.h"

#include <algorithm>
#include <cmath>

namespace adit::stratum {

namespace {

constexpr double kLargest = 9007199254740992.0;   // 2^53, what firmware can take
constexpr double kSmallest = 1.0 / (1ULL << 40);  // what chain::Difficulty can express
constexpr double kHysteresis = 2;  // how far the pace may be off before anything changes

double wire_value(double difficulty) {
    return difficulty >= 1 ? std::floor(difficulty) : difficulty;
}

double power_near(double difficulty) {
    return std::exp2(std::round(std::log2(difficulty)));
}
double power_below(double difficulty) {
    return std::exp2(std::floor(std::log2(difficulty)));
}

}  // namespace

double DifficultyBounds::clamp(double difficulty) const {
    return wire_value(std::clamp(difficulty, min, max));
}

DifficultyBounds difficulty_bounds(double min, double max, double own_min, double network) {
    DifficultyBounds bounds;
    bounds.max = std::clamp(max > 0 ? std::min(max, network) : network, kSmallest, kLargest);
    bounds.min = std::clamp(std::max(min, own_min), kSmallest, bounds.max);
    return bounds;
}

void Vardiff::on_share(double difficulty, double present, double interval_s, std::int64_t now_ms) {
    if (now_ms > updated_ms_) {
        const double passed_s = static_cast<double>(now_ms - updated_ms_) / 1000;
        sum_ *= std::exp(-passed_s / (kMemoryIntervals * interval_s));
        updated_ms_ = now_ms;
    }
    sum_ += difficulty;
    window_shares_ += difficulty / present;
}

double Vardiff::average(double extra, double interval_s, std::int64_t now_ms) const {
    const double memory_s = kMemoryIntervals * interval_s;
    const double idle_s = static_cast<double>(now_ms - updated_ms_) / 1000;
    const double age_s = std::max(static_cast<double>(now_ms - start_ms_) / 1000, 0.001);
    // A connection that is younger than the memory has filled only this much of it.
    const double filled_s = memory_s * -std::expm1(-age_s / memory_s);
    return (sum_ * std::exp(-idle_s / memory_s) + extra) / filled_s;
}

double Vardiff::rate(double interval_s, std::int64_t now_ms) const {
    return average(0, interval_s, now_ms);
}

std::optional<Vardiff::Advice> Vardiff::advise(double present, double interval_s,
                                               std::int64_t now_ms) {
    const double passed_s = std::max(static_cast<double>(now_ms - window_ms_) / 1000, 0.001);
    const double too_fast = window_shares_ * interval_s / passed_s;
    if (window_shares_ >= kFloodShares && too_fast > kFloodFactor) {
        return Advice{power_below(present * std::min(too_fast, kFloodStep)), true};
    }
    if (passed_s < kWindowIntervals * interval_s) return std::nullopt;

    on_change(now_ms);
    const double wanted = rate(interval_s, now_ms) * interval_s;
    if (wanted > present * kHysteresis) return Advice{power_near(wanted), false};
    // Going down, the share that is being worked on counts as found: silence is weak evidence.
    const double at_most = average(present, interval_s, now_ms) * interval_s;
    if (at_most < present / kHysteresis) return Advice{power_near(at_most), false};
    return std::nullopt;
}

void Vardiff::on_change(std::int64_t now_ms) {
    window_ms_ = now_ms;
    window_shares_ = 0;
}

}  // namespace adit::stratum
