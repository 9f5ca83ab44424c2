// The parts of a running pool and how the configuration becomes their settings. Internal to the
// manager.
#pragma once

#include "manager/admission_desk.h"
#include "manager/block_desk.h"
#include "manager/config.h"
#include "manager/job_desk.h"
#include "manager/metrics_desk.h"
#include "manager/sampler.h"
#include "manager/settler.h"
#include "manager/snapshot_desk.h"
#include "node/block_submitter.h"
#include "node/chain_scan.h"
#include "node/node_pool.h"
#include "store/candidate_store.h"
#include "store/data_dir.h"
#include "store/extranonce_store.h"
#include "store/file_share_log.h"
#include "store/log_fact_sink.h"
#include "store/sql_ledger.h"
#include "store/tally_thread.h"
#include "stratum/server.h"

namespace adit::manager {

std::shared_ptr<const stratum::SessionSettings> session_settings(const Config& config);
stratum::ServerLimits server_limits(const Config& config);
stratum::ServerSettings server_settings(const Config& config);
store::ShareLogSettings log_settings(const Config& config, const store::DataDir& dir);
store::SqlLedgerSettings sql_ledger_settings(const Config& config, const store::DataDir& dir,
                                             std::uint32_t slice_s);
node::BlockWatchSettings watch_settings(const Config& config);
// True when each connection's coinbases pay its own address.
bool pays_finders(const Config& config);
job::JobMakerSettings job_settings(const Config& config, base::Bytes payout_script);
// How coinbases pay the miners; only for payout.mode = "coinbase".
SnapshotSettings snapshot_settings(const Config& config);
MetricsSettings metrics_settings(const Config& config);
// The reward rules as they go into the log.
share::RulesRecord rules_of(const Config& config);
// What of [rewards] changes while the pool runs: not what coinbases are made by.
RewardsConfig rewards_of(const Config& running, const RewardsConfig& wanted);
std::vector<node::NodeSettings> node_settings(const Config& config);
node::NodePoolSettings pool_settings(const Config& config);
// Shards that this configuration asks for: as many as cores but one, unless it names a number.
std::size_t shard_count(const Config& config, unsigned cores);
// Whether an account of this name has mined here or has a balance.
ledger::Stored<bool> knows_account(store::SqlLedger& ledger, std::string_view name);
// Open files that the pool needs at most.
std::uint64_t files_needed(const Config& config);

// Extranonce ranges from the data directory; failures are logged and counted.
class StoredExtranonces final : public stratum::ExtranonceSource {
 public:
    StoredExtranonces(store::ExtranonceStore& store, metrics::Registry& registry,
                      base::Logger& logger);
    std::optional<Range> reserve(std::uint64_t count) override;

 private:
    store::ExtranonceStore& store_;
    metrics::Counter& failures_;
    base::Logger& logger_;
};

// Whether a block needs no more waiting for: a node has it, or every node was tried once.
bool is_answered(const node::SubmitReport& report);

// Everything that talks to nodes; replaced as a whole when the nodes change.
struct NodeSide {
    std::unique_ptr<node::NodePool> pool;
    std::shared_ptr<node::BlockSubmitter> submitter;
    std::unique_ptr<node::ChainScan> scan;

    // No more templates; blocks can still be submitted.
    void stop_sources();
    // Waits until no block is on its way for the first time, at most until the deadline. True when
    // every pending block was answered for.
    bool await_answers(const base::Clock& clock, std::int64_t deadline_ms) const;
    void stop();
};

}  // namespace adit::manager
