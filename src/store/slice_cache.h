// The work of slices that a ledger's journal has read, so that the next window over nearly the same
// slices reads only what is new: an unbroken row of them, from the newest down. Slices change only
// above the point that their log was folded up to, so what has to be read again follows from the
// fold points then and now. Holds a bounded number of bytes; the oldest slices are left out first
// and read from the database every time. Not thread-safe: its owner's transaction uses it.
#pragma once

#include "ledger/journal.h"

#include <deque>
#include <functional>
#include <map>
#include <vector>

namespace adit::store {

class SliceCache {
 public:
    using Visit = std::function<bool(const ledger::SliceGroup&)>;
    // Shows the groups below `below` and not below `floor` that the database has, newest first,
    // until `visit` says false; then it is false as well.
    using Read = std::function<bool(const ledger::SliceRef& below, const ledger::SliceRef& floor,
                                    const Visit& visit)>;
    // The fold points of all instances, in the same transaction as what is read.
    using Stands = std::map<ledger::InstanceId, ledger::FoldPoint>;

    // A million slices of accounts take 32 MB.
    static constexpr std::size_t kMaxBytes = 64 << 20;
    explicit SliceCache(std::size_t max_bytes = kMaxBytes) : max_bytes_(max_bytes) {}

    // Journal::slices_down(), from here or from `read`. If the transaction is not committed or
    // anything throws, the cache must be dropped.
    void walk(const ledger::SliceRef& from, const Stands& stands, const Read& read,
              const Visit& visit);
    // Reads what is not here yet, so that the next walk need not: what has come since the last one,
    // or when there is nothing everything down to `floor`, as far as there is room.
    void keep_up(const ledger::SliceRef& floor, const Stands& stands, const Read& read);

    std::size_t bytes() const { return bytes_; }

 private:
    struct Group {
        explicit Group(const ledger::SliceGroup& group)
            : ref(group.ref), work(group.work.begin(), group.work.end()) {}
        ledger::SliceRef ref;
        std::vector<std::pair<share::AccountId, chain::Work>> work;
    };
    static std::size_t size_of(std::size_t accounts);

    void clear();
    void forget_changed(const Stands& stands);
    bool walk_newer(const ledger::SliceRef& below, const Read& read, const Visit& visit);
    bool fits(const ledger::SliceGroup& group) const;
    void drop_oldest();

    std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    std::deque<Group> groups_;  // newest first
    ledger::SliceRef end_;      // there are no others from the oldest of them up to here
    Stands stands_;             // when they were read
};

}  // namespace adit::store
