// The models behind forecasts: Holt's linear method, exact Poisson quantiles, the next difficulty,
// the trend of a disk (docs/metrics.md, "Forecasts"). Pure functions, safe from any thread. Errors
// are sentences that say what is missing.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace adit::metrics {

// Half the width of a 95 % interval in standard deviations.
inline constexpr double kZ95 = 1.959963984540054;

// A forecast value with the interval that holds the outcome 95 times in a hundred, if the model is
// right.
struct Interval {
    double value = 0;
    double low = 0;
    double high = 0;
    bool operator==(const Interval&) const = default;
};
template <class T>
using OrWhy = std::expected<T, std::string>;

struct HoltModel {
    static constexpr std::size_t kMinValues = 24;

    double alpha = 0;  // smoothing of the level
    double beta = 0;   // smoothing of the trend
    double level = 0;  // after the last value
    double trend = 0;  // per step
    double sigma = 0;  // of the one-step errors
    // `steps` (at least 1) after the last value.
    Interval at(std::size_t steps) const;
};
// Values at equal steps, NaN where there is a gap. alpha and beta are those of a small grid with
// the least squared one-step errors.
OrWhy<HoltModel> fit_holt(std::span<const double> values);

// The smallest k with P(X <= k) >= p for a Poisson variable; mean 0 to 1e9, p in (0, 1).
std::uint64_t poisson_quantile(double mean, double p);
// Mean, and the quantiles at 2.5 % and 97.5 %.
Interval poisson_interval(double mean);
// Blocks that a hash rate finds on average.
double expected_blocks(double hashes_per_second, double difficulty, double seconds);

struct ChainProgress {
    std::int64_t height = 0;          // of the best block
    double difficulty = 0;            // of this period
    std::int64_t period_start_s = 0;  // time in the header of block height - height % 2016
    std::int64_t tip_s = 0;           // time in the header of the best block
    std::int64_t period() const { return height / 2'016; }
};
struct NextDifficulty {
    Interval difficulty;
    std::int64_t blocks_left = 0;  // until the first block of the next period
    std::int64_t retarget_s = 0;   // about when that one comes
};
OrWhy<NextDifficulty> next_difficulty(const ChainProgress& chain);

struct DiskTrend {
    static constexpr std::size_t kMinPoints = 12;

    double bytes_per_day = 0;
    // Until it is full; nullopt: never, as far as can be told.
    std::optional<double> days;
    std::optional<double> days_low;
    std::optional<double> days_high;
    Interval used_then;  // bytes at then_s
};
// (seconds, used bytes), oldest first; the time of which used_then is.
OrWhy<DiskTrend> disk_trend(std::span<const std::pair<double, double>> points, double total_bytes,
                            double then_s);

}  // namespace adit::metrics
