// `adit audit`: reads a share log at rest from its beginning, has every record checked by
// ledger::Auditor and compares the ledger where its fold point lies. Runs in the caller's thread.
#pragma once

#include "ledger/audit.h"
#include "store/file_system.h"

#include <expected>
#include <functional>
#include <stop_token>

namespace adit::store {

// `ledger` may be null: then only the log is checked. `progress` is called now and then with the
// position reached. The error is a sentence for the operator when nothing could be checked at all;
// a log that cannot be read on is a difference in the report.
std::expected<ledger::AuditReport, std::string> audit_log(
    FileSystem& files, const std::filesystem::path& log_dir, ledger::SliceStore* ledger,
    std::stop_token stop = {}, const std::function<void(share::LogPosition)>& progress = {});

}  // namespace adit::store
