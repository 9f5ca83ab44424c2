#include "ledger/tally.h"

#include "base/check.h"

namespace adit::ledger {
namespace {

// Vardiff uses few values; what does not fit is computed again.
constexpr std::size_t kWorkCacheSize = 1 << 14;

// Records that fold into something else than a fact.
template <class T>
concept FoldedRecord =
    std::same_as<T, share::ShareRecord> || std::same_as<T, share::JobRecord> ||
    std::same_as<T, share::AccountRecord> || std::same_as<T, share::WorkerRecord> ||
    std::same_as<T, share::BlockRecord> || std::same_as<T, share::RunRecord>;

}  // namespace

Sum& Sum::operator+=(const Sum& other) {
    ADIT_CHECK(work <= ~other.work, "work of all time fits into 128 bits");
    work += other.work;
    shares += other.shares;
    uncredited += other.uncredited;
    return *this;
}

std::string_view describe(TallyError error) {
    switch (error) {
        case TallyError::not_next:
            return "the batch does not begin where the fold stands";
        case TallyError::bad_record:
            return "the batch holds a record that does not decode";
        case TallyError::work_overflow:
            return "the work of a slice does not fit into 128 bits";
    }
    return "unknown";
}

Tally::Tally(FoldPoint from, std::uint32_t slice_s) : slice_s_(slice_s) {
    delta_.before = from;
    delta_.after = from;
}

std::expected<void, TallyError> Tally::fold(const share::LogBatch& batch) {
    if (batch.before != delta_.after.log) return std::unexpected(TallyError::not_next);
    enter_slice_of(batch.time_ms);
    base::ByteReader reader(batch.payload);
    std::uint32_t records = 0;
    std::uint32_t shares = 0;
    while (reader.left() > 0) {
        auto record = share::read_record(reader);
        if (!record) return std::unexpected(TallyError::bad_record);
        ++records;
        if (const auto* share = std::get_if<share::ShareRecord>(&*record)) {
            ++shares;
            if (auto added = add_share(*share); !added) return added;
        } else if (auto* account = std::get_if<share::AccountRecord>(&*record)) {
            delta_.accounts.push_back(std::move(*account));
        } else if (auto* worker = std::get_if<share::WorkerRecord>(&*record)) {
            delta_.worker_names.push_back(std::move(*worker));
        } else if (const auto* block = std::get_if<share::BlockRecord>(&*record)) {
            add_block(*block, batch);
        } else {
            add_fact(std::move(*record), batch);
        }
    }
    if (records != batch.records || shares != batch.shares) {
        return std::unexpected(TallyError::bad_record);
    }
    delta_.shares += shares;
    delta_.after.log = batch.after;
    delta_.after.time_ms = batch.time_ms;
    return {};
}

TallyDelta Tally::take() {
    auto taken = std::move(delta_);
    delta_ = {};
    delta_.before = taken.after;
    delta_.after = taken.after;
    forget_open_sums();
    return taken;
}

// The slice of a batch is that of its time; time never goes back.
void Tally::enter_slice_of(std::int64_t time_ms) {
    const auto seconds = time_ms / 1'000;
    const auto start = seconds - seconds % slice_s_;
    auto& slice = delta_.after.slice;
    if (start > slice.start_s) {
        slice = {start, 0};
        forget_open_sums();
    }
}

void Tally::forget_open_sums() {
    open_accounts_.clear();
    open_workers_.clear();
}

std::expected<void, TallyError> Tally::add_share(const share::ShareRecord& share) {
    const auto& slice = delta_.after.slice;
    auto& account = open_accounts_[share.account];
    if (account == nullptr) account = &delta_.slices[{slice, share.account}];
    auto& worker = open_workers_[share.worker];
    if (worker == nullptr) worker = &delta_.workers[{slice.start_s, share.worker}];
    if (share.uncredited || share.stale) {
        account->uncredited += 1;
        worker->uncredited += 1;
        return {};
    }
    const auto work = work_of(share.difficulty);
    if (account->work > ~work) return std::unexpected(TallyError::work_overflow);
    account->work += work;
    account->shares += 1;
    // A worker's work never exceeds its account's only when names are consistent, which a damaged
    // log may not be.
    if (worker->work > ~work) return std::unexpected(TallyError::work_overflow);
    worker->work += work;
    worker->shares += 1;
    return {};
}

void Tally::add_block(const share::BlockRecord& block, const share::LogBatch& batch) {
    auto& slice = delta_.after.slice;
    const FoundBlock found{block, batch.before.position, batch.time_ms, slice};
    delta_.facts.push_back({found, found.position, found.time_ms});
    slice.sequence += 1;
    forget_open_sums();
}

void Tally::add_fact(share::Record record, const share::LogBatch& batch) {
    std::visit(
        [&]<class T>(T& fact) {
            if constexpr (!FoldedRecord<T>) {
                delta_.facts.push_back({std::move(fact), batch.before.position, batch.time_ms});
            }
        },
        record);
}

chain::Work Tally::work_of(chain::Difficulty difficulty) {
    const auto key = std::bit_cast<std::uint64_t>(difficulty.value());
    if (const auto known = work_cache_.find(key); known != work_cache_.end()) return known->second;
    const auto work = chain::work_of(difficulty.target());
    if (work_cache_.size() >= kWorkCacheSize) work_cache_.clear();
    work_cache_.emplace(key, work);
    return work;
}

}  // namespace adit::ledger
