// Folds the share log into slices: how much work each account did in each stretch of time. Pure:
// the log's batches come in order, what they add up to goes out as one delta that a SliceStore
// applies in one transaction together with the point it reaches, so that every share counts exactly
// once. Not thread-safe: one owner.
#pragma once

#include "share/record.h"

#include <expected>
#include <map>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace adit::ledger {

// Work and shares that add up. Work has chain::kWorkFraction binary places.
struct Sum {
    chain::Work work = 0;
    std::uint64_t shares = 0;      // credited
    std::uint64_t uncredited = 0;  // answered true but worth nothing
    friend bool operator==(const Sum&, const Sum&) = default;
    Sum& operator+=(const Sum& other);
};

// A slice is a stretch of slice_s seconds; a found block closes it, and the rest of the stretch has
// the next sequence number.
struct SliceKey {
    std::int64_t start_s = 0;  // unix seconds, a multiple of slice_s
    std::uint32_t sequence = 0;
    friend auto operator<=>(const SliceKey&, const SliceKey&) = default;
};

// How far the fold has come. Stored with what it has folded.
struct FoldPoint {
    share::LogId log_id{};
    share::LogPoint log;
    SliceKey slice;  // that the next share falls into, unless its time is in a later one
    std::int64_t time_ms = 0;
    friend bool operator==(const FoldPoint&, const FoldPoint&) = default;
};

struct FoundBlock {
    share::BlockRecord block;
    share::LogPosition position = 0;  // of the batch that holds it
    std::int64_t time_ms = 0;         // of that batch
    SliceKey slice;                   // that it closed
    friend bool operator==(const FoundBlock&, const FoundBlock&) = default;
};

// A record that moves money or decides how it will move, with its place in the log.
struct Fact {
    std::variant<FoundBlock, share::RulesRecord, share::SettingsRecord, share::BlockFactRecord,
                 share::PayoutIntentRecord, share::PayoutSignedRecord, share::PayoutFactRecord,
                 share::ExplainRecord, share::SnapshotRecord>
        what;
    share::LogPosition position = 0;  // of the batch that holds it
    std::int64_t time_ms = 0;         // of that batch
};

// What some batches added. Maps are ordered so that applying them is reproducible.
struct TallyDelta {
    FoldPoint before;
    FoldPoint after;
    std::map<std::pair<SliceKey, share::AccountId>, Sum> slices;
    std::map<std::pair<std::int64_t, share::WorkerId>, Sum> workers;  // by slice start
    std::vector<share::AccountRecord> accounts;
    std::vector<share::WorkerRecord> worker_names;
    std::vector<Fact> facts;  // in the order of the log; found blocks among them
    std::uint64_t shares = 0;
    bool empty() const { return before == after; }
};

enum class TallyError {
    not_next,    // the batch does not begin where the fold stands
    bad_record,  // the payload does not decode, or has other counts than its header
    work_overflow,
};
std::string_view describe(TallyError error);

class Tally {
 public:
    // Begins where a store stands (or at a new log's beginning).
    Tally(FoldPoint from, std::uint32_t slice_s);

    // Adds one batch. After an error nothing of it was added and the tally must not be used on.
    std::expected<void, TallyError> fold(const share::LogBatch& batch);
    // Shares gathered since the last take().
    std::uint64_t gathered() const { return delta_.shares; }
    // Where the fold stands.
    const FoldPoint& point() const { return delta_.after; }
    // Everything since the last take(), which begins anew.
    TallyDelta take();

 private:
    void enter_slice_of(std::int64_t time_ms);
    void forget_open_sums();
    std::expected<void, TallyError> add_share(const share::ShareRecord& share);
    void add_block(const share::BlockRecord& block, const share::LogBatch& batch);
    void add_fact(share::Record record, const share::LogBatch& batch);
    chain::Work work_of(chain::Difficulty difficulty);

    std::uint32_t slice_s_;
    TallyDelta delta_;
    std::unordered_map<share::AccountId, Sum*> open_accounts_;  // sums of the open slice
    std::unordered_map<share::WorkerId, Sum*> open_workers_;
    std::unordered_map<std::uint64_t, chain::Work> work_cache_;  // by the difficulty's bits
};

}  // namespace adit::ledger
