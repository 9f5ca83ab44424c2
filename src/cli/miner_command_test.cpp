#include "cli/miner_command.h"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace adit::cli {
namespace {

MinerProgress sample() {
    MinerProgress progress;
    progress.stats.connected = true;
    progress.stats.hashes = 12'000'000;
    progress.stats.accepted = 7;
    progress.stats.rejected = {{"Duplicate share", 1}, {"Job not found", 2}};
    progress.stats.stale = 2;
    progress.stats.blocks_found = 3;
    progress.stats.blocks_accepted = 1;
    progress.stats.difficulty = 0.5;
    progress.hashes_per_s = 1'234'567;
    progress.elapsed_s = 65;
    return progress;
}

TEST(MinerCommand, StatusNamesRateSharesAndEveryReason) {
    EXPECT_EQ(progress_text(sample()),
              "00:01:05  1.23 MH/s  accepted 7  rejected 3 (Duplicate share 1, Job not found 2)  "
              "stale 2  lost 0  blocks 1/3  difficulty 0.5");
    auto offline = sample();
    offline.stats.connected = false;
    EXPECT_TRUE(progress_text(offline).ends_with("(not connected)"));
}

TEST(MinerCommand, JsonHoldsTheSameNumbers) {
    const auto object = nlohmann::json::parse(progress_json(sample(), "summary"));
    EXPECT_EQ(object["event"], "summary");
    EXPECT_EQ(object["accepted"], 7);
    EXPECT_EQ(object["rejected"], 3);
    EXPECT_EQ(object["rejected_by_reason"]["Job not found"], 2);
    EXPECT_EQ(object["blocks_found"], 3);
    EXPECT_EQ(object["hashes"], 12'000'000);
}

TEST(MinerCommand, RefusesAnAddressItCannotRead) {
    MinerOptions options;
    options.url = "http://pool.example:3333";
    options.user = "account";
    EXPECT_EQ(run_miner(options, stdout), kMinerBadUsage);
}

TEST(MinerCommand, RefusesACaFileThatIsNotThere) {
    MinerOptions options;
    options.url = "stratum+ssl://localhost:1";
    options.user = "account";
    options.ca_file = "/nonexistent/ca.pem";
    EXPECT_EQ(run_miner(options, stdout), kMinerBadUsage);
}

// Wrong command lines are refused before anything runs.
TEST(MinerCommand, ChecksItsOptions) {
    const char* kWrong[] = {
        "miner",
        "miner pool.example:3333",
        "miner -u name",
        "miner pool.example:3333 -u name -t 0",
        "miner pool.example:3333 -u name --limit -5",
        "miner pool.example:3333 -u name --shares 0",
        "miner pool.example:3333 -u name --seconds x",
        "miner pool.example:3333 -u name --frobnicate",
    };
    for (const char* line : kWrong) {
        CLI::App app;
        int code = -1;
        add_miner_command(app, &code);
        EXPECT_THROW(app.parse(line), CLI::ParseError) << line;
        EXPECT_EQ(code, -1) << line;
    }
}

TEST(MinerCommand, RunsWithItsOptionsAndReturnsTheExitCode) {
    CLI::App app;
    int code = -1;
    add_miner_command(app, &code);
    app.parse("miner ftp://pool.example:3333 -u name -p d=4 -t 2 --limit 1000 --json");
    EXPECT_EQ(code, kMinerBadUsage);
}

TEST(MinerCommand, HelpHasExamplesAndExitCodes) {
    CLI::App app;
    int code = -1;
    add_miner_command(app, &code);
    const auto help = app.get_subcommand("miner")->help();
    EXPECT_NE(help.find("Examples:"), std::string::npos);
    EXPECT_NE(help.find("Exit codes:"), std::string::npos);
    EXPECT_NE(help.find("--limit"), std::string::npos);
}

}  // namespace
}  // namespace adit::cli
