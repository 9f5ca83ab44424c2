// The server over real TCP: shards, resume, limits, bans, drain.
#include "stratum/server_fixture.h"

namespace adit::stratum::over_tcp {
namespace {

TEST_F(ServerTest, AResumedSessionDoesNotSeeTheRepliesOfItsOldConnection) {
    start();
    const auto job = publish();
    auto other = working();
    auto first = working();
    auto second = connect();
    first.submit(10, *job, 0, false);
    EXPECT_EQ(first.answer_to(10)["result"], true);
    recorder_.block(true);
    other.submit(20, *job, 0, false);
    ASSERT_TRUE(recorder_.wait_for_shares(2));
    // In one turn: a share that is refused at once, and the session's resume.
    first.submit(11, *job, 0, false);
    second.send(R"({"id":1,"method":"mining.subscribe","params":["test",")" + first.token() +
                "\"]}");
    recorder_.block(false);
    EXPECT_EQ(second.receive()["id"], 1);
}

TEST_F(ServerTest, ResumesASessionWhoseConnectionEndsInTheSameTurn) {
    start();
    const auto job = publish();
    auto other = working();
    auto first = working();
    auto second = connect();
    recorder_.block(true);
    other.submit(20, *job, 0, false);
    ASSERT_TRUE(recorder_.wait_for_shares(1));
    first.client().shutdown_send();
    second.send(R"({"id":1,"method":"mining.subscribe","params":["test",")" + first.token() +
                "\"]}");
    recorder_.block(false);
    const auto reply = second.answer_to(1);
    ASSERT_TRUE(reply["result"].is_array());
    EXPECT_EQ(reply["result"][1], base::hex32(first.extranonce1()));
}

TEST_F(ServerTest, ABanHitsOneNameInEverySpelling) {
    start();
    const auto job = publish();
    auto miner = connect();
    miner.subscribe();
    const std::string name = std::string(kAddress) + ".rig1";
    EXPECT_EQ(miner.authorize(name)["result"], true);
    EXPECT_FALSE(miner.notification("mining.notify").is_null());
    // A good share protects the address, so that only the name is banned.
    miner.submit(10, *job, 0, false, name);
    EXPECT_EQ(miner.answer_to(10)["result"], true);
    std::string garbage;
    for (int i = 0; i < 30; ++i)
        garbage += R"({"id":9,"method":"mining.submit","params":[1]})"
                   "\n";
    ASSERT_TRUE(miner.client().send_bytes(garbage, kPatienceMs));
    while (!miner.receive().is_null()) {
    }
    auto again = connect();
    again.subscribe();
    EXPECT_EQ(again.authorize(name)["error"][0], 20);
    EXPECT_EQ(again.authorize("BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080%2erig1")["error"][0],
              20);
    EXPECT_EQ(again.authorize(std::string(kAddress) + ".rig2")["result"], true);
}

TEST_F(ServerTest, ResumesAndStillRefusesWhatWasCounted) {
    start();
    const auto job = publish();
    auto first = working();
    first.submit(10, *job, 0, false);
    EXPECT_EQ(first.answer_to(10)["result"], true);
    auto second = working(first.token());  // the first connection is still open
    EXPECT_EQ(second.extranonce1(), first.extranonce1());
    EXPECT_TRUE(first.receive().is_null()) << "the old connection is closed";
    second.submit(11, *job, 0, false);
    EXPECT_EQ(second.answer_to(11)["error"][0], 22);
    second.submit(12, *job, 1, false);
    EXPECT_EQ(second.answer_to(12)["result"], true);
}

TEST_F(ServerTest, CarriesDuplicatesFromShardToShard) {
    start(4);
    const auto job = publish();
    std::string token;
    std::uint32_t extranonce1 = 0;
    std::vector<TestMiner> kept;  // so that the kernel picks different ports, hence shards
    for (int i = 0; i < 24; ++i) {
        auto miner = working(token);
        if (token.empty()) {
            extranonce1 = miner.extranonce1();
            miner.submit(10, *job, 0, false);
            EXPECT_EQ(miner.answer_to(10)["result"], true);
        } else {
            ASSERT_EQ(miner.extranonce1(), extranonce1) << "resume " << i;
            miner.submit(10, *job, 0, false);
            EXPECT_EQ(miner.answer_to(10)["error"][0], 22) << "resume " << i;
        }
        token = miner.token();
        kept.push_back(std::move(miner));
    }
}

TEST_F(ServerTest, GivesAStrangerAFreshExtranonce) {
    start();
    publish();
    auto first = working();
    auto second = working("00112233445566778899aabbccddeeff");
    EXPECT_NE(second.extranonce1(), first.extranonce1());
}

