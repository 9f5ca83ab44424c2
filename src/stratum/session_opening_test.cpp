#include "stratum/scripted_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::stratum {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kConfigure =
    R"({"id":1,"method":"mining.configure","params":[["version-rolling",)"
    R"("minimum-difficulty","subscribe-extranonce","info"],)"
    R"({"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":"two",)"
    R"("minimum-difficulty.value":0.000000001,"info.hw-version":"s9"}]})";
const std::string kSubscribe =
    R"({"id": 2, "method": "mining.subscribe", "params": ["cgminer/4.11.1", null]})";
const std::string kAuthorize = fmt::format(
    R"({{"params": ["{}.rig", "x"], "id": 3, "method": "mining.authorize"}})", kAddress);
const std::string kSuggest =
    R"({"id": 4, "method": "mining.suggest_difficulty", "params": [0.000000002]})";
const std::string kExtranonce = R"({"id":5,"method":"mining.extranonce.subscribe","params":[]})";

const std::string kConfigureReply =
    R"({"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000",)"
    R"("minimum-difficulty":true,"subscribe-extranonce":true,"info":true},)"
    R"("error":null})"
    "\n";
const std::string kSubscribeReply =
    R"({"id":2,"result":[[["mining.set_difficulty",)"
    R"("d1000000000000000000000000000000"],["mining.notify",)"
    R"("d1000000000000000000000000000000"]],"a0b0c0d1",8],"error":null})"
    "\n";

std::string true_reply(int id) {
    return fmt::format("{{\"id\":{},\"result\":true,\"error\":null}}\n", id);
}

// What a miner is sent in answer to the five lines in any order: one reply each, and work once.
TEST(SessionOpening, AnswersEveryOrderOfTheOpening) {
    std::vector<const std::string*> lines = {&kConfigure, &kSubscribe, &kAuthorize, &kSuggest,
                                             &kExtranonce};
    std::ranges::sort(lines);
    int orders = 0;
    do {
        ScriptedHost host;
        ScriptedMiner miner(host);
        std::vector<std::string> got;
        for (const auto* line : lines) {
            for (auto& reply : miner.send(*line))
                got.push_back(std::move(reply));
        }
        std::vector<std::string> replies, notices;
        for (const auto& line : got)
            (line.starts_with(R"({"id":null)") ? notices : replies).push_back(line);
        EXPECT_THAT(replies,
                    testing::UnorderedElementsAre(kConfigureReply, kSubscribeReply, true_reply(3),
                                                  true_reply(4), true_reply(5)));
        // set_difficulty and notify, and both again when the hint came after the work.
        ASSERT_TRUE(notices.size() == 2 || notices.size() == 4);
        for (std::size_t i = 0; i < notices.size(); i += 2) {
            EXPECT_THAT(notices[i], HasSubstr("mining.set_difficulty"));
            EXPECT_THAT(notices[i + 1], HasSubstr("mining.notify"));
        }
        EXPECT_THAT(notices[1], testing::EndsWith(",true]}\n"));
        EXPECT_EQ(miner.session.difficulty().value(), 0.000000002);
        EXPECT_TRUE(miner.session.takes_extranonce());
        EXPECT_EQ(host.working, 1);
        ++orders;
    } while (std::ranges::next_permutation(lines).found);
    EXPECT_EQ(orders, 120);
}

TEST(SessionOpening, SendsDifficultyThenCleanWorkRightAfterTheReplyThatCompletesTheOpening) {
    ScriptedHost host;
    host.refresh();  // not clean by itself
    ScriptedMiner miner(host);
    EXPECT_EQ(miner.ask(kSubscribe), kSubscribeReply);
    EXPECT_THAT(miner.send(kAuthorize),
                ElementsAre(true_reply(3), difficulty_line(kEasy),
                            job::notify_line(*host.book.latest(), 0, true)));
    EXPECT_EQ(host.authorized, std::vector{fmt::format("{}|rig", kAddress)});
}

