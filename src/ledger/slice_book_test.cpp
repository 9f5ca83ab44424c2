#include "ledger/slice_book.h"

#include <gtest/gtest.h>

#include <random>

namespace adit::ledger {
namespace {

TEST(SliceBook, AddsUpWhateverTheOrderAndTheSize) {
    std::mt19937_64 random(1);
    std::map<std::pair<SliceKey, share::AccountId>, Sum> all;
    SliceBook book;
    for (int piece = 0; piece < 200; ++piece) {
        TallyDelta delta;
        for (int i = 0; i < 20; ++i) {
            const SliceKey slice{static_cast<std::int64_t>(600 * (random() % 4)),
                                 static_cast<std::uint32_t>(random() % 2)};
            const auto account = static_cast<share::AccountId>(
                random() % 3 == 0 ? ~0u - random() % 3 : 1 + random() % 300);
            Sum sum;
            sum.work = chain::Work{random()} << (random() % 56);
            sum.shares = random() >> (8 + random() % 56);
            sum.uncredited = random() % 3;
            delta.slices[{slice, account}] += sum;
            all[{slice, account}] += sum;
        }
        book.add(delta);
    }
    std::map<std::pair<SliceKey, share::AccountId>, Sum> packed;
    for (const auto& [slice, bytes] : book.packed()) {
        for (const auto& [account, sum] : SliceBook::unpack(bytes))
            packed[{slice, account}] = sum;
    }
    EXPECT_EQ(packed, all);
}

TEST(SliceBook, TakesAFewBytesARow) {
    TallyDelta delta;
    for (share::AccountId account = 1; account <= 10'000; ++account)
        delta.slices[{SliceKey{}, account}] = {chain::Work{1} << 66, 60, 1};
    SliceBook book;
    book.add(delta);
    EXPECT_LE(book.packed().at(SliceKey{}).size(), 16u * 10'000);
}

}  // namespace
}  // namespace adit::ledger
