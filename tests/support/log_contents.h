// A share log as an auditor sees it: every record, and the hash of every share's header computed
// again from the job record and the share record alone. For data directories at rest.
#pragma once

#include "share/record.h"

#include <filesystem>
#include <map>
#include <unordered_map>
#include <vector>

namespace adit::tests {

struct LoggedShare {
    chain::Hash256 hash;
    share::ShareRecord record;
};

struct LogContents {
    std::vector<LoggedShare> shares;  // in order, stale blocks included
    std::vector<share::BlockRecord> blocks;
    std::map<share::AccountId, std::string> accounts;
    std::map<share::WorkerId, share::WorkerRecord> workers;
    std::size_t jobs = 0;
    std::size_t runs = 0;

    // How often each header stands in the log as a share that counts (not as a stale block).
    std::unordered_map<chain::Hash256, int, chain::Hash256Hasher> counted() const;
    // Shares that count.
    std::uint64_t counted_shares() const;
};

// Throws std::runtime_error with the place and the reason when the log does not read to its end.
LogContents read_log(const std::filesystem::path& data_dir);

}  // namespace adit::tests
