#include "metrics/history.h"

#include <cmath>
#include <cstdlib>

namespace adit::metrics {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr std::array<std::int64_t, kResolutions> kSeconds{1, 60, 3'600};
constexpr std::array<std::int64_t, kResolutions> kRetention{600, 86'400, 90 * 86'400};
constexpr std::array<Resolution, 2> kCoarse{Resolution::minute, Resolution::hour};
// Longer between two samples, and nothing is said of the time between.
constexpr std::int64_t kLongestGapMs = std::int64_t{1} << 31;

std::size_t places(Resolution resolution) {
    return static_cast<std::size_t>(retention_s(resolution) / seconds_of(resolution));
}

std::int64_t floor_to(std::int64_t value, std::int64_t unit) {
    const auto rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

// What a counter gained; one that fell began again at zero.
double increase_of(double before, double now) {
    return now >= before ? now - before : now;
}

template <class T>
T in_slot(const std::vector<T>& ring, std::size_t slot, T missing) {
    return slot < ring.size() ? ring[slot] : missing;
}

void append_label(std::string& out, std::string_view value) {
    for (const char c : value) {
        if (c == '\\' || c == '"') out += '\\';
        out += c == '\n' ? std::string("\\n") : std::string(1, c);
    }
}

}  // namespace

std::int64_t seconds_of(Resolution resolution) {
    return kSeconds[static_cast<std::size_t>(resolution)];
}

std::int64_t retention_s(Resolution resolution) {
    return kRetention[static_cast<std::size_t>(resolution)];
}

std::string_view name_of(Resolution resolution) {
    constexpr std::array<std::string_view, kResolutions> kNames{"1s", "1m", "1h"};
    return kNames[static_cast<std::size_t>(resolution)];
}

std::string_view name_of(SeriesKind kind) {
    return kind == SeriesKind::gauge ? "gauge" : "counter";
}

std::string series_name(std::string_view metric, const Labels& labels, std::string_view part) {
    std::string name(metric);
    if (!part.empty()) name.append(":").append(part);
    if (labels.empty()) return name;
    char before = '{';
    for (const auto& [key, value] : labels) {
        name += before;
        name.append(key).append("=\"");
        append_label(name, value);
        name += '"';
        before = ',';
    }
    return name + "}";
}

History::History(Registry& registry, HistorySettings settings)
    : registry_(registry),
      settings_(std::move(settings)),
      series_gauge_(registry.gauge("adit_history_series", "Series that the history keeps.")),
      refused_(registry.counter("adit_history_refused_total",
                                "Series that the history refused: too many, or their names.")),
      clock_steps_(registry.counter("adit_history_clock_steps_total",
                                    "Times that the history followed a clock that was set.")),
      timelines_{Timeline(places(Resolution::second)), Timeline(places(Resolution::minute)),
                 Timeline(places(Resolution::hour))} {}

bool History::add(std::string name, SeriesKind kind, std::function<std::optional<double>()> read) {
    if (adopt(name, kind, std::move(read))) return true;
    refused_.add();
    return false;
}

bool History::adopt(std::string name, SeriesKind kind,
                    std::function<std::optional<double>()> read) {
    auto* const series = make_room(std::move(name), kind);
    if (series == nullptr) return false;
    series->read = std::move(read);
    return true;
}

History::Series* History::make_room(std::string name, SeriesKind kind) {
    if (name.empty() || name.size() > kMaxName) return nullptr;
    if (const auto known = series_.find(name); known != series_.end()) {
        if (known->second.read) return nullptr;
        if (known->second.kind == kind) return &known->second;
        series_.erase(known);  // the name means something else now
    }
    if (series_.size() >= settings_.max_series) {
        const auto old =
            std::ranges::find_if(series_, [](const auto& entry) { return !entry.second.read; });
        if (old == series_.end()) return nullptr;
        series_.erase(old);
    }
    auto& made = series_[std::move(name)];
    made.kind = kind;
    return &made;
}

void History::follow(const MetricView& metric) {
    const auto take = [&](SeriesKind kind, std::string_view part,
                          std::function<std::optional<double>()> read) {
        auto name = series_name(metric.name, metric.labels, part);
        if (const auto* known = find(name); known != nullptr && known->read) return true;
        if (turned_away_.contains(name)) return false;
        if (adopt(name, kind, std::move(read))) return true;
        refused_.add();
        if (turned_away_.size() < settings_.max_series) turned_away_.insert(std::move(name));
        return false;
    };
    if (metric.counter != nullptr) {
        take(SeriesKind::counter, {},
             [c = metric.counter] { return static_cast<double>(c->value()); });
    } else if (metric.gauge != nullptr) {
        const bool grows = std::ranges::find(settings_.cumulative_gauges, metric.name) !=
                           settings_.cumulative_gauges.end();
        take(grows ? SeriesKind::counter : SeriesKind::gauge, {},
             [g = metric.gauge] { return g->value(); });
    } else if (metric.histogram != nullptr) {
        take(SeriesKind::counter, "count",
             [h = metric.histogram] { return static_cast<double>(h->count()); });
        const auto bounds = metric.histogram->bounds().size();
        if (bounds == 0 || bounds > WindowQuantile::kMaxBounds) return;
        if (!followed_.insert(metric.histogram).second) return;
        quantiles_.push_back(std::make_unique<WindowQuantile>(*metric.histogram));
        const auto* const window = quantiles_.back().get();
        const bool median =
            take(SeriesKind::gauge, "p50", [window] { return window->quantile(0.5); });
        const bool tail =
            take(SeriesKind::gauge, "p99", [window] { return window->quantile(0.99); });
        if (!median && !tail) quantiles_.pop_back();
    }
}

void History::discover() {
    // Metrics that are created meanwhile are found by the next tick.
    const auto size = registry_.size();
    if (size == seen_metrics_) return;
    registry_.visit([this](const MetricView& metric) { follow(metric); });
    seen_metrics_ = size;
}

bool History::believe(Tick now) {
    const auto second = floor_to(now.wall_ms, 1'000) / 1'000;
    const auto& fine = timeline(Resolution::second);
    const bool newer = fine.empty() || second > fine.start_s(fine.end() - 1);
    const auto offset = now.wall_ms - now.steady_ms;
    const bool trusted = !trusted_offset_ms_ || std::abs(offset - *trusted_offset_ms_) <= kDoubtMs;
    if (trusted && newer) {
        doubted_offset_ms_.reset();
        trusted_offset_ms_ = offset;
        return true;
    }
    if (trusted && trusted_offset_ms_) return false;  // the same second, or set back a little
    if (!doubted_offset_ms_ || std::abs(offset - *doubted_offset_ms_) > kDoubtMs) {
        doubted_offset_ms_ = offset;
        doubted_since_ms_ = now.steady_ms;
        return false;
    }
    if (now.steady_ms - doubted_since_ms_ < kDoubtMs) return false;
    forget_from(second);
    doubted_offset_ms_.reset();
    trusted_offset_ms_ = offset;
    run_begins_ = true;
    clock_steps_.add();
    return true;
}

// The clock was wrong when these points were kept: they lie in the future.
void History::forget_from(std::int64_t second) {
    for (std::size_t r = 0; r < kResolutions; ++r) {
        auto& line = timelines_[r];
        const auto now = floor_to(second, kSeconds[r]);
        // A minute or hour that is going on is gone on with.
        const auto first_wrong = r == 0 ? now : now + 1;
        while (!line.empty() && line.start_s(line.end() - 1) >= first_wrong)
            line.pop();
        if (r == 0) continue;
        for (auto& [name, series] : series_) {
            const auto point = line.empty() ? StoredPoint{}
                                            : in_slot(series.coarse[r - 1],
                                                      line.slot(line.end() - 1), StoredPoint{});
            series.current[r - 1] = Accumulator::of(point, series.kind == SeriesKind::counter);
        }
    }
}

void History::tick(Tick now) {
    discover();
    const bool kept = believe(now);
    last_ = now;
    ticked_ = true;
    std::uint32_t elapsed_ms = 0;
    if (kept) {
        const auto gap = now.steady_ms - accepted_steady_ms_;
        if (!run_begins_ && gap > 0 && gap < kLongestGapMs) {
            elapsed_ms = static_cast<std::uint32_t>(gap);
        }
        run_begins_ = false;
        accepted_steady_ms_ = now.steady_ms;
        const auto second = floor_to(now.wall_ms, 1'000) / 1'000;
        timelines_[0].push(second, elapsed_ms);
        for (std::size_t c = 0; c < kCoarse.size(); ++c) {
            auto& line = timelines_[c + 1];
            const auto start = floor_to(second, kSeconds[c + 1]);
            if (!line.empty() && line.start_s(line.end() - 1) == start) continue;
            line.push(start);
            for (auto& [name, series] : series_)
                series.current[c] = {};
        }
        for (const auto& window : quantiles_)
            window->tick();
    }
    for (auto& [name, series] : series_) {
        const auto value = series.read ? series.read() : std::nullopt;
        series.latest.reset();
        if (value && std::isfinite(*value)) series.latest = Sample{*value, now.wall_ms};
        if (!kept) continue;
        sample(series, elapsed_ms);
        store(series);
    }
    series_gauge_.set(static_cast<double>(series_.size()));
}

void History::sample(Series& series, std::uint32_t elapsed_ms) {
    const auto& fine = timeline(Resolution::second);
    const auto value = series.latest ? series.latest->value : kUnknown;
    at_slot(series.seconds, fine.slot(fine.end() - 1), fine.capacity(), kUnknown) = value;
    if (elapsed_ms == 0) series.before.reset();
    series.before_ms += elapsed_ms;
    if (!series.latest) return;
    if (series.kind == SeriesKind::gauge) {
        for (auto& current : series.current)
            current.add_gauge(value);
        return;
    }
    if (series.before) {
        const auto increase = increase_of(*series.before, value);
        for (auto& current : series.current)
            current.add_increase(increase, static_cast<double>(series.before_ms) / 1e3);
    }
    series.before = value;
    series.before_ms = 0;
}

void History::store(Series& series) {
    for (std::size_t c = 0; c < kCoarse.size(); ++c) {
        const auto& line = timeline(kCoarse[c]);
        at_slot(series.coarse[c], line.slot(line.end() - 1), line.capacity(), StoredPoint{}) =
            series.current[c].stored(series.kind == SeriesKind::counter);
    }
}

std::size_t History::bytes() const {
    auto total = sizeof *this;
    for (const auto& line : timelines_)
        total += line.bytes();
    for (const auto& window : quantiles_)
        total += window->bytes();
    for (const auto& [name, series] : series_) {
        constexpr std::size_t kNode = 32;  // of the map's tree
        total += sizeof series + sizeof name + kNode + name.capacity();
        total += series.seconds.capacity() * sizeof(double);
        for (const auto& ring : series.coarse)
            total += ring.capacity() * sizeof(StoredPoint);
    }
    return total;
}

}  // namespace adit::metrics
