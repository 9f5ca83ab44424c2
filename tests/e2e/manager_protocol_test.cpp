// The pool checks the protocol on its own listeners: on a real pool, over real sockets, with what
// it leaves in the share log.
#include "tests/support/child.h"
#include "tests/support/line_miner.h"
#include "tests/support/log_contents.h"
#include "tests/support/sim_host.h"
#include "tests/support/test_pool.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <thread>

namespace adit::tests {
namespace {

using Json = nlohmann::json;
using manager::StepVerdict;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

void make_certificate(const std::filesystem::path& certificate, const std::filesystem::path& key) {
    Child openssl({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                   "-subj", "/CN=localhost", "-keyout", key.string(), "-out",
                   certificate.string()});
    ASSERT_EQ(openssl.wait(), 0) << openssl.err();
}

// A plain, a TLS and a PROXY listener, and one that is both.
PoolSetup setup_for(SimHost& node, const std::filesystem::path& dir) {
    PoolSetup setup;
    setup.data_dir = dir / "data";
    setup.nodes = {login_of(*node)};
    setup.difficulty = 1e-7;  // about 430 hashes
    ListenSetup tls;
    tls.certificate = dir / "cert.pem";
    tls.key = dir / "key.pem";
    make_certificate(tls.certificate, tls.key);
    ListenSetup proxy;
    proxy.proxy_protocol = true;
    auto both = tls;
    both.proxy_protocol = true;
    setup.listen = {ListenSetup{}, tls, proxy, both};
    return setup;
}

manager::Outcome<manager::ProtocolReport> check(TestPool& pool, std::stop_token stop = {}) {
    return pool.manager().coordinate_stratum_protocol(
        {pool.clock().steady_ms() + kDeadlineMs, std::move(stop)});
}

// When the pool has work to give.
bool serves(TestPool& pool) {
    return eventually([&] { return pool.summary().height > 0; });
}

const manager::ProtocolStep& step_of(const manager::ListenerProtocol& listener,
                                     std::string_view name) {
    for (const auto& step : listener.steps) {
        if (step.step == name) return step;
    }
    throw std::runtime_error(fmt::format("no step {}", name));
}

TEST(ManagerProtocol, EveryKindOfListenerKeepsItAndNobodyIsEverBanned) {
    constexpr int kRuns = 20;
    SimHost node(rules_with_block_hashes(2'000'000'000));
    const TempDir dir;
    const auto setup = setup_for(node, dir.path());
    TestPool pool(setup);
    ASSERT_TRUE(serves(pool)) << pool.log_text();
    for (int run = 0; run < kRuns; ++run) {
        const auto report = check(pool);
        ASSERT_TRUE(report) << report.error().text;
        ASSERT_EQ(report->listeners.size(), 4U);
        EXPECT_GT(report->took_ms, 0);
        EXPECT_EQ(report->counts.limit, 1000U);
        for (const auto& listener : report->listeners) {
            EXPECT_THAT(listener.violations, IsEmpty()) << listener.address;
            for (const auto& step : listener.steps) {
                EXPECT_EQ(step.verdict, StepVerdict::conforms) << step.step << ": " << step.came;
                EXPECT_GT(step.ms, 0) << step.step;
            }
        }
        EXPECT_EQ(report->listeners[0].steps.size(), 20U);
        EXPECT_EQ(report->listeners[1].steps.size(), 21U);
        EXPECT_EQ(report->listeners[3].steps.size(), 22U);
        EXPECT_TRUE(report->listeners[1].tls);
        EXPECT_TRUE(report->listeners[2].proxy_protocol);
        EXPECT_EQ(report->counts.bans, 0U);
    }
    EXPECT_EQ(pool.metric("adit_stratum_bans_total"), 0);
    // A miner from the same address is as welcome as before.
    LineMiner miner(pool.port());
    miner.open(miner_address("a") + ".rig");
    EXPECT_GT(miner.jobs(), 0U);
    ASSERT_TRUE(pool.stop());
    const auto contents = read_log(setup.data_dir);
    EXPECT_EQ(contents.counted_shares(), std::uint64_t{kRuns} * 4);
    for (const auto& share : contents.shares) {
        EXPECT_EQ(contents.accounts.at(share.record.account), pool_address());
        EXPECT_EQ(contents.workers.at(share.record.worker).name, "adit-check");
    }
    const auto refused = check(pool);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, manager::RefusalKind::wrong_state);
}

// Every share is a block there, so the work changes under the check's hands.
TEST(ManagerProtocol, WhereEveryShareIsABlockTheCheckGoesOnAllTheSame) {
    SimHost node;
    const TempDir dir;
    PoolSetup setup;
    setup.data_dir = dir.path() / "data";
    setup.nodes = {login_of(*node)};
    TestPool pool(setup);
    ASSERT_TRUE(serves(pool)) << pool.log_text();
    for (int run = 0; run < 5; ++run) {
        const auto report = check(pool);
        ASSERT_TRUE(report) << report.error().text;
        EXPECT_THAT(report->listeners[0].violations, IsEmpty());
    }
    EXPECT_TRUE(pool.stop());
}

TEST(ManagerProtocol, AShareThatTakesTooLongIsNotTriedAndSaysWhy) {
    SimHost node(rules_with_block_hashes(std::uint64_t{1} << 44));
    const TempDir dir;
    PoolSetup setup;
    setup.data_dir = dir.path() / "data";
    setup.nodes = {login_of(*node)};
    setup.difficulty = 1000;
    TestPool pool(setup);
    ASSERT_TRUE(serves(pool)) << pool.log_text();
    const auto report = check(pool);
    ASSERT_TRUE(report) << report.error().text;
    const auto& listener = report->listeners[0];
    EXPECT_THAT(listener.violations, IsEmpty());
    const auto& good = step_of(listener, "submit_good_share");
    EXPECT_EQ(good.verdict, StepVerdict::not_tried);
    EXPECT_THAT(good.came, HasSubstr("difficulty 1000 needs about"));
    EXPECT_EQ(step_of(listener, "submit_duplicate").verdict, StepVerdict::not_tried);
    EXPECT_EQ(step_of(listener, "submit_low_difficulty").verdict, StepVerdict::conforms);
    EXPECT_TRUE(pool.stop());
}

TEST(ManagerProtocol, LimitsAndOtherChecksAreRespected) {
    SimHost node(rules_with_block_hashes(2'000'000'000));
    const TempDir dir;
    PoolSetup setup;
    setup.data_dir = dir.path() / "data";
    setup.nodes = {login_of(*node)};
    setup.miners = 2;
    TestPool pool(setup);
    ASSERT_TRUE(serves(pool)) << pool.log_text();
    const auto late =
        pool.manager().coordinate_stratum_protocol({pool.clock().steady_ms() - 1, {}});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, manager::RefusalKind::deadline);
    std::stop_source stop;
    stop.request_stop();
    const auto called_off = check(pool, stop.get_token());
    ASSERT_FALSE(called_off);
    EXPECT_EQ(called_off.error().kind, manager::RefusalKind::cancelled);

    // The connections of these two have ended; only their end may not be noticed yet.
    ASSERT_TRUE(eventually([&] { return pool.metric("adit_net_open_connections") == 0; }));
    LineMiner first(pool.port());
    LineMiner second(pool.port());
    first.open(miner_address("a"));
    second.open(miner_address("b"));
    const auto full = check(pool);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().kind, manager::RefusalKind::unavailable);
    EXPECT_THAT(full.error().text, HasSubstr("limits.miners"));
    EXPECT_TRUE(pool.stop());
}

TEST(ManagerProtocol, WhatIsDueIsReapedAndCounted) {
    constexpr std::int64_t kHandshakeMs = 60'000;
    constexpr std::int64_t kIdleMs = 3'600'000;
    SimHost node(rules_with_block_hashes(2'000'000'000));
    const TempDir dir;
    TestPool pool(setup_for(node, dir.path()));
    ASSERT_TRUE(serves(pool)) << pool.log_text();
    LineMiner worker(pool.port());
    worker.open(miner_address("a"));
    LineMiner half_open(pool.port());
    LineMiner mute_proxy(pool.port(2), "PROXY");  // its header never ends
    half_open.request("mining.ping", Json::array());
    // A health probe's connection may be there for a moment.
    const auto counted = [&](std::uint64_t connections, std::uint64_t at_work,
                             std::uint64_t half_open_reaped, std::uint64_t idle_reaped) {
        return eventually([&] {
            const auto report = check(pool);
            if (!report) return false;
            const auto& counts = report->counts;
            return counts.connections == connections && counts.subscribed == at_work &&
                   counts.authorized == at_work && counts.reaped_half_open == half_open_reaped &&
                   counts.reaped_idle == idle_reaped;
        });
    };
    EXPECT_TRUE(counted(2, 1, 0, 0));  // the third is none before its header
    pool.clock().skip(kHandshakeMs + 2'000);
    EXPECT_TRUE(counted(1, 1, 2, 0));
    EXPECT_TRUE(half_open.ended());
    EXPECT_TRUE(mute_proxy.ended());
    pool.clock().skip(kIdleMs);
    EXPECT_TRUE(counted(0, 0, 2, 1));
    EXPECT_TRUE(pool.stop());
}

TEST(ManagerProtocol, SeveralAtOnceEndInAReportOrARefusal) {
    SimHost node(rules_with_block_hashes(2'000'000'000));
    const TempDir dir;
    TestPool pool(setup_for(node, dir.path()));
    ASSERT_TRUE(serves(pool)) << pool.log_text();
    std::atomic<int> reports{0};
    std::atomic<int> refusals{0};
    {
        std::vector<std::jthread> callers;
        for (int i = 0; i < 4; ++i) {
            callers.emplace_back([&] {
                for (int run = 0; run < 5; ++run) {
                    const auto report = check(pool);
                    if (report && report->violations() == 0) ++reports;
                    if (!report && report.error().kind == manager::RefusalKind::unavailable) {
                        ++refusals;
                    }
                }
            });
        }
    }
    EXPECT_GE(reports, 1);
    EXPECT_EQ(reports + refusals, 20);
    EXPECT_TRUE(pool.stop());
}

TEST(ManagerProtocol, TheCommandShowsWhatWasFound) {
    SimHost node(rules_with_block_hashes(2'000'000'000));
    const TempDir dir;
    const auto setup = setup_for(node, dir.path());
    const auto file = setup.write_to(dir.path() / "adit.toml");
    Child pool(adit_run(file));
    ASSERT_NE(listening_port(pool), 0) << pool.err();
    const auto protocol = [&](std::vector<std::string> more) {
        std::vector<std::string> command{"manager", "protocol", "--config", file};
        command.insert(command.end(), more.begin(), more.end());
        return run_adit(command);
    };
    ASSERT_TRUE(eventually([&] { return protocol({}).code == 0; })) << protocol({}).out;
    const auto told = Json::parse(protocol({"--json"}).out);
    EXPECT_EQ(told.at("verdict"), "conforms");
    EXPECT_EQ(told.at("listeners").size(), 4U);
    EXPECT_EQ(told.at("connections").at("limit"), 1000);
    const auto text = protocol({}).out;
    EXPECT_THAT(text, HasSubstr("(TLS) (PROXY): keeps the protocol"));
    EXPECT_THAT(text, HasSubstr("submit_duplicate"));
    EXPECT_THAT(text, HasSubstr("0 violations on 4 listeners"));
    pool.signal(SIGTERM);
    EXPECT_EQ(pool.wait(), 0) << pool.err();
    EXPECT_EQ(protocol({}).code, 2);
}

}  // namespace
}  // namespace adit::tests
