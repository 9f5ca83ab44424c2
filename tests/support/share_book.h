// What the miners were told: every answer to every share, by the hash of its header. Safe from any
// thread.
#pragma once

#include "miner/pool_job.h"

#include <functional>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace adit::tests {

class ShareBook {
 public:
    struct Counts {
        std::uint64_t accepted = 0;
        std::uint64_t rejected = 0;
        std::uint64_t known = 0;   // sent again after a loss; the pool had them
        std::uint64_t lost = 0;    // never answered
        std::uint64_t blocks = 0;  // accepted, and of the network's difficulty
    };

    void note(const miner::ShareReply& reply);

    Counts counts() const;
    std::uint64_t accepted() const { return counts().accepted; }
    // How often each header was answered true.
    std::unordered_map<chain::Hash256, int, chain::Hash256Hasher> answered_true() const;
    // Headers answered true that met the network target.
    std::vector<chain::Hash256> blocks() const;
    // Rejections by the pool's words.
    std::map<std::string, std::uint64_t> reasons() const;

 private:
    mutable std::mutex mutex_;
    Counts counts_;
    std::unordered_map<chain::Hash256, int, chain::Hash256Hasher> true_;
    std::vector<chain::Hash256> blocks_;
    std::map<std::string, std::uint64_t> reasons_;
};

}  // namespace adit::tests
