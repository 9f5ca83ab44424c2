// Checks a whole share log again: every share is hashed, every flag and reference compared with
// what is recorded, and the whole ledger (slices, splits, transfers, balances, payouts) is computed
// again from the log alone and compared with the one that the pool keeps. Anybody who has the log
// can do this. Pure: batches are handed in, in order, from the log's beginning. Not thread-safe.
#pragma once

#include "ledger/book_comparison.h"
#include "ledger/memory_journal.h"
#include "ledger/payout_snapshots.h"
#include "ledger/slice_store.h"
#include "ledger/tally.h"
#include "share/validator.h"

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace adit::ledger {

struct AuditReport {
    std::uint64_t batches = 0;
    std::uint64_t shares = 0;
    std::uint64_t uncredited = 0;
    std::uint64_t jobs = 0;
    std::uint64_t accounts = 0;
    std::uint64_t workers = 0;
    std::uint64_t blocks = 0;
    std::uint64_t facts = 0;                        // that move money, besides found blocks
    std::uint64_t rows_compared = 0;                // of the ledger
    share::LogPosition end = 0;                     // that was read up to
    std::optional<share::LogPosition> compared_at;  // where the ledger stood
    std::uint64_t differences = 0;
    std::optional<AuditDifference> first;

    bool clean() const { return differences == 0; }
};

class Auditor {
 public:
    // Duplicates are looked for among the shares of the newest job and of those that had a
    // successor within the last hour: shares of older ones are refused when they are submitted.
    static constexpr std::int64_t kJobLifetimeMs = 3'600'000;

    Auditor(const share::LogId& log_id, const share::LogPoint& begin, std::uint32_t slice_s,
            share::Validator validator = share::Validator());

    void add(const share::LogBatch& batch);
    // Compares with the ledger; the log must have been added up to exactly its fold point. Both
    // faces must be of one moment.
    Stored<void> compare(SliceStore& store, LedgerReader& books);
    // The ledger by the log alone, as far as it was added.
    LedgerReader& books() { return books_; }
    // Notes something that the caller found, such as a log that cannot be read on.
    void differ(AuditDifference difference);

    const share::LogPoint& point() const { return tally_.point().log; }
    const AuditReport& report() const { return report_; }

 private:
    // Numbers that are spread evenly already: open addressing, no allocation per number.
    class NumberSet {
     public:
        // False when it is there already.
        bool insert(std::uint64_t number);

     private:
        bool place(std::uint64_t number);
        std::vector<std::uint64_t> slots_;  // a power of two; 0: empty
        std::size_t used_ = 0;
    };
    struct KnownJob {
        job::JobRef job;
        std::optional<std::int64_t> replaced_ms;  // when its successor was recorded
        NumberSet hashes;                         // 64 bits of each share's hash
        // With the coinbase of each account, when that pays the finder.
        std::unordered_map<share::AccountId, job::JobRef> of_finders;
    };
    struct Waiting {
        share::ShareRecord share;
        KnownJob* job;
        std::uint32_t number;  // in its batch
    };

    void add_record(const share::Record& record, const share::LogBatch& batch);
    void add_share(const share::ShareRecord& share);
    void check_waiting();
    void check_result(const Waiting& waiting, const share::CheckResult& result);
    void add_job(const share::JobRecord& job);
    void check_coinbase(const job::Job& job);
    // As the share's connection hashed it.
    const job::Job* hashed_job(KnownJob& job, share::AccountId account);
    void add_worker(const share::WorkerRecord& worker);
    void add_block(const share::BlockRecord& block);
    void replace_newest(job::JobId by);
    void forget_jobs(std::int64_t before_ms);
    void gather();
    Stored<void> compare_slices(SliceStore& store);
    template <class T>
    void expect(std::string_view what, const T& expected, const T& found);
    const chain::Target& target_of(chain::Difficulty difficulty);

    static constexpr std::size_t kTogether = 64;  // shares hashed in one call

    share::Validator validator_;
    Tally tally_;
    AuditReport report_;
    share::LogPosition position_ = 0;  // of the batch in hand
    std::int64_t time_ms_ = 0;
    std::uint32_t number_ = 0;
    std::int64_t next_forget_ms_ = 0;

    std::unordered_map<job::JobId, KnownJob> jobs_;
    job::JobId newest_job_ = 0;
    std::vector<share::AccountId> worker_accounts_;  // by worker id - 1
    std::vector<share::AccountRecord> account_names_;
    std::vector<share::WorkerRecord> worker_names_;
    std::vector<Waiting> waiting_;
    std::vector<share::CheckRequest> requests_;
    std::vector<share::CheckResult> results_;
    std::unordered_map<std::uint64_t, chain::Target> targets_;

    std::map<share::WorkerId, Sum> worker_totals_;
    MemoryJournal books_;
    NamedSnapshot snapshot_;     // of the last job that had one
    bool facts_wait_ = false;    // in the tally's delta
    std::int64_t first_ms_ = 0;  // of the log
};

}  // namespace adit::ledger
