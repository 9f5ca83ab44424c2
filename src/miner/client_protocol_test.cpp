#include "miner/client_protocol.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace adit::miner {
namespace {

using nlohmann::json;

constexpr const char* kSubscribed =
    R"({"id":2,"result":[[["mining.set_difficulty","s1"],["mining.notify","s1"]],)"
    R"("01020304",8],"error":null})";
constexpr const char* kAuthorized = R"({"id":3,"result":true,"error":null})";
constexpr const char* kMask =
    R"({"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null})";

std::string notify(std::string_view id = "1f.0", bool clean = true) {
    const json params = json::array(
        {id, "0100000002000000030000000400000005000000060000000700000008000000", "aabb", "ccdd",
         json::array({std::string(64, '1')}), "20000000", "207fffff", "65000000", clean});
    return json{{"id", nullptr}, {"method", "mining.notify"}, {"params", params}}.dump();
}

// The settings that most tests use, and what the protocol did so far.
class ClientProtocolTest : public testing::Test {
 protected:
    ClientSettings settings() {
        ClientSettings result;
        result.user = "account.worker";
        return result;
    }

    Actions line(std::string_view text) { return protocol.on_line(text); }

    // Connected, subscribed, authorized and with one job.
    PoolJobRef open() {
        protocol.on_connected();
        line(kMask);
        line(kSubscribed);
        line(kAuthorized);
        line(R"({"id":null,"method":"mining.set_difficulty","params":[0.5]})");
        return std::get<action::Work>(line(notify()).at(0)).job;
    }

    Share share(const PoolJobRef& job, std::uint32_t nonce = 7) {
        return {job,  base::Bytes(job->extranonce2_size, 9), job->ntime, nonce, 0x20002000, {},
                false};
    }

    static json sent(const Action& action) {
        const auto& text = std::get<action::Send>(action).line;
        EXPECT_TRUE(text.ends_with('\n'));
        return json::parse(text);
    }

    // The id of the only request among the actions.
    std::uint64_t id_of(const Actions& actions) {
        EXPECT_EQ(actions.size(), 1U);
        return sent(actions.at(0))["id"];
    }

    ClientProtocol protocol{settings()};
};

TEST_F(ClientProtocolTest, OpensWithConfigureAndSubscribe) {
    const auto actions = protocol.on_connected();
    ASSERT_EQ(actions.size(), 2U);
    EXPECT_EQ(sent(actions[0])["method"], "mining.configure");
    EXPECT_EQ(sent(actions[0])["params"][1]["version-rolling.mask"], "1fffe000");
    EXPECT_EQ(sent(actions[1])["method"], "mining.subscribe");
    EXPECT_EQ(sent(actions[1])["params"].size(), 1U);
}

TEST_F(ClientProtocolTest, LeavesConfigureOutWithoutAMask) {
    auto plain = settings();
    plain.version_mask = 0;
    ClientProtocol other(plain);
    EXPECT_EQ(other.on_connected().size(), 1U);
}

TEST_F(ClientProtocolTest, AuthorizesAfterTheSubscription) {
    protocol.on_connected();
    const auto actions = line(kSubscribed);
    ASSERT_EQ(actions.size(), 1U);
    EXPECT_EQ(sent(actions[0])["method"], "mining.authorize");
    EXPECT_EQ(sent(actions[0])["params"], json::array({"account.worker", "x"}));
    EXPECT_EQ(protocol.session_id(), "s1");
    EXPECT_FALSE(protocol.ready());
}

TEST_F(ClientProtocolTest, IsReadyOnceAuthorizedAndAsksForExtranonces) {
    auto wish = settings();
    wish.suggest_difficulty = 0.25;
    ClientProtocol other(wish);
    other.on_connected();
    other.on_line(kSubscribed);
    const auto actions = other.on_line(kAuthorized);
    ASSERT_EQ(actions.size(), 3U);
    EXPECT_FALSE(std::get<action::Ready>(actions[0]).resumed);
    EXPECT_EQ(sent(actions[1])["method"], "mining.extranonce.subscribe");
    EXPECT_EQ(sent(actions[2])["params"][0], 0.25);
    EXPECT_TRUE(other.ready());
}

