#include "ledger/payer_testing.h"
#include "ledger/payout_plan.h"

#include <gmock/gmock.h>

#include <random>

namespace adit::ledger {
namespace {

using testing::segwit_script;

Coin coin(std::int64_t sat, std::uint32_t index = 0) {
    return {{chain::Hash256{}, index}, Amount::of(sat), segwit_script(1), 10};
}

FundingRequest request(std::vector<Coin> more, std::int64_t pays) {
    FundingRequest request;
    request.more = std::move(more);
    request.outputs = {{segwit_script(9), Amount::of(pays)}};
    request.change_script = segwit_script(1);
    return request;
}

TEST(PayoutTransaction, TakesTheLargestCoinsThatSuffice) {
    const auto funding = fund(request({coin(10'000, 1), coin(90'000, 2), coin(60'000, 3)}, 95'000));
    ASSERT_TRUE(funding);
    ASSERT_EQ(funding->coins.size(), 2u);
    EXPECT_EQ(funding->coins[0].value.sat(), 90'000);
    EXPECT_EQ(funding->coins[1].value.sat(), 60'000);
    EXPECT_EQ(funding->change + funding->fee, Amount::of(55'000));
    EXPECT_EQ(funding->fee.sat(), funding->size) << "at one satoshi per byte";
}

TEST(PayoutTransaction, MakesNoDustOfTheChange) {
    const auto plain = fund(request({coin(100'000)}, 50'000));
    ASSERT_TRUE(plain);
    const auto with_change = plain->fee.sat();
    const auto dust = dust_limit(segwit_script(1)).sat();
    const auto least = fund(request({coin(100'000)}, 100'000 - with_change - dust));
    ASSERT_TRUE(least);
    EXPECT_EQ(least->change.sat(), dust);
    const auto none = fund(request({coin(100'000)}, 100'000 - with_change - dust + 1));
    ASSERT_TRUE(none);
    EXPECT_EQ(none->change, Amount{});
    EXPECT_EQ(none->fee.sat(), with_change + dust - 1) << "it goes to the miners of the block";
}

TEST(PayoutTransaction, SaysWhatIsMissing) {
    const auto all = fund(request({coin(100'000)}, 50'000));
    const auto without_change = all->fee.sat() - output_size(segwit_script(1));
    EXPECT_TRUE(fund(request({coin(100'000)}, 100'000 - without_change)));
    const auto shortage = fund(request({coin(100'000)}, 100'000 - without_change + 1));
    ASSERT_FALSE(shortage);
    EXPECT_EQ(shortage.error().missing.sat(), 1);
    EXPECT_EQ(shortage.error().text(), "0.00000001 BTC are missing");
    EXPECT_FALSE(fund(request({}, 1)));
}

TEST(PayoutTransaction, StaysBelowItsLimit) {
    std::vector<Coin> crumbs;
    for (std::uint32_t i = 0; i < 3'000; ++i)
        crumbs.push_back(coin(10'000, i));
    const auto large = fund(request(crumbs, 13'000'000));
    ASSERT_TRUE(large);
    EXPECT_GT(large->size, 80'000);
    EXPECT_LE(large->size, kMaxPayoutSize);
    const auto too_large = fund(request(crumbs, 15'000'000));
    ASSERT_FALSE(too_large);
    EXPECT_TRUE(too_large.error().too_large);
}

// The bound on the size holds for what is really signed.
TEST(PayoutTransaction, IsNeverLargerThanWasThought) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 200; ++i) {
        std::vector<Coin> coins;
        for (std::uint32_t n = 0; n <= random() % 300; ++n)
            coins.push_back(coin(static_cast<std::int64_t>(random() % 1'000'000) + 600, n));
        auto wanted =
            request(std::move(coins), static_cast<std::int64_t>(random() % 5'000'000) + 1);
        for (std::size_t n = random() % 300; n > 0; --n)
            wanted.outputs.push_back({segwit_script(8), Amount::of(5'000)});
        const auto funding = fund(wanted);
        if (!funding) continue;
        auto transaction = build_payout(*funding, wanted.outputs, wanted.change_script);
        for (auto& input : transaction.inputs)
            input.witness = {base::Bytes(72, 1), base::Bytes(33, 1)};
        const auto size = static_cast<std::int64_t>((transaction.weight() + 3) / 4);
        EXPECT_LE(size, funding->size);
        EXPECT_GE(size, funding->size - 10);
        Amount sum = funding->fee + funding->change;
        for (const auto& output : wanted.outputs)
            sum += output.value;
        for (const auto& spent : funding->coins)
            sum -= spent.value;
        EXPECT_EQ(sum, Amount{}) << "nothing appears or vanishes";
    }
}

TEST(PayoutTransaction, PaysForItsOwnReplacement) {
    // 200 virtual bytes for 400 satoshis are 2,000 satoshis per 1,000.
    EXPECT_EQ(bump(Amount::of(400), 200, 1'000, 100'000)->fee_rate, 3'000);
    EXPECT_EQ(bump(Amount::of(400), 200, 50'000, 100'000)->fee_rate, 50'000);
    EXPECT_EQ(bump(Amount::of(400), 200, 900'000, 100'000)->fee_rate, 100'000);
    EXPECT_EQ(bump(Amount::of(400), 200, 1'000, 3'000)->min_fee.sat(), 600);
    EXPECT_FALSE(bump(Amount::of(400), 200, 1'000, 2'999));
    EXPECT_EQ(bump(Amount::of(4'000), 200, 1'000, 100'000)->fee_rate, 25'000) << "a quarter more";
}

TEST(PayoutPlan, KnowsWhatIsDust) {
    const auto script = [](std::size_t size, std::initializer_list<int> start) {
        base::Bytes bytes(size, 7);
        std::ranges::transform(start, bytes.begin(),
                               [](int byte) { return static_cast<std::uint8_t>(byte); });
        return bytes;
    };
    EXPECT_EQ(dust_limit(script(22, {0x00, 20})).sat(), 294);        // P2WPKH
    EXPECT_EQ(dust_limit(script(34, {0x00, 32})).sat(), 330);        // P2WSH
    EXPECT_EQ(dust_limit(script(34, {0x51, 32})).sat(), 330);        // P2TR
    EXPECT_EQ(dust_limit(script(25, {0x76, 0xa9, 20})).sat(), 546);  // P2PKH
    EXPECT_EQ(dust_limit(script(23, {0xa9, 20})).sat(), 540);        // P2SH
}

TEST(PayoutPlan, CountsIntentsOfADay) {
    std::vector<PayoutRow> rows(4);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i].created_ms = static_cast<std::int64_t>(i) * 100;
        rows[i].debits = Amount::of(1 << i);
    }
    rows[3].state = PayoutState::cancelled;
    EXPECT_EQ(debits_since(rows, -1).sat(), 7);
    EXPECT_EQ(debits_since(rows, 100).sat(), 4);
    EXPECT_EQ(debits_since(rows, 200).sat(), 0);
}

}  // namespace
}  // namespace adit::ledger
