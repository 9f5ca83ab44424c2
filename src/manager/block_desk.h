// Where found blocks go: to every node at once, and in parallel onto disk and into the log, and
// what becomes of them afterwards. Implements job::BlockSink for the shards. submit() never blocks;
// the disk work is done on a thread of its own, in order. What was on its way when the pool died,
// to the nodes or into the log, is taken up again by open() and set_submitter().
#pragma once

#include "base/log.h"
#include "job/template.h"
#include "metrics/registry.h"
#include "node/block_submitter.h"
#include "node/chain_scan.h"
#include "store/candidate_store.h"
#include "store/file_share_log.h"
#include "store/recorded_blocks.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace adit::manager {

// The job of a block that is only known from the chain, as far as the chain tells: header fields
// and the coinbase around the miner's choice; no branches. It serves the books, not for mining.
// Null when the coinbase cannot be one of this pool's.
job::JobRef job_of_chain(const node::OwnBlock& block, job::JobId id, chain::Network network,
                         std::string_view signature);

class BlockDesk final : public job::BlockSink {
 public:
    // How a submitter takes a block that may have been sent before.
    using Resume = std::function<void(std::shared_ptr<const job::BlockCandidate>)>;
    static constexpr std::size_t kMaxQueued = 1024;  // tasks for the disk

    // Everything handed in outlives the desk.
    BlockDesk(store::CandidateStore& candidates, store::FileShareLog& log,
              metrics::Registry& registry, const base::Clock& clock, base::Logger& logger);
    ~BlockDesk() override;

    // The submitter in use (nodes can change while running). It gets every block that has no final
    // state, as one that may have been sent before. Null: blocks are kept for the next.
    void set_submitter(std::shared_ptr<job::BlockSink> submitter, Resume resume);
    void set_submitter(std::shared_ptr<node::BlockSubmitter> submitter);
    // Reads the blocks folder. Blocks of this log that are not among those `recorded` are written
    // into the log; nullopt: nobody knows what is recorded, so nothing is. Call once before the
    // first block and before job ids are handed out; the error is a sentence.
    std::expected<void, std::string> open(const std::optional<store::BlockHashes>& recorded);
    // Waits until everything handed in is on disk, then stops.
    void stop();

    void submit(std::shared_ptr<const job::BlockCandidate> candidate) override;
    void submit_and_keep(std::shared_ptr<const job::BlockCandidate> candidate,
                         std::function<void()> kept) override;
    // For the submitter: what became of a block.
    void on_report(const node::SubmitReport& report);
    // For the chain scan: whether the pool knows a block, and a block of ours that it does not
    // know.
    bool knows(const chain::Hash256& hash) const;
    void recover(const node::OwnBlock& block, job::JobRef job);

    std::uint64_t found() const { return found_.value(); }
    std::uint64_t accepted() const { return accepted_.value(); }

 private:
    using Task = std::move_only_function<void()>;
    using CandidateRef = std::shared_ptr<const job::BlockCandidate>;

    void take_up(const store::CandidateEntry& entry, bool recorded);
    void record_again(const job::BlockCandidate& candidate, const std::string& file);
    // These two with the mutex held; false when too much waits for the disk.
    bool push_locked(Task task);
    void mark_locked(const node::SubmitReport& report, std::string note);
    void run();
    void save(const job::BlockCandidate& candidate);
    // Tells whoever waits that this block cannot be lost any more.
    void tell_kept(const chain::Hash256& hash);

    store::CandidateStore& candidates_;
    store::FileShareLog& log_;
    const base::Clock& clock_;
    base::Logger& logger_;
    metrics::Counter& found_;
    metrics::Counter& accepted_;
    metrics::Counter& refused_;
    metrics::Counter& recovered_;
    metrics::Counter& save_failures_;
    metrics::Gauge& reserves_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::shared_ptr<job::BlockSink> submitter_;
    store::BlockHashes known_;
    store::BlockHashes settled_;  // said final once
    // Without a final state.
    std::unordered_map<chain::Hash256, CandidateRef, chain::Hash256Hasher> open_;
    // Who waits for a block to be on disk or with a node.
    std::unordered_map<chain::Hash256, std::function<void()>, chain::Hash256Hasher> keeping_;
    std::deque<Task> tasks_;
    bool stopping_ = false;
    std::jthread thread_;
};

}  // namespace adit::manager
