// Admission as an operator and miners meet it: at the limit, with reservations, and from outside.
#include "tests/support/child.h"
#include "tests/support/line_miner.h"
#include "tests/support/sim_host.h"
#include "tests/support/test_pool.h"
#include "tests/support/wait.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <cmath>
#include <thread>

namespace adit::tests {
namespace {

using Json = nlohmann::json;
using manager::AdmissionRequest;
using manager::MinerGroup;
using ::testing::HasSubstr;

PoolSetup setup_for(SimHost& node, const std::filesystem::path& dir) {
    PoolSetup setup;
    setup.data_dir = dir / "data";
    setup.nodes = {login_of(*node)};
    return setup;
}

net::Address ip(const char* text) {
    return *net::Address::parse_ip(text);
}

manager::Outcome<manager::AdmissionReport> ask(TestPool& pool, const AdmissionRequest& request) {
    return pool.manager().coordinate_concurrent_miners(
        request, {pool.clock().steady_ms() + kDeadlineMs, {}});
}

// A peer behind a proxy, from this address.
std::string greeting(std::string_view address) {
    return fmt::format("PROXY TCP4 {} 127.0.0.1 5555 3333\r\n", address);
}

// The pool's own probe takes a place for a moment now and then: it is tried until there is one.
std::unique_ptr<LineMiner> enter(std::uint16_t port, std::string_view name,
                                 std::string_view greeting = {}) {
    std::unique_ptr<LineMiner> miner;
    std::string why;
    const bool entered = eventually([&] {
        try {
            miner = std::make_unique<LineMiner>(port, greeting);
            miner->open(miner_address(name));
            return true;
        } catch (const std::runtime_error& error) {
            why = error.what();
            return false;
        }
    });
    if (!entered) throw std::runtime_error("never let in: " + why);
    return miner;
}

bool answers(LineMiner& miner) {
    return miner.request("mining.ping", Json::array())["result"] == "pong";
}

TEST(ManagerMiners, AtTheLimitNewOnesAreTurnedAwayAndPresentOnesAreAnswered) {
    constexpr int kLimit = 200;
    SimHost node(rules_with_block_hashes(10'000'000));
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    setup.miners = kLimit;
    setup.threads = 2;
    TestPool pool(setup);
    std::vector<std::unique_ptr<LineMiner>> miners;
    for (int i = 0; i < kLimit; ++i)
        miners.push_back(enter(pool.port(), "a"));
    ASSERT_TRUE(eventually([&] { return pool.summary().miners == kLimit; }));

    AdmissionRequest one_more;
    one_more.groups = {MinerGroup{std::nullopt, 1, std::nullopt}};
    const auto asked = ask(pool, one_more);
    ASSERT_TRUE(asked) << asked.error().text;
    EXPECT_EQ(asked->admitted, 0U);
    EXPECT_EQ(asked->groups[0].binding, manager::Resource::connections);
    EXPECT_THAT(asked->groups[0].reasons.at(0), HasSubstr("limits.miners"));
    EXPECT_EQ(asked->open, 200U);

    for (std::size_t i = 0; i < miners.size(); ++i) {
        if (i % 4 == 0) {
            ASSERT_TRUE(turned_away(pool.port())) << i;
        }
        ASSERT_TRUE(answers(*miners[i])) << i;
    }
    // They still mine, too.
    auto& one = *miners.front();
    const auto share = one.solve(one.job(), miner_address("a"), 1);
    EXPECT_EQ(one.request("mining.submit", share)["result"], true);
    EXPECT_GE(pool.metric("adit_net_refused_total{reason=\"max_connections\"}"), 50);
    // A full pool turns the probe away as well, and is not unhealthy for it.
    const auto health = pool.manager().coordinate_component_health_check(
        {pool.clock().steady_ms() + kDeadlineMs, {}});
    ASSERT_TRUE(health);
    EXPECT_EQ(health->parts.at(0).part, "stratum");
    EXPECT_EQ(health->parts[0].state, manager::HealthState::degraded);

    miners.pop_back();
    ASSERT_TRUE(eventually([&] { return ask(pool, {})->room == 1; }));
    EXPECT_TRUE(answers(*enter(pool.port(), "b")));
}

TEST(ManagerMiners, ReservedRoomIsForThoseWhoAreExpectedUntilItEnds) {
    SimHost node;
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    setup.miners = 3;
    setup.listen[0].proxy_protocol = true;
    TestPool pool(setup);
    const auto present = enter(pool.port(), "a", greeting("192.0.2.1"));

    AdmissionRequest request;
    request.groups = {{ip("192.0.2.7"), 2, std::nullopt}};
    request.reserve_for_ms = 600'000;
    auto reserved = ask(pool, request);
    ASSERT_TRUE(eventually([&] {
        if (!reserved) reserved = ask(pool, request);
        return reserved.has_value();
    })) << reserved.error().text;
    ASSERT_EQ(reserved->reserved.size(), 1U);
    EXPECT_EQ(reserved->held, 2U);
    EXPECT_TRUE(turned_away(pool.port(), greeting("192.0.2.8")));
    EXPECT_TRUE(answers(*present));
    const auto again = ask(pool, request);
    ASSERT_FALSE(again);
    EXPECT_THAT(again.error().text, HasSubstr("nothing was reserved"));

    {
        const auto expected = enter(pool.port(), "b", greeting("192.0.2.7"));
        EXPECT_EQ(ask(pool, {})->held, 1U);
        EXPECT_TRUE(turned_away(pool.port(), greeting("192.0.2.8")));
    }
    // Its place waits for it.
    ASSERT_TRUE(eventually([&] { return ask(pool, {})->held == 2; }));
    EXPECT_TRUE(turned_away(pool.port(), greeting("192.0.2.8")));
    pool.clock().skip(600'000);
    EXPECT_EQ(ask(pool, {})->held, 0U);
    EXPECT_TRUE(answers(*enter(pool.port(), "c", greeting("192.0.2.8"))));

    request.groups[0].address.reset();
    const auto for_nobody = ask(pool, request);
    ASSERT_FALSE(for_nobody);
    EXPECT_EQ(for_nobody.error().kind, manager::RefusalKind::bad_request);
    ASSERT_TRUE(pool.stop());
    const auto late = ask(pool, {});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, manager::RefusalKind::wrong_state);
}

TEST(ManagerMiners, ReservationsAreBoundedAndAllOrNothing) {
    SimHost node;
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    TestPool pool(setup);
    constexpr auto kMost = net::ConnectionBudget::kMostReservations;
    AdmissionRequest request;
    request.reserve_for_ms = 60'000;
    for (std::uint32_t i = 0; i < kMost - 1; ++i)
        request.groups.push_back({net::Address::v4(0xc0000200 + i, 0), 2, std::nullopt});
    const auto reserved = ask(pool, request);
    ASSERT_TRUE(reserved) << reserved.error().text;
    EXPECT_EQ(reserved->reserved.size(), kMost - 1);
    EXPECT_EQ(reserved->held, 2 * (kMost - 1));
    // There is room for the first of these two, and for one reservation more.
    request.groups.resize(2);
    const auto one_too_many = ask(pool, request);
    ASSERT_FALSE(one_too_many);
    EXPECT_THAT(one_too_many.error().text, HasSubstr("nothing was reserved: there are 64"));
    EXPECT_EQ(ask(pool, {})->held, 2 * (kMost - 1));
    EXPECT_EQ(ask(pool, {})->reservations.size(), kMost - 1);
    request.groups[1].count = 2'000;
    const auto no_room = ask(pool, request);
    ASSERT_FALSE(no_room);
    EXPECT_THAT(no_room.error().text, HasSubstr("limits.miners"));
    EXPECT_EQ(ask(pool, {})->held, 2 * (kMost - 1));

    AdmissionRequest release;
    release.release = reserved->reserved.front();
    const auto released = ask(pool, release);
    ASSERT_TRUE(released);
    EXPECT_EQ(released->held, 2 * (kMost - 2));
    EXPECT_FALSE(ask(pool, release));

    const auto refused = [&](auto change) {
        AdmissionRequest bad;
        bad.groups = {{ip("192.0.2.1"), 1, std::nullopt}};
        change(bad);
        const auto answer = ask(pool, bad);
        return !answer && answer.error().kind == manager::RefusalKind::bad_request;
    };
    EXPECT_FALSE(refused([](auto&) {}));
    EXPECT_TRUE(refused([](auto& bad) { bad.groups.resize(65, bad.groups[0]); }));
    EXPECT_TRUE(refused([](auto& bad) { bad.groups[0].count = 1'000'001; }));
    EXPECT_TRUE(refused([](auto& bad) { bad.groups[0].shares_per_minute = -1; }));
    EXPECT_TRUE(refused([](auto& bad) { bad.groups[0].shares_per_minute = NAN; }));
    EXPECT_TRUE(refused([](auto& bad) { bad.reserve_for_ms = -1; }));
    EXPECT_TRUE(refused([](auto& bad) { bad.reserve_for_ms = 86'400'001; }));
    const auto late = pool.manager().coordinate_concurrent_miners({}, {0, {}});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, manager::RefusalKind::deadline);
    std::stop_source stop;
    stop.request_stop();
    const auto stopped =
        pool.manager().coordinate_concurrent_miners({}, {INT64_MAX, stop.get_token()});
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().kind, manager::RefusalKind::cancelled);
}

