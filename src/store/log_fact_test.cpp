// Facts that move money on their way into the log and the ledger: what is said of each in every
// state of the storage.
#include "base/wait.h"
#include "store/log_fact_sink.h"
#include "store/tally_test_support.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <future>

namespace adit::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Call = FaultyFileSystem::Call;

constexpr std::int64_t kPatienceMs = 60'000;

share::ExplainRecord fact(std::int64_t number) {
    share::ExplainRecord record;
    record.account = "alice";
    record.amount_sat = number;
    return record;
}

class LogFactTest : public ::testing::Test {
 protected:
    LogFactTest() {
        const auto opened = bench_.open();
        EXPECT_TRUE(opened) << opened.error().text();
    }
    auto append(const share::Record& record, std::int64_t timeout_ms = kPatienceMs) {
        return bench_.log->append_fact(record, timeout_ms);
    }
    void fail_all_writes() { files_.set_failure_chance(1); }
    void await_unavailable() {
        const base::SystemClock patience;
        ASSERT_TRUE(base::wait_until(patience, patience.steady_ms() + kPatienceMs,
                                     [&] { return bench_.log->state() == LogState::unavailable; }));
    }
    // The numbers of the facts in the log.
    std::vector<std::int64_t> numbers() {
        const auto all = testing::read_log(files_);
        EXPECT_EQ(all.error, "");
        std::vector<std::int64_t> numbers;
        for (const auto& record : all.facts)
            numbers.push_back(std::get<share::ExplainRecord>(record).amount_sat);
        return numbers;
    }

    FaultyFileSystem files_{1};
    testing::LogBench bench_{files_};
};

TEST_F(LogFactTest, IsOnDiskWhenTheCallReturnsAndBehindTheSharesBeforeIt) {
    ASSERT_TRUE(bench_.submit(100, 3));
    const auto position = append(fact(1));
    ASSERT_TRUE(position) << position.error().text;
    EXPECT_LE(*position, bench_.log->durable_position());
    const auto all = testing::read_log(files_, testing::kDir, *position);
    EXPECT_EQ(all.shares.size(), 3u);
    ASSERT_EQ(all.facts.size(), 1u);
    EXPECT_EQ(std::get<share::ExplainRecord>(all.facts[0]), fact(1));
    EXPECT_EQ(all.batches.back().after.position, *position);
}

TEST_F(LogFactTest, KeepsTheOrderOfBlocksAndFacts) {
    const auto job = testing::small_job(1);
    bench_.log->record_job(job);
    files_.hold_syncs();
    for (int i = 1; i <= 3; ++i) {
        EXPECT_TRUE(append(fact(i), 0).error().in_doubt);
        job::BlockCandidate candidate;
        candidate.job = job;
        candidate.account = "alice";
        candidate.worker = "rig";
        candidate.height = i;
        bench_.log->record_block(candidate, "file");
    }
    files_.release_syncs();
    ASSERT_TRUE(append(fact(4)));
    auto reader = LogReader::open(files_, testing::kDir);
    std::vector<std::int64_t> order;
    while (auto batch = *reader->next(LogReader::kToTheEnd)) {
        base::ByteReader records(batch->payload);
        while (records.left() > 0) {
            const auto record = *share::read_record(records);
            if (const auto* explained = std::get_if<share::ExplainRecord>(&record))
                order.push_back(explained->amount_sat);
            if (const auto* block = std::get_if<share::BlockRecord>(&record))
                order.push_back(10 * block->height);
        }
    }
    EXPECT_THAT(order, ElementsAre(1, 10, 2, 20, 3, 30, 4));
}

TEST_F(LogFactTest, WaitsThroughAFailingDiskAndIsWrittenWhenItReturns) {
    ASSERT_TRUE(append(fact(1)));
    fail_all_writes();
    const auto given_up = append(fact(2), 0);
    ASSERT_FALSE(given_up);
    EXPECT_TRUE(given_up.error().in_doubt);
    EXPECT_THAT(given_up.error().text, HasSubstr("stays queued"));
    await_unavailable();
    auto waiting = std::async(std::launch::async, [&] { return append(fact(3)); });
    files_.clear_faults();
    EXPECT_TRUE(waiting.get());
    EXPECT_THAT(numbers(), ElementsAre(1, 2, 3));
}

