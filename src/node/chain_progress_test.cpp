#include "node/chain_progress.h"

#include "node/scripted_node_testing.h"

#include <gtest/gtest.h>

namespace adit::node {
namespace {

constexpr char kHash[] = "\"00000000000000000000000000000000000000000000000000000000000000aa\"";

class ChainProgressTest : public ::testing::Test {
 protected:
    ChainProgressTest() { node_.start(); }
    void set_chain() {
        node_.set_result("getblockcount", "4100");
        node_.set_result("getblockhash", kHash);
        // The period's first block, then the tip.
        node_.queue_result("getblockheader", R"({"time":1700000000,"difficulty":1000.5})");
        node_.queue_result("getblockheader", R"({"time":1700040000,"difficulty":1})");
    }
    std::optional<metrics::ChainProgress> ask(std::vector<NodeSettings> nodes,
                                              chain::Network network = chain::Network::main,
                                              std::stop_token stop = {}) {
        return chain_progress(nodes, network, std::move(stop));
    }

    testing::ScriptedNode node_;
};

TEST_F(ChainProgressTest, TakesTheDifficultyOfThePeriodsFirstBlock) {
    set_chain();
    const auto progress = ask({node_.settings("a")});
    ASSERT_TRUE(progress);
    EXPECT_EQ(progress->height, 4100);
    EXPECT_EQ(progress->period_start_s, 1'700'000'000);
    EXPECT_EQ(progress->tip_s, 1'700'040'000);
    EXPECT_DOUBLE_EQ(progress->difficulty, 1000.5);
    EXPECT_EQ(node_.last_params("getblockhash"), "[4100]");
}

TEST_F(ChainProgressTest, AsksTheNextNodeWhenOneSaysNothingUseful) {
    testing::ScriptedNode broken;
    broken.start();
    broken.set_error("getblockcount", -28, "starting");
    set_chain();
    EXPECT_TRUE(ask({broken.settings("broken"), node_.settings("a")}));
    EXPECT_FALSE(ask({broken.settings("broken")}));
    broken.clear("getblockcount");
    broken.set_result("getblockcount", "\"many\"");
    EXPECT_FALSE(ask({broken.settings("broken")}));
}

TEST_F(ChainProgressTest, RegtestHasNoPeriods) {
    set_chain();
    EXPECT_FALSE(ask({node_.settings("a")}, chain::Network::regtest));
    EXPECT_EQ(node_.calls("getblockcount"), 0U);
}

TEST_F(ChainProgressTest, IsEndedByItsToken) {
    node_.set_hook([](std::string_view) { return testing::RawAnswer{.body = "", .hang = true}; });
    std::stop_source stop;
    std::jthread ender([&] {
        while (node_.connections() == 0)
            std::this_thread::yield();
        stop.request_stop();
    });
    EXPECT_FALSE(ask({node_.settings("a")}, chain::Network::main, stop.get_token()));
}

}  // namespace
}  // namespace adit::node
