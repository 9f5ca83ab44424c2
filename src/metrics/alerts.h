// Alerts: rules over the history that fire when something holds for long enough and clear with
// hysteresis. Every tick gives the events that are new; each is given once. Domain code, time is
// passed in. Not thread-safe: owned by who ticks the history.
#pragma once

#include "base/bytes.h"
#include "metrics/alert_rules.h"
#include "metrics/history.h"

#include <map>
#include <memory>

namespace adit::metrics {

struct AlertEvent {
    enum class Kind : std::uint8_t { fired, cleared, reminder };
    Kind kind = Kind::fired;
    std::string rule;
    std::string series;  // empty: the rule watches all of its series together
    Severity severity = Severity::warning;
    double value = 0;  // NaN: there is none
    double threshold = 0;
    std::int64_t wall_ms = 0;
    std::int64_t since_wall_ms = 0;  // when it fired
    std::string text;
    // The same for all events of one alert from firing to clearing, also across restarts.
    std::string id() const;
};
std::string_view name_of(AlertEvent::Kind kind);

struct ActiveAlert {
    std::string rule;
    std::string series;
    Severity severity = Severity::warning;
    double value = 0;
    std::int64_t since_wall_ms = 0;
    bool silenced = false;
    std::string text;
};

class AlertEngine {
 public:
    static constexpr std::size_t kMaxRules = 200;
    static constexpr std::size_t kMaxSeries = 64;  // of one rule that are watched by themselves
    // An active alert whose series has had no value for so long is cleared as no longer measured.
    static constexpr std::int64_t kForgetMs = 3'600'000;
    static constexpr std::uint32_t kFormatVersion = 1;

    // The error is a sentence that names the rule. Registers adit_alert_active{rule=...} and
    // adit_alert_events_total{kind=...}.
    static std::expected<std::unique_ptr<AlertEngine>, std::string> make(
        std::vector<AlertRule> rules, Registry& registry);

    // After the history's tick, with the same time. A value that is missing neither fires nor
    // clears; it interrupts what has to hold.
    std::vector<AlertEvent> tick(const History& history, Tick now);

    // Most severe first, then the oldest.
    std::vector<ActiveAlert> active() const;
    // Events of this rule wait until then (clearing what was told does not). A time that has passed
    // ends a silence. False: there is no such rule.
    bool silence(std::string_view rule, std::int64_t until_wall_ms);
    // By rule, until when.
    std::map<std::string, std::int64_t> silences() const;
    const std::vector<AlertRule>& rules() const { return rules_; }

    // docs/metrics.md, "The alerts section": what is active, what was told, what is silent.
    base::Bytes serialise() const;
    // Before the first tick. What was active stays so without firing again; what was active under a
    // rule that is gone is cleared by the first tick. The error is a sentence, then nothing
    // changed.
    std::expected<void, std::string> restore(base::ByteSpan bytes, Tick now);

 private:
    struct State {
        bool firing = false;
        bool told = false;
        std::optional<std::int64_t> holds_since_ms;  // steady; what has to hold to fire or clear
        std::int64_t since_wall_ms = 0;
        std::int64_t told_ms = 0;  // steady; the last event but clearing
        std::int64_t told_wall_ms = 0;
        std::int64_t valued_ms = 0;  // steady; when there was a value
        double value = 0;            // the last one
    };
    struct Watched {
        std::map<std::string, State, std::less<>> states;  // only what is not at rest
        std::int64_t silent_until_wall_ms = 0;
        Gauge* active = nullptr;
    };

    AlertEngine(std::vector<AlertRule> rules, Registry& registry);
    void judge(std::size_t rule, const std::string& series, std::optional<double> value, Tick now);
    void tell(std::size_t rule, const std::string& series, State& state, Tick now);
    void emit(AlertEvent::Kind kind, std::size_t rule, const std::string& series,
              const State& state, Tick now);
    AlertEvent event_of(AlertEvent::Kind kind, std::size_t rule, const std::string& series,
                        const State& state, Tick now) const;
    static std::optional<double> value_of(const AlertRule& rule, const History& history,
                                          std::string_view series);
    static std::optional<double> sum_of(const AlertRule& rule,
                                        const std::vector<std::string>& selectors,
                                        std::int64_t span_s, const History& history);
    static std::optional<double> together(const AlertRule& rule, const History& history);

    std::vector<AlertRule> rules_;
    std::vector<Watched> watched_;  // beside rules_
    std::array<Counter*, 3> events_total_{};
    std::vector<AlertEvent> events_;  // of the tick that runs
    std::vector<AlertEvent> gone_;    // active before the restart, under rules that are gone
    Tick last_;
};

}  // namespace adit::metrics
