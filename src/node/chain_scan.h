// Looks through the recent blocks of the best chain for coinbases that carry this pool's signature
// and pay its script or, where blocks pay the miners themselves, scripts that the pool's own
// snapshots pay, so that a block which the pool does not know (killed between sending and
// recording it) is found again. Runs at start and every interval on a thread of its own; blocks
// that were seen before are not fetched again, and only ids and the coinbase are fetched where the
// node can do that (200 KB a block on the main chain; the whole block, 4 MB, where it cannot).
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "chain/block.h"
#include "chain/network.h"
#include "metrics/registry.h"
#include "node/node_settings.h"

#include <expected>
#include <functional>
#include <memory>

namespace adit::node {

// A block of the best chain whose coinbase is ours.
struct OwnBlock {
    chain::Hash256 hash;
    std::int32_t height = 0;
    chain::BlockHeader header;
    base::Bytes coinbase;        // serialised, as the node gave it
    std::int64_t value_sat = 0;  // paid to our script; 0: all of it went to miners
    std::string node;            // who told us
};

struct ChainScanSettings {
    chain::Network network = chain::Network::main;
    std::vector<NodeSettings> nodes;  // asked in this order; the first that answers is used
    base::Bytes payout_script;
    std::string signature = "/Adit/";
    std::int32_t depth = 144;         // blocks back from the tip
    std::int32_t max_depth = 4032;    // at most, when resume_height is far back
    std::int32_t resume_height = -1;  // where the last run had looked up to; -1: unknown
    int interval_ms = 600'000;
    int retry_ms = 5'000;  // when no node answers
    int pause_ms = 10;     // between two blocks, to be gentle to the node
};

class ChainScan {
 public:
    // True when the pool knows this block. All three are called on the scan's thread.
    using Known = std::function<bool(const chain::Hash256&)>;
    // True when this coinbase, which carries our signature and pays nothing to our script, pays one
    // of our miners. An error, a sentence: nobody knows now, and the block is looked at again.
    using PaysMiners = std::function<std::expected<bool, std::string>(const chain::Transaction&)>;
    using Found = std::function<void(const OwnBlock&)>;

    ChainScan(ChainScanSettings settings, Known known, PaysMiners pays_miners, Found found,
              metrics::Registry& registry, const base::Clock& clock, base::Logger& log);
    ~ChainScan();

    void start();
    void stop();
    // Scans now rather than at the next interval.
    void kick();

    // The height up to which everything was looked at; -1 before the first complete scan.
    std::int32_t position() const;
    // Complete scans so far.
    std::uint64_t scans() const;

 private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace adit::node
