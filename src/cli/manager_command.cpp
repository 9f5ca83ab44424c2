#include "cli/manager_command.h"

#include "base/clock.h"
#include "cli/books_text.h"
#include "cli/miners_command.h"
#include "cli/pool_call.h"
#include "cli/selftest_command.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace adit::cli {
namespace {

using Json = nlohmann::json;

constexpr int kPoolDegraded = 3;
constexpr int kPoolUnhealthy = 4;
constexpr int kProtocolViolated = 3;

int health(const GroupOptions& common, bool cached) {
    const auto answer =
        ask_running_pool(common.config_file, "manager.health", Json{{"cached", cached}}.dump());
    if (!answer) return answer.error();
    fmt::print("{}", common.json ? *answer + "\n" : health_text(*answer));
    const auto status = Json::parse(*answer).at("status").get<std::string>();
    if (status == "healthy") return kPoolDone;
    return status == "degraded" ? kPoolDegraded : kPoolUnhealthy;
}

void add_health(CLI::App* group, int* exit_code) {
    const auto [app, common] = add_command(
        group, "health", "Probe every part of the running pool",
        "Examples:\n"
        "  adit manager health --config /etc/adit.toml\n"
        "  adit manager health --config /etc/adit.toml --json | jq .status\n"
        "  adit manager health --config /etc/adit.toml --cached    for a check every second\n\n"
        "Each part does a small real piece of its work: the log writes, the ledger folds and\n"
        "sums, nodes answer a call, listeners take a connection, the payer steps.\n"
        "docs/manager.md has the rules.\n"
        "Exit codes: 0 healthy, 3 degraded, 4 unhealthy, 1 the pool refused, 2 no pool runs, or\n"
        "wrong options or configuration.");
    auto cached = std::make_shared<bool>(false);
    app->add_flag("--cached", *cached, "What the last probes found, without probing");
    app->callback([common, cached, exit_code] { *exit_code = health(*common, *cached); });
}

int protocol(const GroupOptions& common) {
    const auto answer = ask_running_pool(common.config_file, "manager.protocol", "{}");
    if (!answer) return answer.error();
    fmt::print("{}", common.json ? *answer + "\n" : protocol_text(*answer));
    return Json::parse(*answer).at("violations") == 0 ? kPoolDone : kProtocolViolated;
}

void add_protocol(CLI::App* group, int* exit_code) {
    const auto [app, common] = add_command(
        group, "protocol", "Check the Stratum protocol on every listener of the running pool",
        "Examples:\n"
        "  adit manager protocol --config /etc/adit.toml\n"
        "  adit manager protocol -c /etc/adit.toml --json | jq '.listeners[].violations'\n\n"
        "The pool connects to each of its listeners as a miner does, hands in a good share if a\n"
        "processor finds one soon enough, and messages that have to be refused in a certain way.\n"
        "The shares are those of worker \"adit-check\" of pool.address. docs/manager.md has the\n"
        "steps.\n"
        "Exit codes: 0 no violation, 3 violations, 1 the pool refused, 2 no pool runs, or wrong\n"
        "options or configuration.");
    app->callback([common, exit_code] { *exit_code = protocol(*common); });
}

struct MetricsOptions {
    std::vector<std::string> series;
    std::string history;
    std::int64_t last_s = 0;
};

int metrics(const GroupOptions& common, const MetricsOptions& options) {
    Json params{{"series", options.series}};
    if (!options.history.empty()) params["history"] = options.history;
    if (options.last_s != 0) {
        if (options.history.empty()) return bad_usage("--last goes with --history");
        params["from_s"] = base::SystemClock().wall_ms() / 1'000 - options.last_s;
    }
    return show_answer(common, "manager.metrics",
                       params.dump(-1, ' ', true, Json::error_handler_t::replace), metrics_text);
}

void add_metrics(CLI::App* group, int* exit_code) {
    const auto [app, common] = add_command(
        group, "metrics", "Metrics with rates and history, active alerts, forecasts",
        "Examples:\n"
        "  adit manager metrics --config /etc/adit.toml\n"
        "  adit manager metrics -c /etc/adit.toml --series adit_log_commit_ms:p99 --history 1m "
        "--last 3600\n\n"
        "Without --series those that matter most. docs/metrics.md says what is kept, and how\n"
        "forecasts are made and scored.\n"
        "Exit codes: 0 shown, 1 the pool refused, 2 no pool runs, or wrong options or\n"
        "configuration.");
    auto options = std::make_shared<MetricsOptions>();
    app->add_option("--series", options->series, "A series, or a metric for all its series")
        ->type_name("NAME");
    app->add_option("--history", options->history, "Points too, of this length")
        ->check(CLI::IsMember({"1s", "1m", "1h"}));
    app->add_option("--last", options->last_s, "Only so many seconds of it")->type_name("SECONDS");
    app->callback([common, options, exit_code] { *exit_code = metrics(*common, *options); });
}

std::string number_or_dash(const Json& value) {
    return value.is_null() ? "-" : fmt::format("{:.6g}", value.get<double>());
}

std::string forecast_line(const Json& forecast) {
    const auto name = forecast.at("of").get<std::string>();
    const auto& expected = forecast.at("expected");
    std::string text = fmt::format("forecast {}: ", name);
    if (expected.is_null()) return text + forecast.at("why").get<std::string>() + "\n";
    text +=
        fmt::format("{} ({} to {})", number_or_dash(expected.at("value")),
                    number_or_dash(expected.at("low_95")), number_or_dash(expected.at("high_95")));
    const auto& score = forecast.at("score");
    if (score.at("scored").get<std::uint64_t>() == 0) return text + ", not scored yet\n";
    const auto& error = score.at("mean_absolute_percentage_error");
    return text +
           fmt::format(", {} scored, {:.0f} % inside, mean error {}\n",
                       score.at("scored").get<std::uint64_t>(),
                       100 * score.at("share_inside").get<double>(),
                       error.is_null() ? "unknown" : fmt::format("{:.1f} %", error.get<double>()));
}

}  // namespace

