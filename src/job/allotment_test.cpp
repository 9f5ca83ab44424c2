#include "job/allotment.h"

#include <gmock/gmock.h>

#include <random>

namespace adit::job {
namespace {

using chain::Amount;
using chain::Work;
using ::testing::ElementsAre;

std::vector<std::int64_t> parts_of(std::int64_t total, std::vector<Work> weights) {
    std::vector<std::int64_t> sats;
    for (const auto part : allot(Amount::of(total), weights))
        sats.push_back(part.sat());
    return sats;
}

TEST(Allotment, RoundsDownAndHandsTheRestOutInOrder) {
    EXPECT_THAT(parts_of(100, {1, 1, 1}), ElementsAre(34, 33, 33));
    EXPECT_THAT(parts_of(101, {1, 1, 1}), ElementsAre(34, 34, 33));
    EXPECT_THAT(parts_of(10, {9, 1}), ElementsAre(9, 1));
    EXPECT_THAT(parts_of(1, {1, 1'000'000}), ElementsAre(1, 0));
    EXPECT_THAT(parts_of(0, {1, 2}), ElementsAre(0, 0));
}

TEST(Allotment, GivesNothingToNoWork) {
    EXPECT_THAT(parts_of(5, {0, 3, 0, 3}), ElementsAre(0, 3, 0, 2));
    EXPECT_THAT(parts_of(5, {0, 0}), ElementsAre(0, 0));
    EXPECT_THAT(parts_of(5, {}), ElementsAre());
}

TEST(Allotment, PartsOfAnyWeightsSumToTheWhole) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 2'000; ++round) {
        const auto total = static_cast<std::int64_t>(random() % (Amount::kMaxSat + 1));
        std::vector<Work> weights(1 + random() % 40);
        for (auto& weight : weights) {
            weight = (Work{random()} << 50 | random()) >> random() % 100;
        }
        Amount sum;
        Work work = 0;
        for (const auto weight : weights)
            work += weight;
        const auto parts = allot(Amount::of(total), weights);
        for (const auto part : parts)
            sum += part;
        EXPECT_EQ(sum.sat(), work == 0 ? 0 : total) << "round " << round;
    }
}

TEST(Allotment, TakesMillionthsRoundedDown) {
    EXPECT_EQ(fraction_of(Amount::of(312'500'000), 10'000), Amount::of(3'125'000));
    EXPECT_EQ(fraction_of(Amount::of(99), 10'000), Amount());
    EXPECT_EQ(fraction_of(Amount::of(Amount::kMaxSat), 1'000'000), Amount::of(Amount::kMaxSat));
    EXPECT_EQ(fraction_of(Amount::of(123), 0), Amount());
}

}  // namespace
}  // namespace adit::job