TEST(ManagerMiners, ManyMayAskReserveAndConnectAtOnce) {
    SimHost node;
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    setup.miners = 40;
    setup.threads = 2;
    TestPool pool(setup);
    std::atomic<int> reserved{0};
    std::atomic<bool> exceeded{false};
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
            AdmissionRequest request;
            request.groups = {{net::Address::v4(0x7f000001 + t, 0), 10, std::nullopt}};
            request.reserve_for_ms = 60'000;
            for (int i = 0; i < 50; ++i) {
                const auto now = ask(pool, {});
                if (!now || now->open + now->held > 40) exceeded = true;
                const auto made = ask(pool, request);
                if (!made) continue;
                ++reserved;
                AdmissionRequest release;
                release.release = made->reserved.at(0);
                if (!ask(pool, release)) exceeded = true;
            }
        });
    }
    std::vector<std::unique_ptr<LineMiner>> miners;
    for (int i = 0; i < 20; ++i)
        miners.push_back(enter(pool.port(), "a"));
    for (auto& thread : threads)
        thread.join();
    EXPECT_FALSE(exceeded);
    EXPECT_GT(reserved, 0);
    for (auto& miner : miners)
        EXPECT_TRUE(answers(*miner));
    EXPECT_EQ(ask(pool, {})->held, 0U);
    miners.clear();
    EXPECT_TRUE(eventually([&] { return ask(pool, {})->room == 40; }));
}

