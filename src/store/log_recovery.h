// Opens a share log after a clean stop or any crash: finds the end of what is valid, cuts a torn
// tail, makes the last batch provably durable and restores the tables that new batches refer to.
// Reads only the last segment and the seals of the others.
#pragma once

#include "base/clock.h"
#include "store/log_format.h"

namespace adit::store {

struct RecoveredLog {
    Seal segment;                // the open segment up to its valid end; number 0 for a new log
    std::unique_ptr<File> file;  // open for writing; null for a new log
    std::uint32_t slice_s = 0;
    std::vector<share::AccountRecord> accounts;  // of the whole log, in order of their ids
    std::vector<share::WorkerRecord> workers;
    std::uint64_t shares = 0;      // of the whole log
    std::uint64_t torn_bytes = 0;  // cut from the tail
    std::uint64_t rebuilt_seals = 0;
};

// A missing or empty directory is a new log with a random id and this slice length.
std::expected<RecoveredLog, LogError> recover_log(FileSystem& files,
                                                  const std::filesystem::path& log_dir,
                                                  std::uint32_t slice_s);

}  // namespace adit::store
