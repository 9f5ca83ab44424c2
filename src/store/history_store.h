// Keeps the history of metrics, the alerts and the forecasts in one small file of the data
// directory, replaced once a minute and at stop. Losing it loses nothing but charts, so a file that
// cannot be used is moved aside, said in the log, and everything begins anew. Not thread-safe.
#pragma once

#include "base/log.h"
#include "metrics/history.h"
#include "metrics/state_form.h"
#include "store/file_system.h"

#include <functional>

namespace adit::store {

class HistoryStore {
 public:
    static constexpr std::int64_t kEveryMs = 60'000;
    static constexpr std::uint64_t kMaxBytes = 256 << 20;

    // Registers adit_history_saves_total, _save_failures_total and _file_bytes.
    HistoryStore(FileSystem& files, std::filesystem::path file, metrics::Registry& registry,
                 base::Logger& logger);

    // What was kept; empty when there is no file, or none that can be used.
    metrics::Sections load();
    // Moves the file aside as FILE.refused and says why; for a section that its owner refuses.
    void refuse(std::string_view why);

    // Calls `make` and writes when kEveryMs have passed since the last attempt or the first call.
    // False: it was due and failed, which is logged once until it succeeds again.
    bool keep(metrics::Tick now, const std::function<metrics::Sections()>& make);
    // Writes now: at stop, or when an alert fired. Durable when true.
    bool save(const metrics::Sections& sections, metrics::Tick now);

 private:
    FileSystem& files_;
    std::filesystem::path file_;
    base::Logger& logger_;
    metrics::Counter& saves_;
    metrics::Counter& failures_;
    metrics::Gauge& bytes_;
    std::optional<std::int64_t> last_ms_;
    bool failed_ = false;
};

}  // namespace adit::store
