// What a PoolManager holds: the parts of a running pool, and how they are started and stopped.
// Internal to the manager; pool_start.cpp builds, pool_manager.cpp runs and stops,
// pool_reload.cpp changes.
#pragma once

#include "manager/admission_desk.h"
#include "manager/component_probes.h"
#include "manager/control_socket.h"
#include "manager/pool_manager.h"
#include "manager/pool_parts.h"
#include "manager/scan_position.h"
#include "manager/web_side.h"
#include "manager/workflow_desk.h"

namespace adit::manager {

// Members in the order they are built; destruction is the reverse.
struct PoolManager::Parts {
    Parts(PoolManager& its_manager, Config pool_config, const base::Clock& pool_clock,
          metrics::Registry& pool_registry, base::Logger& pool_logger)
        : manager(its_manager),
          config(std::move(pool_config)),
          clock(pool_clock),
          registry(pool_registry),
          logger(pool_logger) {}

    PoolManager& manager;
    Config config;
    const base::Clock& clock;
    metrics::Registry& registry;
    base::Logger& logger;

    base::Bytes payout_script;
    store::PosixFileSystem files;
    std::optional<store::DataDir> dir;
    std::unique_ptr<store::ExtranonceStore> extranonce_store;
    std::unique_ptr<StoredExtranonces> extranonces;
    std::unique_ptr<store::CandidateStore> candidates;
    std::unique_ptr<store::FileShareLog> log;
    std::unique_ptr<store::SqlLedger> slices;
    std::unique_ptr<store::TallyThread> tally;
    std::unique_ptr<store::LogFactSink> facts;
    std::unique_ptr<Settler> settler;
    std::string wallet_node;              // its name stays, whatever a reload does
    std::unique_ptr<PayoutDesk> payouts;  // null: no wallet pays
    std::atomic<std::int64_t> threshold_sat{0};
    std::unique_ptr<BlockDesk> blocks;
    std::unique_ptr<stratum::Server> server;
    std::unique_ptr<AdmissionDesk> admission;
    std::unique_ptr<JobDesk> jobs;
    std::unique_ptr<SnapshotDesk> snapshots;  // only when coinbases pay the miners
    mutable std::mutex node_mutex;            // guards nodes and scanned against reload()
    std::optional<ScanPosition> scanned;
    NodeSide nodes;
    std::unique_ptr<Sampler> sampler;
    std::unique_ptr<HealthMonitor> health;
    std::unique_ptr<MetricsDesk> metrics;
    std::unique_ptr<WebSide> web;  // null: no [http]
    std::mutex protocol_mutex;     // one protocol check at a time
    std::int64_t started_ms = 0;
    std::atomic<bool> running{false};
    std::atomic<PoolState> phase{PoolState::stopped};  // never degraded: see state()
    bool answered = true;
    std::unique_ptr<WorkflowDesk> workflows;
    std::unique_ptr<ControlSocket> control;

    std::expected<void, std::string> start();
    std::expected<void, std::string> open_store();
    std::expected<void, std::string> open_payouts();
    std::expected<void, std::string> listen();
    std::expected<void, std::string> take_commands();
    std::expected<void, std::string> serve_web();
    void make_snapshot_desk();
    std::expected<void, std::string> check_files() const;
    NodeSide connect();
    // After the nodes or what is live of [payout] have changed.
    std::expected<void, std::string> renew_payouts();
    std::vector<std::unique_ptr<Probe>> probes();
    Outcome<ProtocolReport> check_protocol(const CallLimits& limits);
    void make_workflow_desk();
    std::optional<metrics::ChainProgress> chain_progress(std::stop_token stop) const;
    PoolState state() const;
    // A refusal unless the pool runs.
    Outcome<void> require_running() const;
    PoolSummary summary() const;
    // With node_mutex held.
    void keep_scan_position();
    bool stop(std::int64_t limit_ms);
};

}  // namespace adit::manager
