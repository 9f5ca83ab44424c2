// An embedded chain's node for a test, with its clock and logger. Owned by the test's thread.
#pragma once

#include "sim/sim_node.h"

#include <memory>

namespace adit::tests {

class SimHost {
 public:
    // Plain regtest rules unless told otherwise; ZeroMQ on; with these wallets.
    explicit SimHost(sim::SimParams params = sim::SimParams::regtest(), bool zmq = true,
                     std::vector<std::string> wallets = {})
        : logger_(base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}) {
        sim::SimNodeSettings settings;
        settings.wallets = std::move(wallets);
        if (zmq) settings.zmq_hashblock = "tcp://127.0.0.1:*";
        node_ = std::make_unique<sim::SimNode>(settings, params, clock_, logger_);
        node_->start();
    }
    sim::SimNode& operator*() { return *node_; }
    sim::SimNode* operator->() { return node_.get(); }
    const base::Clock& clock() const { return clock_; }

    // Whether the chain holds this block, on the best branch or beside it.
    bool holds(const chain::Hash256& hash) {
        bool found = false;
        node_->with_chain([&](sim::SimChain& chain) { found = chain.find(hash) != nullptr; });
        return found;
    }
    bool in_best_chain(const chain::Hash256& hash) {
        bool found = false;
        node_->with_chain([&](sim::SimChain& chain) {
            const auto* entry = chain.find(hash);
            found = entry != nullptr && chain.on_main_chain(*entry);
        });
        return found;
    }
    // The block at this height of the best chain.
    std::shared_ptr<const chain::Block> block(std::int32_t height) {
        std::shared_ptr<const chain::Block> block;
        node_->with_chain([&](sim::SimChain& chain) {
            if (const auto* entry = chain.at_height(height)) block = entry->block;
        });
        return block;
    }

 private:
    base::SystemClock clock_;
    base::Logger logger_;
    std::unique_ptr<sim::SimNode> node_;
};

// Regtest's rules, but a block takes about this many hashes, for ever.
sim::SimParams rules_with_block_hashes(std::uint64_t hashes);

}  // namespace adit::tests
