#include "metrics/alerts.h"

#include "metrics/column_coding.h"

#include <cmath>

namespace adit::metrics {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kFar = std::int64_t{1} << 50;  // no time in milliseconds
constexpr std::size_t kMaxStored = AlertEngine::kMaxRules * AlertEngine::kMaxSeries;

bool fires(const AlertRule& rule, std::optional<double> value) {
    switch (rule.comparison) {
        case Comparison::above:
            return value && *value > rule.fire_at;
        case Comparison::below:
            return value && *value < rule.fire_at;
        case Comparison::differs:
            return value && *value != rule.fire_at;
        case Comparison::absent:
            return !value;
    }
    return false;
}

bool clears(const AlertRule& rule, std::optional<double> value) {
    switch (rule.comparison) {
        case Comparison::above:
            return value && *value <= rule.clear_at;
        case Comparison::below:
            return value && *value >= rule.clear_at;
        case Comparison::differs:
            return value && *value == rule.clear_at;
        case Comparison::absent:
            return value.has_value();
    }
    return false;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
}

std::string number(double value) {
    if (std::isnan(value)) return "unknown";
    return std::abs(value) < 1e15 && value == std::floor(value) ? fmt::format("{:.0f}", value)
                                                                : fmt::format("{:.3g}", value);
}

// True when it has held for so long by now.
bool holds(std::optional<std::int64_t>& since_ms, bool condition, std::int64_t for_s, Tick now) {
    if (!condition) {
        since_ms.reset();
        return false;
    }
    if (!since_ms) since_ms = now.steady_ms;
    return now.steady_ms - *since_ms >= for_s * 1'000;
}

}  // namespace

std::string AlertEvent::id() const {
    return fmt::format("{}/{}/{}", rule, series, since_wall_ms);
}

std::string_view name_of(AlertEvent::Kind kind) {
    switch (kind) {
        case AlertEvent::Kind::fired:
            return "fired";
        case AlertEvent::Kind::cleared:
            return "cleared";
        case AlertEvent::Kind::reminder:
            return "reminder";
    }
    return "unknown";
}

std::expected<std::unique_ptr<AlertEngine>, std::string> AlertEngine::make(
    std::vector<AlertRule> rules, Registry& registry) {
    if (rules.size() > kMaxRules)
        return std::unexpected(fmt::format("at most {} alert rules", kMaxRules));
    std::set<std::string_view> names;
    for (const auto& rule : rules) {
        if (auto checked = check_rule(rule); !checked) return std::unexpected(checked.error());
        if (!names.insert(rule.name).second)
            return std::unexpected(fmt::format("alert rule {}: there are two", rule.name));
    }
    return std::unique_ptr<AlertEngine>(new AlertEngine(std::move(rules), registry));
}

AlertEngine::AlertEngine(std::vector<AlertRule> rules, Registry& registry)
    : rules_(std::move(rules)), watched_(rules_.size()) {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        watched_[i].active = &registry.gauge("adit_alert_active", "Active alerts, by rule.",
                                             {{"rule", rules_[i].name}});
    }
    for (std::size_t i = 0; i < events_total_.size(); ++i) {
        const auto kind = name_of(static_cast<AlertEvent::Kind>(i));
        events_total_[i] = &registry.counter("adit_alert_events_total", "What alerts told.",
                                             {{"kind", std::string(kind)}});
    }
}

std::optional<double> AlertEngine::value_of(const AlertRule& rule, const History& history,
                                            std::string_view series) {
    switch (rule.measure) {
        case Measure::value: {
            const auto sample = history.latest(series);
            return sample ? std::optional(sample->value) : std::nullopt;
        }
        case Measure::mean:
            return history.mean(series, rule.span_s);
        case Measure::rate: {
            const auto rate = history.rate(series, rule.span_s);
            return rate ? std::optional(rate->per_second) : std::nullopt;
        }
    }
    return std::nullopt;
}

// Of those series that have a value.
std::optional<double> AlertEngine::sum_of(const AlertRule& rule,
                                          const std::vector<std::string>& selectors,
                                          std::int64_t span_s, const History& history) {
    std::optional<double> sum;
    for (const auto& selector : selectors) {
        for (const auto series : history.matching(selector)) {
            std::optional<double> value;
            if (rule.measure == Measure::rate) {
                const auto rate = history.rate(series, span_s);
                const bool enough =
                    rate && (rule.of.empty() || 2 * rate->seconds >= static_cast<double>(span_s));
                if (enough) value = rate->per_second;
            } else if (rule.measure == Measure::mean) {
                value = history.mean(series, span_s);
            } else {
                value = value_of(rule, history, series);
            }
            if (value) sum = sum.value_or(0) + *value;
        }
    }
    return sum;
}

