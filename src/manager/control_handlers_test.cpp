#include "manager/control_handlers.h"

#include "manager/block_ledger_testing.h"
#include "manager/payout_json.h"
#include "manager/payout_service_testing.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <limits>

namespace adit::manager {
namespace {

using testing::BlockLedger;
using ::testing::HasSubstr;
using testing::PayoutScript;
using testing::ScriptedPayouts;

constexpr char kAccount[] = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
constexpr char kTxid[] = "00000000000000000000000000000000000000000000000000000000000000ff";

class ControlHandlersTest : public ::testing::Test {
 protected:
    void SetUp() override { open(true); }
    void open(bool with_payouts) {
        ControlDesk parts{
            .payouts = with_payouts ? &desk : nullptr,
            .why_no_payouts = "this pool pays nothing out",
            .reader = books,
            .sink = books,
            .clock = clock,
            .logger = logger,
            .network = chain::Network::regtest,
            .threshold_sat = [] { return 10'000; },
            .knows_account = [this](std::string_view name) { return knows(name); },
            .pool_status = [] { return std::string(R"({"miners":7})"); },
            .health = [this](bool probe, std::stop_token) { return health(probe); },
            .metrics = [](const MetricsQuery& query) -> Outcome<MetricsReport> {
                if (query.series != std::vector<std::string>{"a"} ||
                    query.history != metrics::Resolution::minute || query.from_s != 60) {
                    return std::unexpected(OperationRefusal{RefusalKind::bad_request, "other"});
                }
                MetricsReport report;
                report.at_ms = 7;
                return report;
            },
            .workflows = &workflows};
        handlers = control_handlers(std::move(parts));
    }
    ledger::Stored<bool> knows(std::string_view name) const {
        if (name == ":fee") return true;
        return name == kAccount;
    }
    Outcome<HealthReport> health(bool probe) const {
        if (!runs) {
            return std::unexpected(
                OperationRefusal{RefusalKind::wrong_state, "the pool is stopping, not running"});
        }
        HealthReport report;
        report.state = HealthState::degraded;
        report.parts.resize(1);
        report.parts[0].part = probe ? "probed" : "remembered";
        return report;
    }
    std::string ask(const std::string& method, const std::string& params) {
        const auto reply = handlers.at(method)({method, params, {}});
        return (reply.ok ? "ok " : "refused: ") + reply.body;
    }

    std::vector<std::string> lines;
    base::Logger logger{base::LogLevel::info, base::LogFormat::text,
                        [this](std::string_view line) { lines.emplace_back(line); }};
    base::ManualClock clock;
    metrics::Registry registry;
    BlockLedger books;
    PayoutScript script;
    bool runs = true;
    // Not started: no step comes in between.
    PayoutDesk desk{std::make_unique<ScriptedPayouts>(script), {}, books, registry, clock, logger};
    std::vector<std::string> wanted;  // of workflows
    WorkflowDesk workflows{
        [this](const WorkflowRequest& request, const CallLimits& limits,
               const Workflow::Progress&) -> Outcome<WorkflowReport> {
            wanted.push_back(fmt::format("{} {} {} {}", request.user, request.shares, request.block,
                                         limits.deadline_ms - clock.steady_ms()));
            WorkflowReport report;
            report.finished = true;
            return report;
        },
        clock};
    ControlHandlers handlers;
};

TEST_F(ControlHandlersTest, CommandsReachThePayoutsAndAnswerInJson) {
    EXPECT_THAT(ask("payout.run", R"({"dry":true})"), HasSubstr(R"("dry":true)"));
    EXPECT_THAT(ask("payout.run", "{}"),
                HasSubstr(R"("started":[3],"payees":[{"account":"bob","debit_sat":71000,)"
                          R"("output_sat":70000,"needs_approval":true}],)"
                          R"("fee_rate_sat_per_kvb":2500,"hold":"none")"));
    EXPECT_THAT(ask("payout.approve", R"({"id":12,"note":"ok"})"), HasSubstr(R"("id":12)"));
    EXPECT_THAT(ask("payout.cancel", R"({"id":13})"), HasSubstr(R"("state":"ready")"));
    EXPECT_THAT(ask("payout.replace", R"({"id":14,"note":""})"), HasSubstr(R"("txid":null)"));
    EXPECT_THAT(ask("payout.status", "{}"), HasSubstr(R"("paid_sat":0)"));
    EXPECT_EQ(ask("pool.status", "{}"), R"(ok {"miners":7})");
    EXPECT_THAT(script.calls(), ::testing::ElementsAre("dry run", "run", "approve 12 ok",
                                                       "cancel 13 ", "replace 14 "));
}

TEST_F(ControlHandlersTest, HealthIsProbedOrRemembered) {
    EXPECT_THAT(ask("manager.health", "{}"),
                HasSubstr(R"({"status":"degraded","at_ms":0,"parts":[{"part":"probed",)"));
    EXPECT_THAT(ask("manager.health", R"({"cached":true})"), HasSubstr("remembered"));
    runs = false;
    EXPECT_EQ(ask("manager.health", "{}"), "refused: the pool is stopping, not running");
}

TEST_F(ControlHandlersTest, AWorkflowIsBegunAndThenLookedAt) {
    const auto end_of = [&](int run) {
        const auto params = fmt::format(R"({{"run":{}}})", run);
        while (true) {
            const auto answer = ask("manager.workflow.report", params);
            if (answer.find(R"("finished":false)") == std::string::npos) return answer;
            std::this_thread::yield();
        }
    };
    EXPECT_THAT(ask("manager.workflow", R"({"user":"a.b","shares":5,"limit_s":7})"),
                HasSubstr(R"(ok {"run":1,"finished":false)"));
    EXPECT_THAT(end_of(1), HasSubstr(R"(ok {"run":1,"finished":true,"failed":false)"));
    ask("manager.workflow", "{}");
    end_of(2);
    ask("manager.workflow", R"({"block":true})");
    end_of(3);
    EXPECT_THAT(wanted,
                ::testing::ElementsAre("a.b 5 false 7000", " 3 false 60000", " 3 true 300000"));
    EXPECT_THAT(ask("manager.workflow.cancel", R"({"run":3})"), HasSubstr(R"("run":3)"));
    EXPECT_THAT(ask("manager.workflow.report", R"({"run":9})"), HasSubstr("there is no run 9"));
    EXPECT_THAT(ask("manager.workflow.report", "{}"), HasSubstr("refused"));
    EXPECT_THAT(ask("manager.workflow", R"({"shares":0})"), HasSubstr("refused"));
    EXPECT_THAT(ask("manager.workflow", R"({"shares":10001})"), HasSubstr("refused"));
    // Looking leaves no line, beginning does.
    EXPECT_EQ(std::ranges::count_if(lines,
                                    [](const std::string& line) {
                                        return line.find("workflow.report") != std::string::npos;
                                    }),
              0);
}

TEST_F(ControlHandlersTest, MetricsAreAskedForByNameAndTime) {
    EXPECT_THAT(ask("manager.metrics", R"({"series":["a"],"history":"1m","from_s":60})"),
                HasSubstr(R"({"at_ms":7,"series":[],"alerts":[],"forecasts":[])"));
    EXPECT_EQ(ask("manager.metrics", R"({"series":["b"]})"), "refused: other");
    EXPECT_THAT(ask("manager.metrics", R"({"history":"1d"})"), HasSubstr(R"("1s", "1m" or "1h")"));
}

TEST_F(ControlHandlersTest, ASpendIsExplainedInOneOfThreeWays) {
    const auto with = [](const std::string& more) {
        return fmt::format(R"({{"txid":"{}"{}}})", kTxid, more);
    };
    ask("payout.explain", with(R"(,"note":"to the vault")"));
    ask("payout.explain", with(R"(,"payees":true)"));
    const auto named =
        ask("payout.explain", with(fmt::format(R"(,"account":"{}","amount_sat":5)", kAccount)));
    EXPECT_THAT(named, HasSubstr(R"("amount_sat":5)"));
    const auto account = std::string(kAccount);
    EXPECT_THAT(
        script.calls(),
        ::testing::ElementsAre("explain 00ff payees=false account= amount=0 note=to the vault",
                               "explain 00ff payees=true account= amount=0 note=",
                               "explain 00ff payees=false account=" + account + " amount=5 note="));
}

TEST_F(ControlHandlersTest, ThePayersRefusalIsTheAnswer) {
    script.refuse_with("payout 12 waits for no approval");
    EXPECT_EQ(ask("payout.approve", R"({"id":12})"), "refused: payout 12 waits for no approval");
    ASSERT_FALSE(lines.empty());
    EXPECT_THAT(lines.back(), HasSubstr("payout.approve"));
    EXPECT_THAT(lines.back(), HasSubstr("waits for no approval"));
}

TEST_F(ControlHandlersTest, EveryRequestLeavesALineInTheLog) {
    ask("payout.approve", R"({"id":12,"note":"ok"})");
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_THAT(lines[0], HasSubstr("control: done method=payout.approve"));
    EXPECT_THAT(lines[0], HasSubstr("12"));
}

struct BadRequest {
    const char* method;
    std::string params;
    const char* says;
};

TEST_F(ControlHandlersTest, BadParametersAreToldAndReachNobody) {
    const auto txid = fmt::format(R"("txid":"{}")", kTxid);
    const auto account = fmt::format(R"("account":"{}")", kAccount);
    const BadRequest rows[] = {
        {"payout.run", R"({"dry":1})", "\"dry\" must be true or false"},
        {"payout.run", R"({"dri":true})", "\"dri\" is no parameter"},
        {"payout.approve", "{}", "\"id\" is missing"},
        {"payout.approve", R"({"id":0})", "\"id\" must be a whole number from 1"},
        {"payout.approve", R"({"id":-1})", "\"id\" must be a whole number"},
        {"payout.approve", R"({"id":1.5})", "\"id\" must be a whole number"},
        {"payout.approve", R"({"id":18446744073709551615})", "\"id\" must be a whole number"},
        {"payout.approve", R"({"id":"1"})", "\"id\" must be a whole number"},
        {"payout.cancel", R"({"id":1,"note":7})", "\"note\" must be a text"},
        {"payout.cancel", R"({"id":1,"note":"a\nb"})", "no line ends"},
        {"payout.replace", R"({"id":1,"note":")" + std::string(501, 'x') + "\"}",
         "501 bytes long, 500 are allowed"},
        {"payout.explain", "{}", "\"txid\" is missing"},
        {"payout.explain", R"({"txid":"ff"})", "64 hex digits"},
        {"payout.explain", "{" + txid + R"(,"payees":true,)" + account + R"(,"amount_sat":5})",
         "is instead of"},
        {"payout.explain", "{" + txid + "," + account + "}", "go together"},
        {"payout.explain", "{" + txid + R"(,"amount_sat":5})", "go together"},
        {"payout.explain", "{" + txid + "," + account + R"(,"amount_sat":0})", "from 1 to"},
        {"payout.explain", "{" + txid + R"(,"account":"nobody","amount_sat":5})",
         "no account \"nobody\" has mined here"},
        {"payout.status", R"({"all":true})", "no parameter"},
        {"pool.status", R"({"all":true})", "no parameter"},
        {"account.set", R"({"threshold_sat":20000})", "\"account\" is missing"},
        {"account.set", "{" + account + "}", "nothing to set"},
        {"account.set", "{" + account + R"(,"threshold_sat":9999})", "below the pool's"},
        {"account.set", "{" + account + R"(,"threshold_sat":-1})", "from 0 to"},
        {"account.set", "{" + account + R"(,"donation_ppm":1000001})", "from 0 to 1000000"},
        {"account.set", R"({"account":"nobody","donation_ppm":1})", "no account \"nobody\""},
        {"account.set", R"({"account":":fee","donation_ppm":1})", "no account \":fee\""},
    };
    for (const auto& row : rows) {
        const auto answer = ask(row.method, row.params);
        EXPECT_THAT(answer, ::testing::StartsWith("refused: ")) << row.params;
        EXPECT_THAT(answer, HasSubstr(row.says)) << row.params;
    }
    EXPECT_TRUE(script.calls().empty());
    EXPECT_FALSE(books.settings_of(kAccount)->has_value());
}

TEST_F(ControlHandlersTest, SettingsAreAFactAndWhatIsNotNamedStays) {
    const auto set = [&](const std::string& more) {
        return ask("account.set", fmt::format(R"({{"account":"{}",{}}})", kAccount, more));
    };
    EXPECT_THAT(set(R"("donation_ppm":5000)"),
                HasSubstr(R"("threshold_sat":10000,"own_threshold_sat":0,"donation_ppm":5000)"));
    EXPECT_THAT(
        set(R"("threshold_sat":20000)"),
        HasSubstr(R"("threshold_sat":20000,"own_threshold_sat":20000,"donation_ppm":5000)"));
    EXPECT_THAT(set(R"("threshold_sat":0)"), HasSubstr(R"("threshold_sat":10000)"));
    const auto in_force = books.settings_of(kAccount);
    ASSERT_TRUE(in_force->has_value());
    EXPECT_EQ((*in_force)->threshold_sat, 0);
    EXPECT_EQ((*in_force)->donation_ppm, 5'000u);
    EXPECT_EQ((*in_force)->at_wall_ms, clock.wall_ms());
}

TEST_F(ControlHandlersTest, AnAccountHasOneSpelling) {
    auto upper = std::string(kAccount);
    std::ranges::transform(upper, upper.begin(), [](char c) {
        return static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    });
    EXPECT_THAT(ask("account.set", fmt::format(R"({{"account":"{}","donation_ppm":1}})", upper)),
                HasSubstr(kAccount));
}

TEST_F(ControlHandlersTest, WhatStorageSaysOfSettingsIsTheAnswer) {
    const auto params = fmt::format(R"({{"account":"{}","donation_ppm":1}})", kAccount);
    books.set_next_fault(BlockLedger::Fault::lost);
    EXPECT_EQ(ask("account.set", params), "refused: storage unavailable");
    books.set_next_fault(BlockLedger::Fault::refused);
    EXPECT_EQ(ask("account.set", params),
              "refused: the ledger did not take the settings; nothing changed");
}

TEST_F(ControlHandlersTest, APoolWithoutPayoutsSaysSo) {
    open(false);
    for (const auto* method : {"payout.run", "payout.status"})
        EXPECT_EQ(ask(method, "{}"), "refused: this pool pays nothing out");
    EXPECT_EQ(ask("payout.approve", R"({"id":1})"), "refused: this pool pays nothing out");
    EXPECT_EQ(ask("payout.explain", fmt::format(R"({{"txid":"{}"}})", kTxid)),
              "refused: this pool pays nothing out");
    EXPECT_EQ(ask("pool.status", "{}"), R"(ok {"miners":7})");
}

TEST(PayoutJson, ASummaryTellsOfPayoutsOnlyWhereThereAreAny) {
    PoolSummary summary;
    summary.height = 7;
    EXPECT_EQ(nlohmann::json::parse(summary_json(summary))["payouts"], nullptr);
    summary.payouts.emplace();
    summary.payouts->status.hold = ledger::PayoutHold::wallet_short;
    summary.payouts->status.unknown_spends = {*chain::Hash256::from_rpc_hex(kTxid)};
    const auto json = nlohmann::json::parse(summary_json(summary));
    EXPECT_EQ(json["height"], 7);
    EXPECT_EQ(json["payouts"]["hold"], "wallet_short");
    EXPECT_EQ(json["payouts"]["unknown_spends"][0], kTxid);
}

}  // namespace
}  // namespace adit::manager
