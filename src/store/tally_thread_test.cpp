// From shares handed to the log to slices in SQLite and back through the audit.
#include "store/tally_thread.h"

#include "base/wait.h"
#include "store/log_audit.h"
#include "store/sql_ledger_testing.h"
#include "store/sqlite_connection.h"
#include "store/tally_test_support.h"

#include <gmock/gmock.h>

#include <future>

namespace adit::store {
namespace {

using ::testing::HasSubstr;

class TallyThreadTest : public ::testing::Test {
 protected:
    TallyThreadTest() {
        open_log();
        open_slices();
    }
    void open_log() {
        const auto opened = bench_.open();
        ASSERT_TRUE(opened) << opened.error().text();
    }
    void open_slices() {
        slices_.reset();
        auto opened = SqlLedger::open(ledger_settings());
        ASSERT_TRUE(opened) << opened.error();
        slices_ = std::move(*opened);
    }
    SqlLedgerSettings ledger_settings(std::function<bool(int)> fail_point = {}) const {
        SqlLedgerSettings settings;
        settings.database = (dir_.path() / "ledger.sqlite").string();
        settings.fail_point = std::move(fail_point);
        return settings;
    }
    std::unique_ptr<TallyThread> tally() {
        return std::make_unique<TallyThread>(files_, settings(), *bench_.log, *slices_,
                                             bench_.clock, bench_.registry, bench_.logger);
    }
    static TallySettings settings() {
        TallySettings settings;
        settings.log_dir = testing::kDir;
        settings.interval_ms = 0;
        settings.transaction_shares = 50;
        settings.retry_ms = 1;
        return settings;
    }
    // Records a job and `count` mined shares of it.
    void record(job::JobId id, int count) {
        const auto job = testing::mining_job(id);
        bench_.log->record_job(job);
        const auto account = bench_.log->account(fmt::format("account {}", id % 3));
        const auto worker = bench_.log->worker(account, "rig");
        share::ShareBatch batch;
        for (int i = 0; i < count; ++i) {
            batch.shares.push_back(testing::mine(job, account, worker, nonce_));
        }
        hand_over(std::move(batch));
    }
    void hand_over(share::ShareBatch batch) {
        batch.listener = &bench_.answers;
        batch.ticket = ++ticket_;
        // The test's clock leaps, and a commit that is just ending looks stalled for that moment.
        const base::SystemClock patience;
        ASSERT_TRUE(base::wait_until(patience, patience.steady_ms() + 60'000,
                                     [&] { return bench_.log->submit(batch); }));
        ASSERT_EQ(bench_.answers.await(ticket_), share::CommitResult::committed);
    }
    ledger::AuditReport audit() {
        const auto report = audit_log(files_, testing::kDir, slices_.get());
        EXPECT_TRUE(report) << report.error();
        return *report;
    }

