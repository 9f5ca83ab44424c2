#include "ledger/audit.h"

#include <limits>

namespace adit::ledger {
namespace {

constexpr std::size_t kTargetCacheSize = 1 << 14;
constexpr std::int64_t kForgetEveryMs = 60'000;

std::string text_of(const Sum& sum) {
    return fmt::format("work {:016x}{:016x}, {} shares, {} uncredited",
                       static_cast<std::uint64_t>(sum.work >> 64),
                       static_cast<std::uint64_t>(sum.work), sum.shares, sum.uncredited);
}

std::string text_of(const FoundBlock& found) {
    return fmt::format("block {} of account {} at position {} in slice {}.{}",
                       found.block.hash.rpc_hex(), found.block.account, found.position,
                       found.slice.start_s, found.slice.sequence);
}

std::string text_of(const share::AccountRecord& account) {
    return fmt::format("account {} \"{}\"", account.id, account.name);
}

std::string text_of(const share::WorkerRecord& worker) {
    return fmt::format("worker {} \"{}\" of account {}", worker.id, worker.name, worker.account);
}

}  // namespace

std::string AuditDifference::text() const {
    return fmt::format("position {}: {}: expected {}, found {}", position, what, expected, found);
}

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
    : validator_(validator), tally_({log_id, begin, {}, 0}, slice_s) {
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
    gather();
    ++report_.batches;
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
        requests_.push_back(
            {waiting.job->job.get(), waiting.share.choice, target_of(waiting.share.difficulty)});
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

void Auditor::add_job(const share::JobRecord& job) {
    ++report_.jobs;
    check_waiting();
    const auto [at, added] = jobs_.try_emplace(job.id);
    if (!added) {
        return differ({position_, "job id", "a new one", std::to_string(job.id)});
    }
    at->second.job = share::restore_job(job);
    replace_newest(job.id);
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
    for (const auto& [key, sum] : delta.slices)
        slices_[key] += sum;
    for (const auto& [key, sum] : delta.workers)
        worker_totals_[key.second] += sum;
    for (const auto& fact : delta.facts) {
        // A block that is recorded twice is one block in the ledger.
        const auto* found = std::get_if<FoundBlock>(&fact.what);
        if (found != nullptr && block_hashes_.insert(found->block.hash).second) {
            blocks_.push_back(*found);
        }
    }
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

namespace {

// Reports the first row that differs between two ordered lists.
template <class Row, class Text>
std::optional<AuditDifference> first_difference(std::string_view what,
                                                const std::vector<Row>& expected,
                                                const std::vector<Row>& found, Text text) {
    for (std::size_t i = 0; i < std::max(expected.size(), found.size()); ++i) {
        if (i < expected.size() && i < found.size() && expected[i] == found[i]) continue;
        return AuditDifference{0, std::string(what),
                               i < expected.size() ? text(expected[i]) : "no more rows",
                               i < found.size() ? text(found[i]) : "no more rows"};
    }
    return std::nullopt;
}

}  // namespace

Stored<void> Auditor::compare(SliceStore& store) {
    const auto slices = store.slices(std::numeric_limits<std::int64_t>::min(),
                                     std::numeric_limits<std::int64_t>::max());
    const auto totals = store.worker_totals();
    const auto blocks = store.blocks();
    const auto accounts = store.accounts();
    const auto workers = store.workers();
    if (!slices) return std::unexpected(slices.error());
    if (!totals) return std::unexpected(totals.error());
    if (!blocks) return std::unexpected(blocks.error());
    if (!accounts) return std::unexpected(accounts.error());
    if (!workers) return std::unexpected(workers.error());

    std::vector<SliceRow> expected_slices;
    for (const auto& [key, sum] : slices_)
        expected_slices.push_back({key.first, key.second, sum});
    std::vector<TotalRow> expected_totals;
    for (const auto& [worker, sum] : worker_totals_)
        expected_totals.push_back({worker, sum});

    const auto check = [&](std::optional<AuditDifference> difference) {
        if (!difference) return;
        difference->position = point().position;
        differ(std::move(*difference));
    };
    check(first_difference("slice in the ledger", expected_slices, *slices, [](const auto& row) {
        return fmt::format("slice {}.{} of account {}: {}", row.slice.start_s, row.slice.sequence,
                           row.account, text_of(row.sum));
    }));
    check(first_difference(
        "worker total in the ledger", expected_totals, *totals,
        [](const auto& row) { return fmt::format("worker {}: {}", row.id, text_of(row.sum)); }));
    const auto row_text = [](const auto& row) { return text_of(row); };
    check(first_difference("block in the ledger", blocks_, *blocks, row_text));
    check(first_difference("account in the ledger", account_names_, *accounts, row_text));
    check(first_difference("worker in the ledger", worker_names_, *workers, row_text));
    report_.rows_compared +=
        slices->size() + totals->size() + blocks->size() + accounts->size() + workers->size();
    return {};
}

}  // namespace adit::ledger
