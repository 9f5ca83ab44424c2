#include "ledger/audit.h"

#include "job/finder_job.h"
#include "ledger/bookkeeper.h"
#include "ledger/row_text.h"

#include <limits>

namespace adit::ledger {
namespace {

constexpr std::size_t kTargetCacheSize = 1 << 14;
constexpr std::int64_t kForgetEveryMs = 60'000;

// Shares that the tally gathers before their sums are taken over.
constexpr std::uint64_t kGather = 1 << 18;
// Rows of slices that are compared together.
constexpr std::size_t kSlicePiece = 1 << 18;

}  // namespace

bool Auditor::NumberSet::insert(std::uint64_t number) {
    if (2 * used_ >= slots_.size()) {
        const auto old = std::exchange(
            slots_, std::vector<std::uint64_t>(std::max<std::size_t>(64, 2 * slots_.size())));
        for (const auto kept : old) {
            if (kept != 0) place(kept);
        }
    }
    const bool fresh = place(number | 1);  // an empty slot is 0
    used_ += fresh;
    return fresh;
}

bool Auditor::NumberSet::place(std::uint64_t number) {
    const auto mask = slots_.size() - 1;
    for (auto at = (number >> 1) & mask;; at = (at + 1) & mask) {
        if (slots_[at] == number) return false;
        if (slots_[at] == 0) {
            slots_[at] = number;
            return true;
        }
    }
}

Auditor::Auditor(const share::LogId& log_id, const share::LogPoint& begin, std::uint32_t slice_s,
                 share::Validator validator)
    : validator_(validator), tally_({log_id, begin, {}, 0}, slice_s), books_(0, slice_s) {
    waiting_.reserve(kTogether);
}

void Auditor::add(const share::LogBatch& batch) {
    position_ = batch.before.position;
    time_ms_ = batch.time_ms;
    number_ = 0;
    base::ByteReader reader(batch.payload);
    while (reader.left() > 0) {
        const auto record = share::read_record(reader);
        if (!record) {
            return differ({position_, "record", "a record that decodes",
                           std::string(share::describe(record.error()))});
        }
        add_record(*record, batch);
    }
    check_waiting();
    if (const auto folded = tally_.fold(batch); !folded) {
        return differ({position_, "batch", "a batch that can be folded",
                       std::string(describe(folded.error()))});
    }
    if (facts_wait_ || tally_.gathered() >= kGather) gather();
    if (report_.batches == 0) first_ms_ = time_ms_;
    ++report_.batches;
    report_.end = batch.after.position;
    if (time_ms_ >= next_forget_ms_) {
        forget_jobs(time_ms_ - kJobLifetimeMs);
        next_forget_ms_ = time_ms_ + kForgetEveryMs;
    }
}

void Auditor::add_record(const share::Record& record, const share::LogBatch&) {
    if (const auto* share = std::get_if<share::ShareRecord>(&record)) {
        add_share(*share);
    } else if (const auto* job = std::get_if<share::JobRecord>(&record)) {
        add_job(*job);
    } else if (const auto* account = std::get_if<share::AccountRecord>(&record)) {
        expect<std::uint64_t>("account id", account_names_.size() + 1, account->id);
        account_names_.push_back(*account);
        ++report_.accounts;
    } else if (const auto* worker = std::get_if<share::WorkerRecord>(&record)) {
        add_worker(*worker);
    } else if (const auto* block = std::get_if<share::BlockRecord>(&record)) {
        add_block(*block);
    } else if (!std::holds_alternative<share::RunRecord>(record)) {
        ++report_.facts;
        facts_wait_ = true;
    }
}

void Auditor::add_share(const share::ShareRecord& share) {
    ++report_.shares;
    ++number_;
    report_.uncredited += share.uncredited;
    if (share.worker > worker_accounts_.size()) {
        differ({position_, fmt::format("share {} of the batch: worker", number_),
                "one that is recorded before", std::to_string(share.worker)});
    } else {
        expect("account of the share's worker", worker_accounts_[share.worker - 1], share.account);
    }
    if (share.stale && !share.block) {
        differ({position_, fmt::format("share {} of the batch: stale flag", number_),
                "only with a block", "without one"});
    }
    const auto job = jobs_.find(share.job);
    if (job == jobs_.end()) {
        return differ({position_, fmt::format("share {} of the batch: job", number_),
                       "one that is recorded before", std::to_string(share.job)});
    }
    waiting_.push_back({share, &job->second, number_});
    if (waiting_.size() == kTogether) check_waiting();
}

// Hashes together what has gathered. References to jobs stay valid: jobs are only forgotten between
// batches.
void Auditor::check_waiting() {
    requests_.clear();
    for (const auto& waiting : waiting_) {
        requests_.push_back({hashed_job(*waiting.job, waiting.share.account), waiting.share.choice,
                             target_of(waiting.share.difficulty)});
    }
    results_.resize(requests_.size());
    validator_.check(requests_, results_);
    for (std::size_t i = 0; i < waiting_.size(); ++i)
        check_result(waiting_[i], results_[i]);
    waiting_.clear();
}

void Auditor::check_result(const Waiting& waiting, const share::CheckResult& result) {
    const auto& share = waiting.share;
    const auto name = [&](std::string_view what) {
        return fmt::format("share {} of the batch: {}", waiting.number, what);
    };
    const auto flag = [](bool set) { return set ? "set" : "not set"; };
    // A stale block is recorded for its block alone: it is worth nothing whatever its difficulty.
    if (!share.stale && result.meets_share == share.uncredited) {
        if (share.uncredited) {
            differ({position_, name("uncredited flag"), flag(false), flag(true)});
        } else {
            differ({position_, name("hash"),
                    fmt::format("one that meets difficulty {}", share.difficulty.value()),
                    result.hash.rpc_hex()});
        }
    }
    if (result.meets_network != share.block) {
        differ({position_, name("block flag"), flag(result.meets_network), flag(share.block)});
    }
    if (share.stale) return;
    // The last bytes of a share's hash are zero, the first are spread evenly.
    const auto key = base::load_le<std::uint64_t>(result.hash.bytes.data());
    if (!waiting.job->hashes.insert(key)) {
        differ({position_, name("hash"), "one that was not counted before", result.hash.rpc_hex()});
    }
}

const job::Job* Auditor::hashed_job(KnownJob& job, share::AccountId account) {
    if (!job.job->pays_finder || account == 0 || account > account_names_.size()) {
        return job.job.get();
    }
    auto& own = job.of_finders[account];
    if (own == nullptr) {
        const auto script = job::script_of_account(account_names_[account - 1].name);
        if (!script.empty()) own = job::job_for_finder(*job.job, script);
        if (own == nullptr) own = job.job;
    }
    return own.get();
}

void Auditor::add_job(const share::JobRecord& job) {
    ++report_.jobs;
    check_waiting();
    const auto [at, added] = jobs_.try_emplace(job.id);
    if (!added) {
        return differ({position_, "job id", "a new one", std::to_string(job.id)});
    }
    at->second.job = share::restore_job(job);
    if (job.snapshot != 0) check_coinbase(*at->second.job);
    replace_newest(job.id);
}

// Jobs are made by a snapshot only when it is in the log and the ledger has taken it.
void Auditor::check_coinbase(const job::Job& job) {
    const auto snapshot = books_.snapshot(books_.instance(), job.snapshot);
    if (!snapshot) {
        return differ({position_, fmt::format("snapshot of job {}", job.id),
                       "one that is recorded before", std::to_string(job.snapshot)});
    }
    const auto named = named_snapshot(
        *snapshot, [&](share::AccountId id) { return books_.account_name(books_.instance(), id); });
    if (auto fault = coinbase_fault(job, named); !fault.empty()) {
        differ({position_, fmt::format("coinbase of job {}", job.id),
                fmt::format("what snapshot {} says", job.snapshot), std::move(fault)});
    }
}

void Auditor::replace_newest(job::JobId by) {
    if (const auto newest = jobs_.find(newest_job_); newest != jobs_.end()) {
        newest->second.replaced_ms = time_ms_;
    }
    newest_job_ = by;
}

void Auditor::add_worker(const share::WorkerRecord& worker) {
    ++report_.workers;
    expect<std::uint64_t>("worker id", worker_accounts_.size() + 1, worker.id);
    if (worker.account > account_names_.size()) {
        differ({position_, "worker's account", "one that is recorded before",
                std::to_string(worker.account)});
    }
    worker_accounts_.push_back(worker.account);
    worker_names_.push_back(worker);
}

void Auditor::add_block(const share::BlockRecord& block) {
    ++report_.blocks;
    facts_wait_ = true;
    const auto job = jobs_.find(block.job);
    if (job == jobs_.end()) {
        return differ(
            {position_, "block's job", "one that is recorded before", std::to_string(block.job)});
    }
    if (!job->second.job->network_target.met_by(block.hash)) {
        differ(
            {position_, "block's hash", "one that meets the network target", block.hash.rpc_hex()});
    }
    expect("block's height", job->second.job->source->height, block.height);
    expect("block's coinbase value", job->second.job->source->coinbase_value_sat,
           block.coinbase_value_sat);
    expect("block's snapshot", job->second.job->snapshot, block.snapshot);
    expect("whether the block pays dues", job->second.job->pays_dues, block.pays_dues);
    expect("whether the block pays its finder", job->second.job->pays_finder, block.pays_finder);
}

void Auditor::forget_jobs(std::int64_t before_ms) {
    // The newest has no end: miners keep it while no node offers another.
    std::erase_if(jobs_, [&](const auto& entry) {
        const auto& replaced_ms = entry.second.replaced_ms;
        return replaced_ms && *replaced_ms < before_ms;
    });
}

void Auditor::gather() {
    const auto delta = tally_.take();
    facts_wait_ = false;
    for (const auto& [key, sum] : delta.workers)
        worker_totals_[key.second] += sum;
    books_.add(delta);
    Bookkeeper bookkeeper(books_);
    for (const auto& fact : delta.facts)
        bookkeeper.apply(fact);
}

template <class T>
void Auditor::expect(std::string_view what, const T& expected, const T& found) {
    if (expected == found) return;
    differ({position_, std::string(what), fmt::format("{}", expected), fmt::format("{}", found)});
}

const chain::Target& Auditor::target_of(chain::Difficulty difficulty) {
    const auto key = std::bit_cast<std::uint64_t>(difficulty.value());
    if (const auto known = targets_.find(key); known != targets_.end()) return known->second;
    if (targets_.size() >= kTargetCacheSize) targets_.clear();
    return targets_.emplace(key, difficulty.target()).first->second;
}

void Auditor::differ(AuditDifference difference) {
    ++report_.differences;
    if (!report_.first) report_.first = std::move(difference);
}

Stored<void> Auditor::compare(SliceStore& store, LedgerReader& books) {
    gather();
    const auto at = point().position;
    const auto report = [&](AuditDifference difference) { differ(std::move(difference)); };
    const auto lists = [&]<class Row>(std::string_view what, std::vector<Row> expected,
                                      Stored<std::vector<Row>> found, auto key) -> Stored<void> {
        if (!found) return std::unexpected(found.error());
        report_.rows_compared += found->size();
        compare_lists(
            what, at, expected, *found, key, [](const Row& row) { return text_of(row); }, report);
        return {};
    };
    const auto id = [](const auto& row) { return row.id; };
    auto done = lists("account in the ledger", account_names_, store.accounts(), id);
    if (done) done = lists("worker in the ledger", worker_names_, store.workers(), id);
    if (done) done = compare_slices(store);
    if (!done) return done;
    std::vector<TotalRow> totals;
    for (const auto& [worker, sum] : worker_totals_)
        totals.push_back({worker, sum});
    done = lists("worker total in the ledger", std::move(totals), store.worker_totals(), id);
    if (!done) return done;
    const auto rows = BookComparison(report, at, first_ms_, time_ms_).compare(books_, books);
    if (!rows) return std::unexpected(rows.error());
    report_.rows_compared += *rows;
    report_.compared_at = at;
    return {};
}

// In pieces, so that the rows need not be in memory twice.
Stored<void> Auditor::compare_slices(SliceStore& store) {
    constexpr auto kEarliest = std::numeric_limits<std::int64_t>::min();
    constexpr auto kLatest = std::numeric_limits<std::int64_t>::max();
    auto from_s = kEarliest;
    const auto& slices = books_.slices().packed();
    auto piece = slices.begin();
    for (;;) {
        std::vector<SliceRow> expected;
        for (; piece != slices.end() && expected.size() < kSlicePiece;) {
            // All slices of one stretch of time together.
            const auto start_s = piece->first.start_s;
            for (; piece != slices.end() && piece->first.start_s == start_s; ++piece) {
                for (const auto& [account, sum] : SliceBook::unpack(piece->second))
                    expected.push_back({piece->first, account, sum});
            }
        }
        const auto to_s = piece == slices.end() ? kLatest : piece->first.start_s;
        auto found = store.slices(from_s, to_s);
        if (!found) return std::unexpected(found.error());
        report_.rows_compared += found->size();
        compare_lists(
            "slice in the ledger", point().position, expected, *found,
            [](const SliceRow& row) { return std::pair(row.slice, row.account); },
            [](const SliceRow& row) { return text_of(row); },
            [&](AuditDifference difference) { differ(std::move(difference)); });
        if (to_s == kLatest) return {};
        from_s = to_s;
    }
}

}  // namespace adit::ledger
