// Several nodes as one source of templates: the first in the order of the configuration that is up,
// synchronised and not behind the others is active; the rest are only probed. New blocks are
// noticed by ZMQ, by long poll and by probing, whichever is first.
//
// One thread of the pool decides and calls the listener; threads of the nodes fetch. Public
// functions may be called from any thread, but set_listener(), start() and stop() from one.
#pragma once

#include "job/template.h"
#include "metrics/registry.h"
#include "node/block_submitter.h"
#include "node/node.h"
#include "node/template_gate.h"

#include <memory>
#include <optional>
#include <vector>

namespace adit::node {

struct NodePoolSettings {
    chain::Network network = chain::Network::main;
    std::vector<NodeSettings> nodes;  // first = preferred

    int refresh_ms = 30'000;        // a delivery at least this often
    int template_poll_ms = 10'000;  // how often fees are looked at between deliveries
    int min_fee_rise_percent = 5;   // deliver earlier when fees have risen by this much ...
    int fee_gap_ms = 5'000;         // ... but not more often than this
    int node_gone_ms = 600'000;     // how long the last template is kept alive without a node

    ProbeSettings probe;
    // A probe without answer for this long: use another node. Together with probe.interval_ms and
    // the pool's tick this is how long a node may hang unnoticed: 750 ms.
    int hang_ms = 450;
    int slow_template_ms = 2'000;  // the same for getblocktemplate
    int lag_grace_ms = 500;        // how long another node may have more work
    int return_after_ms = 2'000;   // a preferred node is well for this long before it is used again
    int template_timeout_ms = 15'000;
    int template_retry_ms = 1'000;  // after a failed getblocktemplate
    // Bitcoin Core keeps a worker busy for a long poll even when the client has gone, so this is
    // long; a dead node is noticed by its probes, which end the long poll.
    int longpoll_timeout_ms = 3'600'000;
};

// For the status line, the dashboard and /health.
struct PoolStatus {
    std::vector<NodeStatus> nodes;
    std::string active;                // empty: none
    bool templates_stale = false;      // no fresh template for node_gone_ms, or none ever
    std::int64_t template_age_ms = 0;  // since the node made the template last delivered
    std::int32_t height = 0;           // of the template last delivered
    std::uint64_t failovers = 0;
};

class NodePool final : public job::TemplateSource {
 public:
    // For what only time brings about: grace periods, refreshes.
    static constexpr int kTickMs = 50;

    NodePool(NodePoolSettings settings, metrics::Registry& registry, const base::Clock& clock,
             base::Logger& log);
    ~NodePool() override;

    void set_listener(Listener listener) override;
    // Takes over what another pool delivered last, before start(): it is delivered again at once,
    // and work never goes back from its block to less work. Nothing happens without a delivery or
    // with one of another network.
    void resume(const std::optional<Offer>& last);
    // Once; a pool that was stopped is not started again.
    void start() override;
    // Returns within a second; no listener call comes after it.
    void stop() override;

    // What became of a found block so far: a template that nodes refuse blocks of speaks against
    // the node that made it.
    void on_report(const SubmitReport& report);

    PoolStatus status() const;
    // The last delivery; nullopt before the first. Also after stop().
    std::optional<Offer> last() const;
    // Looks for a new tip now (after a block was submitted, for example).
    void kick();

 private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace adit::node
