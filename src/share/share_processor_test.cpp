#include "share/share_processor.h"

#include "job/job_maker.h"
#include "job/sample_template.h"

#include <gtest/gtest.h>

#include <cmath>

namespace adit::share {
namespace {

// Roughly one hash in 2^bits meets this difficulty.
chain::Difficulty one_in_two_to(int bits) {
    return chain::Difficulty::from_double(std::ldexp(1.0, bits - 32)).value();
}

// A job whose network target one hash in 256 meets, and choices for it by what they meet.
class ShareProcessorTest : public testing::Test {
 protected:
    static constexpr int kNetwork = 8;  // binary digits
    static constexpr int kShare = 4;
    static constexpr int kLowered = 2;

    ShareProcessorTest() {
        job::JobMaker maker({.payout_script = base::Bytes(22, 1)}, 77);
        job_ = maker.make(job::sample_template_ref({.bits = 0x2000ffff}), 0).value();
    }

    // The next choice whose hash has from `from` up to but not including `below` leading zero bits.
    job::HeaderChoice grind(int from, int below = 256) {
        job::HeaderChoice choice;
        choice.ntime = job_->ntime;
        choice.version = job_->version;
        for (;;) {
            choice.nonce = nonce_++;
            const auto hash = job::header_of(*job_, choice).hash();
            const auto zeroes = 256 - base::U256::from_le(hash.bytes).bits();
            // One step inside the bounds, since difficulty 2^-n is not exactly n zero bits.
            if (zeroes > from && zeroes < below) return choice;
        }
    }
    job::HeaderChoice block() { return grind(kNetwork); }
    job::HeaderChoice good() { return grind(kShare, kNetwork); }
    job::HeaderChoice middling() { return grind(kLowered, kShare); }
    job::HeaderChoice low() { return grind(-1, kLowered); }

    PendingShare pending(const job::HeaderChoice& choice) {
        PendingShare share;
        share.job = job_;
        share.choice = choice;
        share.difficulty = one_in_two_to(kShare);
        share.account = 3;
        share.worker = 4;
        share.duplicates = &filter_;
        return share;
    }
    Verdict process(const PendingShare& share) {
        Verdict verdict;
        processor_.process({&share, 1}, {&verdict, 1});
        return verdict;
    }

