#include "manager/config.h"

#include "manager/config_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <unistd.h>

namespace adit::manager {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kGood[] = R"([pool]
name = "Shed"
chain = "regtest"
address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
data_dir = "/tmp/adit"

[[node]]
rpc = "http://127.0.0.1:18443"
user = "u"
password = "p"

[[stratum]]
listen = "0.0.0.0:3333"

[difficulty]
start = 0.001
min = 0.0005
)";

std::vector<ConfigFault> faults_of(std::string_view text) {
    auto config = parse_config(text, "adit.toml");
    return config ? std::vector<ConfigFault>{} : config.error();
}

std::string with(std::string_view from, std::string_view to) {
    std::string text = kGood;
    const auto at = text.find(from);
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(Config, ReadsWhatIsGivenAndKeepsDefaultsForTheRest) {
    const auto config = parse_config(kGood, "adit.toml");
    ASSERT_TRUE(config) << config.error().front().text();
    EXPECT_EQ(config->pool.name, "Shed");
    EXPECT_EQ(config->pool.chain, chain::Network::regtest);
    EXPECT_EQ(config->pool.signature, "/Adit/");
    EXPECT_EQ(config->nodes.at(0).name, "http://127.0.0.1:18443");
    EXPECT_EQ(config->difficulty.start, 0.001);
    EXPECT_EQ(config->limits.miners, 1000);
}

struct BadConfig {
    const char* from;
    const char* to;
    std::uint32_t line;
    const char* what;
    const char* instead;
};

// What ctest shows of a row.
void PrintTo(const BadConfig& row, std::ostream* out) {
    *out << row.to;
}

class ConfigFaults : public testing::TestWithParam<BadConfig> {};

TEST_P(ConfigFaults, NameTheLineAndTheRemedy) {
    const auto& row = GetParam();
    const auto faults = faults_of(with(row.from, row.to));
    ASSERT_EQ(faults.size(), 1u) << faults.size();
    EXPECT_EQ(faults[0].line, row.line) << faults[0].text();
    EXPECT_THAT(faults[0].what, HasSubstr(row.what));
    EXPECT_THAT(faults[0].instead, HasSubstr(row.instead));
}

INSTANTIATE_TEST_SUITE_P(
    Table, ConfigFaults,
    testing::Values(
        BadConfig{"name = ", "nmae = ", 2, "unknown key pool.nmae", "\"name\""},
        BadConfig{"\"Shed\"", "7", 2, "pool.name must be a text", "name = "},
        BadConfig{"\"regtest\"", "\"regtset\"", 3, "is no chain", "\"regtest\""},
        BadConfig{"bcrt1q", "bcrt1x", 4, "cannot be paid on regtest", "bcrt1q"},
        BadConfig{"data_dir", "#", 1, "pool.data_dir is missing", "/var/lib/adit"},
        BadConfig{"http://", "ftp://", 8, "is no RPC address: it does not begin with http://",
                  "http://HOST:PORT"},
        BadConfig{"user = \"u\"", "", 8, "exactly one way to log in", "cookie_file"},
        BadConfig{"0.0.0.0:3333", "3333", 13, "is no address", "0.0.0.0:3333"},
        BadConfig{"start = 0.001", "start = -1", 16, "must be a number from", "start = 1024"},
        BadConfig{"start = 0.001", "max = 0.0001", 16, "below difficulty.min", "max = 0"},
        BadConfig{"[difficulty]", "[limits]\nminers = 0\n[difficulty]", 16,
                  "limits.miners must be a whole number", "miners = 1000"},
        BadConfig{"[difficulty]", "[log]\nlevel = \"loud\"\n[difficulty]", 16, "is no log level",
                  "\"debug\""}));

TEST(Config, ReportsEveryFaultAtOnce) {
    const auto faults = faults_of(with("[[stratum]]", "[[startum]]"));
    ASSERT_EQ(faults.size(), 2u);
    EXPECT_THAT(faults[0].what, HasSubstr("nothing listens"));
    EXPECT_THAT(faults[1].what, HasSubstr("unknown key startum"));
    EXPECT_EQ(faults[1].instead, "\"stratum\"");
}

TEST(Config, ReportsBrokenTomlWithItsLine) {
    const auto faults = faults_of("[pool]\nname = \n");
    ASSERT_EQ(faults.size(), 1u);
    EXPECT_EQ(faults[0].line, 2u);
    EXPECT_THAT(faults[0].what, HasSubstr("no TOML"));
}

TEST(Config, ReportsAMissingFile) {
    const auto config = load_config("/nonexistent/adit.toml");
    ASSERT_FALSE(config);
    EXPECT_THAT(config.error().front().text(), HasSubstr("cannot be read"));
}

TEST(Config, SaysOfAnEmptyFileWhatIsMissingAndOfAFolderThatItIsOne) {
    auto name = (std::filesystem::temp_directory_path() / "adit-config-XXXXXX").string();
    const int file = ::mkstemp(name.data());
    ASSERT_GE(file, 0);
    ::close(file);
    const auto empty = load_config(name);
    std::filesystem::remove(name);
    ASSERT_FALSE(empty);
    EXPECT_THAT(empty.error().front().text(), Not(HasSubstr("cannot be read")));
    EXPECT_THAT(load_config("/tmp").error().front().text(), HasSubstr("Is a directory"));
}

TEST(Config, TellsWhatCanChangeWhileRunning) {
    const auto running = *parse_config(kGood, "a");
    auto wanted = running;
    EXPECT_THAT(changes_between(running, wanted).live, IsEmpty());
    wanted.difficulty.min = 2;
    wanted.limits.miners = 5;
    wanted.nodes[0].password = "q";
    wanted.pool.address = "x";
    wanted.stratum[0].listen = "0.0.0.0:1";
    const auto changes = changes_between(running, wanted);
    EXPECT_THAT(changes.live, ElementsAre("node", "difficulty.min", "limits.miners"));
    EXPECT_THAT(changes.needs_restart, ElementsAre("pool.address", "stratum"));
}

}  // namespace
}  // namespace adit::manager
