#include "share/duplicate_filter.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace adit::share {
namespace {

using Verdict = DuplicateFilter::Verdict;

// Distinct numbers give distinct hashes; zero gives a hash whose low end is zero.
chain::Hash256 hash_of(std::uint64_t number) {
    chain::Hash256 hash;
    base::store_le(hash.bytes.data(), number * 0x9e3779b97f4a7c15U);
    return hash;
}

TEST(DuplicateFilter, TakesNoMemoryBeforeTheFirstShare) {
    DuplicateFilter filter;
    EXPECT_EQ(filter.memory_bytes(), 0U);
    EXPECT_FALSE(filter.contains(hash_of(1)));
    filter.forget_before(10);
    EXPECT_EQ(filter.memory_bytes(), 0U);
    EXPECT_EQ(filter.size(), 0U);
}

TEST(DuplicateFilter, RefusesAHashASecondTimeWhateverItsJob) {
    DuplicateFilter filter;
    EXPECT_EQ(filter.insert(1, hash_of(7)), Verdict::fresh);
    EXPECT_EQ(filter.insert(1, hash_of(7)), Verdict::duplicate);
    EXPECT_EQ(filter.insert(2, hash_of(7)), Verdict::duplicate);
    EXPECT_EQ(filter.insert(1, hash_of(8)), Verdict::fresh);
    EXPECT_TRUE(filter.contains(hash_of(7)));
    EXPECT_FALSE(filter.contains(hash_of(9)));
    EXPECT_EQ(filter.size(), 2U);
}

TEST(DuplicateFilter, RemembersAHashWhoseLowEndIsZero) {
    DuplicateFilter filter;
    EXPECT_EQ(filter.insert(1, hash_of(0)), Verdict::fresh);
    EXPECT_TRUE(filter.contains(hash_of(0)));
    EXPECT_EQ(filter.insert(1, hash_of(0)), Verdict::duplicate);
}

TEST(DuplicateFilter, RemembersEverythingWhileItGrows) {
    DuplicateFilter filter;
    for (std::uint64_t i = 0; i < 5'000; ++i)
        ASSERT_EQ(filter.insert(1, hash_of(i)), Verdict::fresh);
    for (std::uint64_t i = 0; i < 5'000; ++i) {
        ASSERT_EQ(filter.insert(1, hash_of(i)), Verdict::duplicate);
    }
    EXPECT_EQ(filter.size(), 5'000U);
}

TEST(DuplicateFilter, FreesItsMemoryWhenAllJobsAreForgotten) {
    DuplicateFilter filter;
    for (std::uint64_t i = 0; i < 100; ++i)
        filter.insert(3, hash_of(i));
    filter.forget_before(3);
    EXPECT_EQ(filter.size(), 100U);
    filter.forget_before(4);
    EXPECT_EQ(filter.size(), 0U);
    EXPECT_EQ(filter.memory_bytes(), 0U);
    EXPECT_EQ(filter.insert(4, hash_of(1)), Verdict::fresh);
}

TEST(DuplicateFilter, StaysSmallWhileOldJobsAreForgotten) {
    DuplicateFilter filter;
    for (std::uint64_t i = 0; i < 100'000; ++i) {
        const auto job = i / 10;
        filter.forget_before(job > 5 ? job - 5 : 0);
        ASSERT_EQ(filter.insert(job, hash_of(i)), Verdict::fresh);
    }
    EXPECT_LE(filter.memory_bytes(), 256U * 16U);
}

TEST(DuplicateFilter, NeverLetsTheBoundOfForgottenJobsGoBack) {
    DuplicateFilter filter;
    filter.insert(5, hash_of(1));
    filter.forget_before(6);
    filter.forget_before(2);
    EXPECT_EQ(filter.size(), 0U);
}

TEST(DuplicateFilter, AgreesWithAPlainMap) {
    std::mt19937_64 random(11);
    DuplicateFilter filter;
    std::map<std::uint64_t, job::JobId> model;
    job::JobId oldest = 0;
    for (std::uint64_t step = 0; step < 50'000; ++step) {
        const auto job = oldest + random() % 8;
        const auto number = random() % 20'000;
        const auto verdict = filter.insert(job, hash_of(number));
        const auto known = model.find(number);
        if (known == model.end()) {
            ASSERT_EQ(verdict, Verdict::fresh);
            model[number] = job;
        } else if (known->second >= oldest) {
            ASSERT_EQ(verdict, Verdict::duplicate);
        } else if (verdict == Verdict::fresh) {
            model[number] = job;  // a forgotten hash may be either
        }
        if (step % 500 == 499) filter.forget_before(++oldest);
    }
}

TEST(DuplicateFilter, IsFullAtItsBoundAndRecoversWhenJobsAreForgotten) {
    DuplicateFilter filter;
    const auto max = DuplicateFilter::kMaxEntries;
    for (std::uint64_t i = 0; i < max; ++i) {
        ASSERT_EQ(filter.insert(1 + i % 2, hash_of(i)), Verdict::fresh);
    }
    EXPECT_EQ(filter.insert(2, hash_of(max)), Verdict::full);
    EXPECT_EQ(filter.insert(2, hash_of(5)), Verdict::duplicate);
    EXPECT_FALSE(filter.contains(hash_of(max)));
    EXPECT_LE(filter.memory_bytes(), 2 * max * 16);

    filter.forget_before(1);  // nothing to forget
    EXPECT_EQ(filter.insert(2, hash_of(max)), Verdict::full);
    filter.forget_before(2);
    EXPECT_EQ(filter.insert(2, hash_of(max)), Verdict::fresh);
    EXPECT_EQ(filter.size(), max / 2 + 1);
    EXPECT_TRUE(filter.contains(hash_of(1)));
    EXPECT_FALSE(filter.contains(hash_of(0)));
}

TEST(DuplicateFilter, KeepsItsMemoryBoundWhenFewAreForgottenAtTheBound) {
    DuplicateFilter filter;
    const auto max = DuplicateFilter::kMaxEntries;
    for (std::uint64_t i = 0; i < max; ++i)
        filter.insert(i < 10 ? 1 : 2, hash_of(i));
    filter.forget_before(2);
    for (std::uint64_t i = 0; i < 10; ++i) {
        ASSERT_EQ(filter.insert(2, hash_of(max + i)), Verdict::fresh);
    }
    EXPECT_EQ(filter.insert(2, hash_of(max + 10)), Verdict::full);
    EXPECT_LE(filter.memory_bytes(), 2 * max * 16);
}

}  // namespace
}  // namespace adit::share
