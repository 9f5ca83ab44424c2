#include "manager/config_service.h"

#include <gmock/gmock.h>

namespace adit::manager {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kRest[] = R"(
[pool]
chain = "regtest"
address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
data_dir = "/tmp/adit"
[[node]]
rpc = "http://127.0.0.1:18443"
user = "u"
password = "p"
[[stratum]]
listen = "127.0.0.1:3333"
)";

Config config_of(const std::string& more) {
    auto config = parse_config(kRest + more, "adit.toml");
    if (!config) throw std::runtime_error(config.error().at(0).text());
    return *config;
}

std::vector<std::string> faults_of(const std::string& more) {
    std::vector<std::string> texts;
    const auto config = parse_config(kRest + more, "adit.toml");
    if (!config) {
        for (const auto& fault : config.error())
            texts.push_back(fault.text());
    }
    return texts;
}

TEST(ConfigService, HttpIsOffUnlessItHasItsSection) {
    EXPECT_EQ(config_of("").http.listen, "");
    EXPECT_EQ(config_of("[http]\n").http.listen, "127.0.0.1:8080");
    const auto all = config_of(
        "[http]\nlisten = \"[::1]:9000\"\ntrusted_proxies = [\"127.0.0.1\"]\npublic_metrics = "
        "true\n");
    EXPECT_EQ(all.http.listen, "[::1]:9000");
    EXPECT_THAT(all.http.trusted_proxies, ElementsAre("127.0.0.1"));
    EXPECT_TRUE(all.http.public_metrics);
}

TEST(ConfigService, WebhooksAndRulesAreRead) {
    const auto config = config_of(R"(
[alert]
off = ["node_doubted"]
[[alert.webhook]]
url = "https://hooks.example/x"
format = "slack"
[[alert.rule]]
name = "disk_low"
series = ["adit_disk_free_ratio"]
comparison = "below"
fire_at = 0.2
severity = "critical"
[[alert.rule]]
name = "hot"
series = ["adit_process_threads"]
measure = "mean"
span_s = 60
fire_at = 100
clear_at = 90
)");
    ASSERT_EQ(config.alert.webhooks.size(), 1U);
    EXPECT_EQ(config.alert.webhooks[0].format, "slack");
    const auto rules = alert_rules(config.alert);
    const auto named = [&](std::string_view name) {
        return std::ranges::find(rules, name, &metrics::AlertRule::name);
    };
    EXPECT_EQ(named("node_doubted"), rules.end());
    ASSERT_NE(named("disk_low"), rules.end());
    EXPECT_DOUBLE_EQ(named("disk_low")->fire_at, 0.2);
    EXPECT_DOUBLE_EQ(named("disk_low")->clear_at, 0.2);
    EXPECT_EQ(named("hot")->measure, metrics::Measure::mean);
    EXPECT_EQ(rules.size(), metrics::default_rules().size());  // one off, one more
}

TEST(ConfigService, FaultsSayWhereAndWhatInstead) {
    const std::pair<const char*, const char*> rows[] = {
        {"[http]\nlisten = \"nowhere\"\n", "listen = \"nowhere\""},
        {"[http]\ntrusted_proxies = \"127.0.0.1\"\n", "must be an array of texts"},
        {"[http]\nlissen = \"x\"\n", "lissen"},
        {"[[alert.webhook]]\nformat = \"json\"\n", "url is missing"},
        {"[[alert.webhook]]\nurl = \"ftp://x\"\n", "no address of a webhook"},
        {"[[alert.webhook]]\nurl = \"https://x\"\nformat = \"irc\"\n", "\"irc\" is not known"},
        {"[alert]\noff = [\"node_dwon\"]\n", "no default rule \"node_dwon\""},
        {"[[alert.rule]]\nname = \"x\"\nseries = [\"a\"]\nmeasure = \"median\"\n",
         "\"median\" is not known"},
        {"[[alert.rule]]\nname = \"x\"\n", "x"},
    };
    for (const auto& [text, says] : rows) {
        const auto faults = faults_of(text);
        ASSERT_EQ(faults.size(), 1U) << text;
        EXPECT_THAT(faults[0], HasSubstr(says));
        EXPECT_THAT(faults[0], HasSubstr("adit.toml:1"));  // lines 13 and up
    }
}

TEST(ConfigService, ChangesOfBothNeedARestart) {
    const auto before = config_of("");
    EXPECT_THAT(changes_between(before, config_of("[http]\n")).needs_restart, ElementsAre("http"));
    EXPECT_THAT(
        changes_between(before, config_of("[alert]\noff = [\"node_down\"]\n")).needs_restart,
        ElementsAre("alert"));
}

}  // namespace
}  // namespace adit::manager
