// The hashing threads. Tests wait for shares, never for times.
#include "miner/cpu_miner.h"

#include <gtest/gtest.h>

namespace adit::miner {
namespace {

// Shares as they are delivered; a test waits until there are enough of them.
class Basket {
 public:
    void put(Share share) {
        const std::lock_guard lock(mutex_);
        shares_.push_back(std::move(share));
        changed_.notify_all();
    }
    std::vector<Share> take(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return shares_.size() >= count; });
        return std::exchange(shares_, {});
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Share> shares_;
};

PoolJobRef job(std::string id, unsigned zero_bits) {
    auto result = std::make_shared<PoolJob>();
    result->id = std::move(id);
    result->extranonce1 = {1, 2, 3, 4};
    result->extranonce2_size = 8;
    result->share_target = {base::U256::max() >> zero_bits};
    return result;
}

TEST(CpuMiner, DeliversDifferentSharesFromAllThreads) {
    Basket basket;
    const base::SystemClock clock;
    CpuMiner miner({.threads = 3, .hashes_per_s = 0, .first_unit = 0}, clock,
                   [&](Share share) { basket.put(std::move(share)); });
    EXPECT_EQ(miner.threads(), 3U);
    EXPECT_EQ(miner.hashes(), 0U);
    miner.set_job(job("a", 12));
    const auto shares = basket.take(50);
    miner.stop();
    std::set<chain::Hash256> hashes;
    for (const auto& share : shares) {
        EXPECT_TRUE(share.job->share_target.met_by(share.hash));
        hashes.insert(share.hash);
    }
    EXPECT_EQ(hashes.size(), shares.size());
    EXPECT_GE(miner.hashes(), shares.size());
}

TEST(CpuMiner, MovesToANewJobAndNeverBack) {
    Basket basket;
    const base::SystemClock clock;
    CpuMiner miner({.threads = 1, .hashes_per_s = 0, .first_unit = 0}, clock,
                   [&](Share share) { basket.put(std::move(share)); });
    miner.set_job(job("a", 12));
    basket.take(1);
    miner.set_job(job("b", 12));
    bool moved = false;
    while (!moved) {
        for (const auto& share : basket.take(1)) {
            if (share.job->id == "b") moved = true;
            EXPECT_EQ(share.job->id, moved ? "b" : "a");
        }
    }
}

TEST(CpuMiner, DeliversNothingAfterStop) {
    std::atomic<int> delivered{0};
    const base::SystemClock clock;
    CpuMiner miner({.threads = 2, .hashes_per_s = 0, .first_unit = 0}, clock,
                   [&](Share) { ++delivered; });
    miner.set_job(job("a", 8));
    while (delivered == 0)
        std::this_thread::yield();
    miner.stop();
    const int at_stop = delivered;
    const auto hashes = miner.hashes();
    miner.set_job(job("b", 1));
    miner.stop();
    EXPECT_EQ(delivered, at_stop);
    EXPECT_EQ(miner.hashes(), hashes);
}

// At a thousandth of a hash a second the first group of four lanes is followed by an hour's wait,
// which stop() cuts short.
TEST(CpuMiner, HonoursItsLimit) {
    Basket basket;
    const base::ManualClock clock;
    CpuMiner miner({.threads = 1, .hashes_per_s = 0.001, .first_unit = 0}, clock,
                   [&](Share share) { basket.put(std::move(share)); });
    miner.set_job(job("a", 0));
    const auto shares = basket.take(4);
    miner.stop();
    EXPECT_EQ(shares.size(), 4U);
    EXPECT_EQ(miner.hashes(), 4U);
}

}  // namespace
}  // namespace adit::miner
