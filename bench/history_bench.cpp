// What the history of metrics costs: one tick (sampling every series, all default alert rules), the
// memory of full rings, and the stored form, with as many series as a busy pool has.
// Usage: history_bench [--quick] [--series N]
#include "base/clock.h"
#include "metrics/alerts.h"
#include "metrics/history.h"
#include "metrics/state_form.h"

#include <fmt/core.h>

#include <charconv>
#include <random>

namespace {

using namespace adit;

class Stopwatch {
 public:
    double ms() const { return static_cast<double>(clock_.steady_ns() - start_) * 1e-6; }

 private:
    base::SystemClock clock_;
    std::int64_t start_ = clock_.steady_ns();
};

// A third moves at every tick, as busy metrics do; the rest moves seldom.
class Metrics {
 public:
    Metrics(metrics::Registry& registry, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            const metrics::Labels labels{{"n", std::to_string(i)}};
            if (i % 2 == 0)
                counters_.push_back(&registry.counter("adit_bench_total", "b", labels));
            else
                gauges_.push_back(&registry.gauge("adit_bench", "b", labels));
        }
    }
    void move() {
        for (std::size_t i = 0; i < counters_.size(); ++i) {
            if (i % 3 == 0 || random_() % 100 == 0) counters_[i]->add(random_() % 1'000);
        }
        for (std::size_t i = 0; i < gauges_.size(); ++i) {
            if (i % 3 == 0 || random_() % 100 == 0)
                gauges_[i]->set(static_cast<double>(random_() % 1'000'000) / 7);
        }
    }

 private:
    std::mt19937 random_{1};
    std::vector<metrics::Counter*> counters_;
    std::vector<metrics::Gauge*> gauges_;
};

int run(std::size_t series, bool quick) {
    metrics::Registry registry;
    metrics::History history(registry, {.max_series = series + 200});
    auto alerts = metrics::AlertEngine::make(metrics::default_rules(), registry);
    if (!alerts) {
        fmt::print(stderr, "{}\n", alerts.error());
        return 1;
    }
    Metrics moving(registry, series);
    std::int64_t ms = 1'700'000'000'000;
    const auto tick = [&](std::int64_t step_ms) {
        moving.move();
        history.tick({ms += step_ms, ms});
    };
    // Hours, minutes and seconds until every ring is full.
    for (int i = 0; i < (quick ? 50 : 2'200); ++i)
        tick(3'600'000);
    for (int i = 0; i < (quick ? 50 : 1'500); ++i)
        tick(60'000);
    for (int i = 0; i < 700; ++i)
        tick(1'000);

    const int rounds = quick ? 20 : 600;
    double ticking_ms = 0;
    double judging_ms = 0;
    double worst_ms = 0;
    for (int i = 0; i < rounds; ++i) {
        moving.move();
        ms += 1'000;
        const Stopwatch time;
        history.tick({ms, ms});
        const auto ticked = time.ms();
        (*alerts)->tick(history, {ms, ms});
        const auto judged = time.ms();
        ticking_ms += ticked;
        judging_ms += judged - ticked;
        worst_ms = std::max(worst_ms, judged);
    }
    fmt::print("{} series, {} rounds\n", history.series_count(), rounds);
    fmt::print("one tick: {:.1f} us ({:.0f} ns a series)\n", ticking_ms * 1e3 / rounds,
               ticking_ms * 1e6 / rounds / static_cast<double>(history.series_count()));
    fmt::print("judging {} alert rules: {:.1f} us; the worst of both: {:.2f} ms\n",
               (*alerts)->rules().size(), judging_ms * 1e3 / rounds, worst_ms);
    fmt::print(
        "memory: {:.1f} MB ({:.1f} kB a series)\n", static_cast<double>(history.bytes()) * 1e-6,
        static_cast<double>(history.bytes()) * 1e-3 / static_cast<double>(history.series_count()));

    const Stopwatch writing;
    const auto bytes =
        metrics::encode_state({{metrics::Section::history, history.serialise()}}, ms);
    const auto written_ms = writing.ms();
    metrics::Registry other;
    metrics::History restored(other, {.max_series = series + 200});
    const Stopwatch reading;
    const auto state = metrics::decode_state(bytes);
    const bool good =
        state && restored.restore(state->sections.at(metrics::Section::history)).has_value();
    if (!good || restored.serialise() != history.serialise()) {
        fmt::print(stderr, "the stored form does not come back\n");
        return 1;
    }
    fmt::print("stored form: {:.2f} MB, made in {:.1f} ms, read and compared in {:.1f} ms\n",
               static_cast<double>(bytes.size()) * 1e-6, written_ms, reading.ms());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t series = 500;
    bool quick = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--quick") {
            quick = true;
        } else if (argument == "--series" && i + 1 < argc) {
            const std::string_view number = argv[++i];
            const auto read = std::from_chars(number.data(), number.data() + number.size(), series);
            if (read.ec != std::errc() || series == 0) return 2;
        } else {
            fmt::print(stderr, "usage: history_bench [--quick] [--series N]\n");
            return 2;
        }
    }
    return run(series, quick);
}
