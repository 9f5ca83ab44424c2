// Real miners (miner::PoolMiner) that work for one pool and write every answer into one book. Owned
// by the test's thread.
#pragma once

#include "base/clock.h"
#include "miner/pool_miner.h"
#include "tests/support/share_book.h"

#include <memory>
#include <string>
#include <vector>

namespace adit::tests {

struct MinerSetup {
    std::uint16_t port = 0;
    std::string user;
    double hashes_per_s = 20;
    bool tls = false;
    std::string ca_file = {};
    std::string host = "127.0.0.1";
};

class Crew {
 public:
    // Starts a miner; it comes back within a fraction of a second whenever it loses the pool.
    miner::PoolMiner& add(const MinerSetup& setup);
    // Stops hashing and waits for the last answers, of all miners at once.
    void stop(std::uint32_t drain_ms = 10'000);

    const ShareBook& book() const { return book_; }
    std::size_t size() const { return miners_.size(); }
    miner::PoolMiner& operator[](std::size_t i) { return *miners_[i]; }
    bool all_connected() const;
    std::uint64_t reconnects() const;

 private:
    base::SystemClock clock_;
    ShareBook book_;
    std::vector<std::unique_ptr<miner::PoolMiner>> miners_;
};

}  // namespace adit::tests
