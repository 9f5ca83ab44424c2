#include "manager/job_desk.h"

#include "job/sample_template.h"

#include <gtest/gtest.h>

namespace adit::manager {
namespace {

class Jobs final : public share::Recorder {
 public:
    share::AccountId account(std::string_view) override { return 0; }
    share::WorkerId worker(share::AccountId, std::string_view) override { return 0; }
    void record_job(job::JobRef job) override { recorded.push_back(std::move(job)); }
    bool submit(share::ShareBatch&) override { return false; }
    share::LogPosition durable_position() const override { return 0; }
    std::vector<job::JobRef> recorded;
};

class Miners final : public stratum::StratumServer {
 public:
    void start() override {}
    void stop_accepting() override {}
    bool drain(std::chrono::steady_clock::time_point) override { return true; }
    void set_job(job::JobRef job) override { sent.push_back(std::move(job)); }
    void reload(std::shared_ptr<const stratum::SessionSettings>) override {}
    stratum::ServerSnapshot snapshot() const override { return {}; }
    std::vector<stratum::WorkerSnapshot> workers(std::size_t) const override { return {}; }
    std::vector<job::JobRef> sent;
};

class JobDeskTest : public ::testing::Test {
 protected:
    static job::TemplateRef offer(std::int32_t height, bool too_heavy = false) {
        auto source = job::sample_template({.height = height});
        source.previous.bytes.fill(static_cast<std::uint8_t>(height));
        if (too_heavy) source.weight_limit = 2'000;
        return std::make_shared<const job::BlockTemplate>(std::move(source));
    }
    double failures() {
        return static_cast<double>(registry_.counter("adit_job_failures_total", "").value());
    }

    base::ManualClock clock_;
    metrics::Registry registry_;
    base::Logger logger_{base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}};
    Jobs recorder_;
    Miners server_;
    JobDesk desk_{
        {base::Bytes(22, 1), "/Adit/"}, 7, recorder_, server_, registry_, clock_, logger_};
};

TEST_F(JobDeskTest, RecordsAndSendsAJob) {
    desk_.on_template(offer(10));
    ASSERT_EQ(server_.sent.size(), 1u);
    EXPECT_EQ(recorder_.recorded, server_.sent);
    EXPECT_EQ(server_.sent[0]->id, 7u);
    EXPECT_EQ(desk_.height(), 10);
}

TEST_F(JobDeskTest, SendsAJobWithoutTransactionsForANewTipWhoseTemplateIsUnfit) {
    desk_.on_template(offer(10));
    desk_.on_template(offer(11, true));
    ASSERT_EQ(server_.sent.size(), 2u);
    const auto& job = *server_.sent[1];
    EXPECT_TRUE(job.clean);
    EXPECT_EQ(job.source->height, 11);
    EXPECT_TRUE(job.source->transactions.empty());
    EXPECT_FALSE(job.source->complete);
    EXPECT_EQ(job.source->coinbase_value_sat,
              chain::block_subsidy_sat(chain::params(job.source->network), 11));
    EXPECT_EQ(recorder_.recorded, server_.sent);
    EXPECT_EQ(failures(), 1);
    // Its time is refreshed until a template of this tip is fit.
    desk_.on_template(offer(11, true));
    EXPECT_EQ(server_.sent.size(), 3u);
    desk_.on_template(offer(11));
    ASSERT_EQ(server_.sent.size(), 4u);
    EXPECT_FALSE(server_.sent[3]->source->transactions.empty());
}

TEST_F(JobDeskTest, KeepsAFullJobWhenALaterTemplateOfTheTipIsUnfit) {
    desk_.on_template(offer(10));
    desk_.on_template(offer(10, true));
    EXPECT_EQ(server_.sent.size(), 1u);
    EXPECT_EQ(failures(), 1);
}

job::PayoutSnapshotRef snapshot_on(const chain::Hash256& previous) {
    job::PayoutSnapshot snapshot;
    snapshot.id = 5;
    snapshot.previous = previous;
    snapshot.max_outputs = 1;
    snapshot.entries = {{base::Bytes(22, 9), 1, {}}};
    return std::make_shared<const job::PayoutSnapshot>(std::move(snapshot));
}

TEST_F(JobDeskTest, SendsAJobByANewSnapshotOfTheTipAtOnce) {
    desk_.set_snapshot(snapshot_on({}));
    EXPECT_TRUE(server_.sent.empty());
    desk_.on_template(offer(10));
    EXPECT_EQ(server_.sent.at(0)->snapshot, 5u);
    EXPECT_FALSE(server_.sent.at(0)->pays_dues);
    desk_.set_snapshot(snapshot_on(offer(10)->previous));
    ASSERT_EQ(server_.sent.size(), 2u);
    EXPECT_TRUE(server_.sent[1]->pays_dues);
    EXPECT_FALSE(server_.sent[1]->clean);
    EXPECT_EQ(recorder_.recorded, server_.sent);
}

TEST_F(JobDeskTest, SendsNoJobForASnapshotOfAnotherTipButOneWhenSnapshotsEnd) {
    desk_.on_template(offer(10));
    desk_.set_snapshot(snapshot_on(offer(9)->previous));
    EXPECT_EQ(server_.sent.size(), 1u);
    desk_.on_template(offer(11));
    EXPECT_EQ(server_.sent.at(1)->snapshot, 5u);
    desk_.set_snapshot(nullptr);
    ASSERT_EQ(server_.sent.size(), 3u);
    EXPECT_EQ(server_.sent[2]->snapshot, 0u);
}

TEST_F(JobDeskTest, SendsNothingWhenNotEvenThatHelps) {
    auto source = *offer(10);
    source.bits = 0;
    desk_.on_template(std::make_shared<const job::BlockTemplate>(source));
    EXPECT_TRUE(server_.sent.empty());
    EXPECT_EQ(failures(), 1);
}

}  // namespace
}  // namespace adit::manager
