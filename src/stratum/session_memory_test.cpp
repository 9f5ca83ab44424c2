#include "stratum/session_memory.h"

#include <gtest/gtest.h>

namespace adit::stratum {
namespace {

chain::Difficulty difficulty(double value) {
    return *chain::Difficulty::from_double(value);
}

TEST(SessionToken, ReadsItsOwnTextAndNothingElse) {
    const auto token = SessionToken::random();
    EXPECT_EQ(token.text().size(), 32u);
    EXPECT_EQ(SessionToken::parse(token.text()), token);
    EXPECT_NE(SessionToken::random(), token);
    EXPECT_EQ(SessionToken::parse(""), std::nullopt);
    EXPECT_EQ(SessionToken::parse(token.text() + "00"), std::nullopt);
    EXPECT_EQ(SessionToken::parse(std::string(32, 'g')), std::nullopt);
}

TEST(SentJobs, BroadcastsHaveTheDifficultyOfTheLastChangeBeforeThem) {
    SentJobs sent;
    EXPECT_EQ(sent.find(5, 0), std::nullopt);
    sent.add(5, 0, difficulty(10));
    sent.add(7, 1, difficulty(20));
    sent.add(9, 0, difficulty(30));
    EXPECT_EQ(sent.find(4, 0), std::nullopt);
    EXPECT_EQ(sent.find(5, 0), difficulty(10));
    EXPECT_EQ(sent.find(6, 0), difficulty(10));
    EXPECT_EQ(sent.find(7, 0), difficulty(10));
    EXPECT_EQ(sent.find(7, 1), difficulty(20));
    EXPECT_EQ(sent.find(8, 0), difficulty(20));
    EXPECT_EQ(sent.find(9, 0), difficulty(30));
    EXPECT_EQ(sent.find(100, 0), difficulty(30));
}

TEST(SentJobs, AnOlderJobMayBeSentAfterANewerOne) {
    SentJobs sent;
    sent.add(5, 0, difficulty(10));
    sent.add(9, 0, difficulty(30));
    sent.add(7, 1, difficulty(20));
    EXPECT_EQ(sent.find(6, 0), difficulty(10));
    EXPECT_EQ(sent.find(7, 1), difficulty(20));
    EXPECT_EQ(sent.find(9, 0), difficulty(30));
    sent.forget_before(8);
    EXPECT_EQ(sent.find(9, 0), difficulty(30));
}

TEST(SentJobs, OtherVariantsMustHaveBeenSent) {
    SentJobs sent;
    sent.add(5, 0, difficulty(10));
    sent.add(5, 2, difficulty(20));
    EXPECT_EQ(sent.find(5, 1), std::nullopt);
    EXPECT_EQ(sent.find(5, 2), difficulty(20));
    EXPECT_EQ(sent.find(5, 3), std::nullopt);
    EXPECT_EQ(sent.find(6, 2), std::nullopt);
}

TEST(SentJobs, ForgettingKeepsWhatLaterBroadcastsNeed) {
    SentJobs sent;
    for (job::JobId id = 1; id <= 9; ++id)
        sent.add(id, 1, difficulty(static_cast<double>(id)));
    sent.forget_before(5);
    EXPECT_EQ(sent.size(), 6u);
    EXPECT_EQ(sent.find(5, 0), difficulty(4));
    EXPECT_EQ(sent.find(5, 1), difficulty(5));
    sent.forget_before(100);
    EXPECT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent.find(100, 0), difficulty(9));
}

TEST(SessionMemory, VariantsCountUpToTheirEndAndBeginAgainWithANewBlock) {
    SessionMemory memory;
    for (int i = 1; i <= 255; ++i)
        EXPECT_EQ(memory.take_variant(3), i);
    EXPECT_EQ(memory.take_variant(3), std::nullopt);
    EXPECT_EQ(memory.take_variant(4), 1);
}

}  // namespace
}  // namespace adit::stratum
