// What changes while a pool runs: its configuration and the wall clock. No miner is dropped for it.
#include "tests/support/agreement.h"
#include "tests/support/crew.h"
#include "tests/support/line_miner.h"
#include "tests/support/sim_host.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pool.h"
#include "tests/support/wait.h"

#include <gtest/gtest.h>

namespace adit::tests {
namespace {

using Json = nlohmann::json;

struct PoolChanges : ::testing::Test {
    SimHost node{rules_with_block_hashes(2'000'000)};
    TempDir dir;
    PoolSetup setup;
    std::unique_ptr<TestPool> pool;

    PoolChanges() {
        setup.data_dir = dir.path() / "data";
        setup.nodes = {login_of(*node)};
        setup.difficulty = 1e-7;  // about 430 hashes
    }
    void start() { pool = std::make_unique<TestPool>(setup); }
    // Exactly this key has changed, and it is in force now.
    void expect_live(const char* key) {
        const auto report = pool->reload(setup);
        EXPECT_EQ(report.changed, std::vector<std::string>{key});
        EXPECT_TRUE(report.needs_restart.empty()) << key;
        EXPECT_TRUE(report.problems.empty()) << key;
    }
};

TEST_F(PoolChanges, EveryLiveLimitIsInForceAtOnce) {
    start();
    LineMiner kept(pool->port());
    kept.open(miner_address("kept"));

    setup.miners = 1;
    expect_live("limits.miners");
    EXPECT_TRUE(turned_away(pool->port()));
    setup.miners = 100;
    expect_live("limits.miners");

    setup.extra_limits = "per_ip = 1\n";
    expect_live("limits.per_ip");
    EXPECT_TRUE(turned_away(pool->port()));
    setup.extra_limits = "";
    expect_live("limits.per_ip");

    setup.extra_limits = "workers_per_connection = 1\n";
    expect_live("limits.workers_per_connection");
    // The shard hears of it on its own thread.
    int names = 0;
    const auto one_more = [&] { return kept.authorize(miner_address(std::to_string(names++))); };
    EXPECT_TRUE(eventually([&] { return !one_more(); }));
    setup.extra_limits = "";
    expect_live("limits.workers_per_connection");
    EXPECT_TRUE(eventually(one_more));

    // With one handshake a second the last of five comes after more than two.
    setup.handshakes_per_s = 1;
    expect_live("limits.handshakes_per_s");
    const auto began_ms = pool->clock().steady_ms();
    std::vector<std::unique_ptr<LineMiner>> others;
    for (int i = 0; i < 5; ++i) {
        others.push_back(std::make_unique<LineMiner>(pool->port()));
        EXPECT_EQ(others.back()->request("mining.ping", Json::array())["result"], "pong");
    }
    EXPECT_GE(pool->clock().steady_ms() - began_ms, 2'000);
    EXPECT_EQ(kept.request("mining.ping", Json::array())["result"], "pong");
}

TEST_F(PoolChanges, AShorterTimeForHandshakesEndsThoseThatWaitAlready) {
    setup.extra_limits = "handshake_s = 3600\n";
    start();
    LineMiner silent(pool->port());
    EXPECT_EQ(silent.request("mining.ping", Json::array())["result"], "pong");
    setup.extra_limits = "handshake_s = 1\n";
    expect_live("limits.handshake_s");
    EXPECT_TRUE(silent.ended());
}

TEST_F(PoolChanges, AnotherIdleTimeEndsWhoWasSilentThatLongAndNobodyElse) {
    setup.extra_limits = "idle_s = 3600\n";
    start();
    LineMiner kept(pool->port());
    kept.open(miner_address("kept"));
    LineMiner silent(pool->port());
    silent.open(miner_address("silent"));
    // The job that comes again after half a minute of silence shows that the pool has looked at
    // the connection since.
    const auto looked_at_after = [&](LineMiner& miner, std::int64_t skipped_ms) {
        const auto jobs = miner.jobs();
        pool->clock().skip(skipped_ms);
        return miner.read_until([&] { return miner.jobs() > jobs; });
    };
    EXPECT_TRUE(looked_at_after(silent, 90'000));
    EXPECT_EQ(kept.request("mining.ping", Json::array())["result"], "pong");
    setup.extra_limits = "idle_s = 60\n";
    expect_live("limits.idle_s");
    EXPECT_TRUE(silent.ended());
    EXPECT_TRUE(looked_at_after(kept, 50'000));
    EXPECT_EQ(kept.request("mining.ping", Json::array())["result"], "pong");

    setup.extra_limits = "idle_s = 120\n";
    expect_live("limits.idle_s");
    EXPECT_TRUE(looked_at_after(kept, 90'000));
    EXPECT_EQ(kept.request("mining.ping", Json::array())["result"], "pong");
    pool->clock().skip(130'000);
    EXPECT_TRUE(kept.ended());
}

TEST_F(PoolChanges, AnotherShareIntervalMovesTheDifficultyOfPresentConnections) {
    setup.difficulty = 1e-5;
    setup.difficulty_min = 1e-9;
    setup.extra_difficulty = "share_interval_s = 3600\n";
    start();
    LineMiner miner(pool->port());
    miner.open(miner_address("a"));
    const auto difficulty = miner.difficulty();
    EXPECT_GT(difficulty, 9e-6);
    // Every job that comes again after half a minute may bring another difficulty along.
    const auto next_job = [&] {
        const auto jobs = miner.jobs();
        pool->clock().skip(40'000);
        return miner.read_until([&] { return miner.jobs() > jobs; });
    };
    ASSERT_TRUE(next_job());
    EXPECT_EQ(miner.difficulty(), difficulty) << "silence means little when a share takes an hour";
    setup.extra_difficulty = "share_interval_s = 1\n";
    expect_live("difficulty.share_interval_s");
    ASSERT_TRUE(next_job());
    ASSERT_TRUE(next_job());
    EXPECT_LT(miner.difficulty(), difficulty / 4);
    EXPECT_EQ(miner.request("mining.ping", Json::array())["result"], "pong");

    setup.extra_difficulty = "share_interval_s = 3600\n";
    expect_live("difficulty.share_interval_s");
    ASSERT_TRUE(next_job());  // with what was decided before
    const auto lowered = miner.difficulty();
    EXPECT_GT(lowered, setup.difficulty_min * 1.1);
    ASSERT_TRUE(next_job());
    ASSERT_TRUE(next_job());
    EXPECT_EQ(miner.difficulty(), lowered);
    EXPECT_EQ(pool->metric("adit_stratum_bans_total"), 0);
}

TEST_F(PoolChanges, TheTimeOfABanIsWhatItWasLastSetTo) {
    setup.extra_limits = "ban_s = 31536000\n";
    start();
    setup.extra_limits = "ban_s = 1\n";
    expect_live("limits.ban_s");
    LineMiner bad(pool->port());
    const auto user = miner_address("bad");
    bad.open(user);
    const auto line = Json{{"id", 5}, {"method", "mining.submit"}, {"params", {1}}}.dump() + "\n";
    bool open = true;
    for (int i = 0; i < 5'000 && open; ++i)
        open = bad.client().send_bytes(line, static_cast<int>(kDeadlineMs)).has_value();
    EXPECT_TRUE(bad.ended());
    EXPECT_EQ(pool->metric("adit_stratum_bans_total"), 1);
    EXPECT_TRUE(eventually([&] {
        try {
            LineMiner again(pool->port());
            return again.authorize(user);
        } catch (const std::runtime_error&) {
            return false;
        }
    }));
}

TEST_F(PoolChanges, ClockStepsCostNoMinerItsConnectionAndNoShareItsPlace) {
    start();
    Crew crew;
    crew.add({pool->port(), miner_address("a") + ".rig", 20'000});
    const auto goes_on = [&] {
        const auto before = crew.book().accepted();
        return eventually([&] { return crew.book().accepted() >= before + 20; });
    };
    constexpr std::int64_t kHourMs = 3'600'000;
    ASSERT_TRUE(goes_on()) << pool->log_text();
    for (const auto ahead_ms : {30 * 24 * kHourMs, -kHourMs, std::int64_t{0}}) {
        pool->clock().set_ahead(ahead_ms);
        EXPECT_TRUE(goes_on()) << ahead_ms << "\n" << pool->log_text();
    }
    EXPECT_EQ(crew.book().reasons()["Time too new"], 0U);
    // More than two hours behind the node, no share can be right; none is lost without a word.
    pool->clock().set_ahead(-24 * kHourMs);
    EXPECT_TRUE(eventually([&] { return crew.book().reasons()["Time too new"] >= 300; }))
        << pool->log_text();
    pool->clock().set_ahead(0);
    EXPECT_TRUE(goes_on()) << pool->log_text();
    EXPECT_EQ(crew.reconnects(), 0U);
    EXPECT_EQ(pool->metric("adit_stratum_bans_total"), 0);
    crew.stop();
    ASSERT_TRUE(pool->stop());
    // The log's time never went back, so the ledger can be made from it again.
    expect_agreement(setup.data_dir, crew.book());
}

}  // namespace
}  // namespace adit::tests
