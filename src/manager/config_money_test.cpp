#include "manager/config.h"

#include <gmock/gmock.h>

namespace adit::manager {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kAddress[] = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

// A good document of 13 lines, then `more` from line 14 on.
std::string document(std::string_view more) {
    return fmt::format(R"([pool]
chain = "regtest"
address = "{}"
data_dir = "/tmp/adit"

[[node]]
name = "local"
rpc = "http://127.0.0.1:18443"
user = "u"
password = "p"

[[stratum]]
listen = "0.0.0.0:3333"
{})",
                       kAddress, more);
}

Config good(std::string_view more) {
    const auto config = parse_config(document(more), "adit.toml");
    EXPECT_TRUE(config) << config.error().front().text();
    return config.value_or(Config{});
}

TEST(MoneyConfig, HasTheDocumentedDefaults) {
    const auto config = good("");
    EXPECT_EQ(config.rewards.scheme, share::RewardScheme::pplns);
    EXPECT_EQ(config.rewards.pplns_factor_milli, 2'000u);
    EXPECT_EQ(config.rewards.fee_ppm, 10'000u);
    EXPECT_EQ(config.rewards.maturity, 101);
    EXPECT_EQ(config.payout.mode, share::PayoutMode::wallet);
    EXPECT_EQ(config.payout.wallet, "pool");
    EXPECT_EQ(config.payout.threshold_sat, 100'000);
    EXPECT_EQ(config.payout.interval_s, 3'600);
    EXPECT_EQ(config.store.ledger, "sqlite");
}

TEST(MoneyConfig, ReadsEveryKey) {
    const auto config = good(
        "[rewards]\nscheme = \"pplns\"\npplns_factor = 1.5\nfee = \"0.25%\"\nmaturity = 3\n"
        "[payout]\nmode = \"coinbase\"\nwallet = \"w\"\nnode = \"local\"\nconfirmations = 2\n"
        "threshold_sat = 5000\ninterval_s = 1\napprove_above_sat = 7\ndaily_cap_sat = 8\n"
        "fee_paid_by = \"miner\"\nmin_fee_rate = 2\nmax_fee_rate = 20\nfallback_fee_rate = 3\n"
        "bump_after_blocks = 4\ncoinbase_outputs = 9\ncoinbase_dust_sat = 600\n"
        "[store]\nledger = \"postgresql://pool@db/adit\"\n");
    EXPECT_EQ(config.rewards.scheme, share::RewardScheme::pplns);
    EXPECT_EQ(config.rewards.pplns_factor_milli, 1'500u);
    EXPECT_EQ(config.rewards.fee_ppm, 2'500u);
    EXPECT_EQ(config.payout.mode, share::PayoutMode::coinbase);
    EXPECT_EQ(config.payout.node, "local");
    EXPECT_TRUE(config.payout.miners_bear_fee);
    EXPECT_EQ(config.payout.coinbase_outputs, 9);
    EXPECT_EQ(config.payout.line, 19u);
    EXPECT_EQ(config.store.ledger, "postgresql://pool@db/adit");
}

struct BadMoney {
    const char* text;
    std::uint32_t line;
    const char* what;
    const char* instead;
};

// What ctest shows of a row.
void PrintTo(const BadMoney& row, std::ostream* out) {
    *out << row.what;
}

class MoneyFaults : public ::testing::TestWithParam<BadMoney> {};

TEST_P(MoneyFaults, NameTheLineAndTheRemedy) {
    const auto& row = GetParam();
    const auto config = parse_config(document(row.text), "adit.toml");
    ASSERT_FALSE(config);
    ASSERT_EQ(config.error().size(), 1u);
    EXPECT_EQ(config.error()[0].line, row.line) << config.error()[0].text();
    EXPECT_THAT(config.error()[0].what, HasSubstr(row.what));
    EXPECT_THAT(config.error()[0].instead, HasSubstr(row.instead));
}

INSTANTIATE_TEST_SUITE_P(
    Table, MoneyFaults,
    ::testing::Values(
        BadMoney{"[rewards]\nscheme = \"pps\"", 15, "scheme = \"pps\" is not known", "\"pplns\""},
        BadMoney{"[rewards]\nfee = \"one\"", 15, "is no percentage", "\"1.0%\""},
        BadMoney{"[rewards]\nfee = 1.0", 15, "must be a text", "\"1.0%\""},
        BadMoney{"[rewards]\nfee_account = \"me\"", 15, "is no address", "\":fee\""},
        BadMoney{"[rewards]\nmaturity = 0", 15, "rewards.maturity", "maturity = 101"},
        BadMoney{"[rewards]\nfees = \"1%\"", 15, "unknown key rewards.fees", "\"fee\""},
        BadMoney{"[payout]\nmode = \"cash\"", 15, "mode = \"cash\" is not known", "\"wallet\""},
        BadMoney{"[rewards]\nscheme = \"prop\"\n[payout]\nmode = \"coinbase\"", 17,
                 "coinbases cannot pay miners by rewards.scheme = \"prop\"", "\"pplns\""},
        BadMoney{"[payout]\nnode = \"other\"", 15, "no [[node]] is called", "the node"},
        BadMoney{"[payout]\nfee_paid_by = \"god\"", 15, "fee_paid_by", "\"miner\""},
        BadMoney{"[payout]\nmin_fee_rate = 8\nfallback_fee_rate = 6", 16, "outside", "between"},
        BadMoney{"[store]\nledger = \"mysql://x\"", 15, "is no ledger", "\"sqlite\""}));

TEST(MoneyConfig, PercentagesAreExact) {
    const std::pair<const char*, std::optional<std::uint32_t>> cases[] = {
        {"0%", 0},        {"1%", 10'000},        {"1.0%", 10'000},
        {"0.0001%", 1},   {"12.3456%", 123'456}, {"100%", 1'000'000},
        {"2 %", 20'000},  {"100.0001%", {}},     {"1", {}},
        {"%", {}},        {".5%", {}},           {"1.%", {}},
        {"0.00001%", {}}, {"-1%", {}},           {"1e2%", {}},
        {"1000%", {}},
    };
    for (const auto& [text, ppm] : cases) {
        EXPECT_EQ(parse_percent(text), ppm) << text;
        if (ppm) {
            EXPECT_EQ(parse_percent(percent_text(*ppm)), ppm) << text;
        }
    }
}

TEST(MoneyConfig, TellsWhatChangesLive) {
    const auto running = good("");
    auto wanted = running;
    EXPECT_THAT(changes_between(running, wanted).live, IsEmpty());
    wanted.rewards.fee_ppm = 5;
    wanted.rewards.maturity = 3;
    wanted.store.ledger = "postgresql://x";
    wanted.payout.threshold_sat = 5'000;
    wanted.payout.max_fee_rate = 7;
    wanted.payout.wallet = "other";
    const auto changes = changes_between(running, wanted);
    EXPECT_THAT(changes.live,
                ElementsAre("rewards.fee", "payout.threshold_sat", "payout.max_fee_rate"));
    EXPECT_THAT(changes.needs_restart,
                ElementsAre("rewards.maturity", "payout.wallet", "store.ledger"));
}

}  // namespace
}  // namespace adit::manager
