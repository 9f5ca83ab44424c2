// The server over real TCP: shards, batching, resume, drain. Storage is a recorder whose commits
// the test decides; the real log is tested in store and end to end.
#include "stratum/server.h"

#include "job/job_maker.h"
#include "net/line_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace adit::stratum {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr int kPatienceMs = 20'000;
constexpr std::uint32_t kEasyBits = 0x207fffff;
constexpr char kAddress[] = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

class CountingSource final : public ExtranonceSource {
 public:
    std::optional<Range> reserve(std::uint64_t count) override {
        const auto begin = next_.fetch_add(count);
        return Range{begin, begin + count};
    }

 private:
    std::atomic<std::uint64_t> next_{0};
};

// Commits at once, or when told to.
class TestRecorder final : public share::Recorder {
 public:
    share::AccountId account(std::string_view name) override { return id_of(name); }
    share::WorkerId worker(share::AccountId, std::string_view name) override { return id_of(name); }
    void record_job(job::JobRef) override {}
    bool submit(share::ShareBatch& batch) override {
        std::unique_lock lock(mutex_);
        if (refuse_ || batch.shares.size() > kMaxBatch) return false;
        shares_ += batch.shares.size();
        records_.insert(records_.end(), batch.shares.begin(), batch.shares.end());
        held_.push_back({batch.listener, batch.ticket});
        batch = {};
        if (!hold_) commit_held(share::CommitResult::committed);
        changed_.notify_all();
        changed_.wait(lock, [&] { return !blocked_; });
        return true;
    }
    // While blocked the shard that submits stands still, so that what is sent meanwhile is served
    // in one turn.
    void block(bool blocked) {
        const std::lock_guard lock(mutex_);
        blocked_ = blocked;
        changed_.notify_all();
    }
    void refuse_names(bool refuse) {
        const std::lock_guard lock(mutex_);
        refuse_names_ = refuse;
    }
    std::vector<std::string> names() {
        const std::lock_guard lock(mutex_);
        return names_;
    }
    std::vector<share::ShareRecord> records() {
        const std::lock_guard lock(mutex_);
        return records_;
    }
    share::LogPosition durable_position() const override { return 77; }

    void refuse(bool refuse) {
        const std::lock_guard lock(mutex_);
        refuse_ = refuse;
    }
    void hold() {
        const std::lock_guard lock(mutex_);
        hold_ = true;
    }
    void settle(share::CommitResult result) {
        const std::lock_guard lock(mutex_);
        hold_ = false;
        commit_held(result);
    }
    bool wait_for_shares(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs),
                                 [&] { return shares_ >= count; });
    }
    std::size_t shares() {
        const std::lock_guard lock(mutex_);
        return shares_;
    }

 private:
    static constexpr std::size_t kMaxBatch = 4'096;

    std::uint32_t id_of(std::string_view name) {
        const std::lock_guard lock(mutex_);
        if (refuse_names_) return 0;
        names_.emplace_back(name);
        return static_cast<std::uint32_t>(names_.size());
    }
    void commit_held(share::CommitResult result) {
        for (const auto& [listener, ticket] : held_)
            listener->on_commit(ticket, result);
        held_.clear();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::pair<share::CommitListener*, std::uint64_t>> held_;
    std::vector<share::ShareRecord> records_;
    std::vector<std::string> names_;  // as often as they were asked for
    std::size_t shares_ = 0;
    bool hold_ = false;
    bool blocked_ = false;
    bool refuse_names_ = false;
    bool refuse_ = false;
};

class TestSink final : public job::BlockSink {
 public:
    explicit TestSink(TestRecorder& recorder) : recorder_(recorder) {}
    void submit(std::shared_ptr<const job::BlockCandidate> candidate) override {
        const std::lock_guard lock(mutex_);
        shares_before_.push_back(recorder_.shares());
        blocks_.push_back(std::move(candidate));
    }
    std::vector<std::shared_ptr<const job::BlockCandidate>> blocks() {
        const std::lock_guard lock(mutex_);
        return blocks_;
    }
    // How many shares the recorder had been given when each block came.
    std::vector<std::size_t> shares_before() {
        const std::lock_guard lock(mutex_);
        return shares_before_;
    }

 private:
    TestRecorder& recorder_;
    std::mutex mutex_;
    std::vector<std::shared_ptr<const job::BlockCandidate>> blocks_;
    std::vector<std::size_t> shares_before_;
};

// A miner that knows the job objects, so it can hash without parsing notifies.
class TestMiner {
 public:
    explicit TestMiner(const net::Address& address) {
        auto client = net::LineClient::connect({address.ip_text(), address.port}, kPatienceMs);
        // A server that turns us away may have reset the connection already.
        if (client) client_ = std::move(*client);
    }

