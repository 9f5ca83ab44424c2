// The check against a scripted pool over real TCP, which keeps the protocol but for what a case
// tells it to do. The real pool is checked end to end.
#include "manager/good_share.h"
#include "manager/protocol_check.h"
#include "net/test_server.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <map>

namespace adit::manager {
namespace {

using Json = nlohmann::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kPatienceMs = 30'000;
constexpr char kName[] = "ADDRESS.adit-check";
constexpr char kSilence[] = "";
constexpr char kClose[] = "close";

// Which situation a line is; what the pool says in it can be replaced.
std::string situation_of(const Json& line, bool subscribed, bool counted) {
    if (!line.is_object()) return "malformed";
    if (!line.at("method").is_string()) return "method";
    const auto method = line.at("method").get<std::string>();
    const auto& params = line.at("params");
    if (method != "mining.submit") return params.is_array() ? method : "params";
    if (!subscribed) return "unsubscribed";
    if (params[1] == "ffffffff.0") return "unknown_job";
    const auto extranonce2 = params[2].get<std::string>();
    if (extranonce2.size() == 2) return "short";
    if (params[0] != kName) return "foreign";
    if (params[5] == "00000001") return "version";
    // The check takes poor shares from another part of the job's space than good ones.
    if (extranonce2.find_first_not_of('0') != std::string::npos) return "low";
    return counted ? "duplicate" : "good";
}

std::string error(int code) {
    return fmt::format(R"({{"id":ID,"result":null,"error":[{},"No",null]}})", code) + "\n";
}
std::string result(std::string_view value) {
    return fmt::format(R"({{"id":ID,"result":{},"error":null}})", value) + "\n";
}
std::string difficulty_line(std::string_view value) {
    return fmt::format(R"({{"id":null,"method":"mining.set_difficulty","params":[{}]}})", value) +
           "\n";
}
std::string notify_line(std::string_view job, std::string_view version, bool clean) {
    return fmt::format(
               R"({{"id":null,"method":"mining.notify","params":["{}","{:064}","01","02",[],"{}",)"
               R"("1d00ffff","66000000",{}]}})",
               job, 0, version, clean) +
           "\n";
}

class ScriptedPool final : public net::RecordingHandler {
 public:
    ScriptedPool() {
        says_ = {
            {"unsubscribed", error(25)},
            {"mining.configure",
             result(R"({"version-rolling":true,"version-rolling.mask":"1fffe000"})")},
            {"mining.subscribe",
             result(R"([[["mining.set_difficulty","0123456789abcdef0123456789abcdef"],)"
                    R"(["mining.notify","0123456789abcdef0123456789abcdef"]],"00000001",8])")},
            {"mining.authorize",
             result("true") + difficulty_line("1e-3") + notify_line("1.0", "20000000", true)},
            {"mining.extranonce.subscribe", result("true")},
            {"mining.suggest_difficulty",
             result("true") + difficulty_line("1e-9") + notify_line("1.1", "20000000", false)},
            {"mining.ping", result(R"("pong")")},
            {"mining.adit_check", error(20)},
            {"params", error(20)},
            {"method", error(20)},
            {"unknown_job", error(21)},
            {"short", error(20)},
            {"version", error(20)},
            {"foreign", error(24)},
            {"low", error(23)},
            {"good", result("true")},
            {"duplicate", error(22)},
            {"malformed", error(20)},
        };
    }
    // Before the first connection. kSilence and kClose are understood.
    void say(const std::string& situation, std::string text) { says_.at(situation) = text; }
    std::function<void(const std::string& situation)> on_situation;

    void on_line(net::Connection& connection, std::string_view line) override {
        const auto json = Json::parse(line, nullptr, false);
        const auto situation = situation_of(json, subscribed_, counted_);
        subscribed_ |= situation == "mining.subscribe";
        counted_ |= situation == "good";
        if (on_situation) on_situation(situation);
        auto text = says_.at(situation);
        if (text == kClose) return connection.close_gracefully();
        const auto id = json.is_object() ? json.value("id", Json()).dump() : "null";
        for (auto at = text.find("ID"); at != text.npos; at = text.find("ID"))
            text.replace(at, 2, id);
        connection.send(text);
        if (situation == "malformed" && text.starts_with("{\"id\":null,\"result\":null"))
            connection.close_gracefully();
    }

 private:
    std::map<std::string, std::string> says_;
    bool subscribed_ = false;
    bool counted_ = false;
};

// Every look at it takes a millisecond.
class TickingClock final : public base::Clock {
 public:
    std::int64_t wall_ms() const override { return 0; }
    std::int64_t steady_ms() const override { return steady_ns() / 1'000'000; }
    std::int64_t steady_ns() const override { return ++ticks_ * 1'000'000; }

