// The complete mining workflow on whole pools: what it says it saw is compared with the log, the
// ledger and the chain, read past it.
#include "store/sql_ledger.h"
#include "tests/support/child.h"
#include "tests/support/crew.h"
#include "tests/support/line_miner.h"
#include "tests/support/sim_host.h"
#include "tests/support/small_disk.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pool.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <thread>

namespace adit::tests {
namespace {

using Json = nlohmann::json;
using manager::StageState;
using ::testing::HasSubstr;

PoolSetup setup_for(SimHost& node, const std::filesystem::path& dir) {
    PoolSetup setup;
    setup.data_dir = dir / "data";
    setup.nodes = {login_of(*node)};
    return setup;
}

manager::WorkflowReport run(TestPool& pool, const manager::WorkflowRequest& request,
                            std::int64_t limit_ms = kDeadlineMs) {
    auto report = pool.manager().execute_complete_mining_workflow(
        request, {pool.clock().steady_ms() + limit_ms, {}});
    if (!report) throw std::runtime_error(report.error().text);
    return *report;
}

const manager::WorkflowStage& stage_of(const manager::WorkflowReport& report,
                                       std::string_view name) {
    for (const auto& stage : report.stages) {
        if (stage.name == name) return stage;
    }
    throw std::runtime_error(fmt::format("no stage \"{}\"", name));
}

// The evidence as text; a list's elements follow each other.
std::string evidence_of(const manager::WorkflowReport& report, std::string_view name,
                        std::string_view key) {
    for (const auto& [have, value] : stage_of(report, name).evidence) {
        if (have != key) continue;
        if (const auto* text = std::get_if<std::string>(&value)) return *text;
        if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
        if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
        return fmt::format("{}", fmt::join(std::get<std::vector<std::string>>(value), " "));
    }
    return "";
}

std::string story_of(const manager::WorkflowReport& report) {
    std::string text;
    for (const auto& stage : report.stages) {
        text += fmt::format("{}: {} {}\n", stage.name, name_of(stage.state), stage.reason);
    }
    return text;
}

TEST(ManagerWorkflow, SharesAreInLogAndLedgerWithExactlyTheirWork) {
    SimHost node(rules_with_block_hashes(2'000'000));  // blocks are rare
    const TempDir dir;
    TestPool pool(setup_for(node, dir.path()));
    const auto account = miner_address("a");
    manager::WorkflowRequest request{account, 25, false};
    const auto first = run(pool, request);
    ASSERT_TRUE(first.is_complete()) << story_of(first) << pool.log_text();
    EXPECT_EQ(evidence_of(first, "shares", "accepted"), "25");
    EXPECT_EQ(evidence_of(first, "log", "shares"), "25");
    EXPECT_EQ(evidence_of(first, "tally", "worker_work_before"), "0");
    EXPECT_EQ(evidence_of(first, "tally", "worker_work_after"), evidence_of(first, "log", "work"));
    EXPECT_EQ(stage_of(first, "block").state, StageState::not_tried);
    EXPECT_FALSE(stage_of(first, "block").asked);
    // The second begins where the first ended.
    const auto second = run(pool, request);
    ASSERT_TRUE(second.is_complete()) << story_of(second);
    EXPECT_EQ(second.run, first.run + 1);
    EXPECT_EQ(evidence_of(second, "tally", "worker_work_before"),
              evidence_of(first, "tally", "worker_work_after"));
    EXPECT_EQ(evidence_of(second, "tally", "worker_shares_after"), "50");
    EXPECT_EQ(pool.summary().accepted, 50U);
    EXPECT_TRUE(pool.stop());

    // As others read it.
    store::SqlLedgerSettings settings;
    settings.database = (dir.path() / "data" / "ledger.sqlite").string();
    settings.read_only = true;
    const auto ledger = store::SqlLedger::open(settings);
    ASSERT_TRUE(ledger) << ledger.error();
    const auto totals = (*ledger)->worker_totals();
    ASSERT_TRUE(totals);
    ASSERT_EQ(totals->size(), 1U);
    EXPECT_EQ(std::to_string(totals->front().id), evidence_of(second, "authorize", "worker_id"));
    EXPECT_EQ(totals->front().sum.shares, 50U);
    EXPECT_EQ(fmt::format("{}", totals->front().sum.work),
              evidence_of(second, "tally", "worker_work_after"));
    const auto workers = (*ledger)->workers();
    ASSERT_TRUE(workers && workers->size() == 1);
    EXPECT_EQ(workers->front().name, "adit-selftest");
}

TEST(ManagerWorkflow, AFullPoolIsNamedAsTheCause) {
    SimHost node(rules_with_block_hashes(2'000'000));
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    setup.miners = 1;
    TestPool pool(setup);
    std::optional<LineMiner> miner;
    ASSERT_TRUE(eventually([&] {
        try {
            miner.emplace(pool.port());
            miner->open(miner_address("b"));
            return true;
        } catch (const std::runtime_error&) {  // a health probe has the place just now
            return false;
        }
    }));
    const auto report = run(pool, {}, 10'000);
    EXPECT_TRUE(report.has_failed()) << story_of(report);
    const auto& failed = stage_of(report, "connect").state == StageState::failed
                             ? stage_of(report, "connect")
                             : stage_of(report, "authorize");
    EXPECT_EQ(failed.state, StageState::failed);
    EXPECT_THAT(failed.reason, HasSubstr("limits.miners = 1"));
    EXPECT_EQ(stage_of(report, "shares").state, StageState::not_tried);
    EXPECT_THAT(stage_of(report, "tally").reason, HasSubstr("log"));
    EXPECT_TRUE(pool.stop());
}

TEST(ManagerWorkflow, WhatTakesTooLongIsNotTriedAndSaysWhatItWouldTake) {
    SimHost node(rules_with_block_hashes(std::uint64_t{1} << 50));
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    setup.difficulty = 100'000;
    TestPool pool(setup);
    const auto report = run(pool, {"", 2, true}, 10'000);
    EXPECT_FALSE(report.has_failed()) << story_of(report);
    EXPECT_FALSE(report.is_complete());
    const auto& shares = stage_of(report, "shares");
    EXPECT_EQ(shares.state, StageState::not_tried);
    EXPECT_THAT(shares.reason, HasSubstr("2 shares of 4.295e+14 hashes each would take"));
    EXPECT_EQ(stage_of(report, "log").reason, "no share was accepted");
    EXPECT_EQ(stage_of(report, "block").state, StageState::not_tried);
    EXPECT_THAT(stage_of(report, "block").reason, HasSubstr("1 block of 1.126e+15 hashes"));
    EXPECT_LT(report.ms, 10'000);
    EXPECT_TRUE(pool.stop());
    const auto refused = pool.manager().execute_complete_mining_workflow({}, {INT64_MAX, {}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, manager::RefusalKind::wrong_state);
}

TEST(ManagerWorkflow, ANameThatIsNoneIsRefused) {
    SimHost node;
    const TempDir dir;
    TestPool pool(setup_for(node, dir.path()));
    const auto refused = pool.manager().execute_complete_mining_workflow(
        {"nobody", 1, false}, {pool.clock().steady_ms() + kDeadlineMs, {}});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, manager::RefusalKind::bad_request);
    EXPECT_THAT(refused.error().text, HasSubstr("\"nobody\" is no name to mine under"));
    EXPECT_TRUE(pool.stop());
}

TEST(ManagerWorkflow, AListenerThatWantsAProxyHeaderGetsOne) {
    SimHost node(rules_with_block_hashes(2'000'000));
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    setup.listen[0].proxy_protocol = true;
    TestPool pool(setup);
    const auto report = run(pool, {"", 1, false});
    EXPECT_TRUE(report.is_complete()) << story_of(report) << pool.log_text();
    EXPECT_TRUE(pool.stop());
}

// Both at once: the header comes before the handshake.
TEST(ManagerWorkflow, ATlsListenerBehindAProxyIsReachedToo) {
    SimHost node(rules_with_block_hashes(2'000'000));
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    auto& listen = setup.listen[0];
    listen.certificate = dir.path() / "cert.pem";
    listen.key = dir.path() / "key.pem";
    listen.proxy_protocol = true;
    Child openssl({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
                   "-subj", "/CN=elsewhere", "-keyout", listen.key.string(), "-out",
                   listen.certificate.string()});
    ASSERT_EQ(openssl.wait(), 0) << openssl.err();
    TestPool pool(setup);
    const auto report = run(pool, {"", 1, false});
    EXPECT_TRUE(report.is_complete()) << story_of(report) << pool.log_text();
    EXPECT_TRUE(pool.stop());
}

TEST(ManagerWorkflow, ALogThatRefusesIsMetByTheShares) {
    SimHost node(rules_with_block_hashes(2'000'000));
    const FullDisk storage;
    auto setup = setup_for(node, storage.disk.path());
    setup.extra = "[share]\nsegment_mib = 1\n";
    TestPool pool(setup);
    storage.fill();
    Crew crew;  // uses up what the log had reserved
    crew.add({pool.port(), miner_address("a") + ".rig", 40'000});
    ASSERT_TRUE(eventually([&] { return !pool.summary().log_available; }, 2 * kDeadlineMs))
        << pool.log_text();
    const auto report = run(pool, {"", 3, false}, 10'000);
    EXPECT_EQ(stage_of(report, "work").state, StageState::ok) << story_of(report);
    EXPECT_EQ(stage_of(report, "shares").state, StageState::failed) << story_of(report);
    EXPECT_THAT(stage_of(report, "shares").reason, HasSubstr("the pool refuses shares"));
    EXPECT_THAT(stage_of(report, "shares").reason, HasSubstr("(code 20)"));
    crew.stop();
    storage.make_room();
    ASSERT_TRUE(eventually([&] { return pool.summary().log_available; }));
    const auto healed = run(pool, {"", 3, false});
    EXPECT_TRUE(healed.is_complete()) << story_of(healed);
    EXPECT_TRUE(pool.stop());
}

TEST(ManagerWorkflow, WithoutANodeThereIsNoWork) {
    const TempDir dir;
    PoolSetup setup;
    setup.data_dir = dir.path() / "data";
    setup.nodes = {{"gone", "http://127.0.0.1:1", "u", "p", ""}};
    TestPool pool(setup);
    const auto report = run(pool, {}, 1'000);
    EXPECT_EQ(stage_of(report, "connect").state, StageState::ok) << story_of(report);
    EXPECT_TRUE(report.has_failed());
    EXPECT_THAT(story_of(report), HasSubstr("does a node give the pool any?"));
    EXPECT_LT(report.ms, 5'000);
    EXPECT_TRUE(pool.stop());
}

// A share takes seconds here, and more are wanted than anybody waits for.
PoolSetup slow_setup(SimHost& node, const std::filesystem::path& dir) {
    auto setup = setup_for(node, dir);
    setup.difficulty = 0.05;
    return setup;
}

TEST(ManagerWorkflow, APoolThatStopsEndsTheRunFirst) {
    SimHost node(rules_with_block_hashes(std::uint64_t{1} << 40));
    const TempDir dir;
    TestPool pool(slow_setup(node, dir.path()));
    std::optional<manager::Outcome<manager::WorkflowReport>> report;
    std::jthread runner([&] {
        report =
            pool.manager().execute_complete_mining_workflow({"", 10'000, false}, {INT64_MAX, {}});
    });
    ASSERT_TRUE(eventually([&] { return pool.summary().miners == 1; }));
    const auto other = pool.manager().execute_complete_mining_workflow({}, {INT64_MAX, {}});
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().kind, manager::RefusalKind::unavailable);
    EXPECT_TRUE(pool.stop());
    runner.join();
    ASSERT_TRUE(report && *report);
    EXPECT_EQ(stage_of(**report, "work").state, StageState::ok) << story_of(**report);
    EXPECT_EQ(stage_of(**report, "shares").state, StageState::failed) << story_of(**report);
    // Told to end, or its connection was closed first.
    EXPECT_THAT(stage_of(**report, "shares").reason,
                ::testing::AnyOf(HasSubstr("stopped"), HasSubstr("closed the connection")));
}

TEST(ManagerWorkflow, AnOperatorCanInterruptItAndOthersNeedNotWait) {
    SimHost node(rules_with_block_hashes(std::uint64_t{1} << 40));
    const TempDir dir;
    const auto file = slow_setup(node, dir.path()).write_to(dir.path() / "adit.toml");
    Child pool(adit_run(file));
    ASSERT_NE(listening_port(pool), 0) << pool.err();
    EXPECT_EQ(run_adit({"selftest", "--config", file, "--user", "nobody"}).code, 1);
    Child selftest(
        {adit_program(), "selftest", "--config", file, "--shares", "200", "--limit", "86400"});
    ASSERT_TRUE(selftest.writes("ledger")) << selftest.err();
    EXPECT_EQ(run_adit({"manager", "metrics", "--config", file}).code, 0);
    const auto second = run_adit({"selftest", "--config", file});
    EXPECT_EQ(second.code, 1);
    EXPECT_THAT(second.err, HasSubstr("has not ended"));
    selftest.signal(SIGINT);
    EXPECT_EQ(selftest.wait(), 3) << selftest.out() << selftest.err();
    EXPECT_THAT(selftest.out(), HasSubstr("the run was stopped"));
    pool.signal(SIGTERM);
    EXPECT_EQ(pool.wait(), 0) << pool.err();
}

// As an operator: the program, a chain whose coinbases are soon mature, and a wallet that pays.
TEST(ManagerWorkflow, ABlockIsFoundConfirmedPostedAndPaid) {
    constexpr std::int32_t kMaturity = 3;
    auto params = sim::SimParams::regtest();
    params.coinbase_maturity = kMaturity;
    SimHost node(params, true, {"pool", "alice"});
    const TempDir dir;
    auto setup = setup_for(node, dir.path());
    setup.address = node->new_address("pool").address;
    setup.extra = fmt::format("[rewards]\nmaturity = {}\n", kMaturity + 1);
    setup.payout = "interval_s = 1\nconfirmations = 2\nthreshold_sat = 10000\n";
    const auto file = setup.write_to(dir.path() / "adit.toml");
    const auto alice = node->new_address("alice").address;
    Child pool(adit_run(file));
    ASSERT_NE(listening_port(pool), 0) << pool.err();
    const auto done = run_adit({"selftest", "--config", file, "--user", alice, "--shares", "2",
                                "--block", "--limit", "50", "--json"});
    ASSERT_EQ(done.code, 0) << done.out << done.err << pool.err();
    const auto report = Json::parse(done.out);
    EXPECT_TRUE(report.at("complete"));
    std::map<std::string, Json> evidence;
    for (const auto& stage : report.at("stages"))
        evidence[stage.at("stage")] = stage.at("evidence");
    const auto hash =
        chain::Hash256::from_rpc_hex(evidence["block"].at("block_hash").get<std::string>());
    ASSERT_TRUE(hash);
    EXPECT_TRUE(node.in_best_chain(*hash));
    // What the workflow says was paid is in the account's wallet.
    const auto listed =
        Json::parse(run_adit({"payout", "list", "--all", "--config", file, "--json"}).out);
    const auto paid = std::ranges::find_if(listed, [&](const Json& row) {
        return row.at("id") == evidence["payout"].at("payout_id");
    });
    ASSERT_NE(paid, listed.end()) << listed;
    EXPECT_EQ(paid->at("txid"), evidence["payout"].at("txid"));
    EXPECT_EQ(evidence["payout"].at("state"), "confirmed");
    std::int64_t received_sat = 0;
    sim::SimChain* chain = nullptr;
    node->with_chain([&](sim::SimChain& one) { chain = &one; });
    node->with_wallet("alice", [&](sim::SimWallet& wallet) {
        for (const auto& coin : wallet.coins(*chain))
            received_sat += coin.output.value_sat;
    });
    EXPECT_GE(received_sat, evidence["payout"].at("output_sat"));
    EXPECT_GT(evidence["payout"].at("output_sat"), 10'000);
    EXPECT_EQ(run_adit({"audit", "--config", file}).code, 0);

    const auto text = run_adit({"manager", "workflow", "--config", file, "--shares", "1"});
    EXPECT_EQ(text.code, 0) << text.out << text.err;
    EXPECT_THAT(text.out, HasSubstr("everything that was asked for was done"));
    pool.signal(SIGTERM);
    EXPECT_EQ(pool.wait(), 0) << pool.err();
    EXPECT_EQ(run_adit({"selftest", "--config", file}).code, 2);
}

}  // namespace
}  // namespace adit::tests