TEST(SessionOpening, BeginsWithTheFirstJobWhenThereIsNoneYet) {
    ScriptedHost host;
    host.book = {};
    ScriptedMiner miner(host);
    EXPECT_TRUE(miner.open().empty());
    EXPECT_FALSE(miner.session.working());
    const auto job = host.refresh();
    EXPECT_THAT(miner.job(job),
                ElementsAre(difficulty_line(kEasy), job::notify_line(*job, 0, true)));
}

TEST(SessionOpening, RepeatedSubscribeKeepsTheExtranonceAndSendsTheWorkAsANewVariant) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    miner.open();
    EXPECT_THAT(miner.send(kSubscribe),
                ElementsAre(kSubscribeReply, difficulty_line(kEasy),
                            job::notify_line(*host.book.latest(), 1, true)));
}

TEST(SessionOpening, ResumeContinuesVariantsDifficultyAndExtranonce) {
    ScriptedHost host;
    std::string token;
    {
        ScriptedMiner first(host);
        first.open("d=0.0000000015");
        token = first.session.memory()->token.text();
    }
    ScriptedMiner second(host);
    EXPECT_THAT(second.ask(fmt::format(
                    R"({{"id":2,"method":"mining.subscribe","params":["x","{}"]}})", token)),
                HasSubstr("a0b0c0d1"));
    EXPECT_THAT(second.send(kAuthorize),
                ElementsAre(true_reply(3), difficulty_line(0.0000000015),
                            job::notify_line(*host.book.latest(), 1, true)));
}

TEST(SessionOpening, AResumedConnectionWithoutUnusedVariantsWaitsForTheNextJob) {
    ScriptedHost host;
    ScriptedMiner first(host);
    first.open();
    while (host.parked->take_variant(host.book.latest()->tip)) {
    }
    ScriptedMiner second(host);
    second.ask(fmt::format(R"({{"id":2,"method":"mining.subscribe","params":["x","{}"]}})",
                           host.parked->token.text()));
    EXPECT_THAT(second.send(kAuthorize), ElementsAre(true_reply(3)));
    EXPECT_TRUE(second.tick().empty());
    const auto job = host.refresh();
    EXPECT_THAT(second.job(job),
                ElementsAre(difficulty_line(kEasy), job::notify_line(*job, 0, true)));
}

TEST(SessionOpening, AnUnknownSessionIdGetsAFreshExtranonce) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    for (const auto* id : {"\"08000002\"", "\"ffffffffffffffffffffffffffffffff\"", "\"\""}) {
        ScriptedMiner other(host);
        const auto before = host.last_extranonce1;
        other.ask(fmt::format(R"({{"id":2,"method":"mining.subscribe","params":["x",{}]}})", id));
        EXPECT_EQ(other.session.memory()->extranonce1, before + 1);
    }
}

TEST(SessionOpening, SaysWhenThePoolIsFull) {
    ScriptedHost host;
    host.full = true;
    ScriptedMiner miner(host);
    EXPECT_EQ(miner.ask(kSubscribe),
              "{\"id\":2,\"result\":null,\"error\":[20,\"The pool is full\",null]}\n");
    EXPECT_FALSE(miner.session.subscribed());
}

struct NameRow {
    std::string name;
    bool ok;
    std::string identified;
};

