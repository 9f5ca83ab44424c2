// The questions that a History answers.
#include "metrics/history.h"

#include <cmath>

namespace adit::metrics {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

double increase_of(const double before, const double now) {
    return now >= before ? now - before : now;
}

double sample_at(const std::vector<double>& ring, std::size_t slot) {
    return slot < ring.size() ? ring[slot] : kUnknown;
}

StoredPoint point_at(const std::vector<StoredPoint>& ring, std::size_t slot) {
    return slot < ring.size() ? ring[slot] : StoredPoint{};
}

Point coarse_point(const StoredPoint& stored, SeriesKind kind, std::int64_t start_s) {
    Point point{start_s, stored.min, stored.max, stored.a, stored.b, kUnknown, stored.count};
    if (kind == SeriesKind::counter) {
        point.mean = static_cast<double>(stored.b) / stored.a;
        point.last = kUnknown;
        point.increase = stored.b;
    }
    return point;
}

Resolution reaching(std::int64_t span_s) {
    if (span_s <= retention_s(Resolution::second)) return Resolution::second;
    return span_s <= retention_s(Resolution::minute) ? Resolution::minute : Resolution::hour;
}

}  // namespace

const History::Series* History::find(std::string_view name) const {
    const auto found = series_.find(name);
    return found == series_.end() ? nullptr : &found->second;
}

std::optional<Sample> History::latest(std::string_view series) const {
    const auto* const found = find(series);
    return found == nullptr ? std::nullopt : found->latest;
}

std::int64_t History::oldest_s(Resolution resolution) const {
    const auto& line = timeline(resolution);
    return line.empty() ? 0 : line.start_s(line.end() - 1) - retention_s(resolution) + 1;
}

std::optional<Rate> History::rate(std::string_view series, std::int64_t span_s) const {
    const auto* const found = find(series);
    const auto& fine = timeline(Resolution::second);
    if (found == nullptr || fine.empty() || span_s <= 0) return std::nullopt;
    const auto from_s = fine.start_s(fine.end() - 1) - span_s;
    const auto resolution = reaching(span_s);
    return resolution == Resolution::second ? fine_rate(*found, from_s)
                                            : coarse_rate(*found, resolution, from_s);
}

std::optional<Rate> History::fine_rate(const Series& series, std::int64_t from_s) const {
    const auto& line = timeline(Resolution::second);
    std::optional<double> before;
    std::uint64_t since_ms = 0;
    double change = 0;
    std::uint64_t measured_ms = 0;
    for (auto place = line.begin(); place < line.end(); ++place) {
        if (line.start_s(place) < from_s) continue;
        const auto elapsed_ms = line.elapsed_ms(place);
        if (elapsed_ms == 0) before.reset();
        since_ms += elapsed_ms;
        const auto value = sample_at(series.seconds, line.slot(place));
        if (std::isnan(value)) continue;
        if (before) {
            change +=
                series.kind == SeriesKind::counter ? increase_of(*before, value) : value - *before;
            measured_ms += since_ms;
        }
        before = value;
        since_ms = 0;
    }
    if (measured_ms == 0) return std::nullopt;
    const auto seconds = static_cast<double>(measured_ms) / 1e3;
    return Rate{change / seconds, seconds};
}

std::optional<Rate> History::coarse_rate(const Series& series, Resolution resolution,
                                         std::int64_t from_s) const {
    const auto& line = timeline(resolution);
    const auto& ring = series.coarse[static_cast<std::size_t>(resolution) - 1];
    double change = 0;
    double seconds = 0;
    const auto& fine = timeline(Resolution::second);
    const auto newest_s = fine.start_s(fine.end() - 1);
    std::optional<std::pair<std::int64_t, double>> first;
    for (auto place = line.begin(); place < line.end(); ++place) {
        const auto start_s = line.start_s(place);
        // When a gauge's last sample was taken.
        const auto last_s = std::min(start_s + seconds_of(resolution) - 1, newest_s);
        const auto point = point_at(ring, line.slot(place));
        if (start_s < from_s || point.count == 0) continue;
        if (series.kind == SeriesKind::counter) {
            change += point.b;
            seconds += point.a;
        } else if (!first) {
            first.emplace(last_s, point.b);
        } else {
            change = point.b - first->second;
            seconds = static_cast<double>(last_s - first->first);
        }
    }
    if (seconds <= 0) return std::nullopt;
    return Rate{change / seconds, seconds};
}

