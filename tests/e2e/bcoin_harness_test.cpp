// The harness itself: bcoin starts, mines, spends, agrees with a second node, and leaves no
// process.
#include "tests/bcoin/bcoin_node.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <signal.h>

namespace adit::tests {
namespace {

TEST(BcoinHarness, MinesAndSpendsWithAndWithoutSegwit) {
    const BcoinNode node;
    BcoinWallet wallet(node);
    wallet.mine_to_height(440);
    EXPECT_EQ(node.height(), 440);
    const auto first = wallet.send_to_p2wpkh();
    const auto second = wallet.send_p2wpkh_spend(first);
    EXPECT_TRUE(second.has_witness());
    const auto offered =
        node.call("getblocktemplate", nlohmann::json::parse(R"([{"rules":["segwit"]}])"));
    EXPECT_EQ(offered.at("transactions").size(), 2U);
    node.generate(1, bcoin_address(wallet.key().key_hash()));
    EXPECT_TRUE(node.call("getrawmempool").empty());
    EXPECT_EQ(node.coinbase_scripts(441).at(0), base::to_hex(wallet.key().p2wpkh_script()));
}

TEST(BcoinHarness, TwoNodesAgreeAndACrashedOneIsGone) {
    BcoinNode first;
    BcoinNode second;
    const auto address = bcoin_address(chain::Hash160{7});
    first.generate(3, address);
    second.connect_to(first);
    EXPECT_EQ(second.height(), 3);
    first.generate(1, address);
    EXPECT_TRUE(second.wait_for_height(4));
    const auto pid = second.pid();
    second.kill();
    EXPECT_NE(::kill(pid, 0), 0);
    EXPECT_THROW(second.call("getblockcount"), std::runtime_error);
    second.restart();
    EXPECT_EQ(second.height(), 0);
}

}  // namespace
}  // namespace adit::tests
