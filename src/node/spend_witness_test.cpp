#include "node/spend_witness.h"

#include "node/scripted_node_testing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::node {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::RawAnswer;
using testing::ScriptedNode;

constexpr std::int32_t kDeep = 3;

// Two nodes of one chain. What is seen is the coinbase of the block at height 8, which "spends" the
// null outpoint, since the scripted chain has nothing else.
struct ChainWitnessTest : ::testing::Test {
    void SetUp() override {
        a.start();
        b.start();
        auto previous =
            *chain::Hash256::from_rpc_hex(chain::params(chain::Network::regtest).genesis_hash);
        for (std::int32_t height = 1; height <= 8; ++height) {
            block = testing::mine_block(previous, height);
            previous = block.header.hash();
        }
        ASSERT_TRUE(a.knows(previous) && b.knows(previous));
        txid = block.transactions[0].txid();
    }
    std::string ask(std::int32_t deep = kDeep) {
        const auto seen = witness.all_have_seen(outpoint, txid, block.header.hash(), deep);
        return seen ? "seen" : seen.error();
    }
    static std::string raw(const chain::Block& block) {
        return fmt::format("\"{}\"", base::to_hex(block.serialize()));
    }

    ScriptedNode a, b;  // ten blocks each
    chain::Block block;
    chain::Hash256 txid;
    chain::OutPoint outpoint;
    ChainWitness witness{{}, chain::Network::regtest, 2'000};
};

TEST_F(ChainWitnessTest, AgreesWhenEveryNodeHasTheSpendDeepEnough) {
    EXPECT_THAT(ask(), HasSubstr("no node"));
    witness.set_nodes({a.settings("a"), b.settings("b")});
    EXPECT_EQ(ask(), "seen");
    EXPECT_EQ(a.last_params("getblock"), fmt::format(R"(["{}",0])", block.header.hash().rpc_hex()));
    EXPECT_THAT(ask(4), AllOf(HasSubstr("node a: "), HasSubstr("only 3 deep instead of 4")));
    a.add_block();
    EXPECT_THAT(ask(4), AllOf(HasSubstr("node b: "), HasSubstr("only 3 deep instead of 4")));
    b.add_block();
    EXPECT_EQ(ask(4), "seen");
}

TEST_F(ChainWitnessTest, NamesTheNodeThatDoesNotAnswerOrIsNotReady) {
    witness.set_nodes({a.settings("a"), b.settings("b")});
    b.set_headers_ahead(5);
    EXPECT_THAT(ask(), AllOf(HasSubstr("node b: "), HasSubstr("10 of 15 blocks")));
    b.set_headers_ahead(0);
    b.set_chain("main");
    EXPECT_THAT(ask(), AllOf(HasSubstr("node b: "), HasSubstr("on chain \"main\"")));
    b.set_chain("regtest");
    b.set_error("getblockchaininfo", -28, "Loading");
    EXPECT_THAT(ask(), AllOf(HasSubstr("node b: "), HasSubstr("starting")));
    b.stop();
    EXPECT_THAT(ask(), AllOf(HasSubstr("node b: "), HasSubstr("no connection")));
}

TEST_F(ChainWitnessTest, DoesNotBelieveInABlockBesideTheBestChain) {
    witness.set_nodes({a.settings("a"), b.settings("b")});
    for (int i = 0; i < 3; ++i)
        b.invalidate_tip();
    for (int i = 0; i < 4; ++i)
        b.add_block("other");
    EXPECT_THAT(ask(), AllOf(HasSubstr("node b: "), HasSubstr("not in its best chain")));
    // Also when the node counts confirmations there, as bcoin does.
    b.set_result("getblockheader", R"({"confirmations":4,"height":8})");
    EXPECT_THAT(ask(), AllOf(HasSubstr("node b: "), HasSubstr("not in its best chain")));
    b.set_result("getblockheader", R"({"confirmations":4,"height":80})");
    EXPECT_THAT(ask(), HasSubstr("not in its best chain"));
    b.set_result("getblockheader", R"({"confirmations":"4"})");
    EXPECT_THAT(ask(), HasSubstr("no confirmations and height"));
    b.set_error("getblockheader", -5, "Block not found");
    EXPECT_THAT(ask(), AllOf(HasSubstr("node b: "), HasSubstr("does not know block")));
}

TEST_F(ChainWitnessTest, LooksIntoTheRawBlockItself) {
    witness.set_nodes({a.settings("a")});
    a.set_error("getblock", -1, "Block not available (pruned data)");
    EXPECT_THAT(ask(), AllOf(HasSubstr("node a: it has pruned block"), HasSubstr("prune less")));
    for (const auto* answer : {"null", "{}", "\"xx\"", "\"00\""}) {
        a.set_result("getblock", answer);
        EXPECT_THAT(ask(), HasSubstr("getblock gave no")) << answer;
    }
    auto other = block;
    ++other.header.time;
    a.set_result("getblock", raw(other));
    EXPECT_THAT(ask(), HasSubstr("another block"));
    other = block;
    other.transactions[0].outputs[0].value_sat += 1;
    a.set_result("getblock", raw(other));
    EXPECT_THAT(ask(), HasSubstr("are not those of block"));
    other = block;
    other.transactions.push_back(block.transactions[0]);
    a.set_result("getblock", raw(other));
    EXPECT_THAT(ask(), HasSubstr("are not those of block"));
    a.clear("getblock");
    EXPECT_EQ(ask(), "seen");

    outpoint = {txid, 0};
    EXPECT_THAT(ask(), HasSubstr("does not spend output"));
    outpoint = {};
    txid = block.header.hash();
    EXPECT_THAT(ask(), HasSubstr("is not in block"));
}

}  // namespace
}  // namespace adit::node