std::optional<double> AlertEngine::together(const AlertRule& rule, const History& history) {
    const auto sum = sum_of(rule, rule.series, rule.span_s, history);
    if (rule.of.empty() || !sum) return sum;
    const auto of =
        sum_of(rule, rule.of, rule.of_span_s > 0 ? rule.of_span_s : rule.span_s, history);
    if (!of || *of <= 0) return std::nullopt;
    return *sum / *of;
}

std::vector<AlertEvent> AlertEngine::tick(const History& history, Tick now) {
    last_ = now;
    events_.clear();
    for (auto& event : gone_) {
        event.wall_ms = now.wall_ms;
        events_total_[static_cast<std::size_t>(event.kind)]->add();
        events_.push_back(std::move(event));
    }
    gone_.clear();
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        const auto& rule = rules_[i];
        auto& states = watched_[i].states;
        if (rule.together()) {
            judge(i, {}, together(rule, history), now);
        } else {
            std::set<std::string, std::less<>> all;
            for (const auto& [series, state] : states)
                all.insert(series);
            for (const auto& selector : rule.series) {
                for (const auto series : history.matching(selector)) {
                    if (all.size() < kMaxSeries) all.emplace(series);
                }
            }
            for (const auto& series : all)
                judge(i, series, value_of(rule, history, series), now);
        }
        watched_[i].active->set(static_cast<double>(
            std::ranges::count_if(states, [](const auto& entry) { return entry.second.firing; })));
    }
    return std::exchange(events_, {});
}

void AlertEngine::judge(std::size_t rule, const std::string& series, std::optional<double> value,
                        Tick now) {
    const auto& what = rules_[rule];
    auto& states = watched_[rule].states;
    const auto known = states.find(series);
    if (known == states.end() && !fires(what, value)) return;
    auto& state = known == states.end() ? states[series] : known->second;
    state.value = value.value_or(kUnknown);
    if (value) state.valued_ms = now.steady_ms;
    if (!state.firing) {
        if (!holds(state.holds_since_ms, fires(what, value), what.for_s, now)) {
            if (!state.holds_since_ms) states.erase(series);
            return;
        }
        state.firing = true;
        state.since_wall_ms = now.wall_ms;
        state.holds_since_ms.reset();
    }
    const bool forgotten = what.comparison != Comparison::absent && !value &&
                           now.steady_ms - state.valued_ms >= kForgetMs;
    if (forgotten || holds(state.holds_since_ms, clears(what, value), what.clear_for_s, now)) {
        if (state.told) emit(AlertEvent::Kind::cleared, rule, series, state, now);
        states.erase(series);
        return;
    }
    tell(rule, series, state, now);
}

void AlertEngine::tell(std::size_t rule, const std::string& series, State& state, Tick now) {
    if (now.wall_ms < watched_[rule].silent_until_wall_ms) return;
    const auto repeat_ms = rules_[rule].repeat_s * 1'000;
    const bool again = state.told && repeat_ms > 0 && now.steady_ms - state.told_ms >= repeat_ms;
    if (state.told && !again) return;
    emit(state.told ? AlertEvent::Kind::reminder : AlertEvent::Kind::fired, rule, series, state,
         now);
    state.told = true;
    state.told_ms = now.steady_ms;
    state.told_wall_ms = now.wall_ms;
}

void AlertEngine::emit(AlertEvent::Kind kind, std::size_t rule, const std::string& series,
                       const State& state, Tick now) {
    events_total_[static_cast<std::size_t>(kind)]->add();
    events_.push_back(event_of(kind, rule, series, state, now));
}

AlertEvent AlertEngine::event_of(AlertEvent::Kind kind, std::size_t rule, const std::string& series,
                                 const State& state, Tick now) const {
    const auto& what = rules_[rule];
    AlertEvent event{kind,          what.name,           series,
                     what.severity, state.value,         what.fire_at,
                     now.wall_ms,   state.since_wall_ms, what.summary};
    replace_all(event.text, "{value}", number(state.value));
    replace_all(event.text, "{threshold}", number(what.fire_at));
    replace_all(event.text, "{series}", series.empty() ? what.series.front() : series);
    return event;
}