TEST_F(ServerTest, BroadcastsToEverybodyInOrder) {
    start(2);
    publish(1);
    std::vector<TestMiner> miners;
    for (int i = 0; i < 20; ++i)
        miners.push_back(working());
    for (std::uint8_t block = 2; block < 6; ++block)
        publish(block);
    for (auto& miner : miners) {
        std::vector<std::string> ids;
        for (int i = 0; i < 4; ++i) {
            const auto notify = miner.notification("mining.notify");
            ASSERT_FALSE(notify.is_null());
            ids.push_back(notify["params"][0]);
        }
        EXPECT_EQ(ids, (std::vector<std::string>{"2.0", "3.0", "4.0", "5.0"}));
    }
}

TEST_F(ServerTest, TurnsAwayWhatIsAboveTheLimitAndServesTheRest) {
    start(1, 2);
    publish();
    auto first = working();
    auto second = working();
    auto third = connect();
    EXPECT_TRUE(third.receive().is_null());
    first.send(R"({"id":5,"method":"mining.ping","params":[]})");
    EXPECT_EQ(first.answer_to(5)["result"], "pong");
}

TEST_F(ServerTest, BansSustainedGarbageAndTheAddressThatOnlySendsIt) {
    start();
    publish();
    auto miner = working();
    for (int i = 0; i < 400; ++i) {
        if (!miner.client().send_line(R"({"id":9,"method":"mining.submit","params":[1]})",
                                      kPatienceMs)) {
            break;
        }
    }
    while (!miner.receive().is_null()) {
    }
    EXPECT_EQ(registry_.counter("adit_stratum_bans_total", "").value(), 1u);
    auto again = connect();
    EXPECT_TRUE(again.receive().is_null());
}

TEST_F(ServerTest, DrainAnswersEveryAcceptedShareBeforeItCloses) {
    start(2);
    const auto job = publish();
    std::vector<TestMiner> miners;
    for (int i = 0; i < 8; ++i)
        miners.push_back(working());
    recorder_.hold();
    for (auto& miner : miners)
        miner.submit(10, *job, 0, false);
    ASSERT_TRUE(recorder_.wait_for_shares(miners.size()));
    std::jthread drain([&] { EXPECT_TRUE(server_->drain(patience())); });
    recorder_.settle(share::CommitResult::committed);
    for (auto& miner : miners) {
        EXPECT_EQ(miner.answer_to(10)["result"], true);
        EXPECT_TRUE(miner.receive().is_null());
    }
}

TEST_F(ServerTest, RefusesAPortThatAnotherServerListensOn) {
    start();
    ServerSettings settings;
    settings.listen.push_back({server_->addresses().front().text(), "", "", false});
    settings.session = std::make_shared<SessionSettings>();
    metrics::Registry registry;
    Server second(settings, recorder_, sink_, extranonces_, clock_, registry, log_);
    EXPECT_THROW(second.start(), std::runtime_error);
}

TEST_F(ServerTest, LastRepliesArriveEvenWhenTheDrainTookTooLong) {
    start();
    const auto job = publish();
    auto miner = working();
    recorder_.hold();
    miner.submit(10, *job, 0, false);
    ASSERT_TRUE(recorder_.wait_for_shares(1));
    miner.send(R"({"id":11,"method":"mining.ping","params":[]})");
    EXPECT_EQ(miner.receive()["id"], 11);
    EXPECT_FALSE(server_->drain({}));
    const auto rest = miner.client().receive_rest(kPatienceMs);
    EXPECT_TRUE(rest) << "an orderly end, no reset";
}

TEST_F(ServerTest, ASweepCountsWhatIsThereNow) {
    start(3);
    publish();
    std::vector<TestMiner> miners;
    for (std::size_t i = 0; i < 5; ++i) {
        miners.push_back(connect());
        miners.back().subscribe();
        EXPECT_EQ(server_->sweep().subscribed, i + 1);
    }
    EXPECT_EQ(server_->sweep().authorized, 0U);
    miners.front().authorize();
    EXPECT_EQ(server_->sweep().authorized, 1U);
    EXPECT_EQ(server_->sweep().connections, 5U);
}

TEST_F(ServerTest, ShowsWhoWorks) {
    start(2);
    const auto job = publish();
    auto miner = connect();
    miner.subscribe();
    EXPECT_EQ(miner.authorize(std::string(kAddress) + ".rig1")["result"], true);
    EXPECT_FALSE(miner.notification("mining.notify").is_null());
    const auto workers = server_->workers(10);
    ASSERT_EQ(workers.size(), 1u);
    EXPECT_EQ(workers[0].account, kAddress);
    EXPECT_EQ(workers[0].worker, "rig1");
    EXPECT_EQ(workers[0].agent, "test");
    EXPECT_EQ(workers[0].last_share_ms, -1);
}

}  // namespace
}  // namespace adit::stratum::over_tcp
