#include "store/log_audit.h"

#include "store/log_reader.h"

namespace adit::store {

std::expected<ledger::AuditReport, std::string> audit_log(
    FileSystem& files, const std::filesystem::path& log_dir, ledger::SliceStore* ledger,
    std::stop_token stop, const std::function<void(share::LogPosition)>& progress) {
    auto reader = LogReader::open(files, log_dir);
    if (!reader) return std::unexpected(reader.error().text());
    std::optional<ledger::FoldPoint> folded;
    if (ledger != nullptr) {
        auto point = ledger->fold_point();
        if (!point) return std::unexpected(point.error());
        folded = *point;
    }
    ledger::Auditor auditor(reader->log_id(), reader->point(), reader->slice_s());
    bool compared = !folded;
    if (folded && folded->log_id != reader->log_id()) {
        auditor.differ({0, "log that the ledger was folded from", base::to_hex(reader->log_id()),
                        base::to_hex(folded->log_id)});
        compared = true;
    }
    while (!stop.stop_requested()) {
        if (!compared && auditor.point() == folded->log) {
            if (auto done = auditor.compare(*ledger); !done) return std::unexpected(done.error());
            compared = true;
        }
        const auto batch = reader->next(LogReader::kToTheEnd);
        if (!batch) {
            auditor.differ(
                {reader->point().position, "share log", "a sound log", batch.error().text()});
            return auditor.report();
        }
        if (!*batch) break;
        auditor.add(**batch);
        // A batch that does not fold leaves nothing to compare what follows with.
        if (auditor.point() != reader->point()) return auditor.report();
        if (progress && auditor.report().batches % 256 == 0) progress(reader->point().position);
    }
    if (!compared && !stop.stop_requested()) {
        auditor.differ({reader->point().position, "point that the ledger was folded to",
                        "between two batches of this log",
                        fmt::format("position {}", folded->log.position)});
    }
    return auditor.report();
}

}  // namespace adit::store
