// One configured node and its health: a thread asks getblockchaininfo at a steady pace and keeps
// what it says. A tip only counts once its 80-byte header was seen, hashes to the claimed id and
// meets its own target, so that a node cannot claim a chain without having at least worked for its
// last block.
//
// status() and kick() from any thread; the listener is called on the node's thread.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "chain/network.h"
#include "node/chain_info.h"
#include "node/rpc_client.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace adit::node {

enum class NodeState {
    unknown,       // not asked yet
    up,            // answers, on the right chain, synchronised
    syncing,       // starting (-28), downloading (-10), or headers are ahead of blocks
    wrong_chain,   // mines another chain than configured: never used
    unauthorized,  // 401 or 403
    unreachable,   // no connection, no answer in time, or answers that make no sense
};
std::string_view name_of(NodeState state);

struct NodeStatus {
    std::string name;
    std::string url;
    NodeState state = NodeState::unknown;
    Tip tip;                   // the last one seen, also when the node is gone
    std::int32_t headers = 0;  // best known header
    bool initial_download = false;
    double latency_ms = 0;              // of the last successful probe
    std::string error;                  // the last failure in words; empty while all is well
    std::int64_t error_ms = 0;          // steady clock
    std::int64_t answered_ms = 0;       // steady clock, last answered probe; 0: never
    std::int64_t probe_started_ms = 0;  // steady clock, the probe under way; 0: none
    std::int64_t up_since_ms = 0;       // steady clock; 0: not up
    std::uint64_t failures = 0;         // failed probes so far
    // Blocks this node has rejected or rolled back although they had more work than its tip.
    std::vector<chain::Hash256> invalidated;
    // The last block whose height was proven on request, and that height; -1: none.
    chain::Hash256 proven;
    std::int32_t proven_height = -1;
    // Filled by NodePool:
    bool active = false;         // templates come from here
    bool lagging = false;        // another node has more work
    std::string template_error;  // the last getblocktemplate failure; empty: none since
    std::string doubt;           // why what it says is not believed; empty: nothing is against it
};

struct ProbeSettings {
    int interval_ms = 250;
    int slow_interval_ms = 3'000;  // while on a wrong chain or unauthorized
    int timeout_ms = 5'000;
};

class Node {
 public:
    using Listener = std::function<void()>;

    // on_change is called after every change of state or tip.
    Node(NodeSettings settings, chain::Network network, ProbeSettings probe, RpcMetrics& metrics,
         const base::Clock& clock, base::Logger& log, Listener on_change);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    void start();
    void stop();
    // Probes now rather than at the next interval.
    void kick();
    // Asks, now and at every probe until the answer is yes, whether the node has invalidated this
    // block; NodeStatus::invalidated has the answer. A zero hash ends it.
    void judge(const chain::Hash256& hash);
    // Finds out the height of this block from the block itself, after the next probe; three
    // attempts. NodeStatus::proven has the answer. A zero hash ends it.
    void prove_height(const chain::Hash256& hash);
    NodeStatus status() const;
    const NodeSettings& settings() const { return settings_; }
    const std::string& name() const { return name_; }

 private:
    void run();
    void probe();
    std::expected<Tip, RpcError> tip_of(const ChainInfo& info);
    bool has_invalidated(const chain::Hash256& hash);
    void prove();
    void on_info(const ChainInfo& info, double latency_ms);
    void on_error(const RpcError& error);
    void publish(NodeStatus next);
    int pause_ms() const;

    const NodeSettings settings_;
    const std::string name_;
    const chain::Network network_;
    const ProbeSettings probe_;
    const base::Clock& clock_;
    base::Logger& log_;
    Listener on_change_;
    RpcClient client_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    NodeStatus status_;
    chain::Hash256 judged_;    // zero: none
    chain::Hash256 unproven_;  // zero: none
    bool kicked_ = false;
    bool stopping_ = false;
    // Of the node's thread:
    std::deque<chain::Hash256> past_tips_;
    chain::Hash256 proof_of_;  // the block of the last attempt to prove a height
    int proof_attempts_ = 0;
    std::int64_t proof_ms_ = 0;  // steady clock, the last attempt
    std::thread thread_;
};

}  // namespace adit::node
