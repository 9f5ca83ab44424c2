#include "stratum/messages.h"
#include "stratum/scripted_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::stratum {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// A method, good parameters, and for each position the types that are wrong there.
struct TypeRow {
    std::string method;
    std::vector<std::string> good;
    std::vector<std::string>
        wrong;  // letters: n null, b boolean, i number, t text, a array, o object
};

std::string sample_of(char type) {
    switch (type) {
        case 'n':
            return "null";
        case 'b':
            return "true";
        case 'i':
            return "5";
        case 't':
            return "\"text\"";
        case 'a':
            return "[]";
        case 'o':
            return "{}";
        default:
            return "";
    }
}

TEST(SessionRequests, WrongTypesInEveryFieldOfEveryMethodAreError20AndTheConnectionGoesOn) {
    const std::string address = fmt::format("\"{}\"", kAddress);
    const TypeRow rows[] = {
        {"mining.submit",
         {address, "\"77.0\"", "\"0000000000000000\"", "\"00000000\"", "\"00000000\"",
          "\"00000000\""},
         {"nbiao", "nbiao", "nbiao", "nbiao", "nbiao", "biao"}},
        {"mining.subscribe",
         {"\"agent\"", "null", "\"host\"", "3333"},
         {"biao", "biao", "biao", "bao"}},
        {"mining.authorize", {address, "\"x\""}, {"nbiao", "biao"}},
        {"mining.configure",
         {R"(["version-rolling"])", R"({"version-rolling.mask":"1fffe000"})"},
         {"nbito", "bita"}},
        {"mining.suggest_difficulty", {"5"}, {"nbtao"}},
        {"mining.suggest_target", {"\"ffff\""}, {"nbiao"}},
        {"mining.get_transactions", {"\"77.0\""}, {"nbiao"}},
    };
    int cases = 0;
    for (const auto& row : rows) {
        for (std::size_t field = 0; field < row.good.size(); ++field) {
            for (const char type : row.wrong[field]) {
                ScriptedHost host;
                host.config.transactions = true;
                ScriptedMiner miner(host);
                miner.open();
                auto params = row.good;
                params[field] = sample_of(type);
                const auto reply =
                    miner.ask(fmt::format(R"({{"id":9,"method":"{}","params":[{}]}})", row.method,
                                          fmt::join(params, ",")));
                EXPECT_THAT(reply, StartsWith("{\"id\":9,\"result\":null,\"error\":[20,\""))
                    << row.method << " field " << field << " as " << type;
                EXPECT_EQ(std::ranges::count(reply, '\n'), 1);
                EXPECT_EQ(miner.action, Action::none);
                EXPECT_THAT(miner.ask(R"({"id":10,"method":"mining.ping"})"), HasSubstr("pong"));
                ++cases;
            }
        }
        // Parameters that are no array, and too few.
        for (const auto* params : {"true", "5", "\"text\"", "{}"}) {
            ScriptedHost host;
            ScriptedMiner miner(host);
            miner.open();
            EXPECT_THAT(miner.ask(fmt::format(R"({{"id":9,"method":"{}","params":{}}})", row.method,
                                              params)),
                        HasSubstr("\"error\":[20,\"params must be an array\""));
            EXPECT_EQ(miner.action, Action::none);
        }
        if (row.method == "mining.subscribe") continue;  // needs none
        ScriptedHost host;
        ScriptedMiner miner(host);
        miner.open();
        for (const auto* params : {R"(,"params":[])", R"(,"params":null)", ""}) {
            EXPECT_THAT(miner.ask(fmt::format(R"({{"id":9,"method":"{}"{}}})", row.method, params)),
                        HasSubstr("\"error\":[20,\""));
        }
    }
    EXPECT_EQ(cases, 77);
}