TEST(ManagerMiners, CostsBecomeMeasuredOnceEnoughConnectionsCame) {
    SimHost node;
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    TestPool pool(setup);
    const auto memory = [&] { return ask(pool, {})->resources.at(3); };
    EXPECT_EQ(memory().resource, manager::Resource::memory);
    EXPECT_EQ(memory().known, manager::Known::documented);
    EXPECT_THAT(memory().note, HasSubstr("not measured here"));
    std::vector<std::unique_ptr<LineMiner>> miners;
    // However slow the machine is: they come at once, as often as it takes.
    const auto more = [&] {
        for (int i = 0; i < 150 && miners.size() < 900; ++i)
            miners.push_back(std::make_unique<LineMiner>(pool.port()));
        return memory().known == manager::Known::measured;
    };
    ASSERT_TRUE(eventually(more)) << miners.size();
    EXPECT_GT(memory().per_connection, 0);
}

TEST(ManagerMiners, TheCommandAsksReservesAndReleases) {
    SimHost node(sim::SimParams::regtest(), true, {"pool"});
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    setup.address = node->new_address("pool").address;
    setup.payout = "interval_s = 3600\n";
    setup.miners = 10;
    const auto file = setup.write_to(dir.path() / "adit.toml");
    Child pool(adit_run(file));
    const auto port = listening_port(pool);
    ASSERT_NE(port, 0) << pool.err();
    const auto miners = [&](std::vector<std::string> more) {
        std::vector<std::string> command{"manager", "miners", "--config", file};
        command.insert(command.end(), more.begin(), more.end());
        return run_adit(command);
    };
    ASSERT_TRUE(eventually([&] { return miners({}).code == 0; })) << miners({}).err;
    const auto few = miners({"--count", "5"});
    EXPECT_EQ(few.code, 0) << few.err;
    EXPECT_THAT(few.out, HasSubstr("5 of 5 connections from anywhere admitted, 0 refused"));
    const auto many = miners({"--count", "50", "--json"});
    EXPECT_EQ(many.code, 3) << many.err;
    EXPECT_EQ(Json::parse(many.out).at("groups").at(0).at("binding"), "connections");

    const auto held =
        miners({"--count", "8", "--address", "192.0.2.7", "--reserve", "--for", "600", "--json"});
    ASSERT_EQ(held.code, 0) << held.err;
    const auto id = Json::parse(held.out).at("reserved").at(0).dump();
    EXPECT_THAT(miners({}).out,
                HasSubstr("reservation " + id + ": 8 of 8 connections from 192.0.2.7"));
    // Whoever comes from here finds what is left, less the pool's own probe for a moment.
    LineMiner one(port);
    one.open(miner_address("a"));
    ASSERT_TRUE(eventually([&] {
        const auto now = Json::parse(miners({"--count", "9", "--json"}).out);
        return now.at("groups").at(0).at("admitted") == 1;
    }));
    const auto over =
        miners({"--count", "8", "--address", "192.0.2.7", "--reserve", "--for", "600"});
    EXPECT_EQ(over.code, 1) << over.out;
    EXPECT_THAT(over.err, HasSubstr("nothing was reserved"));
    EXPECT_EQ(miners({"--release", id}).code, 0);
    const auto gone = miners({"--release", id});
    EXPECT_EQ(gone.code, 1);
    EXPECT_THAT(gone.err, HasSubstr("no reservation " + id));
    EXPECT_EQ(miners({"--reserve"}).code, 2);
    EXPECT_EQ(miners({"--for", "5"}).code, 2);
    EXPECT_THAT(miners({"--address", "example.org", "--count", "1"}).err, HasSubstr("IP address"));
    pool.signal(SIGTERM);
    EXPECT_EQ(pool.wait(), 0) << pool.err();
}

}  // namespace
}  // namespace adit::tests
