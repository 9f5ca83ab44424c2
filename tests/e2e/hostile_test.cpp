// Bad peers of every kind against a running pool, while an honest miner works: it must notice
// nothing.
#include "base/random.h"
#include "tests/support/agreement.h"
#include "tests/support/crew.h"
#include "tests/support/line_miner.h"
#include "tests/support/sim_host.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_pool.h"
#include "tests/support/wait.h"

#include <gtest/gtest.h>

#include <random>
#include <sys/resource.h>
#include <sys/socket.h>

namespace adit::tests {
namespace {

using Json = nlohmann::json;

struct Hostile : ::testing::Test {
    SimHost node{rules_with_block_hashes(2'000'000)};
    TempDir dir;
    std::unique_ptr<TestPool> pool;
    Crew crew;

    void start(const std::string& limits = {}) {
        PoolSetup setup;
        setup.data_dir = dir.path() / "data";
        setup.nodes = {login_of(*node)};
        setup.difficulty = 1e-7;  // about 430 hashes
        setup.miners = 2'000;
        setup.handshakes_per_s = 100'000;
        setup.extra_limits = limits;
        pool = std::make_unique<TestPool>(setup);
        crew.add({pool->port(), miner_address("honest") + ".rig", 20'000});
        ASSERT_TRUE(honest_goes_on()) << pool->log_text();
    }
    bool honest_goes_on() {
        const auto before = crew.book().accepted();
        return eventually([&] { return crew.book().accepted() >= before + 10; });
    }
    // Everybody else is gone.
    bool alone() {
        return eventually([&] { return pool->summary().connections == 1; });
    }
    void finish() {
        EXPECT_TRUE(honest_goes_on());
        EXPECT_EQ(crew.reconnects(), 0U);
        EXPECT_EQ(crew.book().counts().rejected, 0U) << Json(crew.book().reasons()).dump();
        crew.stop();
        ASSERT_TRUE(pool->stop());
        expect_agreement(dir.path() / "data", crew.book());
    }
};

std::vector<std::string> bad_lines() {
    std::string binary(4'000, '\0');
    base::fill_random({reinterpret_cast<std::uint8_t*>(binary.data()), binary.size()});
    return {
        "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\n",
        "hello\n",
        "GET / HTTP/1.1\r\nHost: pool\r\n\r\n",
        std::string(40'000, '{') + "\n",
        std::string(40'000, '['),
        "{\"id\":1,\"method\":\"mining.subscribe\",\"params\":" + std::string(5'000, '[') + "\n",
        "{\"id\":1,\"method\":\"" + std::string(200'000, 'a') + "\"}\n",
        std::string(1 << 20, 'x'),
        std::string(64, '\0') + "\n",
        binary + "\n",
        "\xff\xfe\xfd\n",
        "[]\n",
        "1e999999\n",
        "\"\\ud800\"\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
    };
}

// Requests that are JSON but wrong; each gets an error with its id and the connection goes on.
std::vector<std::pair<std::string, Json>> wrong_requests() {
    const auto deep = Json::array({Json::array({Json::array({1})})});
    return {
        {"mining.submit", Json::array()},
        {"mining.submit", Json::array({1, 2, 3, 4, 5})},
        {"mining.submit", Json::array({"a", "b", "c", "d", "e"})},
        {"mining.submit", Json::array({nullptr, nullptr, nullptr, nullptr, nullptr})},
        {"mining.submit", deep},
        {"mining.authorize", Json::array({std::string(500, 'x'), "x"})},
        {"mining.authorize", Json::array({42})},
        {"mining.nonsense", Json::array()},
        {"mining.get_transactions", deep},
    };
}

TEST_F(Hostile, MalformedOversizedNestedAndBinaryLines) {
    start();
    for (const auto& bytes : bad_lines()) {
        LineMiner bad(pool->port());
        // The pool may close before all is taken; that is an answer, too.
        (void)bad.client().send_bytes(bytes, static_cast<int>(kDeadlineMs));
        bad.client().shutdown_send();
        EXPECT_TRUE(bad.ended()) << bytes.substr(0, 60);
    }
    LineMiner wrong(pool->port());
    for (const auto& [method, params] : wrong_requests()) {
        const auto reply = wrong.request(method, params);
        EXPECT_TRUE(reply["error"].is_array()) << method << " " << params.dump();
    }
    EXPECT_EQ(wrong.request("mining.ping", Json::array())["result"], "pong");
    finish();
}

TEST_F(Hostile, HalfSentLinesInPiecesStillMakeAMiner) {
    start();
    LineMiner slow(pool->port());
    const std::string line = R"({"id":7,"method":"mining.subscribe","params":[]})"
                             "\n";
    for (const char byte : line)
        slow.send_bytes({&byte, 1});
    EXPECT_TRUE(slow.reply_to(7)["result"].is_array());
    finish();
}

TEST_F(Hostile, AThousandHalfOpenConnectionsEndByThemselves) {
    start("handshake_s = 2");
    constexpr std::size_t kCount = 1'000;
    std::vector<std::unique_ptr<net::LineClient>> clients;
    for (std::size_t i = 0; i < kCount; ++i) {
        auto client =
            net::LineClient::connect({"127.0.0.1", pool->port()}, static_cast<int>(kDeadlineMs));
        ASSERT_TRUE(client.has_value()) << i;
        // Silence, half a line, or half a handshake.
        if (i % 3 == 1) (void)(*client)->send_bytes("{\"id\":1,", 1'000);
        if (i % 3 == 2) {
            (void)(*client)->send_line(R"({"id":1,"method":"mining.subscribe","params":[]})",
                                       1'000);
        }
        clients.push_back(std::move(*client));
    }
    EXPECT_TRUE(honest_goes_on());
    EXPECT_TRUE(alone()) << pool->summary().connections;
    finish();
}

TEST_F(Hostile, ClientsThatNeverReadAreCutOff) {
    start();
    constexpr std::size_t kCount = 20;
    std::vector<std::unique_ptr<LineMiner>> deaf;
    for (std::size_t i = 0; i < kCount; ++i) {
        auto client = std::make_unique<LineMiner>(pool->port());
        int small = 4'096;
        ::setsockopt(client->client().descriptor(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        client->open(miner_address("deaf"));
        deaf.push_back(std::move(client));
    }
    std::string requests;
    for (int i = 0; i < 500; ++i) {
        requests += R"({"id":"0123456789012345678901234567890123456789","method":"mining.ping"})"
                    "\n";
    }
    // Whole requests, until the pool has had enough of each of them.
    std::vector<std::size_t> sent(kCount, 0);
    EXPECT_TRUE(eventually([&] {
        for (std::size_t i = 0; i < kCount; ++i) {
            const auto rest = std::string_view(requests).substr(sent[i] % requests.size());
            const auto taken = ::send(deaf[i]->client().descriptor(), rest.data(), rest.size(),
                                      MSG_DONTWAIT | MSG_NOSIGNAL);
            if (taken > 0) sent[i] += static_cast<std::size_t>(taken);
        }
        return pool->summary().connections == 1;
    })) << pool->summary().connections;
    EXPECT_EQ(pool->metric("adit_net_closes_total{reason=\"output_limit\"}"), kCount);
    finish();
}

TEST_F(Hostile, StormsOfResets) {
    start();
    std::mt19937_64 random(7);
    for (int i = 0; i < 600; ++i) {
        auto client =
            net::LineClient::connect({"127.0.0.1", pool->port()}, static_cast<int>(kDeadlineMs));
        ASSERT_TRUE(client.has_value());
        const auto opening = std::string(R"({"id":1,"method":"mining.subscribe","params":[]})") +
                             "\n" +
                             Json{{"id", 2},
                                  {"method", "mining.authorize"},
                                  {"params", {miner_address("storm"), "x"}}}
                                 .dump() +
                             "\n";
        (void)(*client)->send_bytes(opening.substr(0, random() % (opening.size() + 1)), 1'000);
        if (random() % 2 == 0) (void)(*client)->receive_line(1);
        const linger at_once{1, 0};
        ::setsockopt((*client)->descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    EXPECT_TRUE(honest_goes_on());
    EXPECT_TRUE(alone()) << pool->summary().connections;
    finish();
}

TEST_F(Hostile, SustainedGarbageIsBannedAndOnlyItsSender) {
    start();
    LineMiner bad(pool->port());
    const auto user = miner_address("bad") + ".rig";
    bad.open(user);
    const auto job = bad.job().id;
    const Json submit = Json::array({user, job, "0000000000000000", "zzzzzzzz", "00000000"});
    const auto line =
        Json{{"id", 5}, {"method", "mining.submit"}, {"params", submit}}.dump() + "\n";
    bool open = true;
    for (int i = 0; i < 5'000 && open; ++i)
        open = bad.client().send_bytes(line, static_cast<int>(kDeadlineMs)).has_value();
    EXPECT_TRUE(bad.ended());
    EXPECT_TRUE(alone()) << pool->summary().connections;
    finish();
}

}  // namespace
}  // namespace adit::tests
