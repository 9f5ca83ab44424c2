// The only place where parts meet: builds them from the configuration, starts them in order, and
// stops them in reverse, so that every accepted share is durable and answered before anything ends.
// Owned by the main thread; summary(), state() and the operations are safe from any thread.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "manager/admission.h"
#include "manager/config.h"
#include "manager/health.h"
#include "manager/metrics_desk.h"
#include "manager/operation.h"
#include "manager/payout_desk.h"
#include "manager/protocol_check.h"
#include "manager/workflow.h"
#include "metrics/registry.h"

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace adit::manager {

struct PoolSummary {
    std::int64_t uptime_ms = 0;
    std::int32_t height = 0;  // being mined; 0: no job yet
    double network_difficulty = 0;
    std::size_t connections = 0;
    std::size_t miners = 0;  // subscribed and authorized
    double hashrate_1m = 0;  // from accepted shares
    double hashrate_10m = 0;
    std::uint64_t accepted = 0;  // shares since start
    std::uint64_t refused = 0;
    std::uint64_t blocks_found = 0;
    std::uint64_t blocks_accepted = 0;
    std::string node;  // the active one; empty: none
    std::size_t nodes_up = 0;
    std::size_t nodes = 0;
    bool templates_stale = false;
    bool log_available = true;
    std::string tally_error;            // empty: the tally follows the log
    std::uint64_t shares_in_log = 0;    // since the log began
    std::optional<PayoutView> payouts;  // nullopt: no wallet pays
};

struct ReloadReport {
    std::vector<std::string> changed;        // keys that are in force now
    std::vector<std::string> needs_restart;  // keys that stay as they were
    std::vector<std::string> problems;
};

class PoolManager {
 public:
    PoolManager(Config config, const base::Clock& clock, metrics::Registry& registry,
                base::Logger& logger);
    ~PoolManager();  // stop()
    PoolManager(const PoolManager&) = delete;
    PoolManager& operator=(const PoolManager&) = delete;

    // Opens the data directory, the log and the ledger, connects to the nodes, listens for miners,
    // begins to pay out and takes commands. The error is a sentence for the operator; nothing is
    // left running then.
    std::expected<void, std::string> start();
    // Stops accepting, drains (commits and answers), closes. At most `limit_ms`. True when every
    // accepted share was answered. Idempotent.
    bool stop(std::int64_t limit_ms = 4'000);
    // Takes over what can change while running.
    ReloadReport reload(const Config& wanted);

    PoolSummary summary() const;
    PoolState state() const;

    // Checks the Stratum protocol live on every listener of its own (protocol_check.h). A
    // second call meanwhile is refused. From any thread.
    Outcome<ProtocolReport> coordinate_stratum_protocol(const CallLimits& limits);
    // Probes every part by a small real piece of its work (health.h). From any thread.
    Outcome<HealthReport> coordinate_component_health_check(const CallLimits& limits);
    // Series with rates and history, active alerts, forecasts with their scores. From any thread.
    Outcome<MetricsReport> coordinate_real_time_metrics(const MetricsQuery& query) const;
    // Whether so many miners have room, and holds it (admission.h). Takes no longer than a few file
    // reads. From any thread.
    Outcome<AdmissionReport> coordinate_concurrent_miners(const AdmissionRequest& request,
                                                          const CallLimits& limits);
    // A miner of the pool's own, followed from its connection into log, ledger and payout
    // (workflow.h). One at a time, refused while another runs. From any thread.
    Outcome<WorkflowReport> execute_complete_mining_workflow(const WorkflowRequest& request,
                                                             const CallLimits& limits);
    // The same in the background, for callers that look now and then: the report has the run's
    // number, by which it is asked for and cancelled. From any thread.
    Outcome<WorkflowReport> begin_workflow(const WorkflowRequest& request, std::int64_t limit_ms);
    Outcome<WorkflowReport> workflow_report(std::uint64_t run) const;
    Outcome<WorkflowReport> cancel_workflow(std::uint64_t run);
    // As of the last probes, without probing; refused while the pool does not run.
    Outcome<HealthReport> health() const;

    // The bound Stratum addresses ("127.0.0.1:3333"), in the order of the configuration.
    std::vector<std::string> addresses() const;
    // What the HTTP server is bound to; empty: there is none.
    std::string http_address() const;

 private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace adit::manager