    job::JobRef job_;
    std::uint32_t nonce_ = 0;
    DuplicateFilter filter_;
    ShareProcessor processor_;
};

TEST_F(ShareProcessorTest, AcceptsAShareOnce) {
    const auto share = pending(good());
    const auto first = process(share);
    EXPECT_EQ(first.refusal, std::nullopt);
    EXPECT_FALSE(first.block);
    EXPECT_FALSE(first.uncredited);
    EXPECT_EQ(first.hash, job::header_of(*job_, share.choice).hash());
    EXPECT_EQ(process(share).refusal, Refusal::duplicate);
}

TEST_F(ShareProcessorTest, RefusesTheSecondOfTwoEqualSharesInOneTurn) {
    const auto share = pending(good());
    const std::array shares{share, share, share};
    std::array<Verdict, 3> verdicts;
    processor_.process(shares, verdicts);
    EXPECT_EQ(verdicts[0].refusal, std::nullopt);
    EXPECT_EQ(verdicts[1].refusal, Refusal::duplicate);
    EXPECT_EQ(verdicts[2].refusal, Refusal::duplicate);
}

TEST_F(ShareProcessorTest, RefusesLowDifficultyWithoutRememberingIt) {
    EXPECT_EQ(process(pending(low())).refusal, Refusal::low_difficulty);
    EXPECT_EQ(process(pending(middling())).refusal, Refusal::low_difficulty);
    EXPECT_EQ(filter_.size(), 0U);
}

TEST_F(ShareProcessorTest, CallsACountedShareADuplicateBeforeLowDifficulty) {
    auto share = pending(good());
    process(share);
    share.difficulty = one_in_two_to(40);
    EXPECT_EQ(process(share).refusal, Refusal::duplicate);
}

TEST_F(ShareProcessorTest, AcceptsWithoutCreditWhatMeetsOnlyTheLoweredDifficulty) {
    auto share = pending(middling());
    share.lowered = one_in_two_to(kLowered);
    const auto verdict = process(share);
    EXPECT_EQ(verdict.refusal, std::nullopt);
    EXPECT_TRUE(verdict.uncredited);
    EXPECT_EQ(process(share).refusal, Refusal::duplicate);

    auto full = pending(good());
    full.lowered = one_in_two_to(kLowered);
    EXPECT_FALSE(process(full).uncredited);

    auto less = pending(low());
    less.lowered = one_in_two_to(kLowered);
    EXPECT_EQ(process(less).refusal, Refusal::low_difficulty);
}

TEST_F(ShareProcessorTest, ReportsABlockWhateverElseIsWrongWithIt) {
    for (std::size_t i = 0; i < kRefusalCount; ++i) {
        auto share = pending(block());
        share.policy = static_cast<Refusal>(i);
        const auto verdict = process(share);
        EXPECT_TRUE(verdict.block);
        EXPECT_EQ(verdict.refusal, static_cast<Refusal>(i));
    }
    EXPECT_EQ(filter_.size(), 0U);

    const auto share = pending(block());
    EXPECT_EQ(process(share).refusal, std::nullopt);
    const auto again = process(share);
    EXPECT_TRUE(again.block);
    EXPECT_EQ(again.refusal, Refusal::duplicate);
}

TEST_F(ShareProcessorTest, NamesThePolicyRefusalBeforeDuplicateAndLowDifficulty) {
    for (std::size_t i = 0; i < kRefusalCount; ++i) {
        auto share = pending(low());
        share.policy = static_cast<Refusal>(i);
        EXPECT_EQ(process(share).refusal, static_cast<Refusal>(i));
        EXPECT_FALSE(process(share).block);
    }
    auto counted = pending(good());
    process(counted);
    counted.policy = Refusal::stale;
    EXPECT_EQ(process(counted).refusal, Refusal::stale);
}

TEST_F(ShareProcessorTest, DoesNotRememberWhatPolicyRefused) {
    auto share = pending(good());
    share.policy = Refusal::unauthorized;
    share.duplicates = nullptr;
    process(share);
    share.policy.reset();
    share.duplicates = &filter_;
    EXPECT_EQ(process(share).refusal, std::nullopt);
}

TEST_F(ShareProcessorTest, AcceptsABlockBelowItsShareDifficultyWithoutCredit) {
    auto share = pending(block());
    share.difficulty = one_in_two_to(40);
    const auto verdict = process(share);
    EXPECT_TRUE(verdict.block);
    EXPECT_TRUE(verdict.uncredited);
    EXPECT_EQ(verdict.refusal, std::nullopt);
}

TEST_F(ShareProcessorTest, AnswersSharesOfUnknownJobs) {
    PendingShare share;
    EXPECT_EQ(process(share).refusal, Refusal::job_not_found);
    share.policy = Refusal::not_subscribed;
    const auto verdict = process(share);
    EXPECT_EQ(verdict.refusal, Refusal::not_subscribed);
    EXPECT_TRUE(verdict.hash.is_zero());
}

TEST_F(ShareProcessorTest, RefusesWhenTheDuplicateFilterIsFull) {
    for (std::uint64_t i = 1; i <= DuplicateFilter::kMaxEntries; ++i) {
        chain::Hash256 hash;
        base::store_le(hash.bytes.data(), i * 0x9e3779b97f4a7c15U);
        filter_.insert(77, hash);
    }
    EXPECT_EQ(process(pending(good())).refusal, Refusal::too_many_shares);
    EXPECT_TRUE(process(pending(block())).block);
}

TEST_F(ShareProcessorTest, JudgesLongTurnsInOrder) {
    std::vector<PendingShare> shares;
    std::vector<std::optional<Refusal>> expected;
    for (int i = 0; i < 300; ++i) {
        switch (i % 5) {
            case 0:
                shares.push_back(pending(good()));
                expected.push_back(std::nullopt);
                break;
            case 1:
                shares.push_back(shares.back());
                expected.push_back(Refusal::duplicate);
                break;
            case 2:
                shares.push_back(pending(low()));
                expected.push_back(Refusal::low_difficulty);
                break;
            case 3:
                shares.emplace_back();
                expected.push_back(Refusal::job_not_found);
                break;
            case 4:
                shares.push_back(pending(good()));
                shares.back().policy = Refusal::stale;
                expected.push_back(Refusal::stale);
                break;
        }
    }
    std::vector<Verdict> verdicts(shares.size());
    processor_.process(shares, verdicts);
    for (std::size_t i = 0; i < shares.size(); ++i) {
        EXPECT_EQ(verdicts[i].refusal, expected[i]) << i;
        if (shares[i].job == nullptr) continue;
        EXPECT_EQ(verdicts[i].hash, job::header_of(*job_, shares[i].choice).hash());
    }
}

TEST_F(ShareProcessorTest, JudgesManyDifficultiesEachByItsOwnTarget) {
    const auto choice = good();
    const auto hash = job::header_of(*job_, choice).hash();
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 500; ++i) {
            DuplicateFilter fresh;
            auto share = pending(choice);
            share.duplicates = &fresh;
            share.difficulty = *chain::Difficulty::from_double(std::ldexp(1.0 + i / 500.0, -28));
            const bool meets = share.difficulty.target().met_by(hash);
            EXPECT_EQ(process(share).refusal.has_value(), !meets);
        }
    }
}

TEST_F(ShareProcessorTest, MakesTheRecordOfAShare) {
    auto share = pending(good());
    Verdict verdict;
    verdict.uncredited = true;
    auto record = record_of(share, verdict);
    EXPECT_EQ(record.job, 77U);
    EXPECT_EQ(record.choice.nonce, share.choice.nonce);
    EXPECT_EQ(record.account, 3U);
    EXPECT_EQ(record.worker, 4U);
    EXPECT_EQ(record.difficulty, share.difficulty);
    EXPECT_TRUE(record.uncredited);
    EXPECT_FALSE(record.block);
    EXPECT_FALSE(record.stale);

    verdict = Verdict{};
    verdict.refusal = Refusal::stale;
    verdict.block = true;
    record = record_of(share, verdict);
    EXPECT_TRUE(record.block);
    EXPECT_TRUE(record.stale);
    EXPECT_FALSE(record.uncredited);
    EXPECT_EQ(record_of(PendingShare{}, verdict).job, 0U);
}

}  // namespace
}  // namespace adit::share
