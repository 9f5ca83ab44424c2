// The path of a share through its shard, over real TCP: replies, records, blocks.
#include "base/wait.h"
#include "stratum/server_fixture.h"

namespace adit::stratum::over_tcp {
namespace {

TEST_F(ServerTest, AnswersTrueOnlyAfterTheCommit) {
    start();
    const auto job = publish();
    auto miner = working();
    recorder_.hold();
    miner.submit(10, *job, 0, false);
    ASSERT_TRUE(recorder_.wait_for_shares(1));
    // A later request overtakes the share, which still waits for the disk.
    miner.send(R"({"id":11,"method":"mining.ping","params":[]})");
    EXPECT_EQ(miner.receive()["id"], 11);
    recorder_.settle(share::CommitResult::committed);
    const auto reply = miner.receive();
    EXPECT_EQ(reply["id"], 10);
    EXPECT_EQ(reply["result"], true);
}

TEST_F(ServerTest, RefusesWithStorageUnavailableWhenTheLogCannotTakeShares) {
    start();
    const auto job = publish();
    auto miner = working();
    recorder_.refuse(true);
    miner.submit(10, *job, 0, false);
    EXPECT_EQ(miner.answer_to(10)["error"][0], 20);
    recorder_.refuse(false);
    recorder_.hold();
    miner.submit(11, *job, 1, false);
    ASSERT_TRUE(recorder_.wait_for_shares(1));
    recorder_.settle(share::CommitResult::failed);
    EXPECT_EQ(miner.answer_to(11)["error"][0], 20);
    // Both stay known: they may have reached the disk.
    miner.submit(12, *job, 0, false);
    EXPECT_EQ(miner.answer_to(12)["error"][0], 22);
}

TEST_F(ServerTest, SubmitsABlockBeforeTheShareIsRecorded) {
    start();
    const auto job = publish();
    auto miner = working();
    miner.submit(10, *job, 0, true);
    EXPECT_EQ(miner.answer_to(10)["result"], true);
    const auto blocks = sink_.blocks();
    ASSERT_EQ(blocks.size(), 1u);
    EXPECT_EQ(sink_.shares_before(), std::vector<std::size_t>{0});
    EXPECT_EQ(blocks[0]->account, kAddress);
    EXPECT_EQ(blocks[0]->log_position, 77u);
    const auto parsed = chain::parse_block(blocks[0]->block);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->header.hash(), blocks[0]->hash);
    EXPECT_EQ(parsed->merkle_root(), parsed->header.merkle_root);
}

TEST_F(ServerTest, TellsTrueForABlockOnlyWhenNoCrashCanLoseIt) {
    start();
    const auto job = publish();
    auto miner = working();
    sink_.withhold();
    miner.submit(10, *job, 0, true);
    ASSERT_TRUE(recorder_.wait_for_shares(1));
    // Shares after it do not wait.
    miner.submit(11, *job, 1, false);
    EXPECT_EQ(miner.receive()["id"], 11);
    sink_.keep();
    const auto reply = miner.receive();
    EXPECT_EQ(reply["id"], 10);
    EXPECT_EQ(reply["result"], true);
}

TEST_F(ServerTest, SubmitsAStaleBlockAndRefusesItsShare) {
    start();
    const auto old_job = publish(1);
    auto miner = working();
    publish(2);
    EXPECT_EQ(miner.notification("mining.notify")["params"][8], true);
    miner.submit(10, *old_job, 0, true);
    EXPECT_EQ(miner.answer_to(10)["error"][0], 21);
    const auto blocks = sink_.blocks();
    ASSERT_EQ(blocks.size(), 1u);
    EXPECT_TRUE(blocks[0]->stale);
}

TEST_F(ServerTest, RecordsOfRefusedBlocksOnlyTheStaleOnesOfKnownWorkersOnce) {
    start();
    const auto job = publish(1);
    auto miner = working();
    miner.submit(10, *job, 0, true);
    EXPECT_EQ(miner.answer_to(10)["result"], true);
    miner.submit(11, *job, 0, true);
    EXPECT_EQ(miner.answer_to(11)["error"][0], 22);
    miner.submit(12, *job, 1, true, "nobody");
    EXPECT_EQ(miner.answer_to(12)["error"][0], 24);
    ASSERT_EQ(recorder_.records().size(), 1u);
    EXPECT_FALSE(recorder_.records()[0].stale);
    publish(2);
    EXPECT_EQ(miner.notification("mining.notify")["params"][8], true);
    miner.submit(13, *job, 2, true);
    EXPECT_EQ(miner.answer_to(13)["error"][0], 21);
    miner.submit(14, *job, 2, true);
    EXPECT_EQ(miner.answer_to(14)["error"][0], 21);
    miner.submit(15, *job, 3, true, "nobody");
    EXPECT_EQ(miner.answer_to(15)["error"][0], 24);
    const auto records = recorder_.records();
    ASSERT_EQ(records.size(), 2u);
    EXPECT_TRUE(records[1].block);
    EXPECT_TRUE(records[1].stale);
    EXPECT_NE(records[1].account, 0u);
    EXPECT_NE(records[1].worker, 0u);
    const auto blocks = sink_.blocks();
    ASSERT_EQ(blocks.size(), 4u) << "every block is submitted, each once";
    EXPECT_EQ(blocks[1]->account, "nobody");
}

TEST_F(ServerTest, NamesEnterTheLogWithTheirFirstShare) {
    start();
    const auto job = publish();
    auto miner = working();
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(miner.authorize(fmt::format("{}.rig{}", kAddress, i))["result"], true);
    }
    EXPECT_TRUE(recorder_.names().empty());
    recorder_.refuse_names(true);
    miner.submit(10, *job, 0, false);
    EXPECT_EQ(miner.answer_to(10)["error"][0], 20);
    recorder_.refuse_names(false);
    miner.submit(11, *job, 1, false);
    EXPECT_EQ(miner.answer_to(11)["result"], true);
    miner.submit(12, *job, 2, false);
    EXPECT_EQ(miner.answer_to(12)["result"], true);
    EXPECT_EQ(recorder_.names(), (std::vector<std::string>{kAddress, ""}));
}