TEST(SessionOpening, AuthorizesWhoCanBePaid) {
    const std::string address(kAddress);
    const std::string long_worker(127 - address.size() - 1, 'w');
    const std::string longest(255 - address.size() - 1, 'w');
    std::string upper = address;
    for (char& c : upper)
        c = static_cast<char>(std::toupper(c));
    const NameRow rows[] = {
        {address, true, address + "|"},
        {address + ".", true, address + "|"},
        {address + ".a.b", true, address + "|a.b"},
        {address + "." + long_worker, true, address + "|" + long_worker},
        {address + "." + longest, true, address + "|" + longest},
        {address + "." + longest + "w", false, ""},
        {address + "%2erig", true, address + "|rig"},
        {address + "%2Erig%zz%", true, address + "|rig%zz%"},
        {address + R"(\u002erig)", true, address + "|rig"},
        {address + ".a:b/c d_\\u00e9", true, address + "|a:b/c d_\xc3\xa9"},
        {address + R"(.a\nb)", true, address + "|a_b"},
        {upper + ".rig", true, address + "|rig"},
        {"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa.1", true, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa|1"},
        {"tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", false, ""},
        {"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdx.rig", false, ""},
        {"worker1", false, ""},
        {"", false, ""},
        {".rig", false, ""},
        {std::string(8000, 'a'), false, ""},
        {address + ":rig", false, ""},
    };
    for (const auto& row : rows) {
        ScriptedHost host;
        ScriptedMiner miner(host);
        const auto reply = miner.ask(
            fmt::format(R"({{"id":3,"method":"mining.authorize","params":["{}"]}})", row.name));
        if (row.ok) {
            EXPECT_EQ(reply, true_reply(3)) << row.name;
            ASSERT_EQ(host.authorized.size(), 1u) << row.name;
            EXPECT_EQ(host.authorized[0], row.identified);
        } else {
            EXPECT_THAT(reply, testing::StartsWith("{\"id\":3,\"result\":false,\"error\":[24,\""))
                << row.name;
            EXPECT_TRUE(host.authorized.empty());
        }
        EXPECT_EQ(miner.action, Action::none);
    }
}

TEST(SessionOpening, SeveralNamesUpToTheLimit) {
    ScriptedHost host;
    host.config.workers_per_connection = 3;
    ScriptedMiner miner(host);
    const auto authorize = [&](int i) {
        return miner.ask(fmt::format(
            R"({{"id":3,"method":"mining.authorize","params":["{}.{}","x"]}})", kAddress, i));
    };
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(authorize(i), true_reply(3));
    EXPECT_THAT(authorize(3), HasSubstr("[20,\"Too many workers"));
    EXPECT_EQ(authorize(1), true_reply(3));  // known already
    EXPECT_EQ(miner.session.workers().size(), 3u);
}

TEST(SessionOpening, ABannedNameIsNotToldThatItIsWrong) {
    ScriptedHost host;
    ScriptedMiner miner(host);
    host.ban = true;
    EXPECT_EQ(miner.ask(kAuthorize),
              "{\"id\":3,\"result\":null,\"error\":[20,\"Banned for now\",null]}\n");
    EXPECT_FALSE(miner.session.authorized());
}

struct PasswordRow {
    const char* password;
    double difficulty;
};

TEST(SessionOpening, PasswordOptionsSetTheDifficulty) {
    const PasswordRow rows[] = {
        {"x", 1024},         {"d=4096", 4096},        {"x,d=4096", 4096}, {"d=2 x", 2},
        {"d=0.5", 1},        {"d=1e30", 55555},       {"d=-1", 1024},     {"d=", 1024},
        {"md=5000", 5000},   {"d=100,md=5000", 5000}, {"d=nan", 1024},    {"d=inf", 1024},
        {"md=1e30", 55555},  {"d=1000.7", 1000},      {"D=5", 1024},      {"d=5x", 1024},
        {"md=1;d=300", 300},
    };
    for (const auto& row : rows) {
        ScriptedHost host(0x1d00ffff);
        host.config.difficulty_start = 1024;
        host.config.difficulty_min = 1;
        host.config.difficulty_max = 55555;
        host.set_bits(0x1703255b);
        host.new_block();
        ScriptedMiner miner(host);
        const auto lines = miner.open(row.password);
        ASSERT_EQ(lines.size(), 2u);
        EXPECT_EQ(lines[0], difficulty_line(row.difficulty)) << row.password;
    }
}

TEST(SessionOpening, TheNetworkDifficultyBoundsEvenTheMinimum) {
    ScriptedHost host;
    host.config.difficulty_min = 1000;
    host.config.difficulty_start = 2000;
    ScriptedMiner miner(host);
    const auto network = host.book.latest()->network_difficulty.value();
    EXPECT_THAT(miner.open("d=5000,md=3000")[0], difficulty_line(network));
}

struct ConfigureRow {
    std::string params;
    std::string result;
};

TEST(SessionOpening, ConfigureAnswersEachExtension) {
    const ConfigureRow rows[] = {
        {R"([["version-rolling"],{"version-rolling.mask":"ffffffff"}])",
         R"({"version-rolling":true,"version-rolling.mask":"1fffe000"})"},
        {R"([["version-rolling"],{"version-rolling.mask":"00FFE000"}])",
         R"({"version-rolling":true,"version-rolling.mask":"00ffe000"})"},
        {R"([["version-rolling"]])",
         R"({"version-rolling":true,"version-rolling.mask":"1fffe000"})"},
        {R"([["version-rolling"],null])",
         R"({"version-rolling":true,"version-rolling.mask":"1fffe000"})"},
        {R"([["version-rolling"],{"version-rolling.mask":"00000003"}])",
         R"({"version-rolling":false})"},
        {R"([["version-rolling"],{"version-rolling.mask":"zz"}])",
         R"({"version-rolling":"version-rolling.mask is not hex"})"},
        {R"([["version-rolling"],{"version-rolling.mask":"1fffe000",)"
         R"("version-rolling.min-bit-count":[{}]}])",
         R"({"version-rolling":true,"version-rolling.mask":"1fffe000"})"},
        {R"([["minimum-difficulty"],{"minimum-difficulty.value":2048}])",
         R"({"minimum-difficulty":true})"},
        {R"([["minimum-difficulty"]])", R"({"minimum-difficulty":false})"},
        {R"([["x-\"new\"","info"],{}])", R"({"x-\"new\"":false,"info":true})"},
        {R"([[],{}])", "{}"},
    };
    for (const auto& row : rows) {
        ScriptedHost host;
        ScriptedMiner miner(host);
        EXPECT_EQ(miner.ask(R"({"id":1,"method":"mining.configure","params":)" + row.params + "}"),
                  R"({"id":1,"result":)" + row.result + ",\"error\":null}\n");
    }
}