TEST_F(LogFactTest, SaysThatItIsNotThereWhenTheLogClosesWithoutIt) {
    bench_.settings.retry_ms = 600'000;
    ASSERT_TRUE(bench_.open());
    ASSERT_TRUE(append(fact(1)));
    // Segments take nothing but what voids a failed batch, and no new segment can be made.
    files_.fail(Call::sync, EIO, 1, 0, segment_name(1));
    files_.fail(Call::rename, EIO, 1'000);
    EXPECT_TRUE(append(fact(2), 0).error().in_doubt);
    await_unavailable();
    auto waiting = std::async(std::launch::async, [&] { return append(fact(3)); });
    bench_.log->close();
    const auto failed = waiting.get();
    ASSERT_FALSE(failed);
    EXPECT_FALSE(failed.error().in_doubt) << failed.error().text;
    EXPECT_THAT(failed.error().text, HasSubstr("closed"));
    const auto after = append(fact(4));
    ASSERT_FALSE(after);
    EXPECT_FALSE(after.error().in_doubt);
    files_.clear_faults();
    EXPECT_THAT(numbers(), ElementsAre(1));
}

TEST_F(LogFactTest, SaysThatNobodyKnowsWhenTheDiskDiesUnderIt) {
    bench_.settings.retry_ms = 600'000;
    ASSERT_TRUE(bench_.open());
    ASSERT_TRUE(append(fact(1)));
    files_.set_failure_chance(1);
    auto waiting = std::async(std::launch::async, [&] { return append(fact(2)); });
    const base::SystemClock patience;
    ASSERT_TRUE(base::wait_until(patience, patience.steady_ms() + kPatienceMs,
                                 [&] { return bench_.log->state() == LogState::unavailable; }));
    bench_.log->close();
    const auto failed = waiting.get();
    ASSERT_FALSE(failed);
    EXPECT_TRUE(failed.error().in_doubt) << failed.error().text;
    EXPECT_THAT(failed.error().text, HasSubstr("may be on the disk or not"));
}

TEST_F(LogFactTest, RefusesMoreThanTheQueueHolds) {
    bench_.settings.queue_facts = 2;
    bench_.settings.queue_fact_bytes = 1'000;
    ASSERT_TRUE(bench_.open());
    ASSERT_TRUE(append(fact(1)));
    files_.hold_syncs();
    EXPECT_TRUE(append(fact(2), 0).error().in_doubt);
    auto large = fact(3);
    large.note = std::string(share::kEvidenceLimit, 'x');
    const auto too_large = append(large, 0);
    EXPECT_FALSE(too_large.error().in_doubt);
    EXPECT_TRUE(append(fact(4), 0).error().in_doubt);
    const auto full = append(fact(5), 0);
    EXPECT_FALSE(full.error().in_doubt);
    EXPECT_THAT(full.error().text, HasSubstr("2 facts"));
    files_.release_syncs();
    const base::SystemClock patience;
    ASSERT_TRUE(base::wait_until(patience, patience.steady_ms() + kPatienceMs,
                                 [&] { return append(fact(6)).has_value(); }));
    EXPECT_THAT(numbers(), ElementsAre(1, 2, 4, 6));
}

TEST_F(LogFactTest, EndsAWaitThatIsGivenUp) {
    files_.hold_syncs();
    std::stop_source stop;
    stop.request_stop();
    const auto given_up = bench_.log->append_fact(fact(1), kPatienceMs, stop.get_token());
    EXPECT_TRUE(given_up.error().in_doubt);
    EXPECT_THAT(given_up.error().text, HasSubstr("given up"));
    files_.release_syncs();
    ASSERT_TRUE(append(fact(2)));
    EXPECT_THAT(numbers(), ElementsAre(1, 2));
}

TEST_F(LogFactTest, RefusesWhatCouldNotBeReadBack) {
    const std::vector<share::Record> refused = [] {
        std::vector<share::Record> all;
        auto name = fact(1);
        name.account = std::string(share::kNameLimit + 1, 'a');
        all.emplace_back(name);
        all.emplace_back(fact(-1));
        all.emplace_back(share::PayoutIntentRecord{});  // no payees
        share::PayoutIntentRecord intent;
        intent.payout = 1;
        intent.payees.resize(share::kPayeeLimit + 1, {"alice", base::Bytes(22, 1), 2, 1});
        all.emplace_back(intent);
        intent.payees.assign(200, {"alice", base::Bytes(share::kScriptLimit, 1), 2, 1});
        all.emplace_back(intent);  // above the size of a record
        share::PayoutSignedRecord payout;
        payout.payout = payout.attempt = 1;
        payout.raw = base::Bytes(share::kRecordBodyLimit, 1);
        all.emplace_back(payout);
        share::SnapshotRecord snapshot;
        snapshot.id = 1;
        snapshot.entries.resize(share::kSnapshotLimit + 1, {1, 1, 0});
        all.emplace_back(snapshot);
        share::RulesRecord rules;
        rules.fee_account = std::string(share::kNameLimit + 1, 'a');
        all.emplace_back(rules);
        share::SettingsRecord settings;
        settings.account = rules.fee_account;
        all.emplace_back(settings);
        // No facts at all.
        all.emplace_back(share::AccountRecord{1, "alice"});
        all.emplace_back(share::ShareRecord{});
        return all;
    }();
    for (const auto& record : refused) {
        const auto result = append(record, 0);
        ASSERT_FALSE(result) << record.index();
        EXPECT_FALSE(result.error().in_doubt) << record.index();
    }
    ASSERT_TRUE(append(fact(1)));
    EXPECT_THAT(numbers(), ElementsAre(1));
}

class LogFactSinkTest : public LogFactTest {
 protected:
    LogFactSinkTest() {
        SqlLedgerSettings ledger_settings;
        ledger_settings.database = (dir_.path() / "ledger.sqlite").string();
        ledger_settings.fail_point = [this](int) { return !broken_; };
        auto opened = SqlLedger::open(ledger_settings);
        EXPECT_TRUE(opened) << opened.error();
        slices_ = std::move(*opened);
        TallySettings settings;
        settings.log_dir = testing::kDir;
        settings.interval_ms = 600'000;  // nobody who waits for a fact waits for this
        settings.retry_ms = 1;
        tally_.emplace(files_, settings, *bench_.log, *slices_, bench_.clock, bench_.registry,
                       bench_.logger);
        EXPECT_TRUE(tally_->start());
    }
    LogFactSink sink(std::int64_t timeout_ms = kPatienceMs) {
        return LogFactSink(*bench_.log, *tally_, bench_.clock, timeout_ms);
    }

    std::atomic<bool> broken_{false};  // the ledger takes nothing
    testing::TemporaryDir dir_;
    std::unique_ptr<SqlLedger> slices_;
    std::optional<TallyThread> tally_;
};

TEST_F(LogFactSinkTest, ReturnsWhenTheLedgerHasFoldedTheFact) {
    auto sink = this->sink();
    for (int i = 1; i <= 20; ++i) {
        const auto recorded = sink.record(fact(i));
        ASSERT_TRUE(recorded) << recorded.error();
        EXPECT_EQ((*slices_->fold_point())->log.position, bench_.log->durable_position());
    }
    EXPECT_EQ(numbers().size(), 20u);
}

TEST_F(LogFactSinkTest, SaysWhenTheLedgerIsDownAndTheFactIsFoldedLater) {
    broken_ = true;
    // Long enough for the tally to have met the failure.
    ASSERT_FALSE(sink(0).record(fact(1)));
    const base::SystemClock patience;
    ASSERT_TRUE(base::wait_until(patience, patience.steady_ms() + kPatienceMs,
                                 [&] { return !tally_->error().empty(); }));
    const auto position = append(fact(2));
    ASSERT_TRUE(position);
    EXPECT_FALSE(tally_->wait_folded(*position, 0));
    broken_ = false;
    EXPECT_TRUE(tally_->wait_folded(*position, kPatienceMs));
    EXPECT_EQ((*slices_->fold_point())->log.position, *position);
}

TEST_F(LogFactSinkTest, NamesWhatTheFactWaitsFor) {
    // In the log's queue.
    files_.hold_syncs();
    EXPECT_THAT(sink(0).record(fact(1)).error(), HasSubstr("not known whether the fact is in"));
    files_.release_syncs();
    ASSERT_TRUE(append(fact(2)));
    // Not at all.
    EXPECT_THAT(sink().record(fact(-1)).error(), HasSubstr("the fact is not in the share log"));
    // For the ledger.
    broken_ = true;
    const auto before = *append(fact(7));
    auto stopped = sink();
    auto waiting = std::async(std::launch::async, [&] { return stopped.record(fact(3)); });
    const base::SystemClock patience;
    ASSERT_TRUE(bench_.log->wait_past(before, {}, kPatienceMs));
    ASSERT_TRUE(base::wait_until(patience, patience.steady_ms() + kPatienceMs,
                                 [&] { return !tally_->error().empty(); }));
    stopped.stop();
    EXPECT_THAT(waiting.get().error(), HasSubstr("the ledger has not folded it: "));
}

TEST_F(LogFactSinkTest, EndsWithTheTally) {
    broken_ = true;
    auto waiting = std::async(std::launch::async, [&] { return sink().record(fact(1)); });
    const base::SystemClock patience;
    ASSERT_TRUE(base::wait_until(patience, patience.steady_ms() + kPatienceMs,
                                 [&] { return !tally_->error().empty(); }));
    tally_->stop();
    EXPECT_FALSE(waiting.get());
    EXPECT_FALSE(tally_->wait_folded(bench_.log->durable_position(), kPatienceMs));
}

}  // namespace
}  // namespace adit::store
