#include "node/chain_scan.h"

#include "node/scripted_node_testing.h"

#include <gtest/gtest.h>

#include <mutex>
#include <set>

namespace adit::node {
namespace {

using testing::RawAnswer;
using testing::ScriptedNode;

const base::Bytes kOurs{0x00, 0x14, 0xaa};
const base::Bytes kTheirs{0x00, 0x14, 0xbb};

struct ChainScanTest : ::testing::Test {
    void SetUp() override {
        a.start();
        settings.network = chain::Network::regtest;
        settings.nodes = {a.settings("a")};
        settings.payout_script = kOurs;
        settings.signature = "/Adit/";
        settings.depth = 8;
        settings.pause_ms = 0;
        settings.retry_ms = 10;
    }
    void TearDown() override {
        if (scan) scan->stop();
    }
    void start() {
        scan.emplace(
            settings, [this](const chain::Hash256& hash) { return known.contains(hash); },
            [this](const chain::Transaction& coinbase) -> std::expected<bool, std::string> {
                if (ledger_failures > 0) {
                    --ledger_failures;
                    return std::unexpected("the ledger cannot be read");
                }
                return std::ranges::any_of(coinbase.outputs, [&](const chain::TxOutput& output) {
                    return output.script == miners;
                });
            },
            [this](const OwnBlock& block) {
                const std::lock_guard lock(mutex);
                found.push_back(block);
            },
            registry, clock, log);
        scan->start();
    }
    bool wait_scans(std::uint64_t count) {
        const auto end = clock.steady_ms() + 20'000;
        while (scan->scans() < count) {
            if (clock.steady_ms() > end) return false;
            std::this_thread::yield();
        }
        return true;
    }
    std::vector<OwnBlock> all_found() {
        const std::lock_guard lock(mutex);
        return found;
    }

