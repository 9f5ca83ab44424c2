// `adit audit`: reads a share log from its beginning, has every record checked by ledger::Auditor
// and compares the ledger as it is at the log's point up to which it was folded. Works on a pool
// that is running: it takes no lock, writes nothing, and reads what was in the log when it began.
// Owned by one thread.
#pragma once

#include "ledger/audit.h"
#include "store/log_end.h"
#include "store/log_reader.h"
#include "store/sql_ledger.h"

#include <expected>
#include <functional>
#include <stop_token>

namespace adit::store {

struct LogAuditSettings {
    std::filesystem::path log_dir;
    // Called now and then with the position reached and the one that will be reached.
    std::function<void(share::LogPosition at, share::LogPosition end)> progress;
    // Test only: called between the first look at the ledger's fold point and its snapshot.
    std::function<void()> before_snapshot;
};

class LogAudit {
 public:
    // `ledger` may be null: then only the log is checked. Both must outlive the audit.
    LogAudit(FileSystem& files, LogAuditSettings settings, SqlLedger* ledger);

    // The error is a sentence for the operator when the log or the ledger could not be read at all;
    // a log that cannot be read on is a difference in the report. Once.
    std::expected<void, std::string> run(std::stop_token stop = {});

    // After run().
    const ledger::AuditReport& report() const { return auditor_->report(); }
    // The ledger by the log alone, where the log ended.
    ledger::LedgerReader& books() { return auditor_->books(); }
    // For what the caller finds besides, such as in the chain.
    void differ(ledger::AuditDifference difference) { auditor_->differ(std::move(difference)); }

 private:
    std::expected<void, std::string> compare(const std::stop_token& stop);
    std::expected<ledger::FoldPoint, std::string> fold_point(SqlLedger& ledger) const;
    bool belongs(const ledger::FoldPoint& folded);
    bool read_to(share::LogPosition position, const std::stop_token& stop);
    void cannot_read_on(const LogError& error);

    FileSystem& files_;
    LogAuditSettings settings_;
    SqlLedger* ledger_;
    std::optional<LogReader> reader_;
    std::optional<ledger::Auditor> auditor_;
    share::LogPosition end_ = 0;  // of what was in the log at the start
    bool stuck_ = false;          // nothing can be read any more
};

// The same in one call.
std::expected<ledger::AuditReport, std::string> audit_log(FileSystem& files,
                                                          const std::filesystem::path& log_dir,
                                                          SqlLedger* ledger);

}  // namespace adit::store
