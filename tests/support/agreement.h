// The comparison at the end of most tests: what the miners were told, what the log holds and what
// the ledger database adds up to must be the same shares. Reports through GoogleTest.
#pragma once

#include "tests/support/log_contents.h"
#include "tests/support/share_book.h"

#include <filesystem>

namespace adit::tests {

// Every header answered true is in the log exactly once as a share that counts, and no header
// counts twice. True when so.
bool expect_every_true_once(const LogContents& log, const ShareBook& book);

// The totals in the ledger database are those of the log: shares, and blocks.
void expect_ledger_equals_log(const std::filesystem::path& data_dir, const LogContents& log);

// For a pool that was stopped in order and miners that have all their answers: the two above, and
// nothing counts in the log that no miner was told of. Returns the log.
LogContents expect_agreement(const std::filesystem::path& data_dir, const ShareBook& book);

}  // namespace adit::tests
