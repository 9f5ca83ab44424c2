#include "sim/coin_selection.h"

#include <gtest/gtest.h>

namespace adit::sim {
namespace {

using Indices = std::vector<std::size_t>;

std::vector<SelectableCoin> coins(std::initializer_list<std::int64_t> values, std::int64_t fee) {
    std::vector<SelectableCoin> made;
    for (const auto value : values)
        made.push_back({made.size(), value, fee});
    return made;
}

TEST(CoinSelection, OneCoinWhenOneSufficesElseTheLargestFirst) {
    const auto some = coins({100, 500, 300, 200}, 10);
    EXPECT_EQ(select_coins(some, 1), Indices({0}));
    EXPECT_EQ(select_coins(some, 90), Indices({0}));
    EXPECT_EQ(select_coins(some, 91), Indices({3}));
    EXPECT_EQ(select_coins(some, 490), Indices({1}));
    EXPECT_EQ(select_coins(some, 491), Indices({1, 2}));
    EXPECT_EQ(select_coins(some, 1'060), Indices({1, 2, 3, 0}));
    EXPECT_EQ(select_coins(some, 1'061), std::nullopt);
    EXPECT_EQ(select_coins({}, 1), std::nullopt);
    EXPECT_EQ(select_coins(some, 0), Indices());
}

TEST(CoinSelection, CoinsThatCostMoreThanTheyBringStay) {
    const auto some = coins({10, 9, 100}, 10);
    EXPECT_EQ(select_coins(some, 90), Indices({2}));
    EXPECT_EQ(select_coins(some, 91), std::nullopt);
}

TEST(CoinSelection, EqualCoinsGoInTheCallersOrder) {
    EXPECT_EQ(select_coins(coins({50, 50, 50}, 0), 60), Indices({0, 1}));
}

}  // namespace
}  // namespace adit::sim
