// The program as an operator meets it: help, faults, signals, exit codes.
#include "tests/support/agreement.h"
#include "tests/support/child.h"
#include "tests/support/crew.h"
#include "tests/support/pool_setup.h"
#include "tests/support/sim_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace adit::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Fixture : ::testing::Test {
    SimHost node{rules_with_block_hashes(2'000'000)};
    TempDir dir;
    PoolSetup setup;

    Fixture() {
        setup.data_dir = dir.path() / "data";
        setup.nodes = {login_of(*node)};
        setup.difficulty = 1e-6;
    }
    std::string file() const { return (dir.path() / "adit.toml").string(); }
    std::string write() const { return setup.write_to(file()); }
    // Writes the configuration with one text replaced; that text's line from 1.
    int write_with(std::string_view text, std::string_view instead) const {
        auto toml = setup.toml();
        const auto at = toml.find(text);
        EXPECT_NE(at, std::string::npos) << text;
        toml.replace(at, text.size(), instead);
        std::ofstream(file()) << toml;
        return 1 + static_cast<int>(std::count(
                       toml.begin(), toml.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    }
};
using AditHelp = ::testing::Test;
using AditCheck = Fixture;
using AditRun = Fixture;
using AditAudit = Fixture;
using AditDemo = Fixture;

// The names under "Subcommands:" of the program's help.
std::vector<std::string> subcommands(const std::string& help) {
    std::vector<std::string> names;
    std::istringstream lines(help.substr(help.find("ubcommands:")));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line) && line.starts_with("  ") && line.size() > 2) {
        if (line[2] != ' ') names.push_back(line.substr(2, line.find(' ', 2) - 2));
    }
    return names;
}

