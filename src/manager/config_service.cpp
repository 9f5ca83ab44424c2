#include "manager/config_service.h"

#include "net/address.h"
#include "net/webhook_format.h"

#include <algorithm>
#include <array>

namespace adit::manager {
namespace {

constexpr std::string_view kFormats =
    "one of \"json\", \"slack\", \"discord\", \"telegram\", \"ntfy\"";

void read_http(TableReader table, HttpConfig& http) {
    http.line = table.line();
    http.listen = "127.0.0.1:8080";
    table.text("listen", http.listen, "\"127.0.0.1:8080\"");
    if (const auto endpoint = net::Endpoint::parse(http.listen); !endpoint) {
        table.fault("listen",
                    fmt::format("listen = \"{}\": {}", http.listen, describe(endpoint.error())),
                    "\"ADDRESS:PORT\", such as \"127.0.0.1:8080\"");
    }
    table.texts("trusted_proxies", http.trusted_proxies, "[\"127.0.0.1\"]");
    table.flag("public_metrics", http.public_metrics);
    table.finish();
}

WebhookConfig read_webhook(TableReader table) {
    WebhookConfig webhook;
    table.required_text("url", webhook.url, "\"https://HOST/PATH\"");
    if (!webhook.url.empty() && !webhook.url.starts_with("https://") &&
        !webhook.url.starts_with("http://")) {
        table.fault("url", "url is no address of a webhook", "\"https://HOST/PATH\"");
    }
    table.text("format", webhook.format, "\"json\"");
    if (!net::parse_webhook_format(webhook.format)) {
        table.fault("format", fmt::format("format = \"{}\" is not known", webhook.format),
                    std::string(kFormats));
    }
    table.text("secret", webhook.secret, "a long random text");
    table.finish();
    return webhook;
}

// One of these words, as the enum that stands in its place.
template <class Enum, std::size_t N>
void choose(TableReader& table, std::string_view key, const std::array<Enum, N>& values,
            Enum& value) {
    std::string word(metrics::name_of(value));
    table.text(key, word, fmt::format("\"{}\"", word));
    const auto found = std::ranges::find(values, word, [](Enum one) { return name_of(one); });
    if (found != values.end()) {
        value = *found;
        return;
    }
    std::string all;
    for (const auto one : values)
        all += fmt::format("{}\"{}\"", all.empty() ? "one of " : ", ", name_of(one));
    table.fault(key, fmt::format("{} = \"{}\" is not known", key, word), all);
}

// What a rule of this name is before anything is said about it.
metrics::AlertRule rule_named(const std::string& name) {
    const auto defaults = metrics::default_rules();
    const auto found = std::ranges::find(defaults, name, &metrics::AlertRule::name);
    if (found != defaults.end()) return *found;
    metrics::AlertRule rule;
    rule.name = name;
    rule.summary = "{series} is {value}; the limit is {threshold}.";
    return rule;
}

metrics::AlertRule read_rule(TableReader table) {
    using namespace metrics;
    constexpr double kAny = 1e300;
    constexpr std::int64_t kLongest = 90 * 86'400;
    std::string name;
    table.required_text("name", name, "\"disk_low\"");
    auto rule = rule_named(name);
    table.texts("series", rule.series, "[\"adit_disk_free_ratio\"]");
    table.flag("sum", rule.sum);
    choose(table, "measure", std::array{Measure::value, Measure::mean, Measure::rate},
           rule.measure);
    table.integer("span_s", rule.span_s, 0, kLongest);
    table.texts("of", rule.of, "[\"adit_process_max_files\"]");
    table.integer("of_span_s", rule.of_span_s, 0, kLongest);
    choose(
        table, "comparison",
        std::array{Comparison::above, Comparison::below, Comparison::differs, Comparison::absent},
        rule.comparison);
    table.number("fire_at", rule.fire_at, -kAny, kAny);
    if (table.has("fire_at")) rule.clear_at = rule.fire_at;
    table.number("clear_at", rule.clear_at, -kAny, kAny);
    table.integer("for_s", rule.for_s, 0, kLongest);
    table.integer("clear_for_s", rule.clear_for_s, 0, kLongest);
    table.integer("repeat_s", rule.repeat_s, 0, kLongest);
    choose(table, "severity", std::array{Severity::info, Severity::warning, Severity::critical},
           rule.severity);
    table.text("summary", rule.summary, "\"what it means and what to do\"");
    table.finish();
    if (rule.name.empty()) return rule;
    if (const auto good = check_rule(rule); !good) {
        table.fault("name", good.error(), "a rule as in docs/metrics.md");
    }
    return rule;
}

void read_alert(TableReader alert, AlertConfig& config) {
    for (auto& table : alert.children("webhook"))
        config.webhooks.push_back(read_webhook(table));
    for (auto& table : alert.children("rule"))
        config.rules.push_back(read_rule(table));
    alert.texts("off", config.off, "[\"node_doubted\"]");
    const auto defaults = metrics::default_rules();
    for (const auto& name : config.off) {
        if (std::ranges::find(defaults, name, &metrics::AlertRule::name) != defaults.end())
            continue;
        alert.fault("off", fmt::format("there is no default rule \"{}\"", name),
                    "names of docs/metrics.md");
    }
    alert.finish();
}

}  // namespace

std::vector<metrics::AlertRule> alert_rules(const AlertConfig& config) {
    auto rules = metrics::default_rules();
    const auto is_named = [](const auto& name) {
        return [&name](const metrics::AlertRule& rule) { return rule.name == name; };
    };
    for (const auto& name : config.off)
        std::erase_if(rules, is_named(name));
    for (const auto& rule : config.rules) {
        std::erase_if(rules, is_named(rule.name));
        rules.push_back(rule);
    }
    return rules;
}

void read_services(TableReader& root, Config& config) {
    if (auto table = root.child("http")) read_http(*table, config.http);
    if (auto alert = root.child("alert")) read_alert(*alert, config.alert);
}

void compare_services(const Config& running, const Config& wanted, ConfigChanges& changes) {
    if (running.http != wanted.http) changes.needs_restart.emplace_back("http");
    if (running.alert != wanted.alert) changes.needs_restart.emplace_back("alert");
}

}  // namespace adit::manager
