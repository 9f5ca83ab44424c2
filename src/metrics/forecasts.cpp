#include "metrics/forecasts.h"

#include "metrics/column_coding.h"

#include <cmath>

namespace adit::metrics {
namespace {

constexpr std::int64_t kHour = 3'600;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kFitHours = 14 * 24;
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr std::array kAll{ForecastKind::hashrate, ForecastKind::miners, ForecastKind::blocks,
                          ForecastKind::difficulty, ForecastKind::disk_used};

std::int64_t floor_to(std::int64_t value, std::int64_t unit) {
    const auto rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

Interval not_below_zero(Interval interval) {
    return {std::max(0.0, interval.value), std::max(0.0, interval.low),
            std::max(0.0, interval.high)};
}

template <class T>
OrWhy<Interval> part_of(const OrWhy<T>& whole, Interval T::* part) {
    if (!whole) return std::unexpected(whole.error());
    return *whole.*part;
}

std::optional<Point> hour_at(const History& history, std::string_view series, std::int64_t at_s) {
    const auto points = history.points(series, Resolution::hour, at_s, at_s);
    return points.empty() ? std::nullopt : std::optional(points.front());
}

}  // namespace

std::string_view name_of(ForecastKind kind) {
    switch (kind) {
        case ForecastKind::hashrate:
            return "hashrate";
        case ForecastKind::miners:
            return "miners";
        case ForecastKind::blocks:
            return "blocks";
        case ForecastKind::difficulty:
            return "difficulty";
        case ForecastKind::disk_used:
            return "disk_used";
    }
    return "unknown";
}

std::optional<double> ForecastScore::mape() const {
    return compared > 0 ? std::optional(sum_ape / static_cast<double>(compared)) : std::nullopt;
}

std::optional<double> ForecastScore::share_inside() const {
    return scored > 0 ? std::optional(static_cast<double>(inside) / static_cast<double>(scored))
                      : std::nullopt;
}

std::string Forecasts::disk_series(std::string_view metric) const {
    return series_name(metric, {{"path", settings_.disk_path}});
}

void Forecasts::tick(const History& history, Tick now, const std::optional<ChainProgress>& chain) {
    const auto now_s = floor_to(now.wall_ms, 1'000) / 1'000;
    const auto hour_s = floor_to(now_s, kHour);
    // Not in the hour in which the process began: forecasts are of whole hours.
    if (!hour_s_) hour_s_ = hour_s;
    if (hour_s == *hour_s_) return;
    hour_s_ = hour_s;
    for (auto& kind : kinds_)
        settle(kind, history, hour_s, chain);

    give(ForecastKind::hashrate, now_s, hour_s + kDay - kHour,
         holt(history, settings_.hashrate_series, settings_.hashes_per_unit, hour_s));
    give(ForecastKind::miners, now_s, hour_s + kDay - kHour,
         holt(history, settings_.miners_series, 1, hour_s));
    give(ForecastKind::blocks, now_s, hour_s, blocks(history));
    difficulty_ = chain ? next_difficulty(*chain)
                        : OrWhy<NextDifficulty>(std::unexpected("no node tells of the chain"));
    give(ForecastKind::difficulty, now_s, chain ? chain->period() + 1 : 0,
         part_of(difficulty_, &NextDifficulty::difficulty));
    disk_ = disk(history, hour_s);
    give(ForecastKind::disk_used, now_s, hour_s + kDay - kHour,
         part_of(disk_, &DiskTrend::used_then));
}

void Forecasts::give(ForecastKind kind, std::int64_t now_s, std::int64_t about,
                     const OrWhy<Interval>& expected) {
    auto& book = of(kind);
    if (!expected) {
        book.current = std::unexpected(expected.error());
    } else if (book.pending.size() >= kMaxPending) {
        book.current = std::unexpected("too many forecasts wait for their outcome");
    } else {
        book.current =
            book.pending.emplace_back(Forecast{kind, now_s, about, not_below_zero(*expected)});
    }
}

OrWhy<Interval> Forecasts::holt(const History& history, const std::string& series, double scale,
                                std::int64_t hour_s) const {
    const auto first_s = hour_s - kFitHours * kHour;
    std::vector<double> values(static_cast<std::size_t>(kFitHours), kUnknown);
    for (const auto& point : history.points(series, Resolution::hour, first_s, hour_s - kHour))
        values[static_cast<std::size_t>((point.start_s - first_s) / kHour)] = point.mean * scale;
    const auto model = fit_holt(values);
    if (!model) return std::unexpected("of whole hours, " + model.error());
    return model->at(24);  // values end with the hour that is over; one of them ends 24 h from now
}

OrWhy<Interval> Forecasts::blocks(const History& history) const {
    const auto rate = history.rate(settings_.hashrate_series, kDay);
    const auto difficulty = history.latest(settings_.difficulty_series);
    if (!rate || rate->seconds < kHour)
        return std::unexpected("less than an hour of the hash rate is known");
    if (!difficulty || !(difficulty->value > 0))
        return std::unexpected("the network's difficulty is not known");
    constexpr double kMostBlocks = 1e6;
    const auto mean =
        expected_blocks(rate->per_second * settings_.hashes_per_unit, difficulty->value, kDay);
    if (mean > kMostBlocks) return std::unexpected("more than a million blocks a day");
    return poisson_interval(mean);
}

OrWhy<DiskTrend> Forecasts::disk(const History& history, std::int64_t hour_s) const {
    const auto series = disk_series("adit_disk_used_bytes");
    const auto total = history.latest(disk_series("adit_disk_total_bytes"));
    if (!total) return std::unexpected("the size of the disk is not known");
    auto points = history.points(series, Resolution::hour, hour_s - 7 * kDay, hour_s - 1);
    auto middle = kHour / 2;
    if (points.size() < DiskTrend::kMinPoints) {
        constexpr std::size_t kMinMinutes = 60;
        points = history.points(series, Resolution::minute, hour_s - kDay, hour_s - 1);
        middle = 30;
        if (points.size() < kMinMinutes) {
            return std::unexpected(
                fmt::format("{} minutes are known, {} are needed", points.size(), kMinMinutes));
        }
    }
    std::vector<std::pair<double, double>> used;
    for (const auto& point : points)
        used.emplace_back(static_cast<double>(point.start_s + middle), point.mean);
    return disk_trend(used, total->value, static_cast<double>(hour_s + kDay - kHour / 2));
}

Forecasts::Outcome Forecasts::outcome_of(const Forecast& forecast, const History& history,
                                         std::int64_t hour_s,
                                         const std::optional<ChainProgress>& chain) const {
    if (forecast.kind == ForecastKind::difficulty) {
        if (!chain || chain->period() < forecast.about) return {};
        const bool told = chain->period() == forecast.about;
        return told ? Outcome{chain->difficulty} : Outcome{std::nullopt, true};
    }
    const auto lost = Outcome{std::nullopt, true};
    if (forecast.kind == ForecastKind::blocks) {
        if (hour_s < forecast.about + kDay) return {};
        constexpr double kEnough = 0.9 * kDay;  // seconds that were measured
        double found = 0;
        double measured = 0;
        for (const auto& point : history.points(settings_.blocks_series, Resolution::hour,
                                                forecast.about, forecast.about + kDay - 1)) {
            found += point.increase;
            measured += point.count;
        }
        return measured >= kEnough ? Outcome{found} : lost;
    }
    if (hour_s < forecast.about + kHour) return {};
    const bool hashrate = forecast.kind == ForecastKind::hashrate;
    const auto series = hashrate ? settings_.hashrate_series
                        : forecast.kind == ForecastKind::miners
                            ? settings_.miners_series
                            : disk_series("adit_disk_used_bytes");
    const auto point = hour_at(history, series, forecast.about);
    if (!point || point->count < kHour / 2) return lost;
    return {point->mean * (hashrate ? settings_.hashes_per_unit : 1)};
}

void Forecasts::settle(Kind& kind, const History& history, std::int64_t hour_s,
                       const std::optional<ChainProgress>& chain) {
    auto& score = kind.score;
    std::erase_if(kind.pending, [&](const Forecast& forecast) {
        const auto outcome = outcome_of(forecast, history, hour_s, chain);
        if (outcome.lost) ++score.lost;
        if (!outcome.value) return outcome.lost;
        const auto happened = *outcome.value;
        ++score.scored;
        if (happened >= forecast.expected.low && happened <= forecast.expected.high) ++score.inside;
        if (happened != 0) {
            ++score.compared;
            score.sum_ape += std::abs((happened - forecast.expected.value) / happened);
        }
        return true;
    });
}

OrWhy<Forecast> Forecasts::current(ForecastKind kind) const {
    return of(kind).current;
}

base::Bytes Forecasts::serialise() const {
    base::Bytes out;
    const auto append = [&](const Forecast& forecast) {
        base::append_le(out, forecast.made_s);
        base::append_le(out, forecast.about);
        append_double(out, forecast.expected.value);
        append_double(out, forecast.expected.low);
        append_double(out, forecast.expected.high);
    };
    base::append_le(out, kFormatVersion);
    base::append_le(out, static_cast<std::uint8_t>(kinds_.size()));
    for (const auto& [current, pending, score] : kinds_) {
        for (const auto number : {score.scored, score.inside, score.compared, score.lost})
            append_varint(out, number);
        append_double(out, score.sum_ape);
        base::append_le(out, static_cast<std::uint8_t>(current.has_value()));
        if (current) append(*current);
        append_varint(out, pending.size());
        for (const auto& forecast : pending)
            append(forecast);
    }
    return out;
}

std::expected<void, std::string> Forecasts::restore(base::ByteSpan bytes) {
    const auto refuse = [](std::string why) {
        return std::unexpected("the forecasts cannot be read: " + std::move(why));
    };
    base::ByteReader reader(bytes);
    const auto version = reader.le<std::uint32_t>();
    if (version > kFormatVersion) {
        return refuse(fmt::format("a newer version wrote them (format {}, this one reads {})",
                                  version, kFormatVersion));
    }
    if (version == 0 || reader.le<std::uint8_t>() != kForecastKinds)
        return refuse("they are damaged");
    std::array<Kind, kForecastKinds> kinds;
    for (const auto kind : kAll) {
        auto& book = kinds[static_cast<std::size_t>(kind)];
        const auto read = [&] {
            Forecast forecast{kind, reader.le<std::int64_t>(), 0, {}};
            forecast.about = reader.le<std::int64_t>();
            forecast.expected.value = read_double(reader);
            forecast.expected.low = read_double(reader);
            forecast.expected.high = read_double(reader);
            constexpr auto kFar = std::int64_t{1} << 50;
            if (forecast.about > kFar || forecast.about < -kFar) reader.fail();
            return forecast;
        };
        for (auto* number :
             {&book.score.scored, &book.score.inside, &book.score.compared, &book.score.lost})
            *number = read_varint(reader);
        book.score.sum_ape = read_double(reader);
        if (reader.le<std::uint8_t>() != 0) book.current = read();
        const auto pending = read_varint(reader);
        if (pending > kMaxPending) reader.fail();
        for (std::uint64_t i = 0; i < pending && reader.ok(); ++i)
            book.pending.push_back(read());
    }
    if (!reader.finished()) return refuse("they are damaged");
    kinds_ = std::move(kinds);
    return {};
}

}  // namespace adit::metrics
