// Which found blocks the books have: those in the ledger and those that the share log holds behind
// the ledger's fold point. Safe while a tally folds the same log.
#pragma once

#include "ledger/slice_store.h"
#include "store/file_share_log.h"
#include "store/log_reader.h"

#include <unordered_set>

namespace adit::store {

using BlockHashes = std::unordered_set<chain::Hash256, chain::Hash256Hasher>;

// Reads the log from the ledger's fold point to what is durable now. The error is a sentence for
// the operator.
std::expected<BlockHashes, std::string> recorded_blocks(FileSystem& files,
                                                        const std::filesystem::path& log_dir,
                                                        const DurableLog& log,
                                                        ledger::SliceStore& slices);

}  // namespace adit::store
