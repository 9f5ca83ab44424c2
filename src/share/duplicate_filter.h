// Remembers which headers of one extranonce1 have been submitted, so that none counts twice. One per
// session, moved along when the session resumes on another shard. Empty until the first share. The
// key is 64 bits of the header's hash, so whatever makes a header different is in it. No locks.
#pragma once

#include <vector>

#include "chain/hash.h"
#include "job/job.h"

namespace adit::share {

class DuplicateFilter {
 public:
    static constexpr std::size_t kMaxEntries = 1 << 20;

    enum class Verdict { fresh, duplicate, full };
    // Remembers the hash under its job. A repeated hash is a duplicate whatever its job.
    Verdict insert(job::JobId job, const chain::Hash256& hash);
    // Forgets the hashes of all jobs before `oldest` (they answer "job not found" from now on).
    void forget_before(job::JobId oldest);
    std::size_t size() const { return used_; }

 private:
    struct Entry {
        std::uint64_t key = 0;  // 0: empty slot
        job::JobId job = 0;
    };
    void grow();
    std::vector<Entry> slots_;  // open addressing, power of two
    std::size_t used_ = 0;
    job::JobId oldest_ = 0;
};

}  // namespace adit::share
