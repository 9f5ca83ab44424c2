#include "base/bytes.h"

#include "base/crc32c.h"
#include "base/u256.h"

#include <gtest/gtest.h>

namespace adit::base {
namespace {

TEST(Hex, RoundTripsAndTakesEitherCase) {
    const Bytes bytes{0x00, 0x01, 0xab, 0xff};
    EXPECT_EQ(to_hex(bytes), "0001abff");
    EXPECT_EQ(from_hex("0001ABfF"), bytes);
}

TEST(Hex, RefusesOddLengthAndForeignDigits) {
    EXPECT_FALSE(from_hex("abc"));
    EXPECT_FALSE(from_hex("0g"));
    EXPECT_FALSE(from_hex("0 "));
    EXPECT_FALSE(parse_hex32("1234567"));
    EXPECT_FALSE(parse_hex32("123456789"));
    EXPECT_EQ(parse_hex32("1fffe000"), 0x1fffe000u);
    EXPECT_EQ(hex32(0x1d), "0000001d");
}

TEST(ByteReader, ReportsAShortReadOnceAndForAll) {
    const Bytes bytes{1, 2, 3};
    ByteReader reader(bytes);
    EXPECT_EQ(reader.le<std::uint16_t>(), 0x0201);
    EXPECT_EQ(reader.le<std::uint32_t>(), 0u);
    EXPECT_FALSE(reader.ok());
    EXPECT_FALSE(reader.finished());
}

TEST(Crc32c, MatchesRfc3720Vectors) {
    EXPECT_EQ(crc32c(Bytes(32, 0x00)), 0x8A9136AAu);
    EXPECT_EQ(crc32c(Bytes(32, 0xff)), 0x62A8AB43u);
    EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283u);
    EXPECT_EQ(crc32c(as_bytes("6789"), crc32c(as_bytes("12345"))), 0xE3069283u);
}

TEST(U256, DividesAndMultipliesExactly) {
    const U256 big = U256::max() / U256{3};
    EXPECT_EQ(big * U256{3}, U256::max());
    EXPECT_EQ((U256{1} << 200) / (U256{1} << 136), U256{1} << 64);
    EXPECT_EQ(U256{7} / U256{9}, U256{});
    EXPECT_EQ((U256{0xffff} << 208).bits(), 224);
    EXPECT_EQ(((U256{5} << 130) >> 129), U256{10});
    EXPECT_EQ(U256{1} - U256{2}, U256::max());
}

TEST(U256, OrdersByTheMostSignificantLimb) {
    EXPECT_LT(U256{~0ull}, U256{1} << 64);
    EXPECT_GT(U256::max(), U256{1} << 255);
    const auto value = U256{0x1234} << 77;
    EXPECT_EQ(U256::from_le(value.to_le()), value);
}

}  // namespace
}  // namespace adit::base