    void send(const std::string& line) { ASSERT_TRUE(client_->send_line(line, kPatienceMs)); }
    // The next line as JSON; null at the connection's end.
    json receive() {
        if (!client_) return json();
        const auto line = client_->receive_line(kPatienceMs);
        return line ? json::parse(*line) : json();
    }
    // Skips notifications up to the answer to this request.
    json answer_to(int id) {
        while (true) {
            auto message = receive();
            if (message.is_null() || message["id"] == id) return message;
        }
    }
    // Skips answers up to this notification.
    json notification(const std::string& method) {
        while (true) {
            auto message = receive();
            if (message.is_null() || message.value("method", "") == method) return message;
        }
    }
    void subscribe(const std::string& token = {}) {
        const auto params = token.empty() ? R"(["test"])" : R"(["test",")" + token + R"("])";
        send(R"({"id":1,"method":"mining.subscribe","params":)" + params + "}");
        const auto result = answer_to(1)["result"];
        ASSERT_TRUE(result.is_array());
        token_ = result[0][0][1];
        extranonce1_ = *base::parse_hex32(result[1].get<std::string>());
    }
    json authorize(const std::string& name = kAddress) {
        send(R"({"id":2,"method":"mining.authorize","params":[")" + name + R"(","x"]})");
        return answer_to(2);
    }
    // Finds extranonce2 and nonce whose hash does (or does not) meet the network target, and sends
    // them. `start` keeps shares apart.
    void submit(int id, const job::Job& job, std::uint32_t start, bool block,
                const std::string& name = kAddress) {
        send(share_line(id, job, start, block, name));
    }
    std::string share_line(int id, const job::Job& job, std::uint32_t start, bool block,
                           const std::string& name = kAddress) const {
        job::HeaderChoice choice;
        choice.extranonce1 = extranonce1_;
        choice.extranonce2[6] = static_cast<std::uint8_t>(start >> 8);
        choice.extranonce2[7] = static_cast<std::uint8_t>(start);
        choice.ntime = job.ntime;
        choice.version = job.version;
        while (job.network_target.met_by(job::header_of(job, choice).hash()) != block) {
            ++choice.nonce;
        }
        return fmt::format(
            R"({{"id":{},"method":"mining.submit","params":["{}","{}","{}","{}","{}"]}})", id, name,
            job::job_id_text(job.id, 0), base::to_hex(choice.extranonce2),
            base::hex32(choice.ntime), base::hex32(choice.nonce));
    }
    const std::string& token() const { return token_; }
    std::uint32_t extranonce1() const { return extranonce1_; }
    net::LineClient& client() { return *client_; }

 private:
    std::unique_ptr<net::LineClient> client_;
    std::string token_;
    std::uint32_t extranonce1_ = 0;
};

class ServerTest : public testing::Test {
 protected:
    void start(std::size_t shards = 1, std::uint32_t miners = 100) {
        ServerSettings settings;
        settings.listen.push_back({"127.0.0.1:0", "", "", false});
        settings.shards = shards;
        settings.limits.miners = miners;
        settings.limits.handshakes_per_s = 100'000;
        auto session = std::make_shared<SessionSettings>();
        session->network = chain::Network::regtest;
        session->difficulty_start = 1e-12;
        session->difficulty_min = 1e-12;
        session->garbage_limit = 20;
        settings.session = session;
        server_ = std::make_unique<Server>(settings, recorder_, sink_, extranonces_, clock_,
                                           registry_, log_);
        server_->start();
    }
    job::JobRef publish(std::uint8_t previous = 1) {
        auto source = std::make_shared<job::BlockTemplate>();
        source->network = chain::Network::regtest;
        source->height = 100 + previous;
        source->previous.bytes.fill(previous);
        source->bits = kEasyBits;
        source->current_time = static_cast<std::uint32_t>(clock_.wall_ms() / 1000);
        source->min_time = source->current_time - 600;
        source->coinbase_value_sat = 5'000'000'000;
        auto made = maker_.make(source, clock_.steady_ms());
        EXPECT_TRUE(made);
        server_->set_job(*made);
        return *made;
    }
    TestMiner connect() { return TestMiner(server_->addresses().front()); }
    TestMiner working(const std::string& token = {}) {
        auto miner = connect();
        miner.subscribe(token);
        EXPECT_EQ(miner.authorize()["result"], true);
        EXPECT_FALSE(miner.notification("mining.notify").is_null());
        return miner;
    }
    std::chrono::steady_clock::time_point patience() const {
        return std::chrono::steady_clock::time_point(
            std::chrono::milliseconds(clock_.steady_ms() + kPatienceMs));
    }

    base::SystemClock clock_;
    base::Logger log_{base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}};
    metrics::Registry registry_;
    TestRecorder recorder_;
    TestSink sink_{recorder_};
    CountingSource extranonces_;
    job::JobMaker maker_{job::JobMakerSettings{base::Bytes{0x51}, "/test/"}, 1};
    std::unique_ptr<Server> server_;
};

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
}  // namespace adit::stratum
