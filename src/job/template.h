// What a node offers to mine, and the two interfaces the job layer needs from below: where
// templates come from and where found blocks go. Published templates are immutable and shared.
#pragma once

#include "base/bytes.h"
#include "chain/block.h"
#include "chain/network.h"
#include "chain/target.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace adit::job {

// One transaction of a template. Held once by txid across all templates that contain it.
struct TemplateTransaction {
    chain::Hash256 txid;
    chain::Hash256 wtxid;
    base::Bytes raw;  // with witness, as it goes into a block
    std::int64_t fee_sat = 0;
    std::uint32_t weight = 0;
};

// getblocktemplate's answer (BIP22, BIP23, BIP145), or what can be said of the next block from the
// new tip's header alone (`complete` false, no transactions).
struct BlockTemplate {
    chain::Network network = chain::Network::main;
    std::int32_t height = 0;  // of the block to be found
    chain::Hash256 previous;
    std::uint32_t version = 0x20000000;
    std::uint32_t bits = 0;
    std::uint32_t min_time = 0;           // seconds: median time past + 1
    std::uint32_t current_time = 0;       // seconds: the node's clock (at least min_time)
    std::int64_t coinbase_value_sat = 0;  // subsidy + fees
    std::vector<std::shared_ptr<const TemplateTransaction>> transactions;
    // True when the template's `rules` list segwit: only then the coinbase has a commitment and the
    // block a coinbase witness.
    bool segwit = false;
    std::uint32_t weight_limit = 4'000'000;
    std::string longpoll_id;
    bool complete = true;
    std::string node;  // the name of the node it came from

    std::int64_t fees_sat() const {
        std::int64_t sum = 0;
        for (const auto& transaction : transactions)
            sum += transaction->fee_sat;
        return sum;
    }
};
using TemplateRef = std::shared_ptr<const BlockTemplate>;

// Delivers templates from whichever node is active. Implemented by node.
class TemplateSource {
 public:
    virtual ~TemplateSource() = default;
    // Called on the source's own thread for every template: a new tip, better fees, or refreshed
    // time. Deliveries are in order: never back to a tip with less work unless the active node
    // has invalidated the better one. Set before start().
    using Listener = std::function<void(TemplateRef)>;
    virtual void set_listener(Listener listener) = 0;
    virtual void start() = 0;
    virtual void stop() = 0;
};

struct Job;

// A header that meets the network target, with all it takes to submit and to account for it.
struct BlockCandidate {
    std::shared_ptr<const Job> job;
    chain::Hash256 hash;
    std::int32_t height = 0;
    base::Bytes block;    // the whole serialised block
    std::string account;  // the address or account that found it
    std::string worker;
    std::uint64_t log_position = 0;  // where the share log stood (bytes committed)
    std::int64_t found_wall_ms = 0;
    bool stale = false;  // found on a job whose previous block is no longer the tip
};

// Takes found blocks to the network. submit() returns at once, never blocks and may be called from
// any thread; the same hash twice is harmless. Implemented by node and manager.
class BlockSink {
 public:
    virtual ~BlockSink() = default;
    virtual void submit(std::shared_ptr<const BlockCandidate> candidate) = 0;
    // As submit(). `kept` is called once, on any thread, when no crash can lose the block any more:
    // it is on disk, or a node has it. A sink that keeps nothing calls it at once.
    virtual void submit_and_keep(std::shared_ptr<const BlockCandidate> candidate,
                                 std::function<void()> kept) {
        submit(std::move(candidate));
        kept();
    }
};

}  // namespace adit::job
