// The wallet's transactions: status, spends, and who spent an output.
#include "node/node_wallet_testing.h"

namespace adit::node {
namespace {

using ledger::OutputState;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct WalletHistory : testing::NodeWalletTest {
    void SetUp() override {
        NodeWalletTest::SetUp();
        node.set_error("getmempoolentry", -5, "Transaction not in mempool");
    }
    static std::string told_of(const chain::Transaction& transaction, int depth,
                               const chain::Hash256& block = {}, int height = 0) {
        const auto place = depth > 0 ? fmt::format(R"(,"blockhash":"{}","blockheight":{})",
                                                   block.rpc_hex(), height)
                                     : "";
        return fmt::format(R"({{"confirmations":{},"hex":"{}"{}}})", depth, hex(transaction),
                           place);
    }
    static std::string movement(std::string_view category, const chain::Hash256& txid, int depth,
                                std::string_view more = "") {
        return fmt::format(R"({{"category":"{}","txid":"{}","confirmations":{}{}}})", category,
                           txid.rpc_hex(), depth, more);
    }
    static std::string history(const std::string& listed, const std::string& removed = "") {
        return fmt::format(R"({{"transactions":[{}],"removed":[{}],"lastblock":"{}"}})", listed,
                           removed, hash(99).rpc_hex());
    }
    const chain::Transaction paid = spending({{hash(1), 0}});
};

TEST_F(WalletHistory, TellsWhatBecameOfATransaction) {
    node.set_error("gettransaction", -5, "Invalid or non-wallet transaction id");
    EXPECT_EQ(wallet->status(paid.txid()).value(), std::nullopt);
    EXPECT_EQ(wallet->transaction(paid.txid()).value(), std::nullopt);

    node.set_result("gettransaction", told_of(paid, 3, hash(5), 8));
    auto status = wallet->status(paid.txid());
    ASSERT_TRUE(status && *status) << told(status);
    EXPECT_EQ((*status)->confirmations, 3);
    EXPECT_EQ((*status)->block, hash(5));
    EXPECT_EQ((*status)->height, 8);
    EXPECT_FALSE((*status)->in_mempool);
    const auto whole = wallet->transaction(paid.txid());
    ASSERT_TRUE(whole && *whole) << told(whole);
    EXPECT_EQ((*whole)->serialize(), paid.serialize());

    node.set_result("gettransaction", told_of(paid, 0));
    EXPECT_FALSE(wallet->status(paid.txid()).value()->in_mempool);
    node.set_result("getmempoolentry", "{}");
    EXPECT_TRUE(wallet->status(paid.txid()).value()->in_mempool);
    node.set_result("gettransaction", told_of(paid, -4));
    status = wallet->status(paid.txid());
    EXPECT_EQ((*status)->confirmations, -4);
    EXPECT_FALSE((*status)->in_mempool);
    // Mined between the two calls.
    node.set_result("gettransaction", told_of(paid, 1, hash(5), 11));
    status = wallet->status(paid.txid());
    EXPECT_EQ((*status)->confirmations, 1);
    EXPECT_FALSE((*status)->in_mempool);
}

TEST_F(WalletHistory, DoesNotBelieveAnAbsurdTransaction) {
    for (const auto& absurd :
         {std::string("null"), std::string("{}"), told_of(spending({{hash(2), 0}}), 0),
          fmt::format(R"({{"confirmations":1,"hex":"{}"}})", hex(paid)),
          fmt::format(R"({{"confirmations":"1","hex":"{}"}})", hex(paid)),
          std::string(R"({"confirmations":0,"hex":"00"})"),
          std::string(R"({"confirmations":0,"hex":"xx"})"), told_of(paid, 1, hash(3), -1)}) {
        node.set_result("gettransaction", absurd);
        EXPECT_THAT(told(wallet->status(paid.txid())), StartsWith("malformed")) << absurd;
        EXPECT_THAT(told(wallet->transaction(paid.txid())), StartsWith("malformed")) << absurd;
    }
    node.set_error("getmempoolentry", -28, "starting");
    EXPECT_THAT(told(wallet->status(paid.txid())), StartsWith("not_ready"));
}

TEST_F(WalletHistory, ListsEverySpendOnce) {
    node.set_result(
        "listsinceblock",
        history(movement("send", hash(1), 2, R"(,"abandoned":false)") + "," +
                    movement("send", hash(1), 2, R"(,"abandoned":false)") + "," +
                    movement("receive", hash(2), 2) + "," + movement("generate", hash(3), 101) +
                    "," + movement("send", hash(4), -3) + "," +
                    movement("send", hash(5), 0, R"(,"abandoned":true)"),
                movement("send", hash(6), 0) + "," + movement("send", hash(1), 2)));
    const auto since = wallet->spends_since(hash(50));
    ASSERT_TRUE(since) << told(since);
    EXPECT_EQ(node.last_params("listsinceblock"),
              fmt::format(R"(["{}",1,false,true,true])", hash(50).rpc_hex()));
    EXPECT_EQ(since->upto, hash(99));
    std::map<chain::Hash256, std::pair<int, bool>> found;
    for (const auto& spend : since->spends)
        found[spend.txid] = {spend.confirmations, spend.abandoned};
    EXPECT_EQ(since->spends.size(), 4U);
    EXPECT_EQ(found, (std::map<chain::Hash256, std::pair<int, bool>>{{hash(1), {2, false}},
                                                                     {hash(4), {-3, false}},
                                                                     {hash(5), {0, true}},
                                                                     {hash(6), {0, false}}}));
    EXPECT_EQ(told(wallet->spends_since({})), "fine");
    EXPECT_EQ(node.last_params("listsinceblock"), R"(["",1,false,true,true])");
}

TEST_F(WalletHistory, ListsEverythingAfterABlockThatTheNodeDoesNotKnow) {
    node.queue_error("listsinceblock", -5, "Block not found");
    node.set_result("listsinceblock", history(movement("send", hash(1), 2)));
    const auto all = wallet->spends_since(hash(50));
    ASSERT_TRUE(all) << told(all);
    EXPECT_EQ(node.last_params("listsinceblock"), R"(["",1,false,true,true])");
    EXPECT_EQ(all->spends.size(), 1U);
    node.set_error("listsinceblock", -5, "Block not found");
    EXPECT_THAT(told(wallet->spends_since({})), StartsWith("refused"));
}

TEST_F(WalletHistory, DoesNotBelieveAnAbsurdList) {
    for (const auto& absurd :
         {std::string("null"), std::string("{}"), std::string(R"({"transactions":[]})"),
          std::string(R"({"transactions":{},"lastblock":")") + hash(1).rpc_hex() + "\"}",
          history("1"), history("{}"), history(R"({"category":"send","confirmations":1})"),
          history(movement("send", hash(1), 1) + "," + movement("send", hash(1), 2)),
          history("", R"({"category":"send"})")}) {
        node.set_result("listsinceblock", absurd);
        EXPECT_THAT(told(wallet->spends_since({})), StartsWith("malformed")) << absurd;
    }
}

TEST_F(WalletHistory, TellsWhoSpentAnOutput) {
    const auto creator = spending({{hash(1), 0}});
    const chain::OutPoint outpoint{creator.txid(), 0};
    const auto spender = spending({{hash(7), 3}, outpoint});
    const auto other = spending({{hash(8), 0}});
    const auto block = testing::mine_block(node.tip(), 11);
    node.set_result("gettxout", "null");
    node.set_result("getblockheader",
                    fmt::format("\"{}\"", base::to_hex(block.header.serialize())));
    node.set_result("listsinceblock", history(movement("send", other.txid(), 1) + "," +
                                              movement("send", spender.txid(), 4) + "," +
                                              movement("send", hash(60), 0)));
    // In the order of the ids of those that are confirmed.
    node.queue_result("gettransaction", told_of(creator, 5, block.header.hash(), 11));
    const auto first = std::min(spender.txid(), other.txid());
    if (first == other.txid()) node.queue_result("gettransaction", told_of(other, 1, hash(40), 15));
    node.set_result("gettransaction", told_of(spender, 4, hash(41), 12));
    const auto state = wallet->output_state(outpoint);
    ASSERT_TRUE(state) << told(state);
    EXPECT_FALSE(state->unspent);
    EXPECT_TRUE(state->created);
    EXPECT_EQ(state->spender, spender.txid());
    EXPECT_EQ(state->spender_confirmations, 4);
    EXPECT_EQ(state->spender_block, hash(41));
    // Asked from the block before the output's own.
    EXPECT_THAT(node.last_params("listsinceblock"), HasSubstr(node.tip().rpc_hex()));

    // Nobody that the wallet knows.
    node.set_result("listsinceblock", history(""));
    node.set_result("gettransaction", told_of(creator, 5, block.header.hash(), 11));
    const auto unknown = wallet->output_state(outpoint);
    ASSERT_TRUE(unknown) << told(unknown);
    EXPECT_TRUE(unknown->created);
    EXPECT_EQ(unknown->spender, std::nullopt);
}

TEST_F(WalletHistory, TellsOutputsThatAreThereFromThoseThatNeverWere) {
    const auto creator = spending({{hash(1), 0}});
    const chain::OutPoint outpoint{creator.txid(), 0};
    node.set_result("gettxout",
                    fmt::format(R"({{"confirmations":4,"value":1,"scriptPubKey":{{"hex":"{}"}}}})",
                                base::to_hex(key_hash_script())));
    EXPECT_TRUE(wallet->output_state(outpoint).value().unspent);
    EXPECT_TRUE(wallet->output_state(outpoint).value().created);
    node.set_result("gettxout", "null");
    node.set_error("gettransaction", -5, "Invalid or non-wallet transaction id");
    EXPECT_FALSE(wallet->output_state(outpoint).value().created);
    for (const int depth : {0, -2}) {
        node.set_result("gettransaction", told_of(creator, depth));
        const auto state = wallet->output_state(outpoint).value();
        EXPECT_FALSE(state.created || state.unspent);
    }
    node.set_result("gettransaction", told_of(creator, 5, hash(5), 5));
    EXPECT_FALSE(wallet->output_state({creator.txid(), 1}).value().created) << "it has one output";
    node.set_error("getblockheader", -5, "Block not found");
    EXPECT_THAT(told(wallet->output_state(outpoint)), StartsWith("refused"));
}

TEST_F(WalletHistory, DecidesNothingWhileTheChainChanges) {
    const auto info = [&](int n) {
        return fmt::format(R"({{"chain":"regtest","blocks":10,"headers":10,"bestblockhash":"{}"}})",
                           hash(n).rpc_hex());
    };
    node.set_result("gettxout", "null");
    node.set_error("gettransaction", -5, "Invalid or non-wallet transaction id");
    for (int n = 0; n < 4; ++n)
        node.queue_result("getblockchaininfo", info(n));
    EXPECT_THAT(told(wallet->output_state({hash(1), 0})),
                AllOf(StartsWith("not_ready"), HasSubstr("the chain changed")));
    EXPECT_EQ(node.calls("gettxout"), 3U);
    // Once it stands still, the answer counts.
    node.queue_result("getblockchaininfo", info(1));
    node.queue_result("getblockchaininfo", info(2));
    node.queue_result("getblockchaininfo", info(2));
    EXPECT_EQ(told(wallet->output_state({hash(1), 0})), "fine");
    EXPECT_EQ(node.calls("gettxout"), 5U);
}

}  // namespace
}  // namespace adit::node
