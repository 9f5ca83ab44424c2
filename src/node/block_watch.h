// Asks every configured node about the pool's own blocks, at every kick (a new tip) and every
// interval, and reports what follows by the rules in ledger/block_rules.h. Blocks that may still
// change are asked about newest first: found, confirmed and contested ones always; mature and
// orphaned ones down to the first mature block that is in the best chain of every usable node,
// which vouches for the older ones. Owns one thread and one connection to each node; a node that
// does not answer delays a round by one time-out and is left alone for the rest of it.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "chain/network.h"
#include "ledger/block_rules.h"
#include "metrics/registry.h"
#include "node/node_settings.h"

#include <memory>

namespace adit::node {

struct WatchedBlock {
    chain::Hash256 hash;
    std::int32_t height = 0;
    ledger::BlockState state = ledger::BlockState::found;
    chain::Amount reward;  // all outputs of its coinbase; zero while it was never confirmed
};

// A decision, with the value that a confirmed block's coinbase really pays.
struct SeenFact {
    ledger::BlockDecision decision;
    chain::Amount reward;  // with `confirmed` only
};

// Where the blocks come from and where decisions go. All calls come from the watch's thread.
class BlockBooks {
 public:
    virtual ~BlockBooks() = default;
    // All own blocks, in any order. The error is a sentence; the round is then tried again.
    virtual ledger::Stored<std::vector<WatchedBlock>> watched_blocks() = 0;
    // Takes a decision down. The block's state after it, from which the watch decides again;
    // nullopt: it could not be taken, leave this block until the next round.
    virtual std::optional<ledger::BlockState> take(const WatchedBlock& block,
                                                   const SeenFact& fact) = 0;
    // Everything was looked at once more.
    virtual void round_over() = 0;
};

struct BlockWatchSettings {
    chain::Network network = chain::Network::main;
    std::vector<NodeSettings> nodes;  // all of them, in the order of the configuration
    ledger::BlockRules rules;
    int interval_ms = 30'000;
    int retry_ms = 5'000;  // when the books cannot be read
    int timeout_ms = 10'000;
    int block_timeout_ms = 30'000;  // of a call that gives a whole block
    std::size_t chunk_blocks = 64;  // asked about before the nodes' tips are asked for anew
};

class BlockWatch {
 public:
    // Everything handed in outlives the watch.
    BlockWatch(BlockWatchSettings settings, BlockBooks& books, metrics::Registry& registry,
               const base::Clock& clock, base::Logger& log);
    ~BlockWatch();

    void start();
    void stop();
    // Looks now rather than at the next interval. From any thread.
    void kick();
    // Rounds over all blocks so far. From any thread.
    std::uint64_t rounds() const;

 private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace adit::node
