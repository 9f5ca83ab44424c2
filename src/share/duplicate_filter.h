// Remembers which headers of one extranonce1 have been submitted, so that none counts twice. One
// per session, moved along when the session resumes on another shard. Empty until the first share.
// The key is 64 bits of the header's hash, so whatever makes a header different is in it. No locks.
#pragma once

#include "chain/hash.h"
#include "job/job.h"

#include <cstdint>
#include <vector>

namespace adit::share {

class DuplicateFilter {
 public:
    static constexpr std::size_t kMaxEntries = 1 << 20;

    enum class Verdict { fresh, duplicate, full };
    // Remembers the hash under its job. A repeated hash is a duplicate whatever its job. Full: it
    // is not remembered, so the share must be refused.
    Verdict insert(job::JobId job, const chain::Hash256& hash);
    bool contains(const chain::Hash256& hash) const;
    // Forgets the hashes of all jobs before `oldest` (they answer "job not found" from now on).
    // Cheap: the entries go when the table would have to grow, all at once when none is left to
    // remember.
    void forget_before(job::JobId oldest);
    // Entries held, forgotten ones that were not yet dropped included.
    std::size_t size() const { return used_; }
    // Bytes of the table; 0 before the first share.
    std::size_t memory_bytes() const { return slots_.capacity() * sizeof(Entry); }

 private:
    struct Entry {
        std::uint64_t key = 0;  // 0: empty slot
        job::JobId job = 0;
    };
    static std::uint64_t key_of(const chain::Hash256& hash);
    // The slot of this key, or the empty one where it belongs. The table must not be empty.
    std::size_t slot_of(std::uint64_t key) const;
    // Drops what is forgotten and leaves room for as many entries again as stay. False at the
    // bound.
    bool make_room();

    std::vector<Entry> slots_;  // open addressing, power of two, at most three quarters used
    std::size_t used_ = 0;
    job::JobId oldest_ = 0;
    job::JobId newest_ = 0;     // of the entries
    job::JobId compacted_ = 0;  // oldest_ when the table was last rebuilt
};

}  // namespace adit::share