 private:
    mutable std::atomic<std::int64_t> ticks_{0};
};

class ListenerCheckTest : public ::testing::Test {
 protected:
    Outcome<ListenerProtocol> check(int answer_limit_ms = kPatienceMs,
                                    std::int64_t call_ms = 2 * kPatienceMs) {
        net::TestServer server({}, {}, &pool_);
        ProtocolCheckSettings settings;
        settings.name = kName;
        settings.answer_limit_ms = answer_limit_ms;
        return check_listener({fmt::format("127.0.0.1:{}", server.port())}, settings,
                              {clock_.steady_ms() + call_ms, stop_.get_token()}, clock_);
    }
    static ProtocolStep step_of(const ListenerProtocol& found, std::string_view name) {
        for (const auto& step : found.steps) {
            if (step.step == name) return step;
        }
        throw std::runtime_error(fmt::format("no step {}", name));
    }

    ScriptedPool pool_;
    base::ManualClock clock_;
    std::stop_source stop_;
};

TEST_F(ListenerCheckTest, APoolThatKeepsTheProtocolHasNoViolation) {
    const auto found = check();
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_THAT(found->violations, IsEmpty());
    EXPECT_EQ(found->steps.size(), 20U);  // neither PROXY nor TLS
    for (const auto& step : found->steps) {
        EXPECT_EQ(step.verdict, StepVerdict::conforms) << step.step << ": " << step.came;
        EXPECT_FALSE(step.came.empty() || step.expected.empty()) << step.step;
    }
    EXPECT_THAT(step_of(*found, "suggest_difficulty").came, HasSubstr("0.000000001"));
}

struct Lie {
    const char* situation;
    std::string says;
    const char* step;       // that it shows in
    const char* violation;  // a part of it
};

std::vector<Lie> lies_of_the_opening() {
    return {
        {"unsubscribed", result("true"), "submit_before_subscribe", "25"},
        {"mining.configure", result("[]"), "configure", "may be rolled"},
        {"mining.configure",
         result(R"({"version-rolling":true,"version-rolling.mask":"3fffe000"})"), "configure",
         "not asked for"},
        {"mining.subscribe", result(R"([[["mining.notify","00000001"]],"00000001",8])"),
         "subscribe", "subscription is missing"},
        {"mining.subscribe",
         result(R"([[["mining.set_difficulty","a"],["mining.notify","00000001"]],"00000001",8])"),
         "subscribe", "guessed"},
        {"mining.subscribe",
         result(R"([[["mining.set_difficulty","a"],)"
                R"(["mining.notify","0123456789abcdef0123456789abcdef"]],"00000001",9])"),
         "subscribe", "4 to 8"},
        {"mining.authorize", result("false"), "authorize", "not authorized"},
        {"mining.authorize", result("true") + notify_line("1.0", "20000000", true), "first_work",
         "before the first mining.set_difficulty"},
        {"mining.authorize",
         result("true") + difficulty_line("1e-9") + notify_line("1.0", "20000000", false),
         "first_work", "not clean"},
        {"mining.authorize",
         result("true") + difficulty_line("1e-9") + notify_line("1.0", "20002000", true),
         "first_work", "version mask"},
        {"mining.authorize",
         result("true") + difficulty_line("1e-9") + notify_line("1.0", "2", true), "first_work",
         "eight hex digits"},
        {"mining.authorize",
         result("true") + difficulty_line("1") + difficulty_line("1e-9") +
             notify_line("1.0", "20000000", true),
         "first_work", "two mining.set_difficulty"},
        {"mining.authorize",
         result("true") + difficulty_line("1.5") + notify_line("1.0", "20000000", true),
         "first_work", "no integer"},
    };
}

std::vector<Lie> lies_after_it() {
    return {
        {"mining.extranonce.subscribe", error(20), "extranonce_subscribe", "not true"},
        {"mining.suggest_difficulty",
         result("true") + difficulty_line("1e-9") + notify_line("1.0", "20000000", false),
         "suggest_difficulty", "came twice"},
        {"mining.ping", result("true"), "ping", "pong"},
        {"mining.adit_check", result("true"), "unknown_method", "[20"},
        {"mining.adit_check", kClose, "unknown_method", "closed"},
        {"params",
         R"({"id":ID,"result":null,"error":"No"})"
         "\n",
         "params_of_wrong_type", "[20"},
        {"method", error(21), "method_of_wrong_type", "[20"},
        {"unknown_job", error(20), "submit_unknown_job", "[21"},
        {"short", error(23), "submit_short_extranonce2", "[20"},
        {"version", result("true"), "submit_forbidden_version", "[20"},
        {"foreign", error(23), "submit_foreign_name", "[24"},
        {"low", result("true"), "submit_low_difficulty", "[23"},
        {"good", error(23), "submit_good_share", "a good share was refused"},
        {"duplicate", result("true"), "submit_duplicate", "counted before"},
        {"malformed", error(21), "malformed_json", "not error 20"},
        {"malformed", kClose, "malformed_json", "closed"},
        {"malformed", error(20) + error(20), "malformed_json", "goes on"},
        {"params",
         R"({"id":7,"result":true,"error":null})"
         "\n" +
             error(20),
         "params_of_wrong_type", "not asked"},
    };
}

TEST(ListenerCheckTable, EveryDeviationIsFoundInItsStep) {
    auto lies = lies_of_the_opening();
    std::ranges::move(lies_after_it(), std::back_inserter(lies));
    for (const auto& lie : lies) {
        ScriptedPool pool;
        pool.say(lie.situation, lie.says);
        net::TestServer server({}, {}, &pool);
        base::ManualClock clock;
        ProtocolCheckSettings settings;
        settings.name = kName;
        settings.answer_limit_ms = kPatienceMs;
        const auto found = check_listener({fmt::format("127.0.0.1:{}", server.port())}, settings,
                                          {clock.steady_ms() + 2 * kPatienceMs, {}}, clock);
        ASSERT_TRUE(found) << found.error().text;
        EXPECT_THAT(found->violations, Contains(HasSubstr(lie.violation)))
            << lie.situation << " says " << lie.says;
        for (const auto& step : found->steps) {
            EXPECT_EQ(step.verdict == StepVerdict::violates, step.step == lie.step)
                << lie.situation << " says " << lie.says << "; " << step.step << ": " << step.came;
        }
    }
}

TEST_F(ListenerCheckTest, WhatComesAfterALostConnectionIsNotTried) {
    pool_.say("low", kClose);
    const auto found = check();
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_EQ(step_of(*found, "submit_low_difficulty").verdict, StepVerdict::violates);
    EXPECT_EQ(step_of(*found, "submit_good_share").verdict, StepVerdict::not_tried);
    EXPECT_EQ(found->violations.size(), 1U);
}

TEST_F(ListenerCheckTest, SilenceIsAViolationAfterTheLimitOfAnAnswer) {
    pool_.say("foreign", kSilence);
    const auto found = check(50);
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_THAT(found->violations, Contains(HasSubstr("no answer in time")));
}

TEST_F(ListenerCheckTest, TheDeadlineEndsTheCallInAStepThatHangs) {
    pool_.say("foreign", kSilence);
    const auto found = check(kPatienceMs, 200);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, RefusalKind::deadline);
    EXPECT_THAT(found.error().text, HasSubstr("submit_foreign_name"));
}

TEST_F(ListenerCheckTest, TheStopTokenEndsTheCallInAStepThatHangs) {
    pool_.say("foreign", kSilence);
    pool_.on_situation = [this](const std::string& situation) {
        if (situation == "foreign") stop_.request_stop();
    };
    const auto found = check();
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, RefusalKind::cancelled);
}