TEST_F(ClientProtocolTest, ReadsAJobWithTheConnectionsState) {
    const auto job = open();
    EXPECT_EQ(job->id, "1f.0");
    EXPECT_EQ(base::to_hex(job->previous.bytes),
              "0000000100000002000000030000000400000005000000060000000700000008");
    EXPECT_EQ(base::to_hex(job->coinbase1), "aabb");
    EXPECT_EQ(base::to_hex(job->coinbase2), "ccdd");
    ASSERT_EQ(job->branches.size(), 1U);
    EXPECT_EQ(job->branches[0].bytes[0], 0x11);
    EXPECT_EQ(job->version, 0x20000000U);
    EXPECT_EQ(job->bits, 0x207fffffU);
    EXPECT_EQ(job->ntime, 0x65000000U);
    EXPECT_TRUE(job->clean);
    EXPECT_EQ(base::to_hex(job->extranonce1), "01020304");
    EXPECT_EQ(job->extranonce2_size, 8U);
    EXPECT_EQ(job->version_mask, 0x1fffe000U);
    EXPECT_EQ(job->difficulty.value(), 0.5);
    EXPECT_EQ(job->share_target, job->difficulty.target());
}

TEST_F(ClientProtocolTest, SubmitsWithVersionBitsOnlyWhenNegotiated) {
    const auto job = open();
    const auto with = protocol.submit(share(job));
    EXPECT_EQ(sent(with.at(0))["params"], json::array({"account.worker", "1f.0", "0909090909090909",
                                                       "65000000", "00000007", "00002000"}));
    auto plain = std::make_shared<PoolJob>(*job);
    plain->version_mask = 0;
    const auto without = protocol.submit(share(plain));
    EXPECT_EQ(sent(without.at(0))["params"].size(), 5U);
}

TEST_F(ClientProtocolTest, ReportsEveryShapeOfAnswerWithItsShare) {
    struct Row {
        const char* rest;
        ShareOutcome outcome;
        int code;
        const char* reason;
    };
    const Row kRows[] = {
        {R"("result":true,"error":null)", ShareOutcome::accepted, 0, ""},
        {R"("result":true)", ShareOutcome::accepted, 0, ""},
        {R"("result":null,"error":[21,"Job not found",null])", ShareOutcome::rejected, 21,
         "Job not found"},
        {R"("result":null,"error":[22,"Duplicate share",null])", ShareOutcome::rejected, 22,
         "Duplicate share"},
        {R"("result":false,"error":{"code":23,"message":"low"})", ShareOutcome::rejected, 23,
         "low"},
        {R"("result":false,"error":"no")", ShareOutcome::rejected, 0, "no"},
        {R"("result":false,"error":null)", ShareOutcome::rejected, 0, "refused without a reason"},
        {R"("result":null,"error":[])", ShareOutcome::rejected, 0, "refused without a reason"},
        {R"("result":null,"error":[20,"a\u0007b",null])", ShareOutcome::rejected, 20, "a?b"},
    };
    const auto job = open();
    std::uint32_t nonce = 0;
    for (const auto& row : kRows) {
        const auto id = id_of(protocol.submit(share(job, ++nonce)));
        const auto actions = line(fmt::format("{{\"id\":{},{}}}", id, row.rest));
        ASSERT_EQ(actions.size(), 1U) << row.rest;
        const auto& reply = std::get<action::Replied>(actions[0]).reply;
        EXPECT_EQ(reply.outcome, row.outcome) << row.rest;
        EXPECT_EQ(reply.code, row.code) << row.rest;
        EXPECT_EQ(reply.reason, row.reason) << row.rest;
        EXPECT_EQ(reply.share.nonce, nonce);
    }
    EXPECT_EQ(protocol.pending(), 0U);
}

TEST_F(ClientProtocolTest, IgnoresAnswersToNothing) {
    open();
    EXPECT_TRUE(line(R"({"id":999,"result":true})").empty());
    EXPECT_TRUE(line(R"({"id":"x","result":true})").empty());
    EXPECT_TRUE(line(R"({"id":-1,"result":true})").empty());
    EXPECT_TRUE(line(R"({"id":4,"result":null,"error":[20,"Unknown",null]})").empty());
    EXPECT_TRUE(line(kSubscribed).empty());
    EXPECT_TRUE(line(kAuthorized).empty());
    EXPECT_TRUE(line("").empty());
    EXPECT_TRUE(line(" \r").empty());
}