    FaultyFileSystem files_{1};
    testing::LogBench bench_{files_};
    testing::TemporaryDir dir_;
    std::unique_ptr<SqlLedger> slices_;
    std::uint32_t nonce_ = 0;
    std::uint64_t ticket_ = 0;
};

TEST_F(TallyThreadTest, FoldsEveryShareOnceThroughRestarts) {
    job::JobId job = 0;
    std::uint64_t shares = 0;
    for (int life = 0; life < 4; ++life) {
        const auto running = tally();
        ASSERT_TRUE(running->start());
        for (int i = 0; i < 10; ++i) {
            record(++job, 20);
            shares += 20;
            bench_.clock.advance_ms(200'000);
        }
        // What is recorded while nobody folds is folded by the next.
        running->stop();
        EXPECT_EQ(running->error(), "");
        EXPECT_EQ(running->folded_position(), bench_.log->durable_position());
        record(++job, 5);
        shares += 5;
        open_log();
        open_slices();
    }
    const auto last = tally();
    ASSERT_TRUE(last->start());
    last->stop();
    EXPECT_EQ(slices_->pool_work_since(0)->shares, shares);
    EXPECT_EQ(slices_->pool_work_since(0)->work,
              shares * chain::work_of(chain::Difficulty::from_double(testing::kEasy)->target()));
    bench_.log->close();
    const auto report = audit();
    EXPECT_TRUE(report.clean()) << report.first->text();
    EXPECT_EQ(report.shares, shares);
    EXPECT_EQ(report.jobs, job);
    EXPECT_EQ(report.accounts, 3u);
    EXPECT_GT(report.rows_compared, 10u);
}

TEST_F(TallyThreadTest, RefusesASwappedLogByName) {
    record(1, 3);
    auto running = tally();
    ASSERT_TRUE(running->start());
    running.reset();
    FaultyFileSystem other_files(2);
    testing::LogBench other(other_files);
    ASSERT_TRUE(other.open());
    TallyThread swapped(other_files, {testing::kDir, 0, 50}, *other.log, *slices_, bench_.clock,
                        bench_.registry, bench_.logger);
    const auto started = swapped.start();
    ASSERT_FALSE(started);
    EXPECT_THAT(started.error(), HasSubstr("swapped"));
    EXPECT_THAT(started.error(), HasSubstr(base::to_hex(other.log->log_id())));
}

TEST_F(TallyThreadTest, RefusesALogThatWasRestoredFromAnOlderCopy) {
    record(1, 3);
    bench_.log->close();
    const auto path = testing::kDir / segment_name(1);
    const auto old_copy = files_.contents(path);
    open_log();
    record(2, 3);
    auto running = tally();
    ASSERT_TRUE(running->start());
    running.reset();
    bench_.log->close();
    files_.overwrite(path, old_copy);
    open_log();
    EXPECT_THAT(tally()->start().error(), HasSubstr("restored from an older copy"));
    // It stays refused when the old copy has grown past the ledger's point with other shares.
    for (job::JobId job = 50; job < 60; ++job)
        record(job, 3);
    EXPECT_THAT(tally()->start().error(), HasSubstr("another history"));
}

TEST_F(TallyThreadTest, WaitsWhileTheLedgerFailsAndGoesOn) {
    slices_.reset();
    std::atomic<bool> broken = true;
    slices_ = std::move(*SqlLedger::open(ledger_settings([&](int) { return !broken; })));
    record(1, 3);
    auto running = tally();
    ASSERT_TRUE(running->start());
    while (running->error().empty())
        std::this_thread::yield();
    EXPECT_THAT(running->error(), HasSubstr("stopped by a test"));
    EXPECT_GE(bench_.registry.counter("adit_tally_failures_total", "").value(), 1u);
    record(2, 3);
    broken = false;
    while (running->folded_position() < bench_.log->durable_position())
        std::this_thread::yield();
    EXPECT_EQ(running->error(), "");
    EXPECT_EQ(slices_->pool_work_since(0)->shares, 6u);
    running->stop();
    bench_.log->close();
    EXPECT_TRUE(audit().clean());
}

TEST_F(TallyThreadTest, LeavesWhatAFailingLedgerDidNotTakeToTheNextStart) {
    slices_.reset();
    std::atomic<bool> broken = true;
    slices_ = std::move(*SqlLedger::open(ledger_settings([&](int) { return !broken; })));
    record(1, 3);
    auto running = tally();
    ASSERT_TRUE(running->start());
    running->stop();
    EXPECT_EQ(running->folded_position(), 0u);
    broken = false;
    running = tally();
    ASSERT_TRUE(running->start());
    running->stop();
    EXPECT_EQ(slices_->pool_work_since(0)->shares, 3u);
}

// Says that a transaction failed which is on disk.
class DoubtfulStore final : public ledger::SliceStore {
 public:
    explicit DoubtfulStore(ledger::SliceStore& inner) : inner_(inner) {}
    ledger::Stored<void> apply(const ledger::TallyDelta& delta) override {
        ++applied;
        const auto done = inner_.apply(delta);
        if (failures > 0 && failures-- > 0) return std::unexpected("commit: disk I/O error");
        return done;
    }
    ledger::Stored<void> tidy_up() override {
        ++tidied_up;
        return inner_.tidy_up();
    }
    ledger::Stored<void> warm_up() override {
        EXPECT_EQ(applied, 0);
        ++warmed_up;
        return inner_.warm_up();
    }
    ledger::Stored<std::optional<ledger::FoldPoint>> fold_point() override {
        return inner_.fold_point();
    }
    ledger::Stored<ledger::Sum> account_work_since(share::AccountId id, std::int64_t s) override {
        return inner_.account_work_since(id, s);
    }
    ledger::Stored<ledger::Sum> worker_work_since(share::WorkerId id, std::int64_t s) override {
        return inner_.worker_work_since(id, s);
    }
    ledger::Stored<ledger::Sum> pool_work_since(std::int64_t s) override {
        return inner_.pool_work_since(s);
    }
    ledger::Stored<std::vector<ledger::SliceRow>> slices(std::int64_t a, std::int64_t b) override {
        return inner_.slices(a, b);
    }
    ledger::Stored<std::vector<ledger::TotalRow>> worker_totals() override {
        return inner_.worker_totals();
    }
    ledger::Stored<std::vector<ledger::FoundBlock>> blocks() override { return inner_.blocks(); }
    ledger::Stored<std::vector<share::AccountRecord>> accounts() override {
        return inner_.accounts();
    }
    ledger::Stored<std::vector<share::WorkerRecord>> workers() override { return inner_.workers(); }
    int failures = 1;
    int applied = 0;
    int warmed_up = 0;
    int tidied_up = 0;

 private:
    ledger::SliceStore& inner_;
};

TEST_F(TallyThreadTest, CountsOnceWhatWasAppliedAndReportedAsFailed) {
    record(1, 3);
    DoubtfulStore doubtful(*slices_);
    TallyThread running(files_, settings(), *bench_.log, doubtful, bench_.clock, bench_.registry,
                        bench_.logger);
    ASSERT_TRUE(running.start());
    while (running.folded_position() < bench_.log->durable_position())
        std::this_thread::yield();
    running.stop();
    EXPECT_EQ(running.error(), "");
    EXPECT_EQ(slices_->pool_work_since(0)->shares, 3u);
    EXPECT_GT(doubtful.applied, 0);
    EXPECT_EQ(doubtful.warmed_up, 1);
    EXPECT_GT(doubtful.tidied_up, 0);
}

// The server drops every connection, or a transaction is said to have failed, before any step and
// after the commit.
TEST_F(TallyThreadTest, CountsOnceWhileTheDatabaseKeepsBreaking) {
    const testing::EmptyDatabase database(SqlDialect::postgres);
    std::uint64_t calls = 0;
    auto breaking = ledger_settings([&](int step) {
        ++calls;
        if (calls % 17 == 0) {
            database.connect()->run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()");
        }
        return calls % 23 != 0 && !(step > 7 && calls % 3 == 0);
    });
    breaking.database = database.name();
    slices_ = std::move(*SqlLedger::open(breaking));
    auto running = tally();
    ASSERT_TRUE(running->start());
    for (job::JobId job = 1; job <= 20; ++job) {
        record(job, 20);
        bench_.clock.advance_ms(200'000);
    }
    while (running->folded_position() < bench_.log->durable_position())
        std::this_thread::yield();
    running->stop();
    EXPECT_GT(bench_.registry.counter("adit_tally_failures_total", "").value(), 3u);
    auto whole = ledger_settings();
    whole.database = database.name();
    slices_ = std::move(*SqlLedger::open(whole));
    EXPECT_EQ(slices_->pool_work_since(0)->shares, 400u);
    bench_.log->close();
    EXPECT_TRUE(audit().clean());
}

TEST_F(TallyThreadTest, EndsInTimeWithMuchLeftToFold) {
    for (job::JobId job = 1; job <= 5; ++job)
        record(job, 60);  // more than a transaction
    slices_.reset();
    std::promise<void> reached;
    std::promise<void> released;
    bool first = true;
    slices_ = std::move(*SqlLedger::open(ledger_settings([&](int) {
        if (std::exchange(first, false)) {
            reached.set_value();
            released.get_future().wait();
        }
        return true;
    })));
    auto in_a_hurry = settings();
    in_a_hurry.stop_ms = 0;
    TallyThread running(files_, in_a_hurry, *bench_.log, *slices_, bench_.clock, bench_.registry,
                        bench_.logger);
    ASSERT_TRUE(running.start());
    reached.get_future().wait();
    running.request_stop();
    released.set_value();
    running.stop();
    EXPECT_EQ(running.error(), "");
    EXPECT_GT(running.folded_position(), 0u);
    EXPECT_LT(running.folded_position(), bench_.log->durable_position());
    const auto next = tally();
    ASSERT_TRUE(next->start());
    next->stop();
    EXPECT_EQ(slices_->pool_work_since(0)->shares, 300u);
    bench_.log->close();
    EXPECT_TRUE(audit().clean());
}

// The audit names the first thing that is not as recorded. One row a sort of lie.
class AuditTest : public TallyThreadTest {
 protected:
    // A share of a recorded job that has been changed after it was mined.
    void record_lie(const std::function<void(share::ShareRecord&, const job::JobRef&)>& lie) {
        record(1, 10);
        const auto job = testing::mining_job(2);
        bench_.log->record_job(job);
        const auto account = bench_.log->account("liar");
        const auto worker = bench_.log->worker(account, "rig");
        share::ShareBatch batch;
        for (int i = 0; i < 6; ++i) {
            batch.shares.push_back(testing::mine(job, account, worker, nonce_));
        }
        lie(batch.shares[3], job);
        hand_over(std::move(batch));
        bench_.log->close();
    }
};

TEST_F(AuditTest, NamesTheFirstLieOfEverySort) {
    struct Case {
        std::string what;
        std::function<void(share::ShareRecord&, const job::JobRef&)> lie;
    };
    const std::vector<Case> cases{
        {"hash: expected one that meets difficulty",
         [](auto& share, auto&) { share.difficulty = *chain::Difficulty::from_double(1); }},
        {"block flag", [](auto& share, auto&) { share.block = !share.block; }},
        {"uncredited flag", [](auto& share, auto&) { share.uncredited = true; }},
        {"stale flag", [](auto& share, auto&) { share.block = false, share.stale = true; }},
        {"job: expected one that is recorded before", [](auto& share, auto&) { share.job = 99; }},
        {"worker: expected one that is recorded before",
         [](auto& share, auto&) { share.worker = 99; }},
        {"account of the share's worker", [](auto& share, auto&) { share.account = 1; }},
        {"hash: expected one that was not counted before",
         [&](auto& share, auto& job) {
             std::uint32_t again = nonce_ - 6;
             share = testing::mine(job, share.account, share.worker, again);
         }},
    };
    for (const auto& [what, lie] : cases) {
        FaultyFileSystem fresh(1);
        testing::LogBench bench(fresh);
        ASSERT_TRUE(bench.open());
        std::swap(bench_.log, bench.log);
        record_lie(lie);
        std::swap(bench_.log, bench.log);
        const auto report = audit_log(fresh, testing::kDir, nullptr);
        ASSERT_TRUE(report);
        ASSERT_FALSE(report->clean()) << what;
        EXPECT_THAT(report->first->text(), HasSubstr(what));
        EXPECT_GT(report->first->position, 0u);
    }
}

TEST_F(AuditTest, KeepsTheNewestJobHoweverOldItIs) {
    const auto job = testing::mining_job(1);
    bench_.log->record_job(job);
    const auto account = bench_.log->account("alice");
    const auto worker = bench_.log->worker(account, "rig");
    const auto hand_over_one = [&](std::uint32_t& nonce) {
        hand_over({{testing::mine(job, account, worker, nonce)}, {}, {}});
    };
    std::uint32_t nonce = 0;
    hand_over_one(nonce);
    // All nodes are gone for 90 minutes.
    for (int i = 0; i < 3; ++i) {
        bench_.clock.advance_ms(30 * 60'000);
        hand_over_one(nonce);
    }
    bench_.log->record_job(testing::mining_job(2));
    hand_over_one(nonce);
    bench_.clock.advance_ms(59 * 60'000);
    hand_over_one(nonce);
    EXPECT_TRUE(audit_log(files_, testing::kDir, nullptr)->clean());
    // The first share once more is noticed, however long ago it was.
    std::uint32_t again = 0;
    hand_over_one(again);
    EXPECT_THAT(audit_log(files_, testing::kDir, nullptr)->first->text(),
                HasSubstr("one that was not counted before"));
    // An hour after its successor the job is over.
    bench_.clock.advance_ms(3 * 60'000);
    record(3, 1);
    hand_over_one(nonce);
    bench_.log->close();
    const auto report = audit_log(files_, testing::kDir, nullptr);
    EXPECT_EQ(report->differences, 2u);
}

TEST_F(AuditTest, NoticesALedgerThatWasChanged) {
    record(1, 10);
    auto running = tally();
    ASSERT_TRUE(running->start());
    running.reset();
    bench_.log->close();
    EXPECT_TRUE(audit().clean());
    const auto try_sql = [&](const std::string& sql) {
        slices_.reset();
        SqliteConnection(dir_.path() / "ledger.sqlite", SqliteMode::write).run(sql);
        open_slices();
        return audit();
    };
    EXPECT_THAT(try_sql("UPDATE slices SET shares = shares + 1").first->text(),
                HasSubstr("slice in the ledger"));
    EXPECT_TRUE(try_sql("UPDATE slices SET shares = shares - 1").clean());
    EXPECT_THAT(try_sql("UPDATE worker_totals SET uncredited = 1").first->text(),
                HasSubstr("worker total in the ledger"));
    EXPECT_TRUE(try_sql("UPDATE worker_totals SET uncredited = 0").clean());
    EXPECT_THAT(try_sql("UPDATE accounts SET name = 'mallory'").first->text(),
                HasSubstr("account in the ledger"));
    EXPECT_THAT(try_sql("UPDATE fold_points SET position = position + 1").first->text(),
                HasSubstr("point that the ledger was folded to"));
    EXPECT_THAT(try_sql("UPDATE fold_points SET log_id = zeroblob(16)").first->text(),
                HasSubstr("log that the ledger was folded from"));
}

TEST_F(AuditTest, ReportsALogThatCannotBeReadOn) {
    for (job::JobId job = 1; job < 6; ++job)
        record(job, 3);
    bench_.log->close();
    const auto path = testing::kDir / segment_name(1);
    auto bytes = files_.contents(path);
    bytes[kSegmentHeaderSize + 100] ^= 1;
    files_.overwrite(path, bytes);
    const auto report = audit_log(files_, testing::kDir, nullptr);
    ASSERT_TRUE(report);
    EXPECT_THAT(report->first->text(), HasSubstr("00000001.seg at byte"));
    EXPECT_FALSE(audit_log(files_, "/nowhere", nullptr));
}

}  // namespace
}  // namespace adit::store
