#include "manager/manager_json.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace adit::manager {
namespace {

using Json = nlohmann::ordered_json;

std::string compact(const Json& json) {
    return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

// JSON has no NaN.
Json known(double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json known(const std::optional<double>& value) {
    return value ? known(*value) : Json(nullptr);
}

Json series_of(const SeriesReport& series) {
    Json json{{"name", series.info.name}, {"kind", metrics::name_of(series.info.kind)}};
    const auto& latest = series.info.latest;
    json["value"] = latest ? known(latest->value) : Json(nullptr);
    json["at_ms"] = latest ? Json(latest->wall_ms) : Json(nullptr);
    json["per_second_1m"] = series.rate ? known(series.rate->per_second) : Json(nullptr);
    json["mean_10m"] = known(series.mean);
    if (series.points.empty()) return json;
    auto& points = json["points"] = Json::array();
    for (const auto& point : series.points) {
        points.push_back({{"start_s", point.start_s},
                          {"min", known(point.min)},
                          {"max", known(point.max)},
                          {"mean", known(point.mean)},
                          {"last", known(point.last)},
                          {"increase", known(point.increase)},
                          {"count", point.count}});
    }
    return json;
}

Json interval_of(const metrics::Interval& interval) {
    return {{"value", known(interval.value)},
            {"low_95", known(interval.low)},
            {"high_95", known(interval.high)}};
}

Json forecast_of(const ForecastReport& report) {
    Json json{{"of", metrics::name_of(report.kind)}};
    if (report.forecast) {
        json["made_s"] = report.forecast->made_s;
        json["about"] = report.forecast->about;
        json["expected"] = interval_of(report.forecast->expected);
    } else {
        json["expected"] = nullptr;
        json["why"] = report.forecast.error();
    }
    json["score"] = {{"scored", report.score.scored},
                     {"mean_absolute_percentage_error", known(report.score.mape())},
                     {"share_inside", known(report.score.share_inside())},
                     {"lost", report.score.lost}};
    return json;
}

Json disk_of(const metrics::OrWhy<metrics::DiskTrend>& disk) {
    if (!disk) return {{"days", nullptr}, {"why", disk.error()}};
    return {{"bytes_per_day", known(disk->bytes_per_day)},
            {"days", known(disk->days)},
            {"days_low", known(disk->days_low)},
            {"days_high", known(disk->days_high)}};
}

Json difficulty_of(const metrics::OrWhy<metrics::NextDifficulty>& next) {
    if (!next) return {{"expected", nullptr}, {"why", next.error()}};
    return {{"expected", interval_of(next->difficulty)},
            {"blocks_left", next->blocks_left},
            {"retarget_s", next->retarget_s}};
}

}  // namespace

std::string metrics_json(const MetricsReport& report) {
    auto series = Json::array();
    for (const auto& one : report.series)
        series.push_back(series_of(one));
    auto alerts = Json::array();
    for (const auto& alert : report.alerts) {
        alerts.push_back({{"alert", alert.rule},
                          {"series", alert.series},
                          {"severity", metrics::name_of(alert.severity)},
                          {"value", known(alert.value)},
                          {"since_ms", alert.since_wall_ms},
                          {"silenced", alert.silenced},
                          {"text", alert.text}});
    }
    auto forecasts = Json::array();
    for (const auto& forecast : report.forecasts)
        forecasts.push_back(forecast_of(forecast));
    return compact({{"at_ms", report.at_ms},
                    {"series", std::move(series)},
                    {"alerts", std::move(alerts)},
                    {"forecasts", std::move(forecasts)},
                    {"disk_full", disk_of(report.disk)},
                    {"next_difficulty", difficulty_of(report.difficulty)}});
}

std::string alert_json(const metrics::AlertEvent& event) {
    return compact({{"id", event.id()},
                    {"event", metrics::name_of(event.kind)},
                    {"alert", event.rule},
                    {"series", event.series},
                    {"severity", metrics::name_of(event.severity)},
                    {"value", known(event.value)},
                    {"threshold", known(event.threshold)},
                    {"at_ms", event.wall_ms},
                    {"since_ms", event.since_wall_ms},
                    {"text", event.text}});
}

MetricsQuery metrics_query(base::JsonFields& fields) {
    MetricsQuery query;
    query.series = fields.texts("series", MetricsQuery::kMaxSelectors, metrics::History::kMaxName);
    const auto history = fields.optional_text("history", 8);
    for (std::size_t i = 0; history && i < metrics::kResolutions; ++i) {
        const auto resolution = static_cast<metrics::Resolution>(i);
        if (*history == metrics::name_of(resolution)) query.history = resolution;
    }
    if (history && !query.history) {
        fields.refuse(fmt::format("\"history\" is \"1s\", \"1m\" or \"1h\", not \"{}\"", *history));
    }
    query.from_s = fields.integer("from_s", 0, INT64_MAX).value_or(query.from_s);
    query.to_s = fields.integer("to_s", 0, INT64_MAX).value_or(query.to_s);
    return query;
}

std::string health_json(const HealthReport& report) {
    auto parts = Json::array();
    for (const auto& part : report.parts) {
        parts.push_back(
            {{"part", part.part},
             {"status", name_of(part.state)},
             {"vital", part.vital},
             {"probes", part.probes},
             {"failures", part.failures},
             {"error_rate", part.error_rate},
             {"last_ms", part.last_ms},
             {"p50_ms", part.p50_ms},
             {"p99_ms", part.p99_ms},
             {"queue_depth", part.queue_depth ? Json(*part.queue_depth) : Json(nullptr)},
             {"probed_at_ms", part.probed_ms},
             {"last_error", part.last_error},
             {"last_error_at_ms", part.last_error_ms},
             {"note", part.note},
             {"recommendation", part.recommendation}});
    }
    return compact(
        {{"status", name_of(report.state)}, {"at_ms", report.at_ms}, {"parts", std::move(parts)}});
}

std::string refusal_json(const OperationRefusal& refusal) {
    return compact({{"error", {{"code", name_of(refusal.kind)}, {"message", refusal.text}}}});
}

}  // namespace adit::manager
