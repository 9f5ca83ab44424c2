#include "metrics/forecast_models.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace adit::metrics {
namespace {

constexpr double kDay = 86'400;

struct Line {
    double slope = 0;
    double at_mean = 0;  // its height at mean_x
    double mean_x = 0;
    double squares_x = 0;  // sum of (x - mean_x)^2
    double sigma = 0;      // of the residuals
    double at(double x) const { return at_mean + slope * (x - mean_x); }
};

// Least squares; NaN in y is left out. Needs two different x.
template <class Points>
Line fit_line(const Points& points) {
    Line line;
    double n = 0;
    for (const auto& [x, y] : points) {
        if (std::isnan(y)) continue;
        ++n;
        line.mean_x += x;
        line.at_mean += y;
    }
    line.mean_x /= n;
    line.at_mean /= n;
    double products = 0;
    for (const auto& [x, y] : points) {
        if (std::isnan(y)) continue;
        line.squares_x += (x - line.mean_x) * (x - line.mean_x);
        products += (x - line.mean_x) * (y - line.at_mean);
    }
    line.slope = line.squares_x > 0 ? products / line.squares_x : 0;
    double residuals = 0;
    for (const auto& [x, y] : points) {
        if (!std::isnan(y)) residuals += (y - line.at(x)) * (y - line.at(x));
    }
    line.sigma = n > 2 ? std::sqrt(residuals / (n - 2)) : 0;
    return line;
}

// Runs the method over all values; the sum of squared errors goes to `squares`.
HoltModel run_holt(std::span<const double> values, const Line& start, double alpha, double beta,
                   double& squares) {
    HoltModel model{alpha, beta, start.at(-1), start.slope, 0};
    squares = 0;
    double n = 0;
    for (const auto value : values) {
        model.level += model.trend;
        if (std::isnan(value)) continue;  // a gap: the line goes on
        const auto error = value - model.level;
        model.level += alpha * error;
        model.trend += alpha * beta * error;
        squares += error * error;
        ++n;
    }
    model.sigma = std::sqrt(squares / std::max(1.0, n - 2));
    return model;
}

}  // namespace

Interval HoltModel::at(std::size_t steps) const {
    const auto value = level + static_cast<double>(steps) * trend;
    double variance = 1;
    for (std::size_t j = 1; j < steps; ++j) {
        const auto weight = alpha * (1 + static_cast<double>(j) * beta);
        variance += weight * weight;
    }
    const auto half = kZ95 * sigma * std::sqrt(variance);
    return {value, value - half, value + half};
}

OrWhy<HoltModel> fit_holt(std::span<const double> values) {
    constexpr std::array kAlphas{0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0};
    constexpr std::array kBetas{0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5};
    constexpr std::size_t kStartValues = 10;
    // A gap at the beginning says nothing.
    while (!values.empty() && std::isnan(values.front()))
        values = values.subspan(1);
    std::vector<std::pair<double, double>> first;
    std::size_t known = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (std::isnan(values[i])) continue;
        ++known;
        if (first.size() < kStartValues) first.emplace_back(static_cast<double>(i), values[i]);
    }
    if (known < HoltModel::kMinValues) {
        return std::unexpected(
            fmt::format("{} values are known, {} are needed", known, HoltModel::kMinValues));
    }
    const auto start = fit_line(first);
    HoltModel best;
    auto least = std::numeric_limits<double>::infinity();
    for (const auto alpha : kAlphas) {
        for (const auto beta : kBetas) {
            double squares = 0;
            const auto model = run_holt(values, start, alpha, beta, squares);
            if (squares >= least) continue;
            least = squares;
            best = model;
        }
    }
    if (!std::isfinite(least)) return std::unexpected("the values are out of range");
    return best;
}

