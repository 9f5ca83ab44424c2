// Where found blocks go: to every node at once, and in parallel onto disk and into the log, and
// what becomes of them afterwards. Implements job::BlockSink for the shards. submit() never blocks;
// the disk work is done on a thread of its own, in order. What was on its way when the pool died is
// taken up again by recover().
#pragma once

#include "base/log.h"
#include "job/template.h"
#include "metrics/registry.h"
#include "node/block_submitter.h"
#include "node/chain_scan.h"
#include "store/candidate_store.h"
#include "store/file_share_log.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>

namespace adit::manager {

// The job of a block that is only known from the chain, as far as the chain tells: header fields
// and the coinbase around the miner's choice; no branches. It serves the books, not for mining.
// Null when the coinbase cannot be one of this pool's.
job::JobRef job_of_chain(const node::OwnBlock& block, job::JobId id, chain::Network network,
                         std::string_view signature);

class BlockDesk final : public job::BlockSink {
 public:
    static constexpr std::size_t kMaxQueued = 1024;  // tasks for the disk

    // Everything handed in outlives the desk.
    BlockDesk(store::CandidateStore& candidates, store::FileShareLog& log,
              metrics::Registry& registry, const base::Clock& clock, base::Logger& logger);
    ~BlockDesk() override;

    // The submitter in use (nodes can change while running); null: blocks are kept for the next.
    void set_submitter(std::shared_ptr<node::BlockSubmitter> submitter);
    // Reads the blocks folder. Call once before the first block; the error is a sentence.
    std::expected<void, std::string> open();
    // Hands every block without a final state to the submitter again.
    void resume_pending();
    // Waits until everything handed in is on disk, then stops.
    void stop();

    void submit(std::shared_ptr<const job::BlockCandidate> candidate) override;
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

    bool enqueue(Task task);
    void run();
    void save(const job::BlockCandidate& candidate);

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
    std::shared_ptr<node::BlockSubmitter> submitter_;
    std::unordered_set<chain::Hash256, chain::Hash256Hasher> known_;
    std::unordered_set<chain::Hash256, chain::Hash256Hasher> settled_;  // said final once
    std::deque<Task> tasks_;
    bool stopping_ = false;
    std::jthread thread_;
};

}  // namespace adit::manager
