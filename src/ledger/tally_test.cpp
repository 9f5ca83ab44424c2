#include "ledger/tally.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::ledger {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::int64_t kStart = 1'700'000'400;  // a multiple of 600

class TallyTest : public ::testing::Test {
 protected:
    share::ShareRecord share(share::AccountId account, share::WorkerId worker, double difficulty) {
        share::ShareRecord record;
        record.job = 1;
        record.account = account;
        record.worker = worker;
        record.difficulty = *chain::Difficulty::from_double(difficulty);
        return record;
    }
    static chain::Work work(double difficulty) {
        return chain::work_of(chain::Difficulty::from_double(difficulty)->target());
    }
    template <class... R>
    std::expected<void, TallyError> fold(std::int64_t second, const R&... records) {
        base::Bytes payload;
        (append_record(payload, records), ...);
        share::LogBatch batch;
        batch.before = tally_.point().log;
        batch.after = {batch.before.position + 64 + payload.size(), {}};
        batch.after.chain.bytes[0] = static_cast<std::uint8_t>(++batches_);
        batch.time_ms = second * 1'000;
        batch.records = sizeof...(R);
        batch.shares = (0u + ... + (std::is_same_v<R, share::ShareRecord> ? 1u : 0u));
        batch.payload = payload;
        return tally_.fold(batch);
    }

    Tally tally_{{}, 600};
    int batches_ = 0;
};

TEST_F(TallyTest, AddsWorkByAccountAndWorker) {
    ASSERT_TRUE(fold(kStart + 1, share(1, 1, 2), share(1, 2, 4), share(2, 3, 8)));
    ASSERT_TRUE(fold(kStart + 2, share(1, 1, 2)));
    const auto delta = tally_.take();
    const SliceKey slice{kStart, 0};
    EXPECT_THAT(delta.slices,
                ElementsAre(std::pair(std::pair(slice, 1u), Sum{2 * work(2) + work(4), 3, 0}),
                            std::pair(std::pair(slice, 2u), Sum{work(8), 1, 0})));
    EXPECT_THAT(delta.workers, ElementsAre(std::pair(std::pair(kStart, 1u), Sum{2 * work(2), 2, 0}),
                                           std::pair(std::pair(kStart, 2u), Sum{work(4), 1, 0}),
                                           std::pair(std::pair(kStart, 3u), Sum{work(8), 1, 0})));
    EXPECT_EQ(delta.shares, 4u);
}

TEST_F(TallyTest, BeginsASliceWhenItsTimeComes) {
    ASSERT_TRUE(fold(kStart + 599, share(1, 1, 2)));
    ASSERT_TRUE(fold(kStart + 600, share(1, 1, 2)));
    const auto delta = tally_.take();
    ASSERT_THAT(delta.slices, SizeIs(2));
    EXPECT_EQ(delta.slices.begin()->first.first, (SliceKey{kStart, 0}));
    EXPECT_EQ(delta.slices.rbegin()->first.first, (SliceKey{kStart + 600, 0}));
}

TEST_F(TallyTest, ClosesTheSliceWithABlock) {
    share::BlockRecord block;
    block.job = 1;
    block.bits = 0x207fffff;
    block.file = "b";
    ASSERT_TRUE(fold(kStart, share(1, 1, 2), block, share(1, 1, 4)));
    // The sequence goes on over a take().
    const auto first = tally_.take();
    ASSERT_TRUE(fold(kStart + 5, share(1, 1, 8)));
    const auto second = tally_.take();
    EXPECT_THAT(first.slices,
                ElementsAre(std::pair(std::pair(SliceKey{kStart, 0}, 1u), Sum{work(2), 1, 0}),
                            std::pair(std::pair(SliceKey{kStart, 1}, 1u), Sum{work(4), 1, 0})));
    EXPECT_THAT(second.slices,
                ElementsAre(std::pair(std::pair(SliceKey{kStart, 1}, 1u), Sum{work(8), 1, 0})));
    ASSERT_THAT(first.facts, SizeIs(1));
    const auto& found = std::get<FoundBlock>(first.facts[0].what);
    EXPECT_EQ(found.slice, (SliceKey{kStart, 0}));
    EXPECT_EQ(found.block, block);
    ASSERT_TRUE(fold(kStart + 600, share(1, 1, 8)));
    EXPECT_EQ(tally_.point().slice, (SliceKey{kStart + 600, 0}));
}

TEST_F(TallyTest, CreditsNothingForUncreditedAndStaleShares) {
    auto uncredited = share(1, 1, 2);
    uncredited.uncredited = true;
    auto stale = share(1, 1, 2);
    stale.block = stale.stale = true;
    ASSERT_TRUE(fold(kStart, uncredited, stale));
    EXPECT_EQ(tally_.take().slices.begin()->second, (Sum{0, 0, 2}));
}

TEST_F(TallyTest, HandsOutEverythingOnce) {
    ASSERT_TRUE(
        fold(kStart, share::AccountRecord{1, "a"}, share::WorkerRecord{1, 1, "w"}, share(1, 1, 2)));
    const auto first = tally_.take();
    EXPECT_THAT(first.accounts, ElementsAre(share::AccountRecord{1, "a"}));
    EXPECT_THAT(first.worker_names, ElementsAre(share::WorkerRecord{1, 1, "w"}));
    EXPECT_FALSE(first.empty());
    const auto second = tally_.take();
    EXPECT_TRUE(second.empty());
    EXPECT_THAT(second.slices, IsEmpty());
    EXPECT_EQ(second.before, first.after);
}

TEST_F(TallyTest, RefusesWhatIsNotTheNextBatch) {
    share::LogBatch batch;
    batch.before.position = 1;
    EXPECT_EQ(tally_.fold(batch).error(), TallyError::not_next);
    batch.before = tally_.point().log;
    batch.before.chain.bytes[5] = 1;
    EXPECT_EQ(tally_.fold(batch).error(), TallyError::not_next);
}

TEST_F(TallyTest, RefusesABatchWhoseRecordsDoNotMatchItsHeader) {
    base::Bytes payload;
    append_record(payload, share(1, 1, 2));
    share::LogBatch batch;
    batch.payload = payload;
    batch.records = 1;
    batch.shares = 0;
    EXPECT_EQ(Tally({}, 600).fold(batch).error(), TallyError::bad_record);
    batch.records = 2;
    batch.shares = 1;
    EXPECT_EQ(Tally({}, 600).fold(batch).error(), TallyError::bad_record);
    batch.payload = base::ByteSpan(payload).first(10);
    EXPECT_EQ(Tally({}, 600).fold(batch).error(), TallyError::bad_record);
}

}  // namespace
}  // namespace adit::ledger