std::optional<double> History::mean(std::string_view series, std::int64_t span_s) const {
    const auto* const found = find(series);
    const auto& fine = timeline(Resolution::second);
    if (found == nullptr || fine.empty() || span_s <= 0) return std::nullopt;
    if (found->kind == SeriesKind::counter) {
        const auto change = rate(series, span_s);
        return change ? std::optional(change->per_second) : std::nullopt;
    }
    const auto from_s = fine.start_s(fine.end() - 1) - span_s;
    double sum = 0;
    double count = 0;
    for (const auto& point :
         points(series, reaching(span_s), from_s + 1, std::numeric_limits<std::int64_t>::max())) {
        sum += point.mean * point.count;
        count += point.count;
    }
    return count > 0 ? std::optional(sum / count) : std::nullopt;
}

Point History::second_point(const Series& series, std::uint64_t place) const {
    const auto& line = timeline(Resolution::second);
    const auto value = sample_at(series.seconds, line.slot(place));
    Point point{line.start_s(place), value, value, value, value, kUnknown, 1};
    if (series.kind == SeriesKind::gauge) return point;
    point.min = point.max = point.mean = kUnknown;
    point.count = 0;
    std::uint64_t elapsed_ms = 0;
    for (auto at = place; at > line.begin() && line.elapsed_ms(at) != 0;) {
        elapsed_ms += line.elapsed_ms(at--);
        const auto before = sample_at(series.seconds, line.slot(at));
        if (std::isnan(before)) continue;
        point.increase = increase_of(before, value);
        point.min = point.max = point.mean =
            point.increase / (static_cast<double>(elapsed_ms) / 1e3);
        point.count = 1;
        break;
    }
    return point;
}

std::vector<Point> History::points(std::string_view series, Resolution resolution,
                                   std::int64_t from_s, std::int64_t to_s) const {
    std::vector<Point> out;
    const auto* const found = find(series);
    if (found == nullptr) return out;
    const auto& line = timeline(resolution);
    const auto oldest = std::max(from_s, oldest_s(resolution));
    for (auto place = line.begin(); place < line.end(); ++place) {
        const auto start_s = line.start_s(place);
        if (start_s < oldest || start_s > to_s) continue;
        const auto slot = line.slot(place);
        if (resolution == Resolution::second) {
            if (!std::isnan(sample_at(found->seconds, slot)))
                out.push_back(second_point(*found, place));
            continue;
        }
        const auto stored = point_at(found->coarse[static_cast<std::size_t>(resolution) - 1], slot);
        if (stored.count > 0) out.push_back(coarse_point(stored, found->kind, start_s));
    }
    return out;
}

std::vector<SeriesInfo> History::series() const {
    std::vector<SeriesInfo> out;
    out.reserve(series_.size());
    for (const auto& [name, series] : series_)
        out.push_back({name, series.kind, static_cast<bool>(series.read), series.latest});
    return out;
}

std::vector<std::string_view> History::matching(std::string_view selector) const {
    std::vector<std::string_view> out;
    if (const auto exact = series_.find(selector); exact != series_.end())
        out.emplace_back(exact->first);
    const auto prefix = std::string(selector) + "{";
    for (auto at = series_.lower_bound(prefix);
         at != series_.end() && at->first.starts_with(prefix); ++at)
        out.emplace_back(at->first);
    return out;
}

}  // namespace adit::metrics
