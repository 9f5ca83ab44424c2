#include "chain/target.h"

#include "chain/test_vectors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace adit::chain {
namespace {

using base::U256;

const U256 kOne = U256{0xffff} << 208;

TEST(Target, AHashMeetsItWhenItIsNotAbove) {
    const Target target{U256{1000}};
    Hash256 hash;
    base::store_le<std::uint64_t>(hash.bytes.data(), 1000);
    EXPECT_TRUE(target.met_by(hash));
    base::store_le<std::uint64_t>(hash.bytes.data(), 1001);
    EXPECT_FALSE(target.met_by(hash));
    hash = {};
    hash.bytes[31] = 1;
    EXPECT_FALSE(target.met_by(hash));
    EXPECT_TRUE(target.met_by(Hash256{}));
}

TEST(Target, EveryCompactVectorExpandsAndPacksBack) {
    for (const auto& entry : test_vectors("targets", "valid")) {
        const auto bits = *base::parse_hex32(entry["bits"].get<std::string>());
        const auto target = target_from_compact(bits);
        ASSERT_TRUE(target) << entry;
        EXPECT_EQ(target->value.to_hex(), entry["target"].get<std::string>());
        // The same as `bits` wherever those are in their shortest form.
        EXPECT_EQ(base::hex32(compact_from_target(*target)), entry["packed"].get<std::string>())
            << entry;
    }
}

TEST(Target, NegativeZeroAndOverflowingCompactsAreRefused) {
    for (const auto& entry : test_vectors("targets", "refused")) {
        EXPECT_FALSE(target_from_compact(*base::parse_hex32(entry["bits"].get<std::string>())))
            << entry;
    }
}

TEST(Target, CompactFormKeepsTheThreeTopBytes) {
    EXPECT_EQ(compact_from_target({U256{}}), 0U);
    EXPECT_EQ(compact_from_target({U256{0x7f}}), 0x017f0000U);
    EXPECT_EQ(compact_from_target({U256{0x80}}), 0x02008000U);
    EXPECT_EQ(compact_from_target({U256{0x12345678}}), 0x04123456U);
    EXPECT_EQ(compact_from_target({U256::max()}), 0x2100ffffU);
}

TEST(Difficulty, OfEveryVectorIsNeverMoreThanTheBlocks) {
    for (const auto& entry : test_vectors("targets", "valid")) {
        const Target target =
            *target_from_compact(*base::parse_hex32(entry["bits"].get<std::string>()));
        const double exact = entry["difficulty"];
        const auto difficulty = Difficulty::from_target(target);
        EXPECT_GE(difficulty.target(), target) << entry;
        EXPECT_LE(difficulty.value(), exact) << entry;
        if (exact >= 1 && exact <= 0x1p53) {
            EXPECT_EQ(difficulty.value(), std::floor(exact)) << entry;
        } else if (exact < 1) {
            EXPECT_GE(difficulty.value(), std::nextafter(exact, 0)) << entry;
        }
    }
}

TEST(Difficulty, OneIsTheFirstBlocksTarget) {
    EXPECT_EQ(Difficulty::from_double(1)->target().value, kOne);
    EXPECT_EQ(Difficulty::from_double(1)->target(), *target_from_compact(0x1d00ffff));
    EXPECT_EQ(Difficulty{}.value(), 1);
}

TEST(Difficulty, TargetIsTheExactQuotientRoundedDown) {
    for (const std::uint64_t d : {2ULL, 3ULL, 7ULL, 1000ULL, 65535ULL, 65536ULL, 1ULL << 52,
                                  (1ULL << 53) - 1, 1ULL << 53}) {
        EXPECT_EQ(Difficulty::from_double(static_cast<double>(d))->target().value, kOne / U256{d})
            << d;
    }
    for (const unsigned power : {1U, 5U, 16U, 31U}) {
        EXPECT_EQ(
            Difficulty::from_double(std::ldexp(1.0, -static_cast<int>(power)))->target().value,
            kOne << power);
    }
    EXPECT_EQ(Difficulty::from_double(0.75)->target().value, (kOne << 2) / U256{3});
}

TEST(Difficulty, TargetsPastTheRangeSaturate) {
    EXPECT_EQ(Difficulty::from_double(0x1p-33)->target().value, U256::max());
    EXPECT_EQ(Difficulty::from_double(0x1p-40)->target().value, U256::max());
    EXPECT_LT(Difficulty::from_double(0x1p-32)->target().value, U256::max());
}

TEST(Difficulty, RefusesWhatIsNoDifficulty) {
    for (const double bad :
         {0.0, -0.0, -1.0, std::nan(""), HUGE_VAL, -HUGE_VAL, 0x1.0000000000001p53,
          std::nextafter(0x1p-40, 0.0), std::numeric_limits<double>::denorm_min()}) {
        EXPECT_FALSE(Difficulty::from_double(bad)) << bad;
    }
}

TEST(Difficulty, FromOneUpItIsAnIntegerRoundedDown) {
    EXPECT_EQ(Difficulty::from_double(1.999)->value(), 1);
    EXPECT_EQ(Difficulty::from_double(1024.5)->value(), 1024);
    EXPECT_EQ(Difficulty::from_double(0.999)->value(), 0.999);
}

TEST(Difficulty, GoesOverTheWireWithoutExponent) {
    const std::pair<double, std::string_view> cases[] = {
        {1, "1"},
        {1024.9, "1024"},
        {0x1p53, "9007199254740992"},
        {1e15, "1000000000000000"},
        {0.5, "0.5"},
        {0.001, "0.001"},
        {1e-7, "0.0000001"},
        {4.6565423739069247e-10, "0.00000000046565423739069247"},
    };
    for (const auto& [value, text] : cases) {
        EXPECT_EQ(Difficulty::from_double(value)->wire(), text);
    }
}

TEST(Difficulty, WireReadsBackAsTheSameDifficulty) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 2000; ++i) {
        const double value = std::ldexp(1 + static_cast<double>(random() >> 12) * 0x1p-52,
                                        static_cast<int>(random() % 92) - 39);
        const auto difficulty = Difficulty::from_double(value);
        ASSERT_TRUE(difficulty) << value;
        EXPECT_EQ(std::strtod(difficulty->wire().c_str(), nullptr), difficulty->value());
        EXPECT_EQ(difficulty->wire().find_first_not_of("0123456789."), std::string::npos);
    }
}

