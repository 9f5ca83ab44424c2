// The input is a section of the metrics' file behind its checksum: the first byte says which one.
// What is accepted is the same after being written and read again, and can be gone on with.
#include "base/check.h"
#include "metrics/alerts.h"
#include "metrics/forecasts.h"
#include "metrics/history.h"
#include "metrics/state_form.h"

using namespace adit;

namespace {

constexpr metrics::Tick kNow{1'700'000'000'500, 5'000};

void check_history(base::ByteSpan bytes) {
    metrics::Registry registry;
    metrics::History history(registry, {.max_series = 20});
    if (!history.restore(bytes)) return;
    const auto written = history.serialise();
    {
        metrics::Registry other;
        metrics::History again(other, {.max_series = 20});
        ADIT_CHECK(again.restore(written).has_value(), "what was written is read");
        ADIT_CHECK(again.serialise() == written, "a history comes back the same");
    }
    for (std::int64_t ms = 0; ms < 3'000; ms += 1'000)
        history.tick({kNow.wall_ms + ms, kNow.steady_ms + ms});
    for (const auto& series : history.series()) {
        for (const auto resolution :
             {metrics::Resolution::second, metrics::Resolution::minute, metrics::Resolution::hour})
            (void)history.points(series.name, resolution, 0, kNow.wall_ms);
        for (const std::int64_t span : {60, 3'600, 1'000'000})
            (void)history.rate(series.name, span);
    }
}

void check_alerts(base::ByteSpan bytes) {
    metrics::Registry registry;
    metrics::History history(registry);
    const auto engine = *metrics::AlertEngine::make(metrics::default_rules(), registry);
    if (!engine->restore(bytes, kNow)) return;
    const auto written = engine->serialise();
    const auto again = *metrics::AlertEngine::make(metrics::default_rules(), registry);
    ADIT_CHECK(again->restore(written, kNow).has_value(), "what was written is read");
    ADIT_CHECK(again->serialise() == written, "alerts come back the same");
    history.tick(kNow);
    (void)engine->tick(history, kNow);
    (void)engine->active();
}

void check_forecasts(base::ByteSpan bytes) {
    metrics::Forecasts forecasts({});
    if (!forecasts.restore(bytes)) return;
    const auto written = forecasts.serialise();
    metrics::Forecasts again({});
    ADIT_CHECK(again.restore(written).has_value(), "what was written is read");
    ADIT_CHECK(again.serialise() == written, "forecasts come back the same");
    metrics::Registry registry;
    metrics::History history(registry);
    forecasts.tick(history, kNow, std::nullopt);
    forecasts.tick(history, {kNow.wall_ms + 3'600'000, kNow.steady_ms + 3'600'000}, std::nullopt);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const base::ByteSpan all(data, size);
    (void)metrics::decode_state(all);
    if (all.empty()) return 0;
    const auto section = all.subspan(1);
    if (data[0] % 3 == 0) check_history(section);
    if (data[0] % 3 == 1) check_alerts(section);
    if (data[0] % 3 == 2) check_forecasts(section);
    return 0;
}