TEST_F(ListenerCheckTest, NobodyListensIsAViolation) {
    std::uint16_t port = 0;
    {
        net::TestServer gone;
        port = gone.port();
    }
    const auto found =
        check_listener({fmt::format("127.0.0.1:{}", port)}, {.name = kName},
                       {clock_.steady_ms() + kPatienceMs, stop_.get_token()}, clock_);
    ASSERT_TRUE(found);
    EXPECT_THAT(found->violations, Contains(HasSubstr("cannot connect")));
}

TEST_F(ListenerCheckTest, AShareStaleByANewBlockIsFoundAnew) {
    pool_.say("good", notify_line("2.0", "20000000", true) + error(21));
    pool_.say("duplicate", result("true"));  // so the script calls the next one
    const auto found = check();
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_EQ(step_of(*found, "submit_good_share").verdict, StepVerdict::conforms);
    ASSERT_EQ(found->violations.size(), 1U);  // and the one after it
    EXPECT_THAT(found->violations[0], HasSubstr("submit_duplicate"));
}

TEST_F(ListenerCheckTest, AJobThatANewBlockMadeStaleIsNoViolation) {
    pool_.say("low", notify_line("2.0", "20000000", true) + error(21));
    const auto found = check();
    ASSERT_TRUE(found) << found.error().text;
    EXPECT_THAT(found->violations, IsEmpty());
    EXPECT_EQ(step_of(*found, "submit_low_difficulty").verdict, StepVerdict::not_tried);
}