TEST_F(ClientProtocolTest, AppliesADifficultyFromTheNextJobOn) {
    const auto first = open();
    EXPECT_TRUE(line(R"({"id":null,"method":"mining.set_difficulty","params":[4]})").empty());
    EXPECT_EQ(first->difficulty.value(), 0.5);
    const auto second = std::get<action::Work>(line(notify("2", false)).at(0)).job;
    EXPECT_EQ(second->difficulty.value(), 4);
    EXPECT_FALSE(second->clean);
}

TEST_F(ClientProtocolTest, AppliesAnExtranonceFromTheNextJobOn) {
    const auto first = open();
    line(R"({"id":null,"method":"mining.set_extranonce","params":["0a0b",4]})");
    EXPECT_EQ(protocol.submit(share(first)).size(), 1U);
    const auto second = std::get<action::Work>(line(notify("2")).at(0)).job;
    EXPECT_EQ(base::to_hex(second->extranonce1), "0a0b");
    EXPECT_EQ(second->extranonce2_size, 4U);
    const auto late = protocol.submit(share(first));
    EXPECT_EQ(std::get<action::Replied>(late.at(0)).reply.outcome, ShareOutcome::lost);
}

TEST_F(ClientProtocolTest, AppliesAVersionMaskAtOnceAndNeverBeyondItsOwn) {
    open();
    const auto actions =
        line(R"({"id":null,"method":"mining.set_version_mask","params":["ffffffff"]})");
    EXPECT_TRUE(actions.empty());
    const auto narrow =
        line(R"({"id":null,"method":"mining.set_version_mask","params":["00ffe000"]})");
    const auto& work = std::get<action::Work>(narrow.at(0));
    EXPECT_EQ(work.job->version_mask, 0x00ffe000U);
    EXPECT_EQ(work.job->id, "1f.0");
    EXPECT_FALSE(work.job->clean);
}

TEST_F(ClientProtocolTest, MinesWithoutRollingWhenThePoolDoesNotOfferIt) {
    protocol.on_connected();
    EXPECT_TRUE(line(R"({"id":1,"result":null,"error":[20,"Unknown method",null]})").empty());
    line(kSubscribed);
    line(kAuthorized);
    EXPECT_EQ(std::get<action::Work>(line(notify()).at(0)).job->version_mask, 0U);
}

TEST_F(ClientProtocolTest, ResumesAndSendsUnansweredSharesAgain) {
    const auto job = open();
    protocol.submit(share(job, 1));
    protocol.on_disconnected();
    EXPECT_TRUE(protocol.submit(share(job, 2)).empty());
    EXPECT_EQ(protocol.pending(), 2U);

    const auto opening = protocol.on_connected();
    EXPECT_EQ(sent(opening.at(1))["params"][1], "s1");
    line(kSubscribed);
    const auto actions = line(kAuthorized);
    ASSERT_EQ(actions.size(), 4U);
    EXPECT_TRUE(std::get<action::Ready>(actions[0]).resumed);
    const auto first = sent(actions[2]);
    const auto second = sent(actions[3]);
    EXPECT_EQ(first["params"][4], "00000001");
    EXPECT_EQ(second["params"][4], "00000002");

    const auto answer = [&](const json& id) {
        const auto replies =
            line(json{{"id", id}, {"result", nullptr}, {"error", {22, "Duplicate share", nullptr}}}
                     .dump());
        return std::get<action::Replied>(replies.at(0)).reply.outcome;
    };
    // Only a share that was on the wire before may be a duplicate of itself.
    EXPECT_EQ(answer(first["id"]), ShareOutcome::known);
    EXPECT_EQ(answer(second["id"]), ShareOutcome::rejected);
}

