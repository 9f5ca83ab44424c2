// Rewards from a found block to balances that an operator can read: the program, a node, miners.
#include "chain/amount.h"
#include "tests/support/child.h"
#include "tests/support/line_miner.h"
#include "tests/support/pool_setup.h"
#include "tests/support/sim_host.h"
#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>

#include <csignal>

namespace adit::tests {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

class Rewards : public ::testing::Test {
 protected:
    Rewards() {
        setup_.data_dir = dir_.path() / "data";
        setup_.nodes = {login_of(*node_)};
        setup_.extra = "[rewards]\nfee = \"2.5%\"\nmaturity = 4\n";
        file_ = setup_.write_to(dir_.path() / "adit.toml");
    }
    Json ask(const std::string& command) {
        const auto told = run_adit({command, "--config", file_, "--json"});
        EXPECT_EQ(told.code, 0) << told.err;
        return Json::parse(told.out, nullptr, false);
    }
    // Satoshis of an account; 0 without a row.
    std::int64_t balance(const std::string& account, const char* key) {
        for (const auto& row : ask("balance")) {
            if (row.at("account") == account) return row.at(key);
        }
        return 0;
    }
    std::string block_state() {
        const auto blocks = ask("blocks");
        return blocks.empty() ? "" : blocks.at(0).at("state");
    }
    // A block found by miner "a"; its reward in satoshis.
    std::int64_t find_a_block(std::uint16_t port) {
        LineMiner miner(port);
        const auto user = miner_address("a") + ".rig";
        miner.open(user);
        const auto submit = miner.solve(miner.job(0), user, 1);
        EXPECT_TRUE(miner.request("mining.submit", submit)["result"] == true);
        const auto hash = miner.header(miner.job(0), submit).hash();
        EXPECT_TRUE(eventually([&] { return node_.holds(hash); }));
        std::int64_t value_sat = 0;
        node_->with_chain([&](sim::SimChain& chain) {
            for (const auto& output : chain.find(hash)->block->transactions[0].outputs)
                value_sat += output.value_sat;
        });
        return value_sat;
    }

    SimHost node_;
    TempDir dir_;
    PoolSetup setup_;
    std::string file_;
};

TEST_F(Rewards, AFoundBlockIsPendingThenPostedAndTheBooksPassTheAudit) {
    Child pool(adit_run(file_));
    const auto port = listening_port(pool);
    ASSERT_NE(port, 0) << pool.err();
    const auto reward = find_a_block(port);
    ASSERT_GT(reward, 0);
    const auto fee = reward / 40;
    const auto miner = miner_address("a");
    EXPECT_TRUE(eventually([&] { return balance(miner, "pending_sat") == reward - fee; }))
        << pool.err();
    EXPECT_EQ(balance(":fee", "pending_sat"), fee);
    EXPECT_EQ(balance(miner, "posted_sat"), 0);
    EXPECT_EQ(block_state(), "confirmed");

    node_->generate(3, other_script());
    EXPECT_TRUE(eventually([&] { return balance(miner, "posted_sat") == reward - fee; }))
        << pool.err();
    EXPECT_EQ(balance(miner, "pending_sat"), 0);
    EXPECT_EQ(block_state(), "mature");
    // Beside the running pool, and against the chain.
    const auto audit = run_adit({"audit", "--config", file_});
    EXPECT_EQ(audit.code, 0) << audit.out << audit.err;
    const auto csv = run_adit({"export", "earnings", "--config", file_, "--account", miner});
    EXPECT_THAT(csv.out, HasSubstr(chain::Amount::of(reward - fee).btc()));

    pool.signal(SIGTERM);
    EXPECT_EQ(pool.wait(), 0) << pool.err();
    EXPECT_EQ(balance(miner, "posted_sat"), reward - fee);
}

TEST_F(Rewards, AnOrphanedBlockIsTakenBackAndCreditedAgainWhenItReturns) {
    Child pool(adit_run(file_));
    const auto port = listening_port(pool);
    ASSERT_NE(port, 0) << pool.err();
    const auto reward = find_a_block(port);
    const auto miner = miner_address("a");
    ASSERT_TRUE(eventually([&] { return balance(miner, "pending_sat") > 0; })) << pool.err();
    // With a single node a rival has to be 100 deep; until then the block is contested.
    const auto branch = node_->mine_branch(1, 2, other_script());
    ASSERT_EQ(branch.size(), 2u);
    EXPECT_TRUE(eventually([&] { return block_state() == "contested"; })) << pool.err();
    EXPECT_GT(balance(miner, "pending_sat"), 0);
    node_->generate(99, other_script());
    EXPECT_TRUE(eventually([&] { return block_state() == "orphaned"; })) << pool.err();
    EXPECT_EQ(balance(miner, "pending_sat"), 0);
    // The other branch is given up: the block is the tip again.
    node_->with_chain([&](sim::SimChain& chain) { EXPECT_TRUE(chain.invalidate(branch[0])); });
    node_->generate(1, other_script());
    EXPECT_TRUE(eventually([&] { return balance(miner, "pending_sat") == reward - reward / 40; }))
        << pool.err();
    pool.signal(SIGTERM);
    EXPECT_EQ(pool.wait(), 0) << pool.err();
    const auto audit = run_adit({"audit", "--config", file_});
    EXPECT_EQ(audit.code, 0) << audit.out << audit.err;
}

}  // namespace
}  // namespace adit::tests
