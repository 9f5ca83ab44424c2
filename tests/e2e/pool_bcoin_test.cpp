// The whole pool against bcoin, a full node that shares no code with it: real TCP, real hashing.
#include "sim/signer.h"
#include "tests/bcoin/bcoin_node.h"
#include "tests/support/agreement.h"
#include "tests/support/child.h"
#include "tests/support/crew.h"
#include "tests/support/test_pool.h"
#include "tests/support/wait.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace adit::tests {
namespace {

constexpr double kHashesPerS = 16;  // a miner; on regtest every second hash is a block

PoolSetup setup_for(const BcoinNode& node, const TempDir& dir) {
    PoolSetup setup;
    setup.data_dir = dir.path() / "data";
    setup.nodes = {{"bcoin", node.url(), node.user(), node.password(), ""}};
    return setup;
}

// The blocks from `first` up pay the pool's script with their first output.
void expect_ours(const BcoinNode& node, std::int32_t first, std::int32_t last) {
    const auto script = base::to_hex(pool_script());
    for (auto height = first; height <= last; ++height) {
        const auto scripts = node.coinbase_scripts(height);
        ASSERT_FALSE(scripts.empty());
        EXPECT_EQ(scripts[0], script) << "height " << height;
    }
}

// Each block of the chain that is ours stands in the log's block records.
void expect_in_log(const BcoinNode& node, std::int32_t first, std::int32_t last,
                   const LogContents& log) {
    std::set<std::string> known;
    for (const auto& block : log.blocks)
        known.insert(block.hash.rpc_hex());
    for (auto height = first; height <= last; ++height) {
        const auto hash =
            node.call("getblockhash", nlohmann::json::array({height})).get<std::string>();
        EXPECT_TRUE(known.contains(hash)) << "height " << height;
    }
}

TEST(PoolOnBcoin, BlocksBelowSegwitAreAcceptedAndPayThePool) {
    const BcoinNode node;
    const TempDir dir;
    TestPool pool(setup_for(node, dir));
    Crew crew;
    crew.add({pool.port(), miner_address("a") + ".first", kHashesPerS});
    crew.add({pool.port(), miner_address("b") + ".second", kHashesPerS});
    constexpr std::int32_t kWanted = 15;
    ASSERT_TRUE(eventually([&] { return node.height() >= kWanted; })) << pool.log_text();
    crew.stop();
    ASSERT_TRUE(eventually([&] { return pool.summary().blocks_accepted >= kWanted; }))
        << pool.log_text();
    ASSERT_TRUE(pool.stop());

    const auto height = node.height();
    expect_ours(node, 1, height);
    const auto log = expect_agreement(dir.path() / "data", crew.book());
    expect_in_log(node, 1, height, log);
    EXPECT_GE(crew.book().counts().blocks, static_cast<std::uint64_t>(kWanted));
    EXPECT_EQ(log.accounts.size(), 2U);
    EXPECT_EQ(log.workers.size(), 2U);
}

chain::Block block_at(const BcoinNode& node, std::int32_t height) {
    const auto hash = node.call("getblockhash", nlohmann::json::array({height}));
    const auto raw = node.call("getblock", {hash, false, false}).get<std::string>();
    return chain::parse_block(base::from_hex(raw).value()).value();
}

// The lowest height from `first` up whose block holds this transaction.
std::optional<std::int32_t> height_of(const BcoinNode& node, const chain::Hash256& txid,
                                      std::int32_t first) {
    for (auto height = first; height <= node.height(); ++height) {
        for (const auto& transaction : block_at(node, height).transactions) {
            if (transaction.txid() == txid) return height;
        }
    }
    return std::nullopt;
}

TEST(PoolOnBcoin, SegwitSpendOfTheMempoolEndsInABlockOfThePool) {
    const BcoinNode node;
    BcoinWallet wallet(node);
    constexpr std::int32_t kStart = 440;
    static_assert(kStart > kBcoinSegwitHeight);
    wallet.mine_to_height(kStart);
    const auto funding = wallet.send_to_p2wpkh();
    const auto spend = wallet.send_p2wpkh_spend(funding, 25'000);
    ASSERT_FALSE(spend.inputs[0].witness.empty());
    ASSERT_EQ(node.height(), kStart);

    const TempDir dir;
    TestPool pool(setup_for(node, dir));
    Crew crew;
    crew.add({pool.port(), miner_address("a") + ".rig", kHashesPerS});
    ASSERT_TRUE(eventually([&] { return node.height() >= kStart + 5; })) << pool.log_text();
    const auto height = height_of(node, spend.txid(), kStart + 1);
    ASSERT_TRUE(height.has_value()) << pool.log_text();
    crew.stop();
    ASSERT_TRUE(pool.stop());

    expect_ours(node, kStart + 1, node.height());
    // The coinbase of that block takes both fees, and commits to the witnesses.
    const auto block = block_at(node, *height);
    EXPECT_EQ(block.transactions.size(), 3U);
    EXPECT_TRUE(chain::witness_commitment_of(block.transactions[0]).has_value());
    EXPECT_EQ(block.transactions[2].txid(), spend.txid());
    EXPECT_EQ(block.transactions[2].inputs[0].witness, spend.inputs[0].witness);
    const auto fees = 10'000 + 25'000;
    const auto subsidy = std::int64_t{5'000'000'000} >> (*height / 150);
    EXPECT_EQ(block.transactions[0].outputs[0].value_sat, subsidy + fees);
    expect_agreement(dir.path() / "data", crew.book());
}

TEST(PoolOnBcoin, TheMinerProgramMinesAgainstThePoolProgram) {
    const BcoinNode node;
    const TempDir dir;
    Child pool(adit_run(setup_for(node, dir).write_to(dir.path() / "adit.toml")));
    const auto port = listening_port(pool);
    ASSERT_NE(port, 0) << pool.err();
    constexpr std::uint64_t kShares = 12;
    const auto mined = run_adit({"miner", fmt::format("stratum+tcp://127.0.0.1:{}", port), "-u",
                                 miner_address("c") + ".cpu", "-t", "1", "--limit", "20",
                                 "--shares", std::to_string(kShares), "--json"});
    EXPECT_EQ(mined.code, 0) << mined.err;
    std::istringstream lines(mined.out);
    nlohmann::json last;
    for (std::string line; std::getline(lines, line);)
        last = nlohmann::json::parse(line);
    EXPECT_EQ(last["event"], "summary");
    EXPECT_GE(last["accepted"], kShares);
    pool.signal(SIGTERM);
    EXPECT_EQ(pool.wait(), 0) << pool.err();

    EXPECT_GE(node.height(), 1);
    expect_ours(node, 1, node.height());
    const auto log = read_log(dir.path() / "data");
    EXPECT_EQ(log.counted_shares(), last["accepted"].get<std::uint64_t>());
    expect_in_log(node, 1, node.height(), log);
    expect_ledger_equals_log(dir.path() / "data", log);
}

}  // namespace
}  // namespace adit::tests