std::uint64_t poisson_quantile(double mean, double p) {
    if (!(mean > 0)) return 0;
    // From the most likely count outwards: no term underflows that matters.
    const auto mode = std::floor(mean);
    int sign = 0;
    const auto at_mode = std::exp(mode * std::log(mean) - mean - ::lgamma_r(mode + 1, &sign));
    double cumulative = 0;
    double k = mode;
    for (auto term = at_mode; k >= 0 && term > at_mode * 1e-18; term *= k / mean, --k)
        cumulative += term;
    k = mode;
    auto term = at_mode;
    if (cumulative >= p) {
        // Down while the count below is still enough.
        while (k > 0 && cumulative - term >= p) {
            cumulative -= term;
            term *= k / mean;
            --k;
        }
        return static_cast<std::uint64_t>(k);
    }
    while (cumulative < p && term > 0) {
        ++k;
        term *= mean / k;
        cumulative += term;
    }
    return static_cast<std::uint64_t>(k);
}

Interval poisson_interval(double mean) {
    return {mean, static_cast<double>(poisson_quantile(mean, 0.025)),
            static_cast<double>(poisson_quantile(mean, 0.975))};
}

double expected_blocks(double hashes_per_second, double difficulty, double seconds) {
    constexpr double kHashesPerDifficulty = 4294967296.0;
    return hashes_per_second * seconds / (difficulty * kHashesPerDifficulty);
}

OrWhy<NextDifficulty> next_difficulty(const ChainProgress& chain) {
    constexpr std::int64_t kPeriod = 2'016;
    constexpr double kTarget = 2'016 * 600;
    constexpr std::int64_t kMinBlocks = 36;
    const auto done = chain.height % kPeriod;  // intervals since the period's first block
    if (done < kMinBlocks) {
        return std::unexpected(
            fmt::format("the period has {} blocks so far, {} are needed", done, kMinBlocks));
    }
    const auto elapsed = static_cast<double>(chain.tip_s - chain.period_start_s);
    if (elapsed <= 0 || !(chain.difficulty > 0))
        return std::unexpected("the chain's times or its difficulty are not known");
    // The rule measures from the period's first block to its last: 2015 intervals.
    const auto n = static_cast<double>(done);
    const auto rest = static_cast<double>(kPeriod - 1 - done);
    const auto interval = elapsed / n;
    const auto span = elapsed + rest * interval;
    // Blocks to come are a Poisson process whose rate is known from the n intervals alone.
    const auto deviation = interval * std::sqrt(rest + rest * rest / n);
    const auto scaled = [&](double seconds) {
        const auto factor = seconds > 0 ? kTarget / seconds : 4;
        return chain.difficulty * std::clamp(factor, 0.25, 4.0);
    };
    NextDifficulty next;
    next.difficulty = {scaled(span), scaled(span + kZ95 * deviation),
                       scaled(std::max(elapsed, span - kZ95 * deviation))};
    next.blocks_left = kPeriod - done;
    next.retarget_s =
        chain.tip_s + static_cast<std::int64_t>(interval * static_cast<double>(next.blocks_left));
    return next;
}

OrWhy<DiskTrend> disk_trend(std::span<const std::pair<double, double>> points, double total_bytes,
                            double then_s) {
    if (points.size() < DiskTrend::kMinPoints) {
        return std::unexpected(fmt::format("{} values are known, {} are needed", points.size(),
                                           DiskTrend::kMinPoints));
    }
    const auto line = fit_line(points);
    if (!(line.squares_x > 0)) return std::unexpected("all values are of the same time");
    const auto free = std::max(0.0, total_bytes - points.back().second);
    const auto error = kZ95 * line.sigma / std::sqrt(line.squares_x);
    const auto days = [&](double slope) -> std::optional<double> {
        if (free <= 0) return 0.0;
        return slope > 0 ? std::optional(free / slope / kDay) : std::nullopt;
    };
    DiskTrend trend;
    trend.bytes_per_day = line.slope * kDay;
    trend.days = days(line.slope);
    trend.days_low = days(line.slope + error);
    trend.days_high = days(line.slope - error);
    const auto n = static_cast<double>(points.size());
    const auto distance = (then_s - line.mean_x) * (then_s - line.mean_x) / line.squares_x;
    const auto half = kZ95 * line.sigma * std::sqrt(1 + 1 / n + distance);
    trend.used_then = {line.at(then_s), line.at(then_s) - half, line.at(then_s) + half};
    return trend;
}

}  // namespace adit::metrics
