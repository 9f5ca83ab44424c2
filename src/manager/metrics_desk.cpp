#include "manager/metrics_desk.h"

#include <stdexcept>

namespace adit::manager {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::chrono::milliseconds kLastWords{1'000};
constexpr std::int64_t kRateSpan = 60;
constexpr std::int64_t kMeanSpan = 600;

metrics::ForecastSettings forecasts_of(const MetricsSettings& settings) {
    metrics::ForecastSettings forecasts;
    forecasts.disk_path = settings.data_dir.string();
    return forecasts;
}

std::unique_ptr<metrics::AlertEngine> engine(const MetricsSettings& settings,
                                             metrics::Registry& registry) {
    auto made = metrics::AlertEngine::make(settings.rules, registry);
    if (!made) throw std::invalid_argument(made.error());
    return std::move(*made);
}

OperationRefusal bad_request(std::string text) {
    return {RefusalKind::bad_request, std::move(text)};
}

}  // namespace

const std::vector<std::string>& leading_series() {
    static const std::vector<std::string> names{"adit_stratum_accepted_difficulty",
                                                "adit_net_open_connections",
                                                "adit_stratum_shares_accepted_total",
                                                "adit_stratum_shares_refused_total",
                                                "adit_stratum_share_ack_ms:p50",
                                                "adit_stratum_share_ack_ms:p99",
                                                "adit_log_commit_ms:p99",
                                                "adit_blocks_found_total",
                                                "adit_network_difficulty",
                                                "adit_health",
                                                "adit_process_resident_bytes",
                                                "adit_process_cpu_ratio",
                                                "adit_disk_free_bytes"};
    return names;
}

MetricsDesk::MetricsDesk(MetricsSettings settings, ChainSource chain, store::FileSystem& files,
                         metrics::Registry& registry, const base::Clock& clock,
                         base::Logger& logger)
    : settings_(std::move(settings)),
      chain_(std::move(chain)),
      clock_(clock),
      logger_(logger),
      webhooks_({}, clock, registry, logger),
      process_(registry, {settings_.data_dir}),
      history_(registry),
      forecasts_(forecasts_of(settings_)),
      alerts_(engine(settings_, registry)),
      store_(files, settings_.data_dir / "history", registry, logger) {
    restore();
}

MetricsDesk::~MetricsDesk() {
    stop();
}

void MetricsDesk::restore() {
    const auto kept = store_.load();
    const auto take = [&](metrics::Section section, const auto& read) {
        const auto found = kept.find(section);
        if (found == kept.end()) return;
        if (const std::expected<void, std::string> read_in = read(found->second); !read_in) {
            store_.refuse(read_in.error());
        }
    };
    take(metrics::Section::history,
         [&](const base::Bytes& bytes) { return history_.restore(bytes); });
    take(metrics::Section::alerts, [&](const base::Bytes& bytes) {
        return alerts_->restore(bytes, {clock_.wall_ms(), clock_.steady_ms()});
    });
    take(metrics::Section::forecasts,
         [&](const base::Bytes& bytes) { return forecasts_.restore(bytes); });
}

metrics::Sections MetricsDesk::sections() const {
    return {{metrics::Section::history, history_.serialise()},
            {metrics::Section::alerts, alerts_->serialise()},
            {metrics::Section::forecasts, forecasts_.serialise()}};
}

void MetricsDesk::start() {
    thread_ = std::jthread([this](std::stop_token stop) { loop(std::move(stop)); });
}

void MetricsDesk::stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    webhooks_.stop(kLastWords);
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    store_.save(sections(), {clock_.wall_ms(), clock_.steady_ms()});
}

void MetricsDesk::loop(std::stop_token stop) {
    while (!stop.stop_requested()) {
        tick(stop);
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop,
                       std::chrono::milliseconds(metrics::History::wait_ms(clock_.wall_ms())),
                       [] { return false; });
    }
}

