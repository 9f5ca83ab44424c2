#include "sim/sim_traffic.h"

#include "sim/block_builder.h"

#include <gtest/gtest.h>

namespace adit::sim {
namespace {

std::vector<std::string> txids(const SimChain& chain) {
    std::vector<std::string> ids;
    for (const auto& entry : chain.mempool().entries())
        ids.push_back(entry->txid.rpc_hex());
    return ids;
}

class TrafficTest : public testing::Test {
 protected:
    void mine(SimChain& chain, const TrafficMaker& maker, int blocks) {
        for (int i = 0; i < blocks; ++i) {
            std::uint64_t tries = 1'000'000;
            ASSERT_TRUE(mine_block(chain, maker.key().p2wpkh_script(), tries));
        }
    }
    base::ManualClock clock;
};

TEST_F(TrafficTest, HasNothingToSpendBeforeACoinbaseIsMature) {
    SimChain chain(SimParams::regtest(), clock);
    TrafficMaker maker(1);
    mine(chain, maker, 99);
    EXPECT_FALSE(maker.send_one(chain));
    mine(chain, maker, 1);
    EXPECT_TRUE(maker.send_one(chain));
    EXPECT_EQ(chain.mempool().size(), 1U);
}

TEST_F(TrafficTest, BlocksConfirmItAndItGoesOnForEver) {
    SimChain chain(SimParams::regtest(), clock);
    TrafficMaker maker(1);
    mine(chain, maker, 100);
    int sent = 0;
    for (int block = 0; block < 20; ++block) {
        for (int i = 0; i < 10; ++i)
            sent += maker.send_one(chain) ? 1 : 0;
        const auto fees = chain.mempool().fees_sat();
        mine(chain, maker, 1);
        EXPECT_GT(fees, 0);
        EXPECT_EQ(chain.mempool().size(), 0U);
    }
    EXPECT_EQ(sent, 200);
}

TEST_F(TrafficTest, TheSameSeedMakesTheSameTransactions) {
    SimChain a(SimParams::regtest(), clock);
    SimChain b(SimParams::regtest(), clock);
    SimChain c(SimParams::regtest(), clock);
    TrafficMaker first(5), second(5), third(6);
    mine(a, first, 105);
    mine(b, second, 105);
    mine(c, third, 105);
    for (int i = 0; i < 20; ++i) {
        first.send_one(a);
        second.send_one(b);
        third.send_one(c);
    }
    EXPECT_EQ(txids(a), txids(b));
    EXPECT_NE(txids(a), txids(c));
}

TEST_F(TrafficTest, StopsAtTheBoundOfWaitingTransactions) {
    SimChain chain(SimParams::regtest(), clock);
    TrafficMaker maker(1);
    mine(chain, maker, 101);
    for (std::size_t i = 0; i < TrafficMaker::kMaxWaiting; ++i) {
        ASSERT_TRUE(maker.send_one(chain));
    }
    EXPECT_FALSE(maker.send_one(chain));
    EXPECT_EQ(chain.mempool().size(), TrafficMaker::kMaxWaiting);
}

}  // namespace
}  // namespace adit::sim