TEST_F(ClientProtocolTest, ReportsSharesAsLostWhenTheSessionIsNotResumed) {
    const auto job = open();
    protocol.submit(share(job));
    protocol.on_disconnected();
    protocol.on_connected();
    line(R"({"id":2,"result":[[["mining.notify","s2"]],"05060708",8],"error":null})");
    const auto actions = line(kAuthorized);
    EXPECT_FALSE(std::get<action::Ready>(actions.at(0)).resumed);
    EXPECT_EQ(std::get<action::Replied>(actions.back()).reply.outcome, ShareOutcome::lost);
    EXPECT_EQ(protocol.session_id(), "s2");
}

TEST_F(ClientProtocolTest, SubscribesPlainlyWhenThePoolStumblesOverTheSession) {
    open();
    protocol.on_disconnected();
    protocol.on_connected();
    const auto actions = line(R"({"id":2,"result":null,"error":[20,"what?",null]})");
    ASSERT_EQ(actions.size(), 1U);
    EXPECT_EQ(sent(actions[0])["params"].size(), 1U);
    EXPECT_EQ(line(kSubscribed).size(), 1U);
}

TEST_F(ClientProtocolTest, BoundsTheSharesWithoutAnswer) {
    const auto job = open();
    for (std::uint32_t i = 0; i < ClientProtocol::kMaxPending; ++i) {
        EXPECT_EQ(protocol.submit(share(job, i)).size(), 1U);
    }
    const auto over = protocol.submit(share(job));
    EXPECT_EQ(std::get<action::Replied>(over.at(0)).reply.outcome, ShareOutcome::lost);
    EXPECT_EQ(protocol.pending(), ClientProtocol::kMaxPending);
}

TEST_F(ClientProtocolTest, GivesUpWithEveryShareReported) {
    const auto job = open();
    protocol.submit(share(job, 1));
    protocol.submit(share(job, 2));
    const auto actions = protocol.give_up();
    ASSERT_EQ(actions.size(), 2U);
    for (const auto& each : actions) {
        EXPECT_EQ(std::get<action::Replied>(each).reply.outcome, ShareOutcome::lost);
    }
    EXPECT_EQ(protocol.pending(), 0U);
}

TEST_F(ClientProtocolTest, AnswersThePoolsRequests) {
    open();
    const auto version = line(R"({"id":"a","method":"client.get_version","params":[]})");
    EXPECT_EQ(sent(version.at(0))["id"], "a");
    EXPECT_EQ(sent(version.at(0))["result"], settings().agent);
    EXPECT_EQ(sent(line(R"({"id":5,"method":"mining.ping"})").at(0))["result"], "pong");
    EXPECT_EQ(sent(line(R"({"id":6,"method":"x.y"})").at(0))["error"][0], 20);
    EXPECT_TRUE(line(R"({"id":null,"method":"x.y","params":[]})").empty());
    const auto message = line(R"({"id":null,"method":"client.show_message","params":["hi\n!"]})");
    EXPECT_EQ(std::get<action::Message>(message.at(0)).text, "hi?!");
}

TEST_F(ClientProtocolTest, ReadsEveryFormOfReconnect) {
    open();
    const auto order = [&](std::string_view params) {
        const auto actions =
            line(fmt::format(R"({{"id":null,"method":"client.reconnect","params":{}}})", params));
        return std::get<action::Reconnect>(actions.at(0));
    };
    EXPECT_EQ(order("[]").host, "");
    EXPECT_EQ(order("null").port, 0);
    const auto full = order(R"(["b.pool.example",3334,5])");
    EXPECT_EQ(full.host, "b.pool.example");
    EXPECT_EQ(full.port, 3334);
    EXPECT_EQ(full.wait_s, 5U);
    EXPECT_EQ(order(R"(["h","3335","7"])").port, 3335);
    EXPECT_EQ(order(R"(["h","33x",99999999])").port, 0);
    EXPECT_EQ(order(R"(["h","33x",99999999])").wait_s, 600U);
}

struct BadLine {
    std::string line;
    ProtocolError error;
    bool opened = true;  // after the subscription
};

std::string method(std::string_view name, std::string_view params) {
    return fmt::format(R"({{"id":null,"method":"{}","params":{}}})", name, params);
}

