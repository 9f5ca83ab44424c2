// For tests: a server over real TCP with one kind of miner. Storage is a recorder whose commits the
// test decides; the real log is tested in store and end to end.
#pragma once

#include "job/job_maker.h"
#include "net/line_client.h"
#include "stratum/server.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace adit::stratum::over_tcp {

using nlohmann::json;

inline constexpr int kPatienceMs = 20'000;
inline constexpr std::uint32_t kEasyBits = 0x207fffff;
inline constexpr char kAddress[] = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

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
    void submit_and_keep(std::shared_ptr<const job::BlockCandidate> candidate,
                         std::function<void()> kept) override {
        submit(std::move(candidate));
        const std::lock_guard lock(mutex_);
        if (withholding_) {
            withheld_.push_back(std::move(kept));
        } else {
            kept();
        }
    }
    // From now on blocks take their time to reach the disk; all do at the next call of keep().
    void withhold() {
        const std::lock_guard lock(mutex_);
        withholding_ = true;
    }
    void keep() {
        const std::lock_guard lock(mutex_);
        withholding_ = false;
        for (const auto& kept : std::exchange(withheld_, {}))
            kept();
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
    std::vector<std::function<void()>> withheld_;
    bool withholding_ = false;
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

}  // namespace adit::stratum::over_tcp
