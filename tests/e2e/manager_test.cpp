// The pool manager as an operator meets it: parts are broken for real and healed again, and what
// the pool says about them is watched from outside.
#include "tests/bcoin/bcoin_node.h"
#include "tests/support/child.h"
#include "tests/support/crew.h"
#include "tests/support/sim_host.h"
#include "tests/support/small_disk.h"
#include "tests/support/test_pool.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

namespace adit::tests {
namespace {

using Json = nlohmann::json;
using manager::HealthState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

PoolSetup setup_for(const NodeLogin& node, const std::filesystem::path& dir) {
    PoolSetup setup;
    setup.data_dir = dir / "data";
    setup.nodes = {node};
    return setup;
}

manager::HealthReport check(TestPool& pool) {
    auto report = pool.manager().coordinate_component_health_check(
        {pool.clock().steady_ms() + kDeadlineMs, {}});
    if (!report) throw std::runtime_error(report.error().text);
    return *report;
}

manager::PartHealth part_of(const manager::HealthReport& report, std::string_view name) {
    for (const auto& part : report.parts) {
        if (part.part == name) return part;
    }
    throw std::runtime_error(fmt::format("no part \"{}\"", name));
}

TEST(ManagerHealth, EveryPartOfAPoolAtWorkDoesItsPiece) {
    SimHost node(sim::SimParams::regtest(), true, {"pool"});
    const TempDir dir;
    auto setup = setup_for(login_of(*node), dir.path());
    setup.address = node->new_address("pool").address;
    setup.payout = "interval_s = 3600\n";
    ListenSetup proxy;
    proxy.proxy_protocol = true;
    setup.listen = {ListenSetup{}, proxy};
    const auto file = setup.write_to(dir.path() / "adit.toml");
    Child pool(adit_run(file));
    ASSERT_NE(listening_port(pool), 0) << pool.err();
    const auto health = [&](std::vector<std::string> more) {
        std::vector<std::string> command{"manager", "health", "--config", file};
        command.insert(command.end(), more.begin(), more.end());
        return run_adit(command);
    };
    ASSERT_TRUE(eventually([&] { return health({"--json"}).code == 0; })) << health({}).out;
    const auto told = Json::parse(health({"--json"}).out);
    EXPECT_EQ(told.at("status"), "healthy");
    std::vector<std::string> parts;
    for (const auto& part : told.at("parts")) {
        parts.push_back(part.at("part"));
        EXPECT_EQ(part.at("status"), "healthy") << part;
        EXPECT_GE(part.at("probes"), 2) << part;
        EXPECT_GT(part.at("last_ms"), 0) << part;
    }
    EXPECT_THAT(parts, ElementsAre("stratum", "log", "ledger", "nodes", "payouts"));
    EXPECT_THAT(health({}).out, HasSubstr("the pool is healthy"));
    const auto cached = Json::parse(health({"--json", "--cached"}).out);
    EXPECT_EQ(cached.at("status"), "healthy");

    pool.signal(SIGTERM);
    EXPECT_EQ(pool.wait(), 0) << pool.err();
    const auto alone = health({});
    EXPECT_EQ(alone.code, 2);
    EXPECT_THAT(alone.err, HasSubstr("no pool is running"));
}

TEST(ManagerHealth, ANodeThatIsKilledIsNamedAndItsReturnIsNoticed) {
    BcoinNode node;
    node.generate(5, bcoin_address(chain::Hash160{}));
    const TempDir dir;
    TestPool pool(setup_for({"bcoin", node.url(), node.user(), node.password(), ""}, dir.path()));
    ASSERT_TRUE(eventually([&] { return check(pool).state == HealthState::healthy; }))
        << pool.log_text();
    node.kill();
    ASSERT_TRUE(
        eventually([&] { return part_of(check(pool), "nodes").state == HealthState::unhealthy; }));
    const auto gone = check(pool);
    // Miners go on with the last job.
    EXPECT_EQ(gone.state, HealthState::degraded);
    EXPECT_EQ(pool.manager().state(), manager::PoolState::degraded);
    EXPECT_THAT(part_of(gone, "nodes").recommendation, HasSubstr("start a node"));
    EXPECT_EQ(part_of(gone, "stratum").state, HealthState::healthy);
    EXPECT_EQ(part_of(gone, "log").state, HealthState::healthy);
    node.restart();
    node.generate(6, bcoin_address(chain::Hash160{}));
    ASSERT_TRUE(eventually([&] { return check(pool).state == HealthState::healthy; }))
        << pool.log_text();
    EXPECT_EQ(pool.manager().state(), manager::PoolState::running);
    EXPECT_GE(part_of(check(pool), "nodes").failures, 3U);
    EXPECT_TRUE(pool.stop());
    const auto refused = pool.manager().coordinate_component_health_check({INT64_MAX, {}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, manager::RefusalKind::wrong_state);
}

TEST(ManagerHealth, AFullDiskMakesThePoolUnhealthyUntilThereIsRoom) {
    SimHost node(rules_with_block_hashes(2'000'000));  // blocks are rare
    const FullDisk storage;
    auto setup = setup_for(login_of(*node), storage.disk.path());
    setup.extra = "[share]\nsegment_mib = 1\n";
    TestPool pool(setup);
    ASSERT_TRUE(eventually([&] {
        const auto report = check(pool);
        return part_of(report, "log").failures == 0 && part_of(report, "nodes").probes > 0;
    }));
    storage.fill();
    Crew crew;  // uses up what the log had reserved
    crew.add({pool.port(), miner_address("a") + ".rig", 40'000});
    ASSERT_TRUE(
        eventually([&] { return check(pool).state == HealthState::unhealthy; }, 2 * kDeadlineMs))
        << pool.log_text();
    EXPECT_THAT(part_of(check(pool), "log").recommendation, HasSubstr("space"));
    crew.stop();
    storage.make_room();
    ASSERT_TRUE(eventually([&] {
        return part_of(check(pool), "log").state != HealthState::unhealthy;
    })) << pool.log_text();
    EXPECT_TRUE(pool.stop());
}

// Somebody else holds the ledger: shares are taken all the same and counted later.
TEST(ManagerHealth, ALockedLedgerDegradesThePoolAndCostsNoShare) {
    SimHost node(rules_with_block_hashes(2'000'000));
    const TempDir dir;
    TestPool pool(setup_for(login_of(*node), dir.path()));
    ASSERT_TRUE(eventually([&] { return check(pool).state == HealthState::healthy; }))
        << pool.log_text();
    const auto file = dir.path() / "data" / "ledger.sqlite";
    ASSERT_TRUE(std::filesystem::exists(file));
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &other), SQLITE_OK) << file;
    sqlite3_busy_timeout(other, 30'000);
    ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    Crew crew;
    crew.add({pool.port(), miner_address("a") + ".rig", 1'000});
    ASSERT_TRUE(
        eventually([&] { return part_of(check(pool), "ledger").state == HealthState::unhealthy; },
                   2 * kDeadlineMs))
        << pool.log_text();
    const auto accepted = crew.book().accepted();
    EXPECT_TRUE(eventually([&] { return crew.book().accepted() > accepted; }));
    EXPECT_EQ(check(pool).state, HealthState::degraded);
    ASSERT_EQ(sqlite3_exec(other, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(other);
    ASSERT_TRUE(eventually([&] {
        const auto now = part_of(check(pool), "ledger");
        return now.state != HealthState::unhealthy && now.queue_depth < 1'000'000U;
    })) << pool.log_text();
    crew.stop();
    EXPECT_TRUE(pool.stop());
}

}  // namespace
}  // namespace adit::tests
