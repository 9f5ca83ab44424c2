#include "store/file_share_log.h"

#include "store/log_scan.h"
#include "store/log_test_support.h"

#include <gmock/gmock.h>

#include <cerrno>

namespace adit::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Call = FaultyFileSystem::Call;
using share::CommitResult;

// Where a log stands that was found at `position`, once it has recorded that it was started.
share::LogPosition after_run_record(share::LogPosition position) {
    base::Bytes run;
    share::append_record(run, share::RunRecord{0, ADIT_VERSION});
    return position + kFrameHeaderSize + run.size();
}

class ShareLogTest : public ::testing::Test {
 protected:
    ShareLogTest() { reopen(); }
    void reopen() {
        const auto opened = bench_.open();
        ASSERT_TRUE(opened) << opened.error().text();
    }
    // Waits until the log is durable past this point.
    share::LogPosition position_after_start(share::LogPosition before) {
        EXPECT_TRUE(bench_.log->wait_past(before, {}, 60'000));
        return bench_.log->durable_position();
    }
    testing::LogContents read() { return testing::read_log(files_); }
    double metric(std::string_view name) { return bench_.registry.gauge(name, "").value(); }
    std::uint64_t count(std::string_view name) { return bench_.registry.counter(name, "").value(); }

    FaultyFileSystem files_{1};
    testing::LogBench bench_{files_};
};

TEST_F(ShareLogTest, ReadsBackWhatWasAnswered) {
    bench_.log->record_job(testing::small_job(1));
    EXPECT_EQ(bench_.commit(10, 3), CommitResult::committed);
    EXPECT_EQ(bench_.commit(20, 1), CommitResult::committed);
    EXPECT_EQ(bench_.log->shares_recorded(), 4u);
    bench_.log->close();
    const auto all = read();
    EXPECT_EQ(all.error, "");
    EXPECT_THAT(all.marks(), ElementsAre(std::pair(10, 1), std::pair(11, 1), std::pair(12, 1),
                                         std::pair(20, 1)));
    ASSERT_EQ(all.jobs.size(), 1u);
    EXPECT_EQ(all.jobs[0], share::record_of(*testing::small_job(1), bench_.clock.wall_ms()));
    EXPECT_THAT(all.accounts, ElementsAre(share::AccountRecord{1, "alice"}));
    EXPECT_THAT(all.workers, ElementsAre(share::WorkerRecord{1, 1, "rig"}));
    EXPECT_EQ(all.runs.size(), 1u);
    EXPECT_EQ(all.batches.back().after, bench_.log->durable_point());
}

TEST_F(ShareLogTest, RestoresIdsAndGoesOnAcrossRestartsAndSegments) {
    const auto alice = bench_.log->account("alice");
    const auto rig = bench_.log->worker(alice, "rig");
    bench_.log->record_job(testing::small_job(41));
    for (std::uint64_t i = 0; i < 300; ++i) {
        ASSERT_EQ(bench_.commit(1'000 + 10 * i, 10), CommitResult::committed);
        if (i % 60 == 59) reopen();
    }
    EXPECT_EQ(bench_.log->account("alice"), alice);
    EXPECT_EQ(bench_.log->worker(alice, "rig"), rig);
    EXPECT_EQ(bench_.log->account("bob"), alice + 1);
    EXPECT_EQ(bench_.log->worker(alice, "rig2"), rig + 1);
    EXPECT_GT(bench_.log->next_job_id(), 41u);
    EXPECT_EQ(bench_.log->shares_recorded(), 3'000u);
    bench_.log->close();
    EXPECT_GT(list_segments(files_, testing::kDir)->size(), 5u);
    const auto all = read();
    EXPECT_EQ(all.error, "");
    EXPECT_EQ(all.marks().size(), 3'000u);
    EXPECT_EQ(all.shares.size(), 3'000u);
    EXPECT_EQ(all.runs.size(), 6u);
}

TEST_F(ShareLogTest, RebuildsASealThatIsMissingOrDamaged) {
    for (std::uint64_t i = 0; i < 200; ++i)
        bench_.commit(1'000 + 10 * i, 10);
    bench_.log->account("bob");
    bench_.commit(100'000);
    const auto position = bench_.log->durable_position();
    bench_.log->close();
    ASSERT_TRUE(files_.remove(testing::kDir / seal_name(1)));
    auto seal = files_.contents(testing::kDir / seal_name(2));
    ASSERT_FALSE(seal.empty());
    seal[40] ^= 1;
    files_.overwrite(testing::kDir / seal_name(2), seal);
    reopen();
    EXPECT_EQ(position_after_start(position), after_run_record(position));
    EXPECT_EQ(bench_.log->account("alice"), 1u);
    EXPECT_EQ(bench_.log->account("bob"), 2u);
    EXPECT_EQ(bench_.log->shares_recorded(), 2'001u);
    EXPECT_FALSE(files_.contents(testing::kDir / seal_name(1)).empty());
}

TEST_F(ShareLogTest, AnswersInTheOrderOfSubmission) {
    for (std::uint64_t mark = 1; mark <= 50; ++mark)
        ASSERT_TRUE(bench_.submit(mark));
    bench_.log->close();
    auto order = bench_.answers.order();
    EXPECT_EQ(order.size(), 50u);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(ShareLogTest, RefusesWhenTheQueueIsFullAndTakesAgainAfterwards) {
    bench_.settings.queue_shares = 100;
    reopen();
    bench_.commit(1);
    files_.hold_syncs();
    ASSERT_TRUE(bench_.submit(2));
    files_.await_held_sync();
    EXPECT_TRUE(bench_.submit(1'000, 99));
    EXPECT_FALSE(bench_.submit(2'000, 1));
    EXPECT_EQ(count("adit_log_refused_batches_total"), 1u);
    files_.release_syncs();
    EXPECT_EQ(bench_.answers.await(1'000), CommitResult::committed);
    EXPECT_EQ(bench_.commit(3'000), CommitResult::committed);
}

TEST_F(ShareLogTest, RefusesABatchThatIsTooLarge) {
    bench_.settings.batch_shares = 10;
    reopen();
    EXPECT_FALSE(bench_.submit(1, 11));
    EXPECT_TRUE(bench_.submit(20, 10));
}

TEST_F(ShareLogTest, RefusesWhileACommitHangs) {
    bench_.commit(1);
    files_.hold_syncs();
    ASSERT_TRUE(bench_.submit(2));
    files_.await_held_sync();
    bench_.clock.advance_ms(bench_.settings.stall_ms);
    EXPECT_TRUE(bench_.submit(3));
    bench_.clock.advance_ms(1);
    EXPECT_FALSE(bench_.submit(4));
    files_.release_syncs();
    EXPECT_EQ(bench_.answers.await(3), CommitResult::committed);
    EXPECT_EQ(bench_.commit(5), CommitResult::committed);
}

struct Fault {
    std::string name;
    Call call;
};
class ShareLogFaultTest : public ShareLogTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(ShareLogFaultTest, MovesToANewSegmentAfterOneFailure) {
    bench_.commit(1);
    files_.fail(GetParam().call, EIO);
    EXPECT_EQ(bench_.commit(2), CommitResult::committed);
    EXPECT_EQ(bench_.commit(3), CommitResult::committed);
    EXPECT_GE(bench_.log->state(), LogState::running);
    bench_.log->close();
    EXPECT_EQ(list_segments(files_, testing::kDir)->size(), 2u);
    files_.restore_power();
    EXPECT_THAT(read().marks(), ElementsAre(std::pair(1, 1), std::pair(2, 1), std::pair(3, 1)));
    reopen();
    EXPECT_EQ(bench_.commit(4), CommitResult::committed);
}

INSTANTIATE_TEST_SUITE_P(Calls, ShareLogFaultTest,
                         ::testing::Values(Fault{"write", Call::write}, Fault{"sync", Call::sync}),
                         [](const auto& fault) { return fault.param.name; });

TEST_F(ShareLogTest, AnswersFailedWhenTheNewSegmentFailsTooAndRecovers) {
    bench_.commit(1);
    // The write, the reserve and a fresh file all fail; then the bad batch is made void.
    files_.fail(Call::write, EIO, 3);
    EXPECT_EQ(bench_.commit(2), CommitResult::failed);
    bench_.await_running();
    EXPECT_EQ(count("adit_log_failed_shares_total"), 1u);
    EXPECT_EQ(bench_.commit(3), CommitResult::committed);
    bench_.log->close();
    EXPECT_THAT(read().marks(), ElementsAre(std::pair(1, 1), std::pair(3, 1)));
}

TEST_F(ShareLogTest, KeepsNamesAndJobsThatWaitedThroughAFailure) {
    bench_.commit(1);
    files_.fail(Call::sync, EIO, 3);
    bench_.log->record_job(testing::small_job(5));
    const auto bob = bench_.log->account("bob");
    const auto worker = bench_.log->worker(bob, "w");
    (void)bench_.submit(2);
    bench_.log->close();
    bench_.open();
    bench_.log->close();
    const auto all = read();
    EXPECT_EQ(all.error, "");
    ASSERT_EQ(all.accounts.size(), 2u);
    EXPECT_EQ(all.accounts[1], (share::AccountRecord{bob, "bob"}));
    EXPECT_EQ(all.workers.back(), (share::WorkerRecord{worker, bob, "w"}));
    ASSERT_EQ(all.jobs.size(), 1u);
    EXPECT_EQ(all.jobs[0].id, 5u);
}

// A batch whose bytes may be on the disk gets neither answer until it is known which is true.
TEST_F(ShareLogTest, AnswersABatchInDoubtOnlyWhenItsFateIsKnown) {
    bench_.commit(1);
    files_.set_failure_chance(1);
    ASSERT_TRUE(bench_.submit(2));
    while (bench_.log->state() == LogState::running)
        std::this_thread::yield();
    EXPECT_FALSE(bench_.submit(3));
    EXPECT_EQ(metric("adit_log_available"), 0);
    EXPECT_EQ(bench_.answers.results().size(), 1u);
    files_.clear_faults();
    EXPECT_EQ(bench_.answers.await(2), CommitResult::committed);
    bench_.log->close();
    EXPECT_THAT(read().marks(), ElementsAre(std::pair(1, 1), std::pair(2, 1)));
}

TEST_F(ShareLogTest, IsUnavailableOnAFullDiskAndComesBackWithSpace) {
    bench_.commit(1);
    files_.set_capacity(files_.used());
    std::uint64_t mark = 100;
    // What is reserved can still be used; then nothing more.
    while (bench_.log->state() == LogState::running) {
        if (bench_.submit(mark, 10)) (void)bench_.answers.await(mark);
        mark += 10;
        ASSERT_LT(mark, 100'000u);
    }
    EXPECT_GE(list_segments(files_, testing::kDir)->size(), 2u);
    EXPECT_FALSE(bench_.submit(mark));
    bench_.log->record_job(testing::small_job(9));
    files_.clear_faults();
    bench_.await_running();
    EXPECT_EQ(bench_.commit(1'000'000), CommitResult::committed);
    bench_.log->close();
    const auto all = read();
    const auto marks = all.marks();
    for (const auto& [ticket, result] : bench_.answers.results()) {
        EXPECT_EQ(marks.contains(ticket), result == CommitResult::committed) << ticket;
    }
    ASSERT_EQ(all.jobs.size(), 1u);
}

TEST(ShareLogReserve, IsTriedAgainOnlyAfterAWhile) {
    FaultyFileSystem files(1);
    // Space for the first segment, none for the next.
    files.fail(FaultyFileSystem::Call::allocate, ENOSPC, 1'000, 1);
    testing::LogBench bench(files);
    ASSERT_TRUE(bench.open());
    for (std::uint64_t mark = 1; mark <= 20; ++mark)
        EXPECT_EQ(bench.commit(mark), share::CommitResult::committed);
    bench.clock.advance_ms(bench.settings.retry_ms);
    for (std::uint64_t mark = 21; mark <= 40; ++mark)
        EXPECT_EQ(bench.commit(mark), share::CommitResult::committed);
    bench.log->close();
    EXPECT_EQ(bench.registry.counter("adit_log_io_failures_total", "").value(), 2u);
}

TEST_F(ShareLogTest, PutsABlockBehindTheSharesBeforeIt) {
    bench_.commit(1);
    files_.hold_syncs();
    ASSERT_TRUE(bench_.submit(2));
    files_.await_held_sync();
    ASSERT_TRUE(bench_.submit(3));
    job::BlockCandidate candidate;
    candidate.job = testing::small_job(1);
    candidate.height = 7;
    candidate.account = "finder";
    candidate.worker = "rig9";
    bench_.log->record_block(candidate, "7.block");
    files_.release_syncs();
    bench_.log->close();
    const auto all = read();
    ASSERT_EQ(all.blocks.size(), 1u);
    EXPECT_EQ(all.blocks[0].file, "7.block");
    EXPECT_EQ(all.blocks[0].coinbase_value_sat, 5'000'000'000);
    EXPECT_EQ(all.accounts.at(all.blocks[0].account - 1).name, "finder");
    EXPECT_EQ(all.shares.size(), 3u);
}

TEST_F(ShareLogTest, NeverLetsTimeGoBack) {
    bench_.commit(1);
    bench_.clock.step_wall_ms(-3'600'000);
    bench_.commit(2);
    reopen();
    bench_.commit(3);
    bench_.log->close();
    const auto all = read();
    EXPECT_EQ(all.error, "");
    EXPECT_EQ(all.batches.front().time_ms, all.batches.back().time_ms);
}

TEST_F(ShareLogTest, RefusesNamesItCannotRecordAndFullTables) {
    bench_.settings.max_accounts = 2;
    bench_.settings.max_workers = 2;
    reopen();
    EXPECT_EQ(bench_.log->account(""), 0u);
    EXPECT_EQ(bench_.log->account(std::string(256, 'x')), 0u);
    EXPECT_EQ(bench_.log->account("a"), 1u);
    EXPECT_EQ(bench_.log->account(std::string(255, 'x')), 2u);
    EXPECT_EQ(bench_.log->account("c"), 0u);
    EXPECT_EQ(bench_.log->worker(3, "w"), 0u);
    EXPECT_EQ(bench_.log->worker(0, "w"), 0u);
    EXPECT_EQ(bench_.log->worker(1, ""), 1u);
    EXPECT_EQ(bench_.log->worker(2, ""), 2u);
    EXPECT_EQ(bench_.log->worker(2, "more"), 0u);
    EXPECT_EQ(bench_.log->worker(1, ""), 1u);
}

TEST_F(ShareLogTest, TellsFollowersHowFarTheyMayRead) {
    bench_.commit(1);
    const auto position = bench_.log->durable_position();
    EXPECT_FALSE(bench_.log->wait_past(position, {}, 1));
    std::jthread follower([&] { EXPECT_TRUE(bench_.log->wait_past(position, {}, 600'000)); });
    bench_.commit(2);
    follower.join();
    const auto all = testing::read_log(files_, testing::kDir, position);
    EXPECT_EQ(all.shares.size(), 1u);
}

TEST_F(ShareLogTest, RefusesEverythingOnceClosed) {
    bench_.commit(1);
    bench_.log->close();
    bench_.log->close();
    EXPECT_FALSE(bench_.submit(2));
    EXPECT_EQ(bench_.log->state(), LogState::closed);
}

// Damage -----------------------------------------------------------------------------------------

class DamagedLogTest : public ShareLogTest {
 protected:
    DamagedLogTest() {
        for (std::uint64_t i = 0; i < 20; ++i)
            bench_.commit(100 + 10 * i, 10);
        bench_.log->close();
        batches_ = read().batches;
    }
    // Inverts a byte of the batch with this index, so many bytes behind its beginning.
    void damage(std::size_t batch, std::size_t at) {
        const auto path = testing::kDir / segment_name(1);
        auto bytes = files_.contents(path);
        bytes[kSegmentHeaderSize + batches_.at(batch).before.position + at] ^= 0xff;
        files_.overwrite(path, bytes);
    }
    std::vector<share::LogBatch> batches_;
};

TEST_F(DamagedLogTest, NamesFileAndOffsetOfDamageInTheMiddle) {
    damage(5, kFrameHeaderSize + 3);
    const auto opened = bench_.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, LogErrorKind::damaged);
    EXPECT_EQ(opened.error().file, "00000001.seg");
    EXPECT_EQ(opened.error().offset, kSegmentHeaderSize + batches_[5].before.position);
    EXPECT_THAT(opened.error().text(), HasSubstr("an intact batch follows"));
}

TEST_F(DamagedLogTest, NoticesDamageToTheLengthOfABatch) {
    damage(5, 5);
    const auto opened = bench_.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, LogErrorKind::damaged);
}

TEST_F(DamagedLogTest, CutsATornLastBatch) {
    damage(batches_.size() - 1, kFrameHeaderSize + 100);
    reopen();
    const auto cut = batches_.back().before.position;
    EXPECT_EQ(position_after_start(cut), after_run_record(cut));
    EXPECT_EQ(bench_.commit(9'000), CommitResult::committed);
    bench_.log->close();
    const auto all = read();
    EXPECT_EQ(all.error, "");
    EXPECT_EQ(all.shares.size(), 191u);
}

TEST_F(DamagedLogTest, NoticesDamageInASealedSegmentWhenItIsRead) {
    reopen();
    for (std::uint64_t i = 0; i < 100; ++i)
        bench_.commit(10'000 + 10 * i, 10);
    bench_.log->close();
    ASSERT_GT(list_segments(files_, testing::kDir)->size(), 2u);
    damage(batches_.size() - 1, kFrameHeaderSize);
    const auto all = read();
    EXPECT_THAT(all.error, HasSubstr("00000001.seg at byte"));
    EXPECT_THAT(all.error, HasSubstr("checksum"));
}

TEST_F(DamagedLogTest, NamesAMissingSegment) {
    reopen();
    for (std::uint64_t i = 0; i < 100; ++i)
        bench_.commit(10'000 + 10 * i, 10);
    bench_.log->close();
    ASSERT_TRUE(files_.remove(testing::kDir / segment_name(2)));
    const auto opened = bench_.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, LogErrorKind::missing);
    EXPECT_THAT(opened.error().text(), HasSubstr("00000002.seg"));
}

TEST_F(DamagedLogTest, RefusesADamagedOrForeignHeader) {
    struct Case {
        std::size_t at;
        LogErrorKind kind;
    };
    const auto path = testing::kDir / segment_name(1);
    const auto good = files_.contents(path);
    for (const auto& [at, kind] :
         {Case{0, LogErrorKind::not_a_log}, Case{8, LogErrorKind::not_a_log},
          Case{20, LogErrorKind::damaged}, Case{108, LogErrorKind::damaged}}) {
        auto bytes = good;
        bytes[at] ^= 1;
        files_.overwrite(path, bytes);
        const auto opened = bench_.open();
        ASSERT_FALSE(opened) << at;
        EXPECT_EQ(opened.error().kind, kind) << at;
    }
    files_.overwrite(path, base::ByteSpan(good).first(100));
    EXPECT_EQ(bench_.open().error().kind, LogErrorKind::not_a_log);
}

TEST_F(DamagedLogTest, RefusesASegmentOfAnotherLog) {
    FaultyFileSystem other_files(2);
    testing::LogBench other(other_files);
    ASSERT_TRUE(other.open());
    for (std::uint64_t i = 0; i < 100; ++i)
        other.commit(10'000 + 10 * i, 10);
    other.log->close();
    files_.overwrite(testing::kDir / segment_name(2),
                     other_files.contents(testing::kDir / segment_name(2)));
    EXPECT_FALSE(bench_.open());
    EXPECT_NE(read().error, "");
    files_.overwrite(testing::kDir / segment_name(2),
                     files_.contents(testing::kDir / segment_name(1)));
    const auto opened = bench_.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, LogErrorKind::foreign);
}

TEST_F(DamagedLogTest, FindsAnEarlierPointAndRefusesForeignOnes) {
    const auto& point = batches_[7].before;
    auto reader = LogReader::open(files_, testing::kDir, point);
    ASSERT_TRUE(reader);
    EXPECT_EQ(reader->next(LogReader::kToTheEnd)->value().before, point);

    auto wrong_chain = point;
    wrong_chain.chain.bytes[0] ^= 1;
    EXPECT_EQ(LogReader::open(files_, testing::kDir, wrong_chain).error().kind,
              LogErrorKind::foreign);
    EXPECT_EQ(
        LogReader::open(files_, testing::kDir, {point.position + 1, point.chain}).error().kind,
        LogErrorKind::foreign);
    EXPECT_EQ(LogReader::open(files_, testing::kDir, {1 << 30, point.chain}).error().kind,
              LogErrorKind::beyond_end);
}

}  // namespace
}  // namespace adit::store