std::string metrics_text(const std::string& text) {
    const auto json = Json::parse(text);
    using enum TextTable::Align;
    TextTable table(
        {{"series", left}, {"value", right}, {"a second", right}, {"mean 10 min", right}});
    std::string points;
    for (const auto& series : json.at("series")) {
        table.add({series.at("name"), number_or_dash(series.at("value")),
                   number_or_dash(series.at("per_second_1m")),
                   number_or_dash(series.at("mean_10m"))});
        if (!series.contains("points")) continue;
        TextTable history({{series.at("name"), left},
                           {"min", right},
                           {"mean", right},
                           {"max", right},
                           {"increase", right}});
        for (const auto& point : series.at("points")) {
            history.add({utc_text(point.at("start_s").get<std::int64_t>() * 1'000),
                         number_or_dash(point.at("min")), number_or_dash(point.at("mean")),
                         number_or_dash(point.at("max")), number_or_dash(point.at("increase"))});
        }
        points += "\n" + history.text();
    }
    std::string out = table.text();
    for (const auto& alert : json.at("alerts")) {
        out += fmt::format("alert {} ({}) since {}: {}\n", alert.at("alert").get<std::string>(),
                           alert.at("severity").get<std::string>(),
                           utc_text(alert.at("since_ms").get<std::int64_t>()),
                           alert.at("text").get<std::string>());
    }
    if (json.at("alerts").empty()) out += "no alert is active\n";
    for (const auto& forecast : json.at("forecasts"))
        out += forecast_line(forecast);
    return out + points;
}

std::string health_text(const std::string& text) {
    const auto json = Json::parse(text);
    using enum TextTable::Align;
    TextTable table({{"part", left},
                     {"status", left},
                     {"last ms", right},
                     {"p50 ms", right},
                     {"p99 ms", right},
                     {"probes", right},
                     {"failed", right},
                     {"queue", right}});
    std::string advice;
    for (const auto& part : json.at("parts")) {
        const auto ms = [&](const char* key) {
            return fmt::format("{:.1f}", part.at(key).get<double>());
        };
        const auto& queue = part.at("queue_depth");
        table.add({part.at("part"), part.at("status"), ms("last_ms"), ms("p50_ms"), ms("p99_ms"),
                   std::to_string(part.at("probes").get<std::uint64_t>()),
                   std::to_string(part.at("failures").get<std::uint64_t>()),
                   queue.is_null() ? "-" : std::to_string(queue.get<std::uint64_t>())});
        const auto& recommendation = part.at("recommendation").get_ref<const std::string&>();
        if (recommendation.empty()) continue;
        advice += fmt::format("{}: {}\n", part.at("part").get<std::string>(), recommendation);
    }
    return fmt::format("the pool is {}\n{}{}", json.at("status").get<std::string>(), table.text(),
                       advice);
}

void add_manager_command(CLI::App& app, int* exit_code) {
    auto* group = app.add_subcommand("manager", "What the pool manager of a running pool does");
    group->require_subcommand(1);
    group->footer(
        "Examples:\n"
        "  adit manager health --config /etc/adit.toml    is every part well?\n"
        "  adit manager metrics --config /etc/adit.toml   what was measured, alerts, forecasts\n"
        "  adit manager protocol --config /etc/adit.toml  do the listeners keep the protocol?\n"
        "  adit manager miners --config /etc/adit.toml    is there room for more?\n"
        "  adit manager workflow --config /etc/adit.toml  mine on it, and follow the shares\n\n"
        "adit manager SUBCOMMAND --help says more.");
    add_health(group, exit_code);
    add_metrics(group, exit_code);
    add_protocol(group, exit_code);
    add_miners(group, exit_code);
    add_workflow_command(group, exit_code);
}

}  // namespace adit::cli
