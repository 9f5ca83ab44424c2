// Virtual miners: workers of some accounts that connect to a pool over real TCP and truly hash,
// each at a rate of its own. Every share and block they find is real work. Methods are for one
// thread.
#pragma once

#include "base/clock.h"
#include "miner/pool_miner.h"

#include <memory>
#include <string>
#include <vector>

namespace adit::sim {

// SHA-256d hashes of block headers that one thread of this machine does per second, measured for
// about measure_ms.
double measure_hashes_per_s(const base::Clock& clock, std::int64_t measure_ms = 100);

struct SimMinersSettings {
    miner::PoolUrl pool;
    std::vector<std::string> accounts;  // addresses or account names; workers take turns
    int workers = 8;
    double hashes_per_s = 0;     // of all workers together, > 0: it is shared out unevenly
    std::uint64_t seed = 1;      // decides the shares
    std::string password = "x";  // Stratum password options, such as "d=0.001"
};

class SimMiners {
 public:
    // The clock must outlive the miners.
    SimMiners(SimMinersSettings settings, const base::Clock& clock);
    ~SimMiners();  // stops
    SimMiners(const SimMiners&) = delete;
    SimMiners& operator=(const SimMiners&) = delete;

    void start();
    // Waits up to drain_ms for answers to shares that are under way.
    void stop(std::uint32_t drain_ms = 0);
    // Stops one worker and starts it again, as a rebooted machine; its counts begin anew.
    void restart(std::size_t worker);

    struct Worker {
        std::string name;         // ACCOUNT.rig-N
        double hashes_per_s = 0;  // what it is set to
        miner::PoolMinerStats stats;
    };
    std::vector<Worker> workers() const;

 private:
    struct Rig {
        std::string name;
        double hashes_per_s;
        std::unique_ptr<miner::PoolMiner> miner;
    };
    std::unique_ptr<miner::PoolMiner> make(const Rig& rig) const;

    SimMinersSettings settings_;
    const base::Clock& clock_;
    std::vector<Rig> rigs_;
    bool running_ = false;
};

// How `total` is shared out among n workers: all > 0, the sum is `total`, the same for the same
// seed.
std::vector<double> uneven_rates(double total, int n, std::uint64_t seed);

}  // namespace adit::sim
