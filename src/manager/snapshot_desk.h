// Keeps the jobs supplied with a payout snapshot (job/payout_snapshot.h) when coinbases pay the
// miners: for every new tip it takes one from the ledger, writes it into the log, and hands it on
// only when the ledger has it. Works on a thread of its own, so no job ever waits for it: until a
// new tip's snapshot is there jobs pay by the one before, without dues.
//
// Dues are what the ledger owes on the branch that ends in the tip. So a snapshot waits until the
// ledger has folded the log, a node has told which own blocks are on that branch, and each of these
// is credited, which debits what it has paid. Credits and debits of own blocks off the branch are
// left out.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "job/payout_snapshot.h"
#include "job/template.h"
#include "ledger/payout_snapshots.h"
#include "node/branch_asker.h"
#include "store/sql_ledger.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace adit::manager {

struct SnapshotSettings {
    chain::Network network = chain::Network::main;
    std::vector<node::NodeSettings> nodes;
    std::uint32_t max_outputs = 20;
    chain::Amount dust;
    int retry_ms = 1'000;             // when one cannot be taken yet
    int empty_ms = 5'000;             // when there is no work to divide by
    int refresh_ms = 600'000;         // on the same tip: the work has moved on
    std::int64_t old_ms = 3'600'000;  // without a newer one jobs pay the pool alone
};

class SnapshotDesk {
 public:
    struct Parts {
        store::SqlLedger& ledger;
        ledger::FactSink& sink;
        // Waits a moment for the ledger to fold what the log holds; false: it has not.
        std::function<bool()> is_folded;
        // True for every own block from before it is sent anywhere.
        std::function<bool(const chain::Hash256&)> knows;
        // An own block of the branch is not credited yet: whoever does that should look now.
        std::function<void()> hurry;
        // Takes a snapshot for jobs; null: none.
        std::function<void(job::PayoutSnapshotRef)> take;
    };
    // Everything handed in outlives the desk.
    SnapshotDesk(SnapshotSettings settings, Parts parts, metrics::Registry& registry,
                 const base::Clock& clock, base::Logger& logger);
    ~SnapshotDesk();  // stop()

    void start();
    // Ends the work under way; the sink must not wait any more, or it is waited for.
    void stop();
    // Never blocks. Any thread.
    void on_template(const job::BlockTemplate& source);
    // Other nodes from the next snapshot on. Any thread.
    void set_nodes(std::vector<node::NodeSettings> nodes);

    // Snapshots that jobs were given so far. Any thread.
    std::uint64_t taken() const { return taken_.value(); }

 private:
    struct Tip {
        chain::Hash256 hash;
        std::int32_t height = 0;
        std::uint32_t next_bits = 0;
        friend bool operator==(const Tip&, const Tip&) = default;
    };
    using Rows = std::vector<ledger::BlockRow>;

    void run();
    // When to look again, in milliseconds.
    int work_on(const Tip& tip);
    // nullopt: there is nothing to divide by.
    ledger::Stored<std::optional<share::SnapshotRecord>> draft(const Tip& tip);
    ledger::Stored<ledger::OffBranch> off_branch(store::SqlLedger& view, const Rows& rows,
                                                 const Tip& tip);
    ledger::Stored<job::PayoutSnapshotRef> record(const share::SnapshotRecord& record);
    std::shared_ptr<node::BranchAsker> asker();

    SnapshotSettings settings_;
    Parts parts_;
    metrics::Registry& registry_;
    const base::Clock& clock_;
    base::Logger& logger_;
    metrics::Counter& taken_;
    metrics::Counter& waits_;

    // Of the desk's thread.
    std::optional<share::SnapshotRecord> last_;  // that jobs have
    std::int64_t last_ms_ = 0;                   // steady; when it was taken or found unchanged
    std::string complaint_;

    std::mutex mutex_;
    std::condition_variable wake_;
    std::optional<Tip> tip_;
    bool is_new_ = false;
    bool stopping_ = false;
    std::shared_ptr<node::BranchAsker> asker_;
    std::thread thread_;
};

}  // namespace adit::manager
