#include "manager/block_desk.h"

namespace adit::manager {
namespace {

store::CandidateState state_of(const node::SubmitReport& report) {
    switch (report.state) {
        case node::SubmitState::pending:
            return store::CandidateState::submitted;
        case node::SubmitState::accepted:
            return store::CandidateState::accepted;
        case node::SubmitState::refused:
            return store::CandidateState::given_up;
        case node::SubmitState::superseded:
            return store::CandidateState::buried;
    }
    return store::CandidateState::submitted;
}

// "node-a: in_best_chain, node-b: refused (high-hash)"
std::string note_of(const node::SubmitReport& report) {
    std::string note;
    for (const auto& outcome : report.nodes) {
        if (!note.empty()) note += ", ";
        note += fmt::format("{}: {}", outcome.node, node::name_of(outcome.verdict));
        if (!outcome.reason.empty()) note += fmt::format(" ({})", outcome.reason);
    }
    return note;
}

bool is_final(store::CandidateState state) {
    switch (state) {
        case store::CandidateState::found:
        case store::CandidateState::submitted:
        case store::CandidateState::refused:
            return false;
        case store::CandidateState::accepted:
        case store::CandidateState::given_up:
        case store::CandidateState::buried:
            return true;
    }
    return true;
}

}  // namespace

BlockDesk::BlockDesk(store::CandidateStore& candidates, store::FileShareLog& log,
                     metrics::Registry& registry, const base::Clock& clock, base::Logger& logger)
    : candidates_(candidates),
      log_(log),
      clock_(clock),
      logger_(logger),
      found_(registry.counter("adit_blocks_found_total", "Blocks found since start")),
      accepted_(registry.counter("adit_blocks_accepted_total",
                                 "Found blocks that a node has in its best chain")),
      refused_(registry.counter("adit_blocks_refused_total",
                                "Found blocks that every node refused, or that lost to another")),
      recovered_(registry.counter("adit_blocks_recovered_total",
                                  "Own blocks found in the chain that the pool did not know")),
      save_failures_(registry.counter("adit_blocks_save_failures_total",
                                      "Found blocks that could not be written to disk")),
      reserves_(registry.gauge("adit_blocks_reserved",
                               "Blocks that could be kept if the disk were full now")),
      thread_([this] { run(); }) {}

BlockDesk::~BlockDesk() {
    stop();
}

void BlockDesk::set_submitter(std::shared_ptr<job::BlockSink> submitter, Resume resume) {
    const std::lock_guard lock(mutex_);
    submitter_ = std::move(submitter);
    if (!submitter_) return;
    for (const auto& [hash, candidate] : open_) {
        logger_.info("block", "taking up a block again",
                     {{"hash", hash.rpc_hex()}, {"height", candidate->height}});
        resume(candidate);
    }
}

void BlockDesk::set_submitter(std::shared_ptr<node::BlockSubmitter> submitter) {
    auto* const target = submitter.get();
    set_submitter(std::move(submitter),
                  [target](CandidateRef candidate) { target->resume(std::move(candidate)); });
}

std::expected<void, std::string> BlockDesk::open(
    const std::optional<store::BlockHashes>& recorded) {
    std::vector<std::string> damaged;
    const auto stored = candidates_.index(&damaged);
    if (!stored) return std::unexpected(stored.error().text());
    for (const auto& name : damaged) {
        logger_.error("block", "a file in the blocks folder cannot be read and is left alone",
                      {{"file", name}});
    }
    for (const auto& entry : *stored)
        take_up(entry, !recorded || recorded->contains(entry.hash));
    reserves_.set(static_cast<double>(candidates_.reserves()));
    return {};
}

// Only blocks with something left to do are read whole.
void BlockDesk::take_up(const store::CandidateEntry& entry, bool recorded) {
    const bool final = is_final(entry.state);
    {
        const std::lock_guard lock(mutex_);
        known_.insert(entry.hash);
        if (final) settled_.insert(entry.hash);
    }
    if (final && recorded) return;
    const auto stored = candidates_.load(entry.file);
    if (!stored || stored->candidate->hash != entry.hash) {
        logger_.error("block", "a file in the blocks folder cannot be read and is left alone",
                      {{"file", entry.file},
                       {"why", stored ? "it holds another block" : stored.error().text()}});
        return;
    }
    if (!recorded) record_again(*stored->candidate, entry.file);
    const std::lock_guard lock(mutex_);
    if (!final) open_.emplace(entry.hash, stored->candidate);
}

// The pool died between the block's file and its place in the log. Its job goes with it under a
// number of its own: whether the log has the job, and not too long ago, need not be known then.
void BlockDesk::record_again(const job::BlockCandidate& candidate, const std::string& file) {
    if (candidate.log_position > log_.durable_position()) {
        logger_.warning("block", "a block in the blocks folder belongs to another share log",
                        {{"file", file}});
        return;
    }
    logger_.warning("block", "a block was on disk but not in the share log; it is recorded now",
                    {{"height", candidate.height}, {"hash", candidate.hash.rpc_hex()}});
    auto job = std::make_shared<job::Job>(*candidate.job);
    job->id = log_.next_job_id();
    auto renamed = candidate;
    renamed.job = job;
    log_.record_job(std::move(job));
    log_.record_block(renamed, file);
}

void BlockDesk::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void BlockDesk::submit(std::shared_ptr<const job::BlockCandidate> candidate) {
    submit_and_keep(std::move(candidate), [] {});
}

void BlockDesk::submit_and_keep(std::shared_ptr<const job::BlockCandidate> candidate,
                                std::function<void()> kept) {
    {
        std::unique_lock lock(mutex_);
        if (!known_.insert(candidate->hash).second) {
            lock.unlock();
            return kept();
        }
        keeping_.emplace(candidate->hash, std::move(kept));
        open_.emplace(candidate->hash, candidate);
        // Under one lock and before the nodes, so that no answer is noted before the file is there.
        if (!push_locked([this, candidate] { save(*candidate); })) {
            known_.erase(candidate->hash);  // the chain scan will find it again
        }
        if (submitter_) submitter_->submit(candidate);
    }
    found_.add();
    logger_.info("block", "block found",
                 {{"height", candidate->height},
                  {"hash", candidate->hash.rpc_hex()},
                  {"account", candidate->account},
                  {"worker", candidate->worker},
                  {"stale", candidate->stale}});
}

void BlockDesk::save(const job::BlockCandidate& candidate) {
    const auto file = candidates_.save(candidate);
    reserves_.set(static_cast<double>(candidates_.reserves()));
    if (!file) {
        save_failures_.add();
        logger_.error("block", "the block is on its way to the nodes but could not be kept on disk",
                      {{"hash", candidate.hash.rpc_hex()}, {"why", file.error().text()}});
    }
    log_.record_block(candidate, file ? *file : std::string{});
    if (file) tell_kept(candidate.hash);
}

void BlockDesk::tell_kept(const chain::Hash256& hash) {
    std::function<void()> kept;
    {
        const std::lock_guard lock(mutex_);
        if (auto waiting = keeping_.extract(hash)) kept = std::move(waiting.mapped());
    }
    if (kept) kept();
}

void BlockDesk::on_report(const node::SubmitReport& report) {
    const auto& candidate = *report.candidate;
    const bool final = report.state != node::SubmitState::pending;
    const auto note = note_of(report);
    {
        // With the mark under one lock: a submitter that is on its way out may still speak, and a
        // final word stays the last.
        const std::lock_guard lock(mutex_);
        if (settled_.contains(candidate.hash)) return;
        if (final) {
            settled_.insert(candidate.hash);
            open_.erase(candidate.hash);
        }
        mark_locked(report, note);
    }
    const bool held = std::ranges::any_of(report.nodes, [](const node::NodeOutcome& outcome) {
        return outcome.verdict == node::NodeVerdict::holds ||
               outcome.verdict == node::NodeVerdict::in_best_chain;
    });
    if (held || final) tell_kept(candidate.hash);
    if (report.state == node::SubmitState::accepted) {
        accepted_.add();
        logger_.info("block", "block accepted",
                     {{"height", candidate.height},
                      {"hash", candidate.hash.rpc_hex()},
                      {"confirmations", report.confirmations},
                      {"nodes", note}});
    } else if (final) {
        refused_.add();
        logger_.error("block", "block lost",
                      {{"height", candidate.height},
                       {"hash", candidate.hash.rpc_hex()},
                       {"state", node::name_of(report.state)},
                       {"nodes", note}});
    } else {
        logger_.debug("block", "block submitted",
                      {{"hash", candidate.hash.rpc_hex()}, {"nodes", note}});
    }
}

void BlockDesk::mark_locked(const node::SubmitReport& report, std::string note) {
    auto file = store::CandidateStore::file_name(report.candidate->height, report.candidate->hash);
    push_locked([this, state = state_of(report), note = std::move(note), file = std::move(file)] {
        const auto marked = candidates_.mark(file, state, note);
        if (marked) return;
        logger_.warning("block", "what became of a block could not be noted",
                        {{"file", file}, {"why", marked.error().text()}});
    });
}

bool BlockDesk::knows(const chain::Hash256& hash) const {
    const std::lock_guard lock(mutex_);
    return known_.contains(hash);
}

job::JobRef job_of_chain(const node::OwnBlock& block, job::JobId id, chain::Network network,
                         std::string_view signature) {
    share::JobRecord record;
    record.id = id;
    record.height = block.height;
    record.network = network;
    record.previous = block.header.previous;
    record.version = static_cast<std::uint32_t>(block.header.version);
    record.bits = block.header.bits;
    record.ntime = block.header.time;
    record.min_time = block.header.time;
    record.coinbase_value_sat = block.value_sat;
    record.created_wall_ms = std::int64_t{block.header.time} * 1000;
    if (!chain::target_from_compact(record.bits)) return nullptr;
    const auto coinbase = chain::parse_transaction(block.coinbase);
    if (!coinbase) return nullptr;
    const auto bytes = coinbase->serialize_without_witness();
    const auto tag = std::ranges::search(bytes, base::as_bytes(signature)).begin();
    const auto before = (tag - bytes.begin()) + static_cast<std::ptrdiff_t>(signature.size());
    constexpr std::ptrdiff_t kChoice = 1 + job::kExtranonce1Size + job::kExtranonce2Size;
    if (tag == bytes.end() || std::ssize(bytes) < before + kChoice) return nullptr;
    record.coinbase_head.assign(bytes.begin(), bytes.begin() + before);
    record.coinbase_tail.assign(bytes.begin() + before + kChoice, bytes.end());
    return share::restore_job(record);
}

void BlockDesk::recover(const node::OwnBlock& block, job::JobRef job) {
    if (job == nullptr) {
        logger_.error("block", "a block of this pool's tag cannot be read and is left alone",
                      {{"height", block.height}, {"hash", block.hash.rpc_hex()}});
        return;
    }
    auto candidate = std::make_shared<job::BlockCandidate>();
    candidate->job = job;
    candidate->hash = block.hash;
    candidate->height = block.height;
    const auto header = block.header.serialize();
    // The chain has the block; what is kept of it is the header and the coinbase.
    candidate->block.assign(header.begin(), header.end());
    base::append(candidate->block, block.coinbase);
    candidate->log_position = log_.durable_position();
    candidate->found_wall_ms = std::int64_t{block.header.time} * 1000;
    auto task = [this, candidate, node = block.node] {
        log_.record_job(candidate->job);  // a block's job always stands before it
        save(*candidate);
        const auto file = store::CandidateStore::file_name(candidate->height, candidate->hash);
        // A failed save was reported already; then there is nothing to mark.
        (void)candidates_.mark(file, store::CandidateState::accepted,
                               fmt::format("found in the chain of {}", node));
    };
    {
        const std::lock_guard lock(mutex_);
        // Without room for the task the block stays unknown: the next scan finds it again.
        if (known_.contains(block.hash) || !push_locked(std::move(task))) return;
        known_.insert(block.hash);
        settled_.insert(block.hash);
    }
    recovered_.add();
    logger_.warning("block", "a block of this pool is in the chain but was not in the books",
                    {{"height", block.height},
                     {"hash", block.hash.rpc_hex()},
                     {"value_sat", block.value_sat},
                     {"node", block.node}});
}

bool BlockDesk::push_locked(Task task) {
    if (tasks_.size() >= kMaxQueued) {
        save_failures_.add();
        return false;
    }
    tasks_.push_back(std::move(task));
    wake_.notify_one();
    return true;
}

void BlockDesk::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        auto task = std::move(tasks_.front());
        tasks_.pop_front();
        lock.unlock();
        task();
        lock.lock();
    }
}

}  // namespace adit::manager
