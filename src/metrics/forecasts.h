// Forecasts that are given out, each remembered and scored against what happened when its time has
// come. Made once an hour from the history, so that whoever asks gets one that will be scored.
// Domain code, time is passed in. Not thread-safe: owned by who ticks the history.
#pragma once

#include "base/bytes.h"
#include "metrics/forecast_models.h"
#include "metrics/history.h"

namespace adit::metrics {

enum class ForecastKind : std::uint8_t {
    hashrate,    // hashes per second, mean of the hour that begins 23 hours from now
    miners,      // connections, mean of that hour
    blocks,      // blocks that the pool finds in the next 24 hours
    difficulty,  // of the next period
    disk_used,   // bytes, mean of that hour
};
inline constexpr std::size_t kForecastKinds = 5;
std::string_view name_of(ForecastKind kind);

struct Forecast {
    ForecastKind kind = ForecastKind::hashrate;
    std::int64_t made_s = 0;
    // Begin of the hour it is of (blocks: begin of the 24 hours; difficulty: number of the period).
    std::int64_t about = 0;
    Interval expected;
};

struct ForecastScore {
    std::uint64_t scored = 0;    // forecasts whose outcome is known
    std::uint64_t inside = 0;    // outcomes inside the interval
    std::uint64_t compared = 0;  // outcomes that are not zero
    double sum_ape = 0;          // of |outcome - value| / |outcome| over those
    std::uint64_t lost = 0;      // forecasts whose outcome nobody measured

    // nullopt: not yet known.
    std::optional<double> mape() const;
    std::optional<double> share_inside() const;
};

struct ForecastSettings {
    std::string hashrate_series = "adit_stratum_accepted_difficulty";
    double hashes_per_unit = 4294967296.0;
    std::string miners_series = "adit_net_open_connections";
    std::string blocks_series = "adit_blocks_found_total";
    std::string difficulty_series = "adit_network_difficulty";
    std::string disk_path;  // label of adit_disk_used_bytes and adit_disk_total_bytes
};

class Forecasts {
 public:
    static constexpr std::size_t kMaxPending = 1'000;  // of one kind; nothing is given out beyond
    static constexpr std::uint32_t kFormatVersion = 1;

    explicit Forecasts(ForecastSettings settings) : settings_(std::move(settings)) {}

    // After the history's tick. At the first tick of an hour it scores and makes forecasts.
    void tick(const History& history, Tick now, const std::optional<ChainProgress>& chain);

    // The last one given out, or a sentence on why there is none.
    OrWhy<Forecast> current(ForecastKind kind) const;
    const ForecastScore& score(ForecastKind kind) const { return of(kind).score; }
    std::size_t pending(ForecastKind kind) const { return of(kind).pending.size(); }
    // Of the last hour; days to a full disk are not scored themselves, disk_used is.
    const OrWhy<DiskTrend>& disk() const { return disk_; }
    const OrWhy<NextDifficulty>& difficulty() const { return difficulty_; }

    // docs/metrics.md, "The forecasts section".
    base::Bytes serialise() const;
    // The error is a sentence, then nothing changed.
    std::expected<void, std::string> restore(base::ByteSpan bytes);

 private:
    struct Outcome {
        std::optional<double> value;
        bool lost = false;
    };
    struct Kind {
        OrWhy<Forecast> current = std::unexpected("none was made yet; one is made every hour");
        std::vector<Forecast> pending;
        ForecastScore score;
    };
    Kind& of(ForecastKind kind) { return kinds_[static_cast<std::size_t>(kind)]; }
    const Kind& of(ForecastKind kind) const { return kinds_[static_cast<std::size_t>(kind)]; }
    void give(ForecastKind kind, std::int64_t now_s, std::int64_t about,
              const OrWhy<Interval>& expected);
    void settle(Kind& kind, const History& history, std::int64_t hour_s,
                const std::optional<ChainProgress>& chain);
    Outcome outcome_of(const Forecast& forecast, const History& history, std::int64_t hour_s,
                       const std::optional<ChainProgress>& chain) const;
    OrWhy<Interval> holt(const History& history, const std::string& series, double scale,
                         std::int64_t hour_s) const;
    OrWhy<Interval> blocks(const History& history) const;
    OrWhy<DiskTrend> disk(const History& history, std::int64_t hour_s) const;
    std::string disk_series(std::string_view metric) const;

    const ForecastSettings settings_;
    std::array<Kind, kForecastKinds> kinds_;
    OrWhy<DiskTrend> disk_ = std::unexpected("none was made yet; one is made every hour");
    OrWhy<NextDifficulty> difficulty_ =
        std::unexpected("none was made yet; one is made every hour");
    std::optional<std::int64_t> hour_s_;
};

}  // namespace adit::metrics
