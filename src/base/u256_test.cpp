#include "base/u256.h"

#include <gmock/gmock.h>

#include <random>

namespace adit::base {
namespace {

// A bit at a time, as on paper.
U256 divided_slowly(U256 number, const U256& divisor) {
    U256 quotient;
    for (int shift = number.bits() - divisor.bits(); shift >= 0; --shift) {
        const auto scaled = divisor << static_cast<unsigned>(shift);
        if (number < scaled) continue;
        number -= scaled;
        quotient += U256{1} << static_cast<unsigned>(shift);
    }
    return quotient;
}

TEST(U256, DividesLikeLongDivision) {
    std::mt19937_64 random(7);
    // Digits at the edges of what a guess from the highest ones can get wrong.
    const auto number = [&] {
        constexpr std::array<std::uint64_t, 6> kEdges{0,          1,          0x7fffffff,
                                                      0x80000000, 0xfffffffe, 0xffffffff};
        U256 value;
        for (int i = 0; i < 8; ++i) {
            const auto digit = random() % 3 == 0 ? random() >> 32 : kEdges[random() % 6];
            value = (value << 32) + U256{digit};
        }
        return value >> static_cast<unsigned>(random() % 256);
    };
    int divided = 0;
    for (int i = 0; i < 200'000; ++i) {
        const auto a = number();
        const auto b = number();
        if (b == U256{}) continue;
        ++divided;
        ASSERT_EQ(a / b, divided_slowly(a, b)) << a.to_hex() << " / " << b.to_hex();
    }
    EXPECT_GT(divided, 100'000);
}

TEST(U256, DividesAtItsEnds) {
    EXPECT_EQ(U256::max() / U256{1}, U256::max());
    EXPECT_EQ(U256::max() / U256::max(), U256{1});
    EXPECT_EQ((U256::max() - U256{1}) / U256::max(), U256{});
    EXPECT_EQ(U256{} / U256{5}, U256{});
    // Where a guessed digit is one too large and is only found out by the subtraction.
    const auto number = (U256{0x80000000} << 96) + U256{3};
    const auto divisor = (U256{0x20000000} << 64) + U256{1};
    EXPECT_EQ(number / divisor, divided_slowly(number, divisor));
}

}  // namespace
}  // namespace adit::base
