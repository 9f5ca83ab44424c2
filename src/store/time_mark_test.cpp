#include "store/time_mark.h"

#include "store/log_test_support.h"

#include <gtest/gtest.h>

namespace adit::store {
namespace {

constexpr std::int64_t kLongMs = 60'000;

class TimeMarkTest : public ::testing::Test {
 protected:
    void SetUp() override { ASSERT_TRUE(bench_.open()); }

    FaultyFileSystem files_{1};
    testing::LogBench bench_{files_};
};

TEST_F(TimeMarkTest, LeavesItsTimeAndNothingElse) {
    bench_.commit(1);
    const auto before = bench_.log->durable_position();
    bench_.clock.advance_ms(5'000);
    TimeMark mark(*bench_.log);
    ASSERT_TRUE(mark.write(kLongMs));
    EXPECT_GT(bench_.log->durable_position(), before);
    bench_.commit(2);
    bench_.log->close();
    const auto all = testing::read_log(files_);
    EXPECT_EQ(all.error, "");
    EXPECT_EQ(all.shares.size(), 2u);
    ASSERT_GE(all.batches.size(), 2u);
    const auto& empty = all.batches.at(all.batches.size() - 2);
    EXPECT_EQ(empty.after.position, before + 64);
    EXPECT_EQ(empty.time_ms, bench_.clock.wall_ms());
    // The next start finds nothing wrong with it.
    testing::LogBench again(files_);
    ASSERT_TRUE(again.open());
    EXPECT_EQ(again.log->shares_recorded(), 2u);
}

TEST_F(TimeMarkTest, SaysWhenTheLogDoesNotWrite) {
    TimeMark mark(*bench_.log);
    ASSERT_TRUE(mark.write(kLongMs));
    // The write, the reserve and a fresh file all fail; then the mark is made void.
    files_.fail(FaultyFileSystem::Call::write, EIO, 3);
    const auto failed = mark.write(kLongMs);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error(), "the write failed");
    bench_.await_running();
    EXPECT_TRUE(mark.write(kLongMs));
    bench_.log->close();
    const auto closed = mark.write(kLongMs);
    ASSERT_FALSE(closed);
    EXPECT_EQ(closed.error(), "it takes nothing at the moment");
}

TEST_F(TimeMarkTest, GivesUpWhenItsTimeIsUpOrItIsTold) {
    TimeMark mark(*bench_.log);
    files_.hold_syncs();
    const auto late = mark.write(20);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error(), "no answer within 20 ms");
    std::stop_source stop;
    stop.request_stop();
    EXPECT_FALSE(mark.write(kLongMs, stop.get_token()));
    files_.release_syncs();
    EXPECT_TRUE(mark.write(kLongMs));
    bench_.log->close();
}

}  // namespace
}  // namespace adit::store