TEST(SessionOpening, TimesOutWithoutAHandshakeAndWhenIdle) {
    ScriptedHost host;
    ScriptedMiner silent(host), worker(host);
    worker.open();
    host.clock.advance_ms(host.config.handshake_timeout_ms);
    silent.tick();
    EXPECT_EQ(silent.action, Action::none);
    host.clock.advance_ms(1);
    silent.tick();
    EXPECT_EQ(silent.action, Action::reset);
    worker.tick();
    EXPECT_EQ(worker.action, Action::none);
    host.clock.advance_ms(host.config.idle_timeout_ms);
    worker.tick();
    EXPECT_EQ(worker.action, Action::reset);
}

TEST(SessionOpening, AReloadedIdleTimeHoldsForConnectionsThatAreThere) {
    ScriptedHost host;
    ScriptedMiner worker(host);
    worker.open();
    host.clock.advance_ms(100'000);
    worker.tick();
    EXPECT_EQ(worker.action, Action::none);
    host.config.idle_timeout_ms = 100'000;
    worker.tick();
    EXPECT_EQ(worker.action, Action::none);
    host.clock.advance_ms(1);
    host.config.idle_timeout_ms = 100'001;
    worker.tick();
    EXPECT_EQ(worker.action, Action::none);
    host.config.idle_timeout_ms = 100'000;
    worker.tick();
    EXPECT_EQ(worker.action, Action::reset);
}

// 10,000 idle connections share a budget of 3 KiB each with the sockets' side.
TEST(SessionOpening, AnIdleSessionIsSmall) {
    const auto heap = sizeof(Session::Worker) + 64 + sizeof(SessionMemory) + 16 + 2 * 24;
    EXPECT_LE(sizeof(Session) + heap, 700u);
}

}  // namespace
}  // namespace adit::stratum