TEST(SessionRequests, WrongTypesInsideMiningConfigure) {
    for (const std::string params :
         {R"([["version-rolling",5],{}])", R"([[null],{}])",
          R"([["version-rolling"],{"version-rolling.mask":5}])",
          R"([["version-rolling"],{"version-rolling.mask":null}])",
          R"([["minimum-difficulty"],{"minimum-difficulty.value":"5"}])"}) {
        ScriptedHost host;
        ScriptedMiner miner(host);
        EXPECT_THAT(miner.ask(R"({"id":9,"method":"mining.configure","params":)" + params + "}"),
                    StartsWith("{\"id\":9,\"result\":null,\"error\":[20,\""));
    }
}

TEST(SessionRequests, MessagesThatAreNoRequests) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    // Answers to something that the pool asked, and a stray pong.
    EXPECT_EQ(miner.ask(R"({"id":1,"result":"cgminer/4.11.1","error":null})"), "");
    EXPECT_EQ(miner.ask(R"({"id":1,"error":[20,"unknown",null]})"), "");
    EXPECT_EQ(miner.ask(R"({"id":null,"method":"pong","params":[]})"), "");
    EXPECT_EQ(miner.ask("  \r"), "");
    const auto error = [](std::string_view id, std::string_view text) {
        return fmt::format("{{\"id\":{},\"result\":null,\"error\":[20,\"{}\",null]}}\n", id, text);
    };
    EXPECT_EQ(miner.ask(R"({"id":4})"), error("4", "method is missing"));
    EXPECT_EQ(miner.ask("{}"), error("null", "method is missing"));
    EXPECT_EQ(miner.ask(R"({"id":4,"method":7,"params":[]})"), error("4", "method must be a text"));
    EXPECT_EQ(miner.ask(R"({"id":4,"method":"\ud800","params":[]})"),
              error("4", "method must be a text"));
    for (const auto* id : {"true", "1.5", "1e3", "[]", "{}"}) {
        EXPECT_EQ(miner.ask(fmt::format(R"({{"id":{},"method":"mining.ping"}})", id)),
                  error("null", "id must be an integer, a text or null"));
    }
    EXPECT_EQ(miner.ask(R"({"id":"x","method":"mining.nonsense","params":[[[[]]]]})"),
              error("\"x\"", "Unknown method"));
    EXPECT_EQ(miner.action, Action::none);
}