TEST_F(ServerTest, AnswersAMinerThatEndedItsSide) {
    start();
    const auto job = publish();
    auto miner = working();
    recorder_.hold();
    miner.submit(10, *job, 0, false);
    miner.client().shutdown_send();
    ASSERT_TRUE(recorder_.wait_for_shares(1));
    recorder_.settle(share::CommitResult::committed);
    EXPECT_EQ(miner.answer_to(10)["result"], true);
    EXPECT_TRUE(miner.receive().is_null());
}

TEST_F(ServerTest, KnowsTheFinderOfABlockWhoseConnectionEndedInTheSameTurn) {
    start();
    const auto job = publish();
    auto miner = working();
    auto lines = miner.share_line(10, *job, 0, true) + "\n";
    for (int i = 0; i < 30; ++i)  // enough garbage for a ban
        lines += R"({"id":9,"method":"mining.submit","params":[1]})"
                 "\n";
    ASSERT_TRUE(miner.client().send_bytes(lines, kPatienceMs));
    ASSERT_TRUE(recorder_.wait_for_shares(1));
    const auto blocks = sink_.blocks();
    ASSERT_EQ(blocks.size(), 1u);
    EXPECT_EQ(blocks[0]->account, kAddress);
    EXPECT_NE(recorder_.records()[0].account, 0u);
}

constexpr char kGarbage[] = "{\"id\":9,\"method\":\"mining.submit\",\"params\":[1]}\n";

TEST_F(ServerTest, BlocksBehindABanGoOutAndCountForNothing) {
    start();
    const auto job = publish();
    auto miner = working();
    std::string lines;
    for (int i = 0; i < 400; ++i)  // the ban comes after 20, the turn's share of lines is 256
        lines += kGarbage;
    lines += miner.share_line(10, *job, 0, true) + "\n";
    lines += miner.share_line(11, *job, 1, false) + "\n";
    // All of it is there when the shard begins to read.
    auto other = working();
    recorder_.block(true);
    other.submit(12, *job, 0, false);
    ASSERT_TRUE(recorder_.wait_for_shares(1));
    ASSERT_TRUE(miner.client().send_bytes(lines, kPatienceMs));
    recorder_.block(false);
    for (auto reply = miner.receive(); !reply.is_null(); reply = miner.receive())
        EXPECT_TRUE(reply["id"].is_null() || reply["id"] == 9) << reply;
    const auto blocks = sink_.blocks();
    ASSERT_EQ(blocks.size(), 1u);
    EXPECT_EQ(blocks[0]->account, kAddress);
    EXPECT_EQ(recorder_.shares(), 1u) << "only the other miner's";
    EXPECT_EQ(registry_.counter("adit_stratum_bans_total", "").value(), 1u);
}