std::vector<BadLine> bad_lines() {
    return {
        {std::string(ClientProtocol::kMaxLine + 1, ' '), ProtocolError::line_too_long},
        {"{", ProtocolError::not_json},
        {"[1,2]", ProtocolError::not_json},
        {std::string(100'000, '['), ProtocolError::not_json},
        {"\x01\xff", ProtocolError::not_json},
        {R"({"id":2,"result":true})", ProtocolError::bad_subscribe, false},
        {R"({"id":2,"result":[[],"0102",0]})", ProtocolError::bad_subscribe, false},
        {R"({"id":2,"result":[[],"0102",17]})", ProtocolError::bad_subscribe, false},
        {R"({"id":2,"result":[[],"01x2",8]})", ProtocolError::bad_subscribe, false},
        {R"({"id":2,"result":[[],7,8]})", ProtocolError::bad_subscribe, false},
        {R"({"id":2,"result":null,"error":[20,"full",null]})", ProtocolError::subscribe_refused,
         false},
        {R"({"id":1,"result":{"version-rolling":true}})", ProtocolError::bad_version_mask},
        {notify(), ProtocolError::bad_notify, false},
        {R"({"id":3,"result":false,"error":null})", ProtocolError::unauthorized},
        {method("mining.set_difficulty", "[0]"), ProtocolError::bad_difficulty},
        {method("mining.set_difficulty", "[-1]"), ProtocolError::bad_difficulty},
        {method("mining.set_difficulty", "[\"1\"]"), ProtocolError::bad_difficulty},
        {method("mining.set_difficulty", "{}"), ProtocolError::bad_difficulty},
        {method("mining.set_difficulty", "[1e300]"), ProtocolError::bad_difficulty},
        {method("mining.set_extranonce", "[\"00\"]"), ProtocolError::bad_extranonce},
        {method("mining.set_extranonce", "[\"0g\",4]"), ProtocolError::bad_extranonce},
        {method("mining.set_extranonce", "[\"00\",-4]"), ProtocolError::bad_extranonce},
        {method("mining.set_version_mask", "[]"), ProtocolError::bad_version_mask},
        {method("mining.set_version_mask", "[\"123456789\"]"), ProtocolError::bad_version_mask},
    };
}

// mining.notify with every parameter damaged in turn.
std::vector<BadLine> bad_notifies() {
    std::vector<BadLine> lines;
    const auto damage = [&lines](std::size_t i, const json& wrong) {
        auto damaged = json::parse(notify());
        damaged["params"][i] = wrong;
        lines.push_back({damaged.dump(), ProtocolError::bad_notify});
    };
    for (std::size_t i = 0; i < 9; ++i) {
        for (const json& wrong : {json(nullptr), json(-1), json("zz"), json::array({"00"})}) {
            if (i != 0 || wrong != "zz") damage(i, wrong);  // "zz" is a legal job id
        }
    }
    damage(6, "00000000");                                   // a target of zero
    damage(4, json(std::vector(65, std::string(64, '0'))));  // a tree that no block has
    return lines;
}

TEST_F(ClientProtocolTest, NamesEveryProtocolError) {
    auto lines = bad_lines();
    std::ranges::move(bad_notifies(), std::back_inserter(lines));
    std::set<ProtocolError> seen;
    for (const auto& bad : lines) {
        const auto shown = bad.line.substr(0, 200);
        ClientProtocol fresh(settings());
        fresh.on_connected();
        if (bad.opened) fresh.on_line(kSubscribed);
        const auto actions = fresh.on_line(bad.line);
        ASSERT_EQ(actions.size(), 1U) << shown;
        ASSERT_TRUE(std::holds_alternative<action::Fail>(actions[0])) << shown;
        const auto& failure = std::get<action::Fail>(actions[0]);
        EXPECT_EQ(failure.error, bad.error) << shown;
        EXPECT_LE(failure.detail.size(), 200U);
        EXPECT_NE(describe(failure.error), "unknown");
        seen.insert(failure.error);
    }
    EXPECT_EQ(seen.size(), kProtocolErrorCount);
}

TEST_F(ClientProtocolTest, PassesThePoolsReasonForARefusedNameOn) {
    protocol.on_connected();
    line(kSubscribed);
    const auto actions = line(R"({"id":3,"result":false,"error":[24,"Unauthorized worker",null]})");
    EXPECT_EQ(std::get<action::Fail>(actions.at(0)).detail, "Unauthorized worker");
}

}  // namespace
}  // namespace adit::miner
