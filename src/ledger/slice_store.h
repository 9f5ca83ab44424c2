// Where slices are kept, as the domain sees it. Implemented by store (SQLite). Errors are sentences
// for the operator. One writer; queries are safe from any thread.
#pragma once

#include "ledger/tally.h"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace adit::ledger {

template <class T>
using Stored = std::expected<T, std::string>;

// One account's sum in one slice.
struct SliceRow {
    SliceKey slice;
    share::AccountId account = 0;
    Sum sum;
    friend bool operator==(const SliceRow&, const SliceRow&) = default;
};

// The sum of a worker (or account) since the log began.
struct TotalRow {
    std::uint32_t id = 0;
    Sum sum;
    friend bool operator==(const TotalRow&, const TotalRow&) = default;
};

class SliceStore {
 public:
    virtual ~SliceStore() = default;
    // nullopt: nothing was ever folded.
    virtual Stored<std::optional<FoldPoint>> fold_point() = 0;
    // Adds a delta in one transaction. Refused when the store does not stand at delta.before.
    virtual Stored<void> apply(const TallyDelta& delta) = 0;
    // Does what can wait until nobody waits for apply() any more. Called after it, on its thread.
    virtual Stored<void> tidy_up() = 0;
    // Reads ahead what dividing the next block's reward needs, which may take a second. Called once
    // before the first apply(), on its thread; nothing depends on it but speed.
    virtual Stored<void> warm_up() = 0;

    // Work since a time (unix seconds; slices that begin at or after it), of one account, one
    // worker, or everybody.
    virtual Stored<Sum> account_work_since(share::AccountId account, std::int64_t start_s) = 0;
    virtual Stored<Sum> worker_work_since(share::WorkerId worker, std::int64_t start_s) = 0;
    virtual Stored<Sum> pool_work_since(std::int64_t start_s) = 0;

    // Everything, in order, for PPLNS and audits.
    virtual Stored<std::vector<SliceRow>> slices(std::int64_t from_s, std::int64_t to_s) = 0;
    virtual Stored<std::vector<TotalRow>> worker_totals() = 0;
    virtual Stored<std::vector<FoundBlock>> blocks() = 0;
    virtual Stored<std::vector<share::AccountRecord>> accounts() = 0;
    virtual Stored<std::vector<share::WorkerRecord>> workers() = 0;
};

}  // namespace adit::ledger