TEST_F(AditHelp, IsThereForTheProgramAndEverySubcommandWithExamples) {
    const auto help = run_adit({"--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr("Examples"));
    const auto names = subcommands(help.out);
    EXPECT_THAT(names, ::testing::IsSupersetOf({"run", "check", "miner"})) << help.out;
    for (const auto& name : names) {
        const auto one = run_adit({name, "--help"});
        EXPECT_EQ(one.code, 0) << name;
        EXPECT_THAT(one.out, HasSubstr("Examples")) << name;
        EXPECT_THAT(one.out, HasSubstr("adit " + name)) << name;
    }
    const auto version = run_adit({"--version"});
    EXPECT_EQ(version.code, 0);
    EXPECT_THAT(version.out, ::testing::StartsWith("adit "));
    EXPECT_NE(run_adit({}).code, 0);
    EXPECT_NE(run_adit({"dig"}).code, 0);
}

TEST_F(AditCheck, SaysThatAGoodConfigurationCanStart) {
    const auto good = run_adit({"check", "--config", write()});
    EXPECT_EQ(good.code, 0) << good.out << good.err;
    EXPECT_THAT(good.out, HasSubstr("the pool can start"));
    EXPECT_THAT(good.out, HasSubstr("node sim"));
}

TEST_F(AditCheck, NamesFileAndLineOfEveryFaultOfTheFile) {
    const auto wrong_level = write_with("level = \"info\"", "level = \"loud\"");
    const auto bad = run_adit({"check", "--config", file()});
    EXPECT_EQ(bad.code, 2);
    EXPECT_THAT(bad.err, HasSubstr(fmt::format("{}:{}: ", file(), wrong_level)));
    EXPECT_THAT(bad.err, HasSubstr("loud"));

    const auto other_chain =
        write_with(pool_address(), "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4");
    const auto address = run_adit({"check", "--config", file()});
    EXPECT_EQ(address.code, 2);
    EXPECT_THAT(address.err, HasSubstr(fmt::format("{}:{}: ", file(), other_chain)));

    const auto missing = run_adit({"check", "--config", (dir.path() / "none.toml").string()});
    EXPECT_EQ(missing.code, 2);
    EXPECT_THAT(missing.err, HasSubstr("none.toml"));
}

TEST_F(AditCheck, NamesTheLineOfADeadNodeAndOfWrongCredentials) {
    write();
    node->set_fault(sim::SimFault::refuse_connections);
    const auto dead = run_adit({"check", "--config", file()});
    EXPECT_EQ(dead.code, 1) << dead.out;
    const auto line = write_with("[[node]]", "[[node]]");
    EXPECT_THAT(dead.out, HasSubstr(fmt::format("{}:{}: ", file(), line)));
    EXPECT_THAT(dead.out, HasSubstr("cannot start"));

    node->set_fault(sim::SimFault::wrong_credentials);
    const auto login = run_adit({"check", "--config", file()});
    EXPECT_EQ(login.code, 1) << login.out;
    EXPECT_THAT(login.out, HasSubstr(fmt::format("{}:{}: ", file(), line)));
}

TEST_F(AditCheck, NamesTheLineOfEveryOtherThingThatWouldKeepThePoolFromStarting) {
    struct Case {
        const char* text;  // of the configuration, replaced by the next
        std::string instead;
        sim::SimFault fault;
        const char* says;
    };
    const auto port_in_use = fmt::format("listen = \"127.0.0.1:{}\"", node->port());
    const auto no_certificate = std::string(
        "listen = \"127.0.0.1:0\"\ntls = { certificate = \"/no/cert\", key = \"/no/key\" }");
    const auto data_dir = fmt::format("data_dir = \"{}\"", setup.data_dir.string());
    using F = sim::SimFault;
    const Case cases[] = {
        {"listen = \"127.0.0.1:0\"", port_in_use, F::none, "in use"},
        {"listen = \"127.0.0.1:0\"", "listen = \"192.0.2.1:3333\"", F::none, "192.0.2.1"},
        {"listen = \"127.0.0.1:0\"", no_certificate, F::none, "/no/cert"},
        {data_dir.c_str(), "data_dir = \"/dev/null/data\"", F::none, "/dev/null/data"},
        {"[[node]]", "[[node]]", F::wrong_chain, "on chain \"main\""},
        {"[[node]]", "[[node]]", F::initial_download, "downloading"},
        {"[[node]]", "[[node]]", F::no_peers, "no peers"},
        {"[[node]]", "[[node]]", F::warming_up, "starting"},
        {"[[node]]", "[[node]]", F::absurd_json, "no JSON"},
        {"[[node]]", "[[node]]", F::truncated_reply, "cut short"},
    };
    for (const auto& one : cases) {
        SCOPED_TRACE(one.says);
        write_with(one.text, one.instead);
        node->set_fault(one.fault);
        const auto check = run_adit({"check", "--config", file()});
        EXPECT_EQ(check.code, 1) << check.out << check.err;
        // A fault stands at its table's first line.
        const auto table = std::string(one.text).starts_with("listen")     ? "[[stratum]]"
                           : std::string(one.text).starts_with("data_dir") ? "[pool]"
                                                                           : "[[node]]";
        const auto line = write_with(table, table);
        EXPECT_THAT(check.out, HasSubstr(fmt::format("{}:{}: ", file(), line)));
        EXPECT_THAT(check.out, HasSubstr(one.says));
        EXPECT_THAT(check.out, HasSubstr("cannot start"));
    }
}

TEST_F(AditAudit, AgreesWithACleanPoolAndNamesTheFirstDifferenceOfOneThatWasChanged) {
    write();
    EXPECT_EQ(run_adit({"audit", "--config", file()}).code, 2) << "there is no log yet";
    {
        Child pool(adit_run(file()));
        const auto port = listening_port(pool);
        ASSERT_NE(port, 0) << pool.err();
        Crew crew;
        crew.add({port, miner_address("a") + ".rig", 200'000});
        ASSERT_TRUE(eventually([&] { return crew.book().accepted() >= 50; })) << pool.err();
        // While the pool goes on, and with its node.
        const auto meanwhile = run_adit({"audit", "--config", file(), "--json"});
        EXPECT_EQ(meanwhile.code, 0) << meanwhile.out << meanwhile.err;
        EXPECT_THAT(meanwhile.out, HasSubstr(R"("differences":0)"));
        EXPECT_THAT(meanwhile.out, HasSubstr(R"("compared":true)"));
        EXPECT_THAT(meanwhile.out, Not(HasSubstr(R"("shares":0,)")));
        crew.stop();
        pool.signal(SIGTERM);
        ASSERT_EQ(pool.wait(), 0) << pool.err();
    }
    const auto clean = run_adit({"audit", "--config", file()});
    EXPECT_EQ(clean.code, 0) << clean.out << clean.err;
    EXPECT_THAT(clean.out, HasSubstr("no difference"));
    EXPECT_THAT(clean.out, HasSubstr("compared with the chain of node"));

    // A chain that cannot be asked is no clean audit, unless nobody wants to ask it.
    node->set_fault(sim::SimFault::wrong_chain);
    const auto without = run_adit({"audit", "--config", file()});
    EXPECT_EQ(without.code, 2) << without.out << without.err;
    EXPECT_THAT(without.out, HasSubstr("the chain could not be compared"));
    EXPECT_EQ(run_adit({"audit", "--config", file(), "--no-chain"}).code, 0);
    node->set_fault(sim::SimFault::none);

    // One byte of the log's middle.
    auto segments = std::filesystem::directory_iterator(setup.data_dir / "log");
    std::filesystem::path segment;
    for (const auto& entry : segments) {
        if (segment.empty() || entry.path() < segment) segment = entry.path();
    }
    {
        constexpr std::streamoff kSomewhere = 4'096 + 1'000;  // past the segment's header
        std::fstream stream(segment, std::ios::in | std::ios::out | std::ios::binary);
        char byte = 0;
        stream.seekg(kSomewhere).get(byte);
        stream.seekp(kSomewhere).put(static_cast<char>(byte ^ 1));
    }
    const auto changed = run_adit({"audit", "--config", file()});
    EXPECT_EQ(changed.code, 1) << changed.out << changed.err;
    EXPECT_THAT(changed.out, HasSubstr("the first: "));
}

TEST_F(AditDemo, ShowsHashrateSharesAndBlocksAndServesARealMiner) {
    Child demo({adit_program(), "demo", "--listen", "127.0.0.1:0", "--block-s", "2", "--miners",
                "3", "--data-dir", setup.data_dir.string()});
    const auto port = listening_port(demo);
    ASSERT_NE(port, 0) << demo.err();
    ASSERT_TRUE(demo.writes("stratum+tcp://")) << demo.err();
    Crew crew;
    crew.add({port, miner_address("me") + ".real", 50'000});
    EXPECT_TRUE(eventually([&] { return crew.book().accepted() >= 5; })) << demo.err();
    EXPECT_TRUE(demo.writes("block accepted")) << demo.err();
    crew.stop();
    demo.signal(SIGINT);
    EXPECT_EQ(demo.wait(), 0) << demo.err();
    const auto log = read_log(setup.data_dir);
    expect_every_true_once(log, crew.book());
    EXPECT_GT(log.counted_shares(), crew.book().accepted()) << "the virtual miners hash, too";
    EXPECT_FALSE(log.blocks.empty());
}

TEST_F(AditRun, RefusesAnUnknownKeyWithASuggestion) {
    const auto line = write_with("threads = 1", "threds = 1");
    const auto run = run_adit({"run", "--config", file()});
    EXPECT_EQ(run.code, 2);
    EXPECT_THAT(run.err, HasSubstr(fmt::format("{}:{}: ", file(), line)));
    EXPECT_THAT(run.err, HasSubstr("threds"));
    EXPECT_THAT(run.err, HasSubstr("\"threads\""));
}

// A command under a limit of open files that even root cannot raise.
std::vector<std::string> with_few_files(const std::vector<std::string>& command) {
    std::vector<std::string> all;
    if (::geteuid() == 0) all = {"setpriv", "--bounding-set=-sys_resource"};
    all.insert(all.end(), {"sh", "-c", "ulimit -n 600 && exec \"$@\"", "sh"});
    all.insert(all.end(), command.begin(), command.end());
    return all;
}

TEST_F(AditRun, SaysAtStartHowManyMinersTheOpenFilesAllow) {
    setup.miners = 1'000;
    Child pool(with_few_files(adit_run(write())));
    EXPECT_EQ(pool.wait(), 1) << pool.err();
    EXPECT_THAT(pool.err(), HasSubstr("limits.miners = 1000 needs 1256 open files"));
    EXPECT_THAT(pool.err(), HasSubstr("lower limits.miners to 344"));
    Child check(with_few_files({adit_program(), "check", "--config", file()}));
    EXPECT_EQ(check.wait(), 1) << check.out();
    EXPECT_THAT(check.out(), HasSubstr("the system allows 600"));
    setup.miners = 300;
    Child smaller(with_few_files(adit_run(write())));
    EXPECT_NE(listening_port(smaller), 0) << smaller.err();
    smaller.signal(SIGTERM);
    EXPECT_EQ(smaller.wait(), 0);
}

TEST_F(AditRun, AnswersEveryAcceptedShareWhenItIsToldToStop) {
    setup.threads = 2;
    Child pool(adit_run(write()));
    const auto port = listening_port(pool);
    ASSERT_NE(port, 0) << pool.err();
    Crew crew;
    for (const auto* worker : {"one", "two", "three"})
        crew.add({port, fmt::format("{}.{}", miner_address("a"), worker), 400'000});
    ASSERT_TRUE(eventually([&] { return crew.book().accepted() >= 200; })) << pool.err();
    const base::SystemClock clock;
    const auto asked = clock.steady_ms();
    pool.signal(SIGTERM);
    ASSERT_EQ(pool.wait(), 0) << pool.err();
    constexpr std::int64_t kStopMs = 5'000;
    EXPECT_LT(clock.steady_ms() - asked, 10 * kStopMs);
    EXPECT_TRUE(pool.wrote("every accepted share was answered")) << pool.err();
    crew.stop(0);
    const auto log = read_log(setup.data_dir);
    expect_every_true_once(log, crew.book());
    // Nothing was accepted that a miner was not told of.
    EXPECT_EQ(log.counted_shares(), crew.book().accepted());
    expect_ledger_equals_log(setup.data_dir, log);
    // Nobody looked: no control sequences, but sentences.
    EXPECT_THAT(pool.err() + pool.out(), Not(HasSubstr("\033")));
    EXPECT_THAT(pool.err() + pool.out(), Not(HasSubstr("\r")));
    EXPECT_THAT(pool.err(), HasSubstr("pool: status"));
}

TEST_F(AditRun, TakesOverWhatCanChangeOnHangupWithoutDroppingAMiner) {
    SimHost second(rules_with_block_hashes(2'000'000));
    Child pool(adit_run(write()));
    const auto port = listening_port(pool);
    ASSERT_NE(port, 0) << pool.err();
    Crew crew;
    crew.add({port, miner_address("a") + ".rig", 200'000});
    ASSERT_TRUE(eventually([&] { return crew.book().accepted() >= 10; })) << pool.err();

    setup.difficulty = 4e-6;
    setup.miners = 77;
    setup.log_level = "debug";
    setup.nodes.push_back(login_of(*second, "second"));
    setup.listen[0].address = "127.0.0.2:0";
    setup.extra = "[share]\nqueue = 128\n";
    write();
    pool.signal(SIGHUP);
    ASSERT_TRUE(pool.writes("config: reloaded")) << pool.err();
    const auto text = pool.err();
    const auto at = text.find("config: reloaded");
    const auto line = text.substr(at, text.find('\n', at) - at);
    const auto split = line.find("needs_restart");
    ASSERT_NE(split, std::string::npos) << line;
    for (const auto* key : {"difficulty.start", "difficulty.min", "difficulty.max", "limits.miners",
                            "log.level", "node"}) {
        EXPECT_LT(line.find(key), split) << key << " in " << line;
    }
    for (const auto* key : {"stratum", "share.queue"}) {
        const auto place = line.find(key);
        EXPECT_TRUE(place != std::string::npos && place > split) << key << " in " << line;
    }
    // In force: the miner hears of the new difficulty on the connection it has.
    ASSERT_TRUE(eventually([&] { return crew[0].stats().difficulty > 3.9e-6; })) << pool.err();
    EXPECT_EQ(crew.reconnects(), 0U);
    EXPECT_TRUE(pool.writes(" debug ")) << pool.err();
    EXPECT_TRUE(eventually([&] { return second->requests() > 0; }));

    // A file with a fault changes nothing.
    const auto wrong = write_with("miners = 77", "miners = -1");
    pool.signal(SIGHUP);
    ASSERT_TRUE(pool.writes("nothing was changed")) << pool.err();
    EXPECT_TRUE(pool.wrote(fmt::format("{}:{}: ", file(), wrong))) << pool.err();
    const auto before = crew.book().accepted();
    ASSERT_TRUE(eventually([&] { return crew.book().accepted() > before + 5; }));
    EXPECT_EQ(crew.reconnects(), 0U);
    crew.stop();
    pool.signal(SIGINT);
    EXPECT_EQ(pool.wait(), 0) << pool.err();
    expect_agreement(setup.data_dir, crew.book());
}

TEST_F(AditRun, RefusesASecondStartOnTheSameDataAndNamesTheFirst) {
    Child first(adit_run(write()));
    ASSERT_NE(listening_port(first), 0) << first.err();
    const auto second = run_adit({"run", "--config", file()});
    EXPECT_EQ(second.code, 1);
    EXPECT_THAT(second.err, HasSubstr(std::to_string(first.pid())));
    const auto check = run_adit({"check", "--config", file()});
    EXPECT_EQ(check.code, 1);
    EXPECT_THAT(check.out, HasSubstr(std::to_string(first.pid())));
    EXPECT_TRUE(first.running());
    // A killed pool leaves no lock behind.
    first.kill();
    Child third(adit_run(file()));
    EXPECT_NE(listening_port(third), 0) << third.err();
    third.signal(SIGTERM);
    EXPECT_EQ(third.wait(), 0);
}

}  // namespace
}  // namespace adit::tests