TEST(Difficulty, OfATargetNeverDemandsMoreAndIsTheLargestThatDoesNot) {
    std::mt19937_64 random(2);
    for (int i = 0; i < 5000; ++i) {
        U256 value{random()};
        for (int limb = 0; limb < 3; ++limb)
            value = (value << 64) + U256{random()};
        value >>= static_cast<unsigned>(random() % 256);
        if (value == U256{}) continue;
        const Target target{value};
        const auto difficulty = Difficulty::from_target(target);
        ASSERT_GE(difficulty.target(), target) << value.to_hex();
        if (difficulty.value() == 0x1p53) continue;
        const double next = difficulty.value() >= 1 ? difficulty.value() + 1
                                                    : std::nextafter(difficulty.value(), 2.0);
        EXPECT_LT(Difficulty::from_double(next)->target(), target) << value.to_hex();
    }
}

TEST(Difficulty, OfImpossiblyHardTargetsIsTheLargest) {
    EXPECT_EQ(Difficulty::from_target({U256{}}).value(), 0x1p53);
    EXPECT_EQ(Difficulty::from_target({U256{1}}).value(), 0x1p53);
    EXPECT_EQ(Difficulty::from_target({U256::max()}).target().value, U256::max());
}

TEST(Work, OfKnownTargets) {
    EXPECT_EQ(work_of({U256::max()}), base::U128{1} << 16);
    EXPECT_EQ(work_of({U256::max() >> 1}), base::U128{2} << 16);
    EXPECT_EQ(work_of({U256::max() >> 20}), base::U128{1} << 36);
    // Bitcoin Core's chainwork of the genesis block is 0x100010001, rounded down.
    EXPECT_TRUE(work_of({kOne}) >> kWorkFraction == 0x100010001);
    EXPECT_DOUBLE_EQ(hashes_of(work_of({kOne})), 4295032833.0000153);
    // 2^256 / 3, with its binary fraction.
    EXPECT_TRUE(work_of({(U256{3} << 200) - U256{1}}) == (base::U128{1} << (256 - 200 + 16)) / 3);
}

TEST(Work, SaturatesForTargetsNobodyMeets) {
    EXPECT_TRUE(work_of({U256{}}) == ~base::U128{0});
    EXPECT_TRUE(work_of({(U256{1} << 144) - U256{1}}) == ~base::U128{0});
    EXPECT_TRUE(work_of({(U256{1} << 145) - U256{1}}) == base::U128{1} << 127);
}

TEST(Work, IsTheQuotientRoundedDown) {
    std::mt19937_64 random(3);
    for (int i = 0; i < 2000; ++i) {
        U256 target{random() | 1ULL << 63};
        for (int limb = 0; limb < 3; ++limb)
            target = (target << 64) + U256{random()};
        target >>= static_cast<unsigned>(random() % 111);
        const U256 divisor = target + U256{1};
        // work x divisor <= 2^272 < (work + 1) x divisor, all shifted down by 16 bits and one.
        const auto work = work_of({target});
        const U256 whole = U256::from_u128(work >> kWorkFraction);
        EXPECT_TRUE(whole == U256::max() / divisor || whole == U256::max() / divisor + U256{1});
        const U256 rest = U256{} - whole * divisor;  // 2^256 mod divisor
        EXPECT_LT(rest, divisor);
        if (rest.bits() <= 240) {
            EXPECT_EQ(U256::from_u128(work & 0xffff), (rest << 16) / divisor);
        }
    }
}

}  // namespace
}  // namespace adit::chain
