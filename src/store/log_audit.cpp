#include "store/log_audit.h"

namespace adit::store {
namespace {

constexpr std::uint64_t kBatchesPerProgress = 256;

}  // namespace

LogAudit::LogAudit(FileSystem& files, LogAuditSettings settings, SqlLedger* ledger)
    : files_(files), settings_(std::move(settings)), ledger_(ledger) {}

std::expected<void, std::string> LogAudit::run(std::stop_token stop) {
    auto reader = LogReader::open(files_, settings_.log_dir);
    if (!reader) return std::unexpected(reader.error().text());
    reader_.emplace(std::move(*reader));
    auditor_.emplace(reader_->log_id(), reader_->point(), reader_->slice_s());
    ledger::FoldPoint folded;
    if (ledger_ != nullptr) {
        // Before the log's end is looked for, so that it lies behind this point.
        auto point = fold_point(*ledger_);
        if (!point) return std::unexpected(point.error());
        folded = *point;
    }
    const auto end = find_log_end(files_, settings_.log_dir);
    if (!end) return std::unexpected(end.error().text());
    end_ = end->position;
    if (ledger_ != nullptr && belongs(folded) && read_to(folded.log.position, stop)) {
        if (const auto done = compare(stop); !done) return done;
    }
    if (read_to(std::max(end_, reader_->point().position), stop) && end->damage) {
        cannot_read_on(*end->damage);
    }
    return {};
}

// What the pool has folded meanwhile is read on to, which takes a small part of the time that the
// log took so far; so the snapshot is not held for long.
std::expected<void, std::string> LogAudit::compare(const std::stop_token& stop) {
    if (settings_.before_snapshot) settings_.before_snapshot();
    const auto snapshot = ledger_->snapshot();
    if (!snapshot) return std::unexpected(snapshot.error());
    const auto folded = fold_point(**snapshot);
    if (!folded) return std::unexpected(folded.error());
    if (!belongs(*folded) || !read_to(folded->log.position, stop)) return {};
    if (reader_->point() != folded->log) {
        auditor_->differ({reader_->point().position, "point that the ledger was folded to",
                          "between two batches of this log",
                          fmt::format("position {}", folded->log.position)});
        return {};
    }
    return auditor_->compare(**snapshot, **snapshot);
}

// A ledger that was never folded stands at the log's beginning.
std::expected<ledger::FoldPoint, std::string> LogAudit::fold_point(SqlLedger& ledger) const {
    const auto point = ledger.fold_point();
    if (!point) return std::unexpected(point.error());
    if (*point) return **point;
    ledger::FoldPoint begin;
    begin.log_id = reader_->log_id();
    begin.log.chain = first_chain_value(begin.log_id);
    return begin;
}

bool LogAudit::belongs(const ledger::FoldPoint& folded) {
    if (folded.log_id == reader_->log_id()) return true;
    auditor_->differ({0, "log that the ledger was folded from", base::to_hex(reader_->log_id()),
                      base::to_hex(folded.log_id)});
    return false;
}

// False when it does not get there: the log ends before, cannot be read on, or stop is requested.
bool LogAudit::read_to(share::LogPosition position, const std::stop_token& stop) {
    if (!stuck_ && position > end_) {
        // The pool has gone on.
        const auto end = find_log_end(files_, settings_.log_dir);
        if (end && !end->damage && end->position < position) {
            auditor_->differ({end->position, "point that the ledger was folded to",
                              fmt::format("at most the log's end {}", end->position),
                              fmt::format("position {}", position)});
            return false;
        }
    }
    while (!stuck_ && !stop.stop_requested() && reader_->point().position < position) {
        const auto batch = reader_->next(position);
        if (!batch) {
            cannot_read_on(batch.error());
            break;
        }
        if (!*batch) break;  // the position lies within a batch
        auditor_->add(**batch);
        // A batch that does not fold leaves nothing to compare what follows with.
        stuck_ = auditor_->point() != reader_->point();
        if (settings_.progress && auditor_->report().batches % kBatchesPerProgress == 0) {
            settings_.progress(reader_->point().position, std::max(end_, position));
        }
    }
    return !stuck_ && !stop.stop_requested();
}

void LogAudit::cannot_read_on(const LogError& error) {
    stuck_ = true;
    const auto at = reader_->point().position;
    // A disk that failed just now can take back what was half written when the end was looked for.
    const auto end = find_log_end(files_, settings_.log_dir);
    if (end && !end->damage && end->position <= at) return;
    auditor_->differ({at, "share log", "a sound log", error.text()});
}

std::expected<ledger::AuditReport, std::string> audit_log(FileSystem& files,
                                                          const std::filesystem::path& log_dir,
                                                          SqlLedger* ledger) {
    LogAudit audit(files, {log_dir, {}, {}}, ledger);
    if (const auto done = audit.run(); !done) return std::unexpected(done.error());
    return audit.report();
}

}  // namespace adit::store