    base::SystemClock clock;
    base::Logger log{base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}};
    metrics::Registry registry;
    ScriptedNode a;
    ChainScanSettings settings;
    std::set<chain::Hash256> known;
    base::Bytes miners;                    // paid by a snapshot
    std::atomic<int> ledger_failures = 0;  // to come
    std::optional<ChainScan> scan;
    std::mutex mutex;
    std::vector<OwnBlock> found;
};

TEST_F(ChainScanTest, ReportsOwnBlocksThatThePoolDoesNotKnow) {
    const auto recorded = a.add_block("x/Adit/1", kOurs);
    const auto lost = a.add_block("x/Adit/2", kOurs);
    a.add_block("/Other/", kOurs);
    a.add_block("x/Adit/3", kTheirs);
    known.insert(recorded);
    start();
    ASSERT_TRUE(wait_scans(1));
    const auto blocks = all_found();
    ASSERT_EQ(blocks.size(), 1u);
    EXPECT_EQ(blocks[0].hash, lost);
    EXPECT_EQ(blocks[0].header.hash(), lost);
    EXPECT_EQ(blocks[0].height, 12);
    EXPECT_EQ(blocks[0].value_sat, 5'000);
    EXPECT_EQ(blocks[0].node, "a");
    EXPECT_TRUE(chain::parse_transaction(blocks[0].coinbase));
    EXPECT_EQ(scan->position(), a.height());
}

TEST_F(ChainScanTest, ReportsOwnBlocksThatPayMinersAlone) {
    miners = {0x00, 0x14, 0xcc};
    const auto lost = a.add_block("x/Adit/1", miners);
    a.add_block("/Other/", miners);
    a.add_block("x/Adit/2", kTheirs);
    start();
    ASSERT_TRUE(wait_scans(1));
    const auto blocks = all_found();
    ASSERT_EQ(blocks.size(), 1u);
    EXPECT_EQ(blocks[0].hash, lost);
    EXPECT_EQ(blocks[0].value_sat, 0);
}

TEST_F(ChainScanTest, LooksAgainWhenNobodyKnewWhomABlockPays) {
    miners = {0x00, 0x14, 0xcc};
    ledger_failures = 1;
    const auto lost = a.add_block("x/Adit/1", miners);
    start();
    ASSERT_TRUE(wait_scans(1));
    EXPECT_EQ(ledger_failures, 0);
    ASSERT_EQ(all_found().size(), 1u);
    EXPECT_EQ(all_found()[0].hash, lost);
}

TEST_F(ChainScanTest, LooksAtABlockOnlyOnce) {
    start();
    ASSERT_TRUE(wait_scans(1));
    EXPECT_EQ(a.calls("getblock"), 8u);
    a.add_block("x/Adit/", kOurs);
    scan->kick();
    ASSERT_TRUE(wait_scans(2));
    EXPECT_EQ(a.calls("getblock"), 9u);
    EXPECT_EQ(all_found().size(), 1u);
}

TEST_F(ChainScanTest, LooksAgainWhereTheChainHasChanged) {
    a.add_block("gone", kTheirs);
    start();
    ASSERT_TRUE(wait_scans(1));
    a.invalidate_tip();
    const auto other = a.add_block("x/Adit/", kOurs);
    scan->kick();
    ASSERT_TRUE(wait_scans(2));
    ASSERT_EQ(all_found().size(), 1u);
    EXPECT_EQ(all_found()[0].hash, other);
}

TEST_F(ChainScanTest, GoesBackToWhereTheLastRunHadLooked) {
    ScriptedNode longer(30);
    longer.start();
    settings.nodes = {longer.settings("b")};
    settings.resume_height = 10;
    start();
    ASSERT_TRUE(wait_scans(1));
    EXPECT_EQ(longer.calls("getblock"), 20u);
    scan->stop();
    settings.max_depth = 12;
    start();
    ASSERT_TRUE(wait_scans(1));
    EXPECT_EQ(longer.calls("getblock"), 32u) << "not more than max_depth";
    scan->stop();
}

TEST_F(ChainScanTest, TakesTheWholeBlockWhereACoinbaseCannotBeAskedFor) {
    a.set_error("getrawtransaction", -5, "no transaction index");
    const auto lost = a.add_block("x/Adit/", kOurs);
    start();
    ASSERT_TRUE(wait_scans(1));
    ASSERT_EQ(all_found().size(), 1u);
    EXPECT_EQ(all_found()[0].hash, lost);
}

TEST_F(ChainScanTest, AsksTheNextNodeWhenOneIsGoneOrOnAnotherChain) {
    ScriptedNode dead, other, good;
    for (auto* node : {&dead, &other, &good})
        node->start();
    good.add_block("x/Adit/", kOurs);
    other.set_chain("main");
    settings.nodes = {dead.settings("dead"), other.settings("other"), good.settings("good")};
    dead.stop();
    start();
    ASSERT_TRUE(wait_scans(1));
    ASSERT_EQ(all_found().size(), 1u);
    EXPECT_EQ(all_found()[0].node, "good");
}

TEST_F(ChainScanTest, RepeatsAScanThatANodeBrokeOff) {
    a.set_result("getblock", "7");
    start();
    while (a.calls("getblock") == 0)
        std::this_thread::yield();
    EXPECT_EQ(scan->position(), -1);
    a.clear("getblock");
    EXPECT_TRUE(wait_scans(1));
}

TEST_F(ChainScanTest, GoesOnWhereABrokenOffScanStopped) {
    std::atomic<int> asked{0};
    a.set_hook([&](std::string_view method) -> std::optional<RawAnswer> {
        if (method == "getblock" && ++asked == 4) return RawAnswer{.body = "7"};
        return std::nullopt;
    });
    start();
    ASSERT_TRUE(wait_scans(1));
    EXPECT_EQ(asked, 9) << "eight blocks, and one asked for twice";
    EXPECT_EQ(scan->position(), a.height());
}

TEST_F(ChainScanTest, OneErrorDoesNotMakeLaterScansTakeWholeBlocks) {
    a.set_error("getrawtransaction", -5, "not now");
    start();
    ASSERT_TRUE(wait_scans(1));
    EXPECT_EQ(a.calls("getrawtransaction"), 1u);
    EXPECT_EQ(a.calls("getblock"), 9u);
    a.clear("getrawtransaction");
    a.add_block("x/Adit/", kOurs);
    scan->kick();
    ASSERT_TRUE(wait_scans(2));
    EXPECT_EQ(a.calls("getrawtransaction"), 2u);
    EXPECT_EQ(a.calls("getblock"), 10u);
    EXPECT_EQ(all_found().size(), 1u);
}

}  // namespace
}  // namespace adit::node