std::vector<ActiveAlert> AlertEngine::active() const {
    std::vector<ActiveAlert> out;
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        const bool silenced = last_.wall_ms < watched_[i].silent_until_wall_ms;
        for (const auto& [series, state] : watched_[i].states) {
            if (!state.firing) continue;
            auto event = event_of(AlertEvent::Kind::reminder, i, series, state, last_);
            out.push_back({std::move(event.rule), series, event.severity, event.value,
                           event.since_wall_ms, silenced, std::move(event.text)});
        }
    }
    std::ranges::stable_sort(out, [](const ActiveAlert& a, const ActiveAlert& b) {
        if (a.severity != b.severity) return a.severity > b.severity;
        return a.since_wall_ms < b.since_wall_ms;
    });
    return out;
}

bool AlertEngine::silence(std::string_view rule, std::int64_t until_wall_ms) {
    const auto at = std::ranges::find(rules_, rule, &AlertRule::name);
    if (at == rules_.end()) return false;
    watched_[static_cast<std::size_t>(at - rules_.begin())].silent_until_wall_ms = until_wall_ms;
    return true;
}

std::map<std::string, std::int64_t> AlertEngine::silences() const {
    std::map<std::string, std::int64_t> out;
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        if (watched_[i].silent_until_wall_ms > last_.wall_ms)
            out[rules_[i].name] = watched_[i].silent_until_wall_ms;
    }
    return out;
}

base::Bytes AlertEngine::serialise() const {
    base::Bytes out;
    base::append_le(out, kFormatVersion);
    std::uint64_t count = 0;
    base::Bytes rows;
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        for (const auto& [series, state] : watched_[i].states) {
            if (!state.firing) continue;
            ++count;
            append_text(rows, rules_[i].name);
            append_text(rows, series);
            base::append_le(rows, static_cast<std::uint8_t>(state.told));
            base::append_le(rows, state.since_wall_ms);
            base::append_le(rows, state.told_wall_ms);
            append_double(rows, state.value);
        }
    }
    append_varint(out, count);
    base::append(out, rows);
    const auto silent = silences();
    append_varint(out, silent.size());
    for (const auto& [rule, until] : silent) {
        append_text(out, rule);
        base::append_le(out, until);
    }
    return out;
}

std::expected<void, std::string> AlertEngine::restore(base::ByteSpan bytes, Tick now) {
    const auto refuse = [](std::string why) {
        return std::unexpected("the alerts cannot be read: " + std::move(why));
    };
    base::ByteReader reader(bytes);
    const auto version = reader.le<std::uint32_t>();
    if (version > kFormatVersion) {
        return refuse(fmt::format("a newer version wrote them (format {}, this one reads {})",
                                  version, kFormatVersion));
    }
    struct Row {
        std::string rule;
        std::string series;
        State state;
    };
    std::vector<Row> rows;
    const auto count = read_varint(reader);
    for (std::uint64_t i = 0; i < count && i < kMaxStored && reader.ok(); ++i) {
        auto& row = rows.emplace_back();
        row.rule = read_text(reader, History::kMaxName);
        row.series = read_text(reader, History::kMaxName);
        row.state.firing = true;
        row.state.told = reader.le<std::uint8_t>() != 0;
        row.state.since_wall_ms = reader.le<std::int64_t>();
        row.state.told_wall_ms = reader.le<std::int64_t>();
        row.state.value = read_double(reader);
        for (const auto ms : {row.state.since_wall_ms, row.state.told_wall_ms}) {
            if (ms > kFar || ms < -kFar) reader.fail();
        }
        row.state.valued_ms = now.steady_ms;
    }
    std::map<std::string, std::int64_t> silent;
    const auto silences = read_varint(reader);
    for (std::uint64_t i = 0; i < silences && i < kMaxRules && reader.ok(); ++i) {
        auto rule = read_text(reader, History::kMaxName);
        silent[std::move(rule)] = reader.le<std::int64_t>();
    }
    if (version == 0 || !reader.finished()) return refuse("they are damaged");

    for (auto& [rule, series, state] : rows) {
        const auto at = std::ranges::find(rules_, rule, &AlertRule::name);
        if (at == rules_.end() || at->together() != series.empty()) {
            // A rule that is gone, or means something else now.
            if (!state.told) continue;
            gone_.push_back({AlertEvent::Kind::cleared, std::move(rule), std::move(series),
                             Severity::info, state.value, kUnknown, now.wall_ms,
                             state.since_wall_ms, "The rule is no longer there."});
            continue;
        }
        // The next reminder is due as if the pool had run on.
        const auto ago =
            std::clamp<std::int64_t>(now.wall_ms - state.told_wall_ms, 0, at->repeat_s * 1'000);
        state.told_ms = now.steady_ms - ago;
        watched_[static_cast<std::size_t>(at - rules_.begin())].states[std::move(series)] = state;
    }
    for (const auto& [rule, until] : silent)
        silence(rule, until);
    last_ = now;
    return {};
}

}  // namespace adit::metrics
