// What an alert rule is, and the rules that a pool has unless its configuration says otherwise.
// Plain data (docs/metrics.md, "Alerts").
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace adit::metrics {

enum class Severity : std::uint8_t { info, warning, critical };
enum class Measure : std::uint8_t {
    value,  // the latest sample
    mean,   // of the samples of the last span_s seconds
    rate,   // change per second over the last span_s seconds
};
enum class Comparison : std::uint8_t {
    above,    // fires above fire_at, clears at or below clear_at
    below,    // fires below fire_at, clears at or above clear_at
    differs,  // fires at any other value than fire_at
    absent,   // fires while none of the series has a value
};
std::string_view name_of(Severity severity);
std::string_view name_of(Measure measure);
std::string_view name_of(Comparison comparison);

struct AlertRule {
    std::string name;  // lower case, digits, underscores; unique
    // Names of series, or of metrics for all their series (History::matching). Every series is
    // watched by itself; with `sum`, `of` or `absent` all of them together.
    std::vector<std::string> series;
    bool sum = false;
    Measure measure = Measure::value;
    std::int64_t span_s = 0;  // of mean and rate
    // Not empty: the sum of `series` is divided by the sum of these, measured over of_span_s (0:
    // span_s). Without a positive divisor, or with less than half of a span measured, the rule has
    // no value.
    std::vector<std::string> of;
    std::int64_t of_span_s = 0;
    Comparison comparison = Comparison::above;
    double fire_at = 0;
    double clear_at = 0;
    std::int64_t for_s = 0;          // it must hold so long before it fires
    std::int64_t clear_for_s = 0;    // and so long be over before it clears
    std::int64_t repeat_s = 14'400;  // reminders while it is active; 0: none
    Severity severity = Severity::warning;
    // For a person, with the remedy. {value}, {threshold} and {series} are filled in.
    std::string summary;

    bool operator==(const AlertRule&) const = default;
    bool together() const { return sum || !of.empty() || comparison == Comparison::absent; }
};

// What is wrong with a rule, as a sentence that names it.
std::expected<void, std::string> check_rule(const AlertRule& rule);

std::vector<AlertRule> default_rules();

}  // namespace adit::metrics
