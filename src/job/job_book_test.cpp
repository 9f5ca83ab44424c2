#include "job/job_book.h"

#include <gtest/gtest.h>

namespace adit::job {
namespace {

constexpr std::int64_t kMinute = 60'000;

JobRef job(JobId id, std::uint64_t tip) {
    auto result = std::make_shared<Job>();
    result->id = id;
    result->tip = tip;
    return result;
}

std::optional<JobState> state(const JobBook& book, JobId id, std::int64_t now_ms) {
    const auto found = book.find(id, now_ms);
    return found ? std::optional(found->state) : std::nullopt;
}

TEST(JobBook, FindsNothingWhenEmpty) {
    JobBook book;
    EXPECT_FALSE(book.find(1, 0));
    EXPECT_EQ(book.latest(), nullptr);
    EXPECT_EQ(book.oldest(), 0U);
    EXPECT_EQ(book.oldest_current(0), 0U);
    book.expire(kMinute);
    EXPECT_EQ(book.size(), 0U);
}

TEST(JobBook, FindsTheJobItself) {
    JobBook book;
    const auto first = job(5, 1);
    book.add(first, 0);
    EXPECT_EQ(*book.find(5, 0)->job, first);
    EXPECT_EQ(book.latest(), first);
    EXPECT_FALSE(book.find(4, 0));
    EXPECT_FALSE(book.find(6, 0));
}

TEST(JobBook, KeepsJobsOfTheTipCurrentForTenMinutesAfterTheyWereReplaced) {
    JobBook book;
    book.add(job(1, 1), 0);
    book.add(job(2, 1), 30'000);
    EXPECT_EQ(state(book, 1, 30'000), JobState::current);
    EXPECT_EQ(state(book, 1, 30'000 + 10 * kMinute), JobState::current);
    EXPECT_EQ(state(book, 1, 30'001 + 10 * kMinute), JobState::expired);
    EXPECT_EQ(state(book, 1, 30'000 + 20 * kMinute), JobState::expired);
    EXPECT_EQ(state(book, 1, 30'001 + 20 * kMinute), std::nullopt);
}

TEST(JobBook, NeverExpiresTheNewestJob) {
    JobBook book;
    book.add(job(1, 1), 0);
    book.expire(1'000 * kMinute);
    EXPECT_EQ(state(book, 1, 1'000 * kMinute), JobState::current);
    book.add(job(2, 1), 1'000 * kMinute);
    EXPECT_EQ(state(book, 1, 1'001 * kMinute), JobState::current);
}

TEST(JobBook, KeepsTheLastTwoTipsSubmittableAsStale) {
    JobBook book;
    for (std::uint64_t tip = 1; tip <= 3; ++tip) {
        book.add(job(tip, tip), static_cast<std::int64_t>(tip) * 1'000);
    }
    EXPECT_EQ(state(book, 1, 3'000), JobState::stale);
    EXPECT_EQ(state(book, 2, 3'000), JobState::stale);
    EXPECT_EQ(state(book, 3, 3'000), JobState::current);
    book.add(job(4, 4), 4'000);
    EXPECT_EQ(state(book, 1, 4'000), std::nullopt);
    EXPECT_EQ(state(book, 2, 4'000), JobState::stale);
    EXPECT_EQ(book.oldest(), 2U);
}

TEST(JobBook, ForgetsStaleJobsAfterTenMinutes) {
    JobBook book;
    book.add(job(1, 1), 0);
    book.add(job(2, 2), 1'000);
    EXPECT_EQ(state(book, 1, 1'000 + 10 * kMinute), JobState::stale);
    EXPECT_EQ(state(book, 1, 1'001 + 10 * kMinute), std::nullopt);
}

TEST(JobBook, KeepsEveryJobOfAPreviousBlockForTenMinutesAfterThatBlocksTime) {
    JobBook book;
    book.add(job(1, 1), 0);
    book.add(job(2, 1), 0);  // replaces the first at once
    book.add(job(3, 1), 5 * kMinute);
    book.add(job(4, 2), 15 * kMinute);  // the first two have expired, but may still be blocks
    const auto ended = 15 * kMinute;
    for (const JobId id : {1U, 2U, 3U}) {
        EXPECT_EQ(state(book, id, ended), JobState::stale) << id;
        EXPECT_EQ(state(book, id, ended + 10 * kMinute), JobState::stale) << id;
        EXPECT_EQ(state(book, id, ended + 10 * kMinute + 1), std::nullopt) << id;
    }
    // The next block does not make the time begin anew.
    book.add(job(5, 3), ended + kMinute);
    EXPECT_EQ(state(book, 3, ended + 10 * kMinute), JobState::stale);
    EXPECT_EQ(state(book, 3, ended + 10 * kMinute + 1), std::nullopt);
    EXPECT_EQ(state(book, 4, ended + 11 * kMinute), JobState::stale);
    // What was forgotten before the tip ended does not come back.
    JobBook other;
    other.add(job(1, 1), 0);
    other.add(job(2, 1), 0);
    other.add(job(3, 2), 20 * kMinute + 1);
    EXPECT_EQ(state(other, 1, 20 * kMinute + 1), std::nullopt);
    EXPECT_EQ(state(other, 2, 20 * kMinute + 1), JobState::stale);
}

TEST(JobBook, TreatsAReturnToAnEarlierBlockAsANewTip) {
    JobBook book;
    book.add(job(1, 1), 0);
    book.add(job(2, 2), 1'000);
    book.add(job(3, 3), 2'000);  // the same previous block as job 1, but the jobs were dropped
    EXPECT_EQ(state(book, 1, 2'000), JobState::stale);
}

TEST(JobBook, ReleasesForgottenJobs) {
    JobBook book;
    auto first = job(1, 1);
    const std::weak_ptr<const Job> watch = first;
    book.add(std::move(first), 0);
    book.add(job(2, 2), 1'000);
    book.expire(1'000 + 10 * kMinute);
    EXPECT_FALSE(watch.expired());
    book.expire(1'001 + 10 * kMinute);
    EXPECT_TRUE(watch.expired());
    EXPECT_EQ(book.size(), 1U);
}

TEST(JobBook, DropsTheOldestBeyondItsBound) {
    JobBook book;
    for (JobId id = 1; id <= JobBook::kMaxJobs + 10; ++id)
        book.add(job(id, 1), 0);
    EXPECT_EQ(book.size(), JobBook::kMaxJobs);
    EXPECT_EQ(book.oldest(), 11U);
    EXPECT_FALSE(book.find(10, 0));
    EXPECT_TRUE(book.find(11, 0));
}

TEST(JobBook, IgnoresJobsThatComeAgainOrLate) {
    JobBook book;
    const auto newest = job(5, 2);
    book.add(newest, 0);
    book.add(job(5, 3), 1'000);
    book.add(job(4, 3), 1'000);
    EXPECT_EQ(book.size(), 1U);
    EXPECT_EQ(book.latest(), newest);
    EXPECT_EQ(state(book, 5, 1'000), JobState::current);
}

TEST(JobBook, NamesTheOldestJobWhoseSharesMayCount) {
    JobBook book;
    book.add(job(1, 1), 0);
    book.add(job(2, 2), 1'000);
    book.add(job(3, 2), 2'000);
    EXPECT_EQ(book.oldest(), 1U);
    EXPECT_EQ(book.oldest_current(2'000), 2U);
    EXPECT_EQ(book.oldest_current(2'001 + 10 * kMinute), 3U);
}

}  // namespace
}  // namespace adit::job
