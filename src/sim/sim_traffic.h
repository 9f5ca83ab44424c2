// Real signed transactions for the embedded chain, so that templates carry fees: coins of one key
// are split and merged for ever. Which transactions come is decided by the seed and the chain
// alone.
#pragma once

#include "sim/signer.h"
#include "sim/sim_node.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

namespace adit::sim {

// Makes the transactions; no threads. Not thread-safe: used by the chain's owner.
class TrafficMaker {
 public:
    explicit TrafficMaker(std::uint64_t seed);

    const SimKey& key() const { return key_; }
    // Makes one transaction out of coins of the key and puts it into the chain's mempool. False:
    // there is no coin to spend, or the mempool holds kMaxWaiting already.
    bool send_one(SimChain& chain);

    static constexpr std::size_t kMaxWaiting = 200;  // in the mempool
    static constexpr std::size_t kMaxCoins = 64;     // more are merged, fewer are split

 private:
    struct Held {
        chain::OutPoint outpoint;
        chain::TxOutput output;
    };
    // Looks for the key's mature coins in the blocks that the chain keeps.
    void find_coins(const SimChain& chain);
    Held draw();
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

    SimKey key_;
    std::mt19937_64 random_;
    std::vector<Held> coins_;
};

struct SimTrafficSettings {
    std::uint64_t seed = 1;
    std::int64_t interval_ms = 2'000;  // between transactions
};

// Sends to a node now and then from a thread of its own. The node must be running and outlive it.
class SimTraffic {
 public:
    SimTraffic(SimNode& node, SimTrafficSettings settings);
    ~SimTraffic();  // stops
    SimTraffic(const SimTraffic&) = delete;
    SimTraffic& operator=(const SimTraffic&) = delete;

    // Mines blocks that pay the traffic's key until the chain has this height (on a demo chain: its
    // easy blocks). Before start().
    void prepare(std::int32_t height);
    void start();
    void stop();
    // Transactions that the node took.
    std::uint64_t sent() const { return sent_; }

 private:
    void run();

    SimNode& node_;
    SimTrafficSettings settings_;
    TrafficMaker maker_;  // used on the node's thread
    std::atomic<std::uint64_t> sent_{0};
    std::mutex mutex_;  // guards stopping_
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace adit::sim