void MetricsDesk::tick(std::stop_token stop) {
    const metrics::Tick now{clock_.wall_ms(), clock_.steady_ms()};
    if (const auto hour = now.wall_ms / kHourMs; hour != chain_hour_) {
        chain_hour_ = hour;
        progress_ = chain_ ? chain_(std::move(stop)) : std::nullopt;
    }
    std::vector<metrics::AlertEvent> events;
    {
        const std::lock_guard lock(mutex_);
        process_.sample(now);
        history_.tick(now);
        forecasts_.tick(history_, now, progress_);
        events = alerts_->tick(history_, now);
        // An alert that was told is not told again after a crash.
        if (events.empty()) {
            store_.keep(now, [this] { return sections(); });
        } else {
            store_.save(sections(), now);
        }
    }
    for (const auto& event : events)
        tell(event);
}

void MetricsDesk::tell(const metrics::AlertEvent& event) {
    const bool over = event.kind == metrics::AlertEvent::Kind::cleared;
    const auto kind = metrics::name_of(event.kind);
    const base::Logger::Fields fields{{"alert", event.rule},
                                      {"severity", metrics::name_of(event.severity)},
                                      {"series", event.series},
                                      {"value", event.value},
                                      {"text", event.text}};
    if (over) {
        logger_.info("alert", kind, fields);
    } else {
        logger_.warning("alert", kind, fields);
    }
    net::WebhookMessage message;
    message.title =
        fmt::format("{}: {}{}", settings_.pool_name, event.rule, over ? " is over" : "");
    message.text = event.text;
    message.severity = metrics::name_of(event.severity);
    message.state = over ? "resolved" : "firing";
    message.time_ms = event.wall_ms;
    message.labels = {{"alert", event.rule}, {"id", event.id()}, {"pool", settings_.pool_name}};
    if (!event.series.empty()) message.labels["series"] = event.series;
    for (const auto& target : settings_.webhooks)
        webhooks_.send(target, message);
    if (listener_) listener_(event);
}

Outcome<MetricsReport> MetricsDesk::report(const MetricsQuery& query) const {
    if (query.series.size() > MetricsQuery::kMaxSelectors) {
        return std::unexpected(bad_request(
            fmt::format("at most {} series may be named", MetricsQuery::kMaxSelectors)));
    }
    const auto& wanted = query.series.empty() ? leading_series() : query.series;
    MetricsReport report;
    const std::lock_guard lock(mutex_);
    report.at_ms = history_.last_tick().wall_ms;
    const auto all = history_.series();
    std::size_t points = 0;
    for (const auto& selector : wanted) {
        const auto names = history_.matching(selector);
        if (names.empty() && !query.series.empty()) {
            return std::unexpected(bad_request(fmt::format(
                "no series is called \"{}\"; /metrics and docs/metrics.md name them", selector)));
        }
        for (const auto name : names) {
            const auto info = std::ranges::find(all, name, &metrics::SeriesInfo::name);
            if (info == all.end()) continue;
            SeriesReport series{
                *info, history_.rate(name, kRateSpan), history_.mean(name, kMeanSpan), {}};
            if (query.history) {
                series.points = history_.points(name, *query.history, query.from_s, query.to_s);
                points += series.points.size();
            }
            if (points > MetricsQuery::kMaxPoints) {
                return std::unexpected(bad_request(fmt::format(
                    "that is more than {} points; ask for fewer series, a shorter time, or a "
                    "coarser resolution",
                    MetricsQuery::kMaxPoints)));
            }
            report.series.push_back(std::move(series));
        }
    }
    report.alerts = alerts_->active();
    for (std::size_t i = 0; i < metrics::kForecastKinds; ++i) {
        const auto kind = static_cast<metrics::ForecastKind>(i);
        report.forecasts.push_back({kind, forecasts_.current(kind), forecasts_.score(kind)});
    }
    report.disk = forecasts_.disk();
    report.difficulty = forecasts_.difficulty();
    return report;
}

Outcome<void> MetricsDesk::silence(std::string_view rule, std::int64_t until_wall_ms) {
    const std::lock_guard lock(mutex_);
    if (alerts_->silence(rule, until_wall_ms)) return {};
    return std::unexpected(bad_request(
        fmt::format("there is no alert rule \"{}\"; docs/metrics.md lists them", rule)));
}

}  // namespace adit::manager