miner::PoolJobRef job_of(double difficulty) {
    auto job = std::make_shared<miner::PoolJob>();
    job->extranonce2_size = 8;
    job->bits = 0x1d00ffff;
    job->network_target = *chain::target_from_compact(job->bits);
    job->difficulty = *chain::Difficulty::from_double(difficulty);
    job->share_target = job->difficulty.target();
    return job;
}

TEST(GoodShare, WhatTakesTooLongIsSaidWithTheMeasuredTime) {
    const TickingClock clock;
    const auto search = find_good_share(job_of(1e6), 3'000, {INT64_MAX, {}}, clock);
    EXPECT_FALSE(search.share);
    EXPECT_THAT(search.why_none, HasSubstr("not tried: difficulty 1000000 needs about"));
}

TEST(GoodShare, AGoodOneMeetsTheTargetAndAPoorOneMissesIt) {
    const base::ManualClock clock;
    const auto job = job_of(1e-8);
    const auto search = find_good_share(job, 3'000, {INT64_MAX, {}}, clock);
    ASSERT_TRUE(search.share) << search.why_none;
    EXPECT_TRUE(job->share_target.met_by(search.share->hash));
    const auto poor = find_poor_share(job);
    ASSERT_TRUE(poor);
    EXPECT_FALSE(job->share_target.met_by(poor->hash));
    EXPECT_EQ(poor->job, job);
    EXPECT_FALSE(find_poor_share(job_of(1e-12)));  // every hash meets it
}

TEST(GoodShare, TheLimitsOfTheCallEndTheSearch) {
    const base::ManualClock clock;
    std::stop_source stop;
    stop.request_stop();
    EXPECT_FALSE(find_good_share(job_of(1e6), 3'000, {INT64_MAX, stop.get_token()}, clock).share);
    EXPECT_FALSE(find_good_share(job_of(1e6), 3'000, {clock.steady_ms(), {}}, clock).share);
}

class CheckProtocolTest : public ::testing::Test {
 protected:
    Outcome<ProtocolReport> check(std::vector<ProbedListener> listeners) {
        return check_protocol(
            listeners, {.name = kName}, [this] { return counts_(); },
            {clock_.steady_ms() + kPatienceMs, {}}, clock_);
    }
    std::function<ConnectionCounts()> counts_ = [] { return ConnectionCounts{.limit = 10}; };
    base::ManualClock clock_;
};

TEST_F(CheckProtocolTest, AFullPoolIsNoViolationButARefusal) {
    counts_ = [] { return ConnectionCounts{.connections = 10, .limit = 10}; };
    const auto report = check({{"127.0.0.1:1"}});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().kind, RefusalKind::unavailable);
    EXPECT_THAT(report.error().text, HasSubstr("limits.miners"));
}

TEST_F(CheckProtocolTest, SoIsAConnectionThatALimitTurnedAway) {
    net::RecordingHandler handler;
    handler.refuse = true;
    net::TestServer server({}, {}, &handler);
    const auto listener = fmt::format("127.0.0.1:{}", server.port());
    const auto wrong = check({{listener}});
    ASSERT_TRUE(wrong) << wrong.error().text;
    EXPECT_EQ(wrong->violations(), 1U);
    std::uint64_t asked = 0;
    counts_ = [&] { return ConnectionCounts{.limit = 10, .turned_away_address = asked++}; };
    const auto limited = check({{listener}});
    ASSERT_FALSE(limited);
    EXPECT_EQ(limited.error().kind, RefusalKind::unavailable);
}

TEST(ConnectionCountsTest, ComeFromTheServerAndItsMetrics) {
    metrics::Registry registry;
    net::Metrics net(registry);
    net.refused(net::RefuseReason::max_connections).add(3);
    net.closes(net::CloseReason::timeout).add(2);
    net.closes(net::CloseReason::reset).add(5);
    registry.counter("adit_stratum_reaped_total", "", {{"kind", "idle"}}).add();
    stratum::ServerSnapshot now;
    now.connections = 9;
    now.subscribed = 8;
    now.authorized = 7;
    const auto counts = connection_counts(now, 100, registry);
    EXPECT_EQ(counts.connections, 9U);
    EXPECT_EQ(counts.subscribed, 8U);
    EXPECT_EQ(counts.authorized, 7U);
    EXPECT_EQ(counts.limit, 100U);
    EXPECT_EQ(counts.turned_away_full, 3U);
    EXPECT_EQ(counts.reaped_half_open, 1U);
    EXPECT_EQ(counts.reaped_idle, 1U);
    EXPECT_EQ(counts.reaped_dead, 5U);
    EXPECT_EQ(counts.turned_away(), 3U);
}

}  // namespace
}  // namespace adit::manager