TEST(SessionRequests, WhatIsNoJsonObjectGetsOneErrorAndTheEnd) {
    for (const std::string line :
         {"x", "{", "[]", "5", "null", "\"text\"", "{\"id\":1,}", "{\"id\":01}", "GET / HTTP/1.1",
          "{\"id\":1} {\"id\":2}", "{'id':1}", "{\"id\":1,\"method\":\"a\nb\"}",
          "{\"id\":1,\"params\":[[[[[[[[[]]]]]]]]]}", "\x16\x03\x01\x02", "{\"a\":\"\xff\"}"}) {
        ScriptedHost host;
        ScriptedMiner miner(host);
        EXPECT_EQ(miner.ask(line),
                  "{\"id\":null,\"result\":null,\"error\":[20,\"Not a JSON object "
                  "of the expected depth\",null]}\n")
            << line;
        EXPECT_EQ(miner.action, Action::close) << line;
    }
    ScriptedHost host;
    ScriptedMiner miner(host);
    EXPECT_THAT(miner.ask("{\"a\":\"" + std::string(16'384, 'a') + "\"}"),
                HasSubstr("Line too long"));
    EXPECT_EQ(miner.action, Action::close);
    EXPECT_THAT(miner.ask(std::string(16'000, '[')), HasSubstr("[20,\"Not a JSON object"));
}

TEST(SessionRequests, UnknownMethodsWithoutEndAreGarbage) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    for (std::uint32_t i = 0; i < host.config.garbage_limit; ++i) {
        EXPECT_EQ(miner.action, Action::none);
        miner.ask(R"({"id":1,"method":"x"})");
    }
    EXPECT_EQ(miner.action, Action::ban);
}

TEST(SessionRequests, GivesTheTransactionsOfAJobWhenTheOperatorAllows) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    const auto& job = *host.book.latest();
    const auto ask = [&](std::string_view id) {
        return miner.ask(
            fmt::format(R"({{"id":6,"method":"mining.get_transactions","params":["{}"]}})", id));
    };
    const auto id = job::job_id_text(job.id, 0);
    EXPECT_THAT(ask(id), HasSubstr("[20,\"mining.get_transactions is turned off\""));
    host.config.transactions = true;
    std::string expected;
    for (const auto& transaction : job.source->transactions)
        expected +=
            fmt::format("{}\"{}\"", expected.empty() ? "" : ",", base::to_hex(transaction->raw));
    EXPECT_EQ(ask(id), "{\"id\":6,\"result\":[" + expected + "],\"error\":null}\n");
    EXPECT_THAT(ask("ffff.0"), HasSubstr("[21,"));
    host.config.output_limit_bytes = 500;
    EXPECT_THAT(ask(id), HasSubstr("[20,\"The transactions are too long"));
}

TEST(SessionRequests, Ping) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    EXPECT_EQ(miner.ask(R"({"id":"p","method":"mining.ping","params":[]})"),
              "{\"id\":\"p\",\"result\":\"pong\",\"error\":null}\n");
}

TEST(Messages, ThePoolsOwnLines) {
    std::string out;
    append_set_difficulty(out, *chain::Difficulty::from_double(1024));
    append_set_difficulty(out, *chain::Difficulty::from_double(0.25));
    append_set_version_mask(out, 0x1fffe000);
    append_ping(out);
    EXPECT_EQ(out,
              "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[1024]}\n"
              "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[0.25]}\n"
              "{\"id\":null,\"method\":\"mining.set_version_mask\",\"params\":[\"1fffe000\"]}\n"
              "{\"id\":null,\"method\":\"mining.ping\",\"params\":[]}\n");
    EXPECT_EQ(set_extranonce_line(0x0a0b0c0d),
              "{\"id\":null,\"method\":\"mining.set_extranonce\",\"params\":[\"0a0b0c0d\",8]}\n");
    EXPECT_EQ(
        reconnect_line("pool.example", 3333, 5),
        "{\"id\":null,\"method\":\"client.reconnect\",\"params\":[\"pool.example\",3333,5]}\n");
    EXPECT_EQ(
        show_message_line("say \"hi\"\n\xff"),
        "{\"id\":null,\"method\":\"client.show_message\",\"params\":[\"say \\\"hi\\\"\\u000a?\"]"
        "}\n");
    EXPECT_EQ(get_version_line(4), "{\"id\":4,\"method\":\"client.get_version\",\"params\":[]}\n");
}

TEST(Messages, EveryRefusalHasItsCode) {
    const std::pair<share::Refusal, int> rows[] = {
        {share::Refusal::malformed, 20},           {share::Refusal::bad_version_bits, 20},
        {share::Refusal::time_too_old, 20},        {share::Refusal::time_too_new, 20},
        {share::Refusal::storage_unavailable, 20}, {share::Refusal::too_many_shares, 20},
        {share::Refusal::job_not_found, 21},       {share::Refusal::stale, 21},
        {share::Refusal::duplicate, 22},           {share::Refusal::low_difficulty, 23},
        {share::Refusal::unauthorized, 24},        {share::Refusal::banned, 24},
        {share::Refusal::not_subscribed, 25},
    };
    ASSERT_EQ(std::size(rows), share::kRefusalCount);
    for (const auto& [reason, code] : rows) {
        std::string out;
        append_refusal(out, "1", reason);
        EXPECT_THAT(out,
                    StartsWith(fmt::format("{{\"id\":1,\"result\":null,\"error\":[{},", code)));
    }
}

}  // namespace
}  // namespace adit::stratum