TEST_F(ServerTest, BlocksBehindAGracefulCloseGoOutAndCountForNothing) {
    start();
    const auto job = publish();
    auto miner = working();
    const auto lines = "no JSON\n" + miner.share_line(10, *job, 0, true) + "\n";
    ASSERT_TRUE(miner.client().send_bytes(lines, kPatienceMs));
    json last;
    for (auto reply = miner.receive(); !reply.is_null(); reply = miner.receive())
        last = reply;
    EXPECT_EQ(last["error"][0], 20);
    // The end was seen by this side, but what it sends now may have been under way.
    miner.submit(11, *job, 1, true);
    ASSERT_TRUE(base::wait_until(clock_, clock_.steady_ms() + kPatienceMs,
                                 [&] { return sink_.blocks().size() == 2; }));
    EXPECT_EQ(sink_.blocks()[1]->account, kAddress);
    EXPECT_EQ(recorder_.shares(), 0u);
}

TEST_F(ServerTest, ABlockBehindAResumeOfItsSessionGoesOut) {
    start();
    const auto job = publish();
    auto miner = working();
    auto other = working();
    recorder_.block(true);
    other.submit(12, *job, 0, false);
    ASSERT_TRUE(recorder_.wait_for_shares(1));
    // In one turn: the new connection resumes the session, the old one has sent a block.
    auto again = connect();
    again.send(R"({"id":1,"method":"mining.subscribe","params":["test",")" + miner.token() +
               "\"]}");
    miner.submit(10, *job, 0, true);
    recorder_.block(false);
    EXPECT_TRUE(again.answer_to(1)["result"].is_array());
    while (!miner.receive().is_null()) {
    }
    EXPECT_EQ(sink_.blocks().size(), 1u);
}

TEST_F(ServerTest, HandsALargeTurnOverInPortions) {
    constexpr int kShares = 5'000;
    start(1, 100);
    const auto job = publish();
    std::vector<TestMiner> miners;
    for (int i = 0; i < 25; ++i)
        miners.push_back(working());
    auto other = working();
    recorder_.block(true);
    other.submit(9, *job, 0, false);
    ASSERT_TRUE(recorder_.wait_for_shares(1));
    for (auto& miner : miners) {  // 200 lines fit in one read of the server
        std::string lines;
        for (std::uint32_t i = 0; i < 200; ++i)
            lines += miner.share_line(10, *job, i, false) + "\n";
        ASSERT_TRUE(miner.client().send_bytes(lines, kPatienceMs));
    }
    recorder_.block(false);
    for (auto& miner : miners) {
        for (int i = 0; i < 200; ++i)
            ASSERT_EQ(miner.answer_to(10)["result"], true);
    }
    EXPECT_EQ(recorder_.shares(), kShares + 1u);
}

TEST_F(ServerTest, ABlockThatArrivesWhileDrainingGoesOut) {
    start();
    const auto job = publish();
    auto miner = working();
    recorder_.hold();
    miner.submit(10, *job, 0, false);
    ASSERT_TRUE(recorder_.wait_for_shares(1));
    std::jthread drain([&] { EXPECT_TRUE(server_->drain(patience())); });
    // Shares are refused as soon as the drain has begun; until then they wait for the disk.
    for (std::uint32_t i = 1;; ++i) {
        miner.submit(12, *job, i, false);
        miner.send(R"({"id":11,"method":"mining.ping","params":[]})");
        auto reply = miner.receive();
        while (!reply.is_null() && reply["id"].is_null())
            reply = miner.receive();  // a notification
        ASSERT_FALSE(reply.is_null());
        if (reply["id"] == 11) continue;
        EXPECT_EQ(reply["error"][0], 20);
        break;
    }
    miner.submit(13, *job, 0, true);
    EXPECT_EQ(miner.answer_to(13)["error"][0], 20);
    EXPECT_EQ(sink_.blocks().size(), 1u);
    recorder_.settle(share::CommitResult::committed);
    EXPECT_EQ(miner.answer_to(10)["result"], true);
}

}  // namespace
}  // namespace adit::stratum::over_tcp
