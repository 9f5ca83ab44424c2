// Operation 11, metrics in real time: ticks the history of all metrics once a second, evaluates the
// alert rules over it, makes and scores forecasts, keeps all three across restarts, and tells
// people: the log, webhooks, and whoever listens. Owns one thread between start() and stop(), and
// the sender of webhooks; everything else is safe from any thread.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "manager/operation.h"
#include "metrics/alerts.h"
#include "metrics/forecasts.h"
#include "metrics/history.h"
#include "metrics/process_metrics.h"
#include "net/webhook_sender.h"
#include "store/history_store.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace adit::manager {

struct MetricsSettings {
    std::string pool_name;           // in notifications
    std::filesystem::path data_dir;  // the history is kept there, and its disk is watched
    std::vector<metrics::AlertRule> rules = metrics::default_rules();
    std::vector<net::WebhookTarget> webhooks;
};

// What somebody wants to see.
struct MetricsQuery {
    static constexpr std::size_t kMaxSelectors = 64;
    static constexpr std::size_t kMaxPoints = 100'000;  // of all series together
    // Names of series, or of metrics for all their series; empty: those that matter most.
    std::vector<std::string> series;
    // Points of this resolution that begin in [from_s, to_s]; nullopt: no history.
    std::optional<metrics::Resolution> history;
    std::int64_t from_s = 0;
    std::int64_t to_s = INT64_MAX;
};

struct SeriesReport {
    metrics::SeriesInfo info;
    std::optional<metrics::Rate> rate;  // over the last minute
    std::optional<double> mean;         // over the last ten minutes
    std::vector<metrics::Point> points;
};

struct ForecastReport {
    metrics::ForecastKind kind = metrics::ForecastKind::hashrate;
    metrics::OrWhy<metrics::Forecast> forecast;
    metrics::ForecastScore score;
};

struct MetricsReport {
    std::int64_t at_ms = 0;  // wall clock of the last tick
    std::vector<SeriesReport> series;
    std::vector<metrics::ActiveAlert> alerts;
    std::vector<ForecastReport> forecasts;
    metrics::OrWhy<metrics::DiskTrend> disk;
    metrics::OrWhy<metrics::NextDifficulty> difficulty;
};

class MetricsDesk {
 public:
    // Where the chain stands, for the forecast of the difficulty; may block for seconds, until the
    // token ends it. nullopt: not known, or a chain without periods. Asked once an hour on the
    // desk's thread.
    using ChainSource = std::function<std::optional<metrics::ChainProgress>(std::stop_token)>;
    using Listener = std::function<void(const metrics::AlertEvent&)>;

    // Everything handed in outlives the desk. Throws std::invalid_argument for a rule that is none.
    MetricsDesk(MetricsSettings settings, ChainSource chain, store::FileSystem& files,
                metrics::Registry& registry, const base::Clock& clock, base::Logger& logger);
    ~MetricsDesk();  // stop()
    MetricsDesk(const MetricsDesk&) = delete;
    MetricsDesk& operator=(const MetricsDesk&) = delete;

    // Hears every alert event, on the desk's thread. Before start().
    void set_listener(Listener listener) { listener_ = std::move(listener); }
    void start();
    // Keeps what is known and tries waiting notifications once more, for a second. Idempotent.
    void stop();
    // One tick, as the thread does each second.
    void tick(std::stop_token stop = {});

    Outcome<MetricsReport> report(const MetricsQuery& query) const;
    // Events of this rule wait until then; a time that has passed ends a silence.
    Outcome<void> silence(std::string_view rule, std::int64_t until_wall_ms);

 private:
    void loop(std::stop_token stop);
    void restore();
    metrics::Sections sections() const;
    void tell(const metrics::AlertEvent& event);

    const MetricsSettings settings_;
    const ChainSource chain_;
    const base::Clock& clock_;
    base::Logger& logger_;
    Listener listener_;
    net::WebhookSender webhooks_;
    std::int64_t chain_hour_ = -1;
    std::optional<metrics::ChainProgress> progress_;

    mutable std::mutex mutex_;  // guards what follows
    metrics::ProcessMetrics process_;
    metrics::History history_;
    metrics::Forecasts forecasts_;
    std::unique_ptr<metrics::AlertEngine> alerts_;
    store::HistoryStore store_;
    bool stopped_ = false;

    std::condition_variable_any wake_;
    std::jthread thread_;
};

// What is shown when nobody names anything.
const std::vector<std::string>& leading_series();

}  // namespace adit::manager
