// Pay per last N shares: which work before a block counts for its reward. The window is a number of
// expected hashes, filled from the newest slice down; the oldest slice that is needed is cut. Whole
// numbers and fixed orders only, so that the same log gives the same window on every machine. Reads
// a journal; as safe as that is.
#pragma once

#include "ledger/journal.h"

#include <string>
#include <string_view>
#include <vector>

namespace adit::ledger {

// A place in the logs of a pool: what an instance had recorded when it closed (or, for a question
// about now, reached) a slice, and what the others had finished by that time.
struct Moment {
    InstanceId instance = 0;
    SliceKey slice;
    std::int64_t time_ms = 0;
};
Moment moment_of(const BlockRow& block);
// The slice that walks down from a moment begin with: at or above all that counts.
SliceRef newest_before(const Moment& moment);
// The own instance's slices up to the moment's, and those of others that had ended: at the end of
// their stretch, or when a block closed them.
bool counts_before(Journal& journal, const SliceRef& ref, const Moment& moment);

struct AccountWork {
    std::string account;
    chain::Work work = 0;
    friend bool operator==(const AccountWork&, const AccountWork&) = default;
};

// The work that shares a reward. Each account once, in the order of the names' bytes, none without
// work.
struct Window {
    chain::Work wanted = 0;   // its length; 0: it is not measured by work (prop)
    chain::Work counted = 0;  // sum over the accounts
    SliceRef oldest;          // that counted
    std::vector<AccountWork> accounts;
    friend bool operator==(const Window&, const Window&) = default;
};

// Adds up work by account; one account in several logs is one account. Ids count from 1 in each
// log, so that all but absurdly large ones have a place in a table of their own.
class WorkByAccount {
 public:
    void add(InstanceId instance, std::span<const std::pair<share::AccountId, chain::Work>> work);
    void add(const AccountWork& work);
    // By name, without the empty ones. Work of ids that have no name counts for `unnamed`.
    std::vector<AccountWork> by_name(Journal& journal, std::string_view unnamed) const;

 private:
    struct Sums {
        std::vector<chain::Work> table;                          // by id
        std::unordered_map<share::AccountId, chain::Work> rest;  // of ids beyond any table
    };
    static chain::Work& sum_of_id(Sums& sums, share::AccountId id);

    std::map<InstanceId, Sums> by_id_;
    std::vector<AccountWork> named_;
};

// The window's length for a block of this nBits; 0 for nBits that encode no target, saturated at
// the largest work.
chain::Work window_length(std::uint32_t bits, std::uint32_t factor_milli);

// The newest `wanted` work before the moment, or all there is of it.
Window pplns_window(Journal& journal, const Moment& moment, chain::Work wanted,
                    std::string_view unnamed);

}  // namespace adit::ledger
