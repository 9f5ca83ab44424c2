// Operation 4, the complete mining workflow: a miner of the pool's own connects to a listener over
// TCP, authorizes, mines and submits shares, and each accepted share is followed into the log, the
// tally and the account's balance; on a chain where a processor finds blocks also a block, through
// submission, confirmation and maturity into a payout (docs/manager.md). Every stage says what it
// saw, how long it took, and why it failed or was not tried. Nothing is assumed: what cannot be
// done in the time allowed is not tried, and the expectation that says so was computed from the
// hash rate just measured.
//
// The workflow knows pool and miner by the two interfaces below, which have one owner each and are
// called on the thread that calls run().
#pragma once

#include "base/clock.h"
#include "job/job.h"
#include "ledger/journal.h"
#include "manager/operation.h"
#include "manager/payout_desk.h"
#include "node/block_submitter.h"

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace adit::manager {

using ledger::Stored;

struct WorkflowRequest {
    static constexpr std::uint32_t kMostShares = 10'000;
    // ADDRESS or ADDRESS.worker; empty: pool.address. Without a worker it is kWorker.
    std::string user;
    std::uint32_t shares = 3;  // to be accepted, at least one
    bool block = false;        // follow a block, too
};

enum class StageState : std::uint8_t { ok = 0, failed = 1, not_tried = 2 };
std::string_view name_of(StageState state);

using EvidenceValue = std::variant<std::string, std::int64_t, double, std::vector<std::string>>;
using Evidence = std::vector<std::pair<std::string, EvidenceValue>>;

struct WorkflowStage {
    std::string name;
    StageState state = StageState::not_tried;
    bool asked = true;   // false: not part of what was asked for, or of what this pool does
    std::string reason;  // a sentence, unless ok
    double ms = 0;
    Evidence evidence;
};

struct WorkflowReport {
    std::uint64_t run = 0;  // counts since the pool was started
    bool finished = false;
    std::string listener;
    std::string account;
    std::string worker;
    std::int64_t at_ms = 0;  // wall clock of the beginning
    double ms = 0;
    std::vector<WorkflowStage> stages;  // in order; while it runs, those that have ended

    bool has_failed() const;
    // Nothing failed, and everything that was asked for was done.
    bool is_complete() const;
};

// --- the miner --------------------------------------------------------------------------------

struct WorkAtHand {
    std::string job;
    double difficulty = 0;
    double share_hashes = 0;  // expected hashes a share
    double block_hashes = 0;  // and a block
};

// A share that the pool answered with true.
struct MinedShare {
    chain::Hash256 hash;
    job::HeaderChoice choice;      // all but the variant
    chain::Difficulty difficulty;  // that the pool had named for its job
    bool block = false;
};

struct MineOrder {
    std::uint32_t shares = 1;
    bool blocks_only = false;
};

struct MineResult {
    std::vector<MinedShare> accepted;
    std::vector<std::string> refused;  // the pool's words
    std::uint64_t unanswered = 0;
    std::uint64_t hashes = 0;
    double seconds = 0;   // of hashing
    bool done = false;    // as many as ordered
    std::string problem;  // a sentence: it makes no sense to go on; empty: only time was short
};

// One connection to the pool.
class WorkflowMiner {
 public:
    virtual ~WorkflowMiner() = default;
    virtual std::string listener() const = 0;
    virtual Stored<void> connect(const CallLimits& limits) = 0;
    virtual Stored<void> authorize(const CallLimits& limits) = 0;
    virtual Stored<WorkAtHand> work(const CallLimits& limits) = 0;
    // Goes on where the last order ended. At most one block for each tip.
    virtual MineResult mine(const MineOrder& order, const CallLimits& limits) = 0;
    virtual void stop() = 0;
};

// --- the pool ---------------------------------------------------------------------------------

struct WorkerIds {
    share::AccountId account = 0;
    share::WorkerId worker = 0;
};

struct LoggedShare {
    job::HeaderChoice choice;
    share::LogPosition position = 0;  // behind the batch that holds it
    chain::Difficulty difficulty;
    bool credited = true;
};

// What the ledger has of a worker and its account, as sums of the slices since the run's beginning.
struct BookedWork {
    ledger::Sum worker;
    ledger::Sum account;
};

class WorkflowPool {
 public:
    virtual ~WorkflowPool() = default;
    // Why new miners are turned away just now; empty: they are not.
    virtual std::string why_closed() const = 0;
    virtual share::LogPoint log_point() const = 0;
    // Of names that were authorized.
    virtual Stored<WorkerIds> ids(const std::string& account, const std::string& worker) = 0;
    // A worker's shares between a point and what is durable by now.
    virtual Stored<std::vector<LoggedShare>> logged(const share::LogPoint& from,
                                                    share::WorkerId worker,
                                                    const CallLimits& limits) = 0;
    // Waits until the ledger holds the log up to there.
    virtual Stored<void> wait_folded(share::LogPosition position, const CallLimits& limits) = 0;
    virtual Stored<BookedWork> booked(const WorkerIds& ids, std::int64_t since_s) = 0;
    virtual ledger::LedgerReader& ledger() = 0;
    // nullopt: the nodes' side does not know (any more) of this block.
    virtual std::optional<node::SubmitReport> submission(const chain::Hash256& block) const = 0;
    virtual std::int32_t tip_height() const = 0;  // of the last block that is known
    virtual std::int32_t maturity() const = 0;    // confirmations
    virtual std::string why_no_payouts() const = 0;
    virtual std::int64_t threshold_sat(std::string_view account) = 0;
    virtual void kick_payouts() = 0;
    virtual PayoutView payout_view() const = 0;
    // Sleeps, unless stop is requested.
    virtual void pause(std::int64_t ms, const std::stop_token& stop) = 0;
};

// --- the workflow -----------------------------------------------------------------------------

class Workflow {
 public:
    static constexpr std::string_view kWorker = "adit-selftest";
    // Called after each stage.
    using Progress = std::function<void(const WorkflowReport&)>;

    // Everything but the miner outlives the workflow.
    Workflow(WorkflowRequest request, std::string account, std::string worker,
             std::unique_ptr<WorkflowMiner> miner, WorkflowPool& pool, const base::Clock& clock,
             Progress progress = {});

    // Once. Ends by the limits.
    WorkflowReport run(const CallLimits& limits);

 private:
    struct Verdict {
        StageState state = StageState::ok;
        std::string reason;
        bool asked = true;
    };
    static Verdict ok() { return {}; }
    static Verdict failed(std::string why) { return {StageState::failed, std::move(why), true}; }
    static Verdict not_tried(std::string why, bool asked = true) {
        return {StageState::not_tried, std::move(why), asked};
    }
    struct Step;
    static const std::vector<Step>& steps();
    void perform(const Step& step);

    Verdict connect();
    Verdict authorize();
    Verdict work();
    Verdict mine_shares();
    Verdict find_in_log();
    Verdict find_in_tally();
    Verdict read_balance();
    Verdict read_ledger();
    Verdict mine_block();
    Verdict follow_submission();
    Verdict follow_confirmation();
    Verdict follow_maturity();
    Verdict follow_payout();

    // The connection came to nothing: with the cause, when the pool has one to tell.
    Verdict turned_away(const std::string& error);
    // Mines until the order is carried out; first for a moment, which tells whether it can be.
    Verdict carry_out(MineOrder order);
    // Says so when that many would take longer than what is left.
    std::optional<Verdict> expectation(double count, double hashes_each, std::string_view what);
    void take(MineResult result);
    // Mines another block on top; a verdict when that failed, or `blocks` would take too long.
    std::optional<Verdict> grow_chain(std::int64_t blocks);
    // The block in the ledger; nullopt: not there yet.
    Stored<std::optional<ledger::BlockRow>> block_in_ledger();
    Verdict note_part(const ledger::BlockRow& row);
    Stored<std::optional<ledger::PayoutRow>> own_payout();
    // Why none is to be expected in the time that is left.
    std::optional<Verdict> no_payout_yet();
    std::optional<Verdict> judge_payout(const ledger::PayoutRow& row);
    std::int64_t left_ms() const;
    bool is_over() const;
    // What to say when time is up or somebody asked to stop.
    std::string over(std::string_view waited_for) const;
    template <class T>
    void note(const char* key, T value) {
        stage_->evidence.emplace_back(key, EvidenceValue(std::move(value)));
    }

    const WorkflowRequest request_;
    const std::unique_ptr<WorkflowMiner> miner_;
    WorkflowPool& pool_;
    const base::Clock& clock_;
    const Progress progress_;

    CallLimits limits_;
    WorkflowReport report_;
    WorkflowStage* stage_ = nullptr;  // the one under way
    WorkAtHand work_;
    share::LogPoint log_before_;
    Stored<WorkerIds> ids_;
    std::int64_t since_s_ = 0;
    Stored<BookedWork> booked_before_;
    std::vector<MinedShare> accepted_;
    std::uint64_t unanswered_ = 0;
    std::size_t refused_ = 0;
    std::string last_refusal_;
    std::uint64_t hashes_ = 0;
    double seconds_ = 0;
    std::size_t followed_ = 0;  // of accepted_: those that log and tally are asked about
    share::LogPosition log_end_ = 0;
    chain::Work work_logged_ = 0;
    std::uint64_t credited_ = 0;
    std::optional<MinedShare> block_;
    std::int32_t block_height_ = 0;
};

}  // namespace adit::manager
