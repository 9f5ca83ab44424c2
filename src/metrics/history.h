// What the pool's metrics were: every series once a second for ten minutes, once a minute for a
// day, once an hour for ninety days, in bounded memory (docs/metrics.md). Nothing is invented:
// where nothing was sampled there is a gap. Time is passed in. Not thread-safe: one owner ticks and
// asks, or guards it.
#pragma once

#include "base/bytes.h"
#include "metrics/history_rings.h"
#include "metrics/registry.h"
#include "metrics/window_quantile.h"

#include <array>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace adit::metrics {

struct Tick {
    std::int64_t wall_ms = 0;    // base::Clock::wall_ms()
    std::int64_t steady_ms = 0;  // base::Clock::steady_ms()
};

enum class Resolution : std::uint8_t { second, minute, hour };
inline constexpr std::size_t kResolutions = 3;
std::int64_t seconds_of(Resolution resolution);   // 1, 60, 3600
std::int64_t retention_s(Resolution resolution);  // ten minutes, a day, ninety days
std::string_view name_of(Resolution resolution);  // "1s", "1m", "1h"

enum class SeriesKind : std::uint8_t { gauge, counter };
std::string_view name_of(SeriesKind kind);

// What a series was in one second, minute or hour. NaN where it is not known.
struct Point {
    std::int64_t start_s = 0;  // since 1970
    // Gauge: of the samples. Counter: of the increases per second between samples.
    double min = 0;
    double max = 0;
    double mean = 0;
    double last = 0;          // gauge: the last sample; counter: its value (seconds only, else NaN)
    double increase = 0;      // counter only, else NaN
    std::uint32_t count = 0;  // samples (gauge) or increases (counter)
};

struct Sample {
    double value = 0;
    std::int64_t wall_ms = 0;
};

// A change per second, and the measured seconds behind it.
struct Rate {
    double per_second = 0;
    double seconds = 0;
};

struct SeriesInfo {
    std::string name;
    SeriesKind kind = SeriesKind::gauge;
    bool sampled = false;  // false: known from before the restart only
    std::optional<Sample> latest;
};

struct HistorySettings {
    std::size_t max_series = 1'000;  // more are refused and counted
    // Gauges that only grow until the process ends, kept like counters.
    std::vector<std::string> cumulative_gauges = {"adit_stratum_accepted_difficulty"};
};

// "adit_x{a=\"1\"}"; with a part "adit_x:p99{a=\"1\"}".
std::string series_name(std::string_view metric, const Labels& labels, std::string_view part = {});

class History {
 public:
    static constexpr std::size_t kMaxName = 256;  // bytes of a series' name
    // A clock that was set by more than this is followed only when it keeps to the new time for as
    // long: until then nothing is kept.
    static constexpr std::int64_t kDoubtMs = 60'000;
    static constexpr std::uint32_t kFormatVersion = 1;
    static constexpr std::size_t kMaxStoredSeries = 100'000;  // in a file that is read

    // Follows every metric of the registry, also later ones; a histogram as NAME:p50 and NAME:p99
    // of the last minute and NAME:count. Counts what it refuses in the registry.
    explicit History(Registry& registry, HistorySettings settings = {});

    // A series that is no metric; nullopt from `read` is a gap. False: there are too many series,
    // or the name is too long or taken.
    bool add(std::string name, SeriesKind kind, std::function<std::optional<double>()> read);

    // Samples everything; meant once a second, at most one sample a second is kept.
    void tick(Tick now);
    // How long to wait so that the next tick falls into the middle of the next second.
    static std::int64_t wait_ms(std::int64_t wall_ms) {
        const auto rest = ((wall_ms - 500) % 1'000 + 1'000) % 1'000;
        return 1'000 - rest;
    }

    // The newest sample of this run of the process, unless the last tick had none.
    std::optional<Sample> latest(std::string_view series) const;
    // Over the last span_s seconds, from the finest ring that reaches so far. nullopt when nothing
    // was measured. Counters: increase, resets recognised. Gauges: difference.
    std::optional<Rate> rate(std::string_view series, std::int64_t span_s) const;
    // Mean of a gauge's samples (counter: as rate()) over the last span_s seconds.
    std::optional<double> mean(std::string_view series, std::int64_t span_s) const;
    // Points that begin in [from_s, to_s], oldest first; gaps are left out.
    std::vector<Point> points(std::string_view series, Resolution resolution, std::int64_t from_s,
                              std::int64_t to_s) const;
    std::vector<SeriesInfo> series() const;
    // Names of all series of a metric, or the one series of a name with labels.
    std::vector<std::string_view> matching(std::string_view selector) const;

    std::size_t series_count() const { return series_.size(); }
    std::uint64_t refused() const { return refused_.value(); }
    std::uint64_t clock_steps() const { return clock_steps_.value(); }
    Tick last_tick() const { return last_; }
    std::size_t bytes() const;  // of memory, without the allocator's own

    // docs/metrics.md, "The history section".
    base::Bytes serialise() const;
    // Before the first tick. The error is a sentence; then the history is as empty as before.
    std::expected<void, std::string> restore(base::ByteSpan bytes);

 private:
    struct Series {
        SeriesKind kind = SeriesKind::gauge;
        std::function<std::optional<double>()> read;  // empty: from before the restart only
        std::vector<double> seconds;                  // NaN: a gap
        std::array<std::vector<StoredPoint>, 2> coarse;
        std::array<Accumulator, 2> current;
        std::optional<double> before;  // the counter's value at its last sample in this run
        std::int64_t before_ms = 0;    // steady time passed since then
        std::optional<Sample> latest;
    };
    using SeriesMap = std::map<std::string, Series, std::less<>>;
    struct Form;  // the stored form, history_form.cpp

    void discover();
    Series* make_room(std::string name, SeriesKind kind);
    bool adopt(std::string name, SeriesKind kind, std::function<std::optional<double>()> read);
    void follow(const MetricView& metric);
    bool believe(Tick now);
    void forget_from(std::int64_t second);
    void sample(Series& series, std::uint32_t elapsed_ms);
    void store(Series& series);
    const Timeline& timeline(Resolution resolution) const {
        return timelines_[static_cast<std::size_t>(resolution)];
    }
    std::int64_t oldest_s(Resolution resolution) const;
    Point second_point(const Series& series, std::uint64_t place) const;
    std::optional<Rate> fine_rate(const Series& series, std::int64_t from_s) const;
    std::optional<Rate> coarse_rate(const Series& series, Resolution resolution,
                                    std::int64_t from_s) const;
    const Series* find(std::string_view name) const;

    Registry& registry_;
    const HistorySettings settings_;
    Gauge& series_gauge_;
    Counter& refused_;
    Counter& clock_steps_;
    std::size_t seen_metrics_ = 0;
    std::set<std::string, std::less<>> turned_away_;  // so that each is counted once; bounded
    std::vector<std::unique_ptr<WindowQuantile>> quantiles_;
    std::set<const Histogram*> followed_;
    SeriesMap series_;
    std::array<Timeline, kResolutions> timelines_;

    Tick last_;
    bool ticked_ = false;
    bool run_begins_ = true;  // nothing is known of the time before the next sample
    std::int64_t accepted_steady_ms_ = 0;
    std::optional<std::int64_t> trusted_offset_ms_;  // wall - steady
    std::optional<std::int64_t> doubted_offset_ms_;
    std::int64_t doubted_since_ms_ = 0;
};

}  // namespace adit::metrics
