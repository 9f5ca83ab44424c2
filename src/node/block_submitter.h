// Takes found blocks to every node at once and does not give up: a block is sent again after
// 1, 2, 4 ... 60 s until one node has it in its best chain, every configured node is synchronised
// to its height and refuses it, or every configured node is 100 blocks beyond it without it.
//
// A thread and a connection per node. submit() and resume() never block and may be called from any
// thread; the listener is called on the node threads, one call at a time.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "job/template.h"
#include "metrics/registry.h"
#include "node/node_settings.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace adit::node {

// What one node made of a block.
enum class NodeVerdict {
    waiting,  // not answered yet
    holds,    // null, duplicate, inconclusive or duplicate-inconclusive: the node has the block
    in_best_chain,  // the node has at least one confirmation for it
    refused,        // any other answer; `reason` has it
    unreachable,    // no answer; `reason` says why
};
std::string_view name_of(NodeVerdict verdict);

struct NodeOutcome {
    std::string node;
    NodeVerdict verdict = NodeVerdict::waiting;
    std::string reason;              // the node's own word, or what went wrong
    std::int32_t confirmations = 0;  // when in_best_chain
    std::int32_t node_height = -1;   // the node's best block when it was last asked; -1: not asked
    bool synced = false;             // the node said so when it was last asked
    int attempts = 0;                // sends and checks
};

enum class SubmitState {
    pending,
    accepted,    // in the best chain of a node
    refused,     // every node is synchronised to its height and refuses it
    superseded,  // every node is 100 blocks beyond it, and it is in no best chain
};
std::string_view name_of(SubmitState state);

struct SubmitReport {
    std::shared_ptr<const job::BlockCandidate> candidate;
    SubmitState state = SubmitState::pending;
    std::int32_t confirmations = 0;    // when accepted
    std::vector<NodeOutcome> nodes;    // in the order of the configuration
    std::int64_t submitted_ms = 0;     // steady clock
    std::int64_t first_answer_ms = 0;  // steady clock, the first node that holds it; 0: none
};
// Called after every verdict of a node and once more when the state becomes final.
using SubmitListener = std::function<void(const SubmitReport&)>;

struct SubmitterSettings {
    chain::Network network = chain::Network::main;
    std::vector<NodeSettings> nodes;
    int retry_first_ms = 1'000;
    int retry_max_ms = 60'000;
    int timeout_ms = 30'000;  // of one submitblock
    std::int32_t give_up_depth = 100;
    // Blocks without a final state. Beyond it the oldest is forgotten: it is reported as pending
    // for the last time, never as final, so that the caller keeps it and resumes it at the next
    // start.
    std::size_t max_pending = 256;
    std::size_t max_finished = 16;  // remembered for reports() and to recognise a repeated submit
};

class BlockSubmitter final : public job::BlockSink {
 public:
    BlockSubmitter(SubmitterSettings settings, metrics::Registry& registry,
                   const base::Clock& clock, base::Logger& log);
    ~BlockSubmitter() override;

    // Set before start().
    void set_listener(SubmitListener listener);
    void start();
    // Returns within a second. What is pending stays so (the caller has it on disk).
    void stop();

    // Blocks may be handed in before start(); they are sent then.
    void submit(std::shared_ptr<const job::BlockCandidate> candidate) override;
    // As submit(), for a block found before a restart: asks first whether a node has it already.
    // candidate->job may be null.
    void resume(std::shared_ptr<const job::BlockCandidate> candidate);

    // Pending blocks and the last finished ones, oldest first.
    std::vector<SubmitReport> reports() const;
    std::size_t pending() const;

 private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace adit::node
