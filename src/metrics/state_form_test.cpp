#include "metrics/state_form.h"

#include "base/crc32c.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::metrics {
namespace {

using testing::HasSubstr;

const Sections kSections{{Section::history, {1, 2, 3}}, {Section::alerts, {}}};

base::Bytes with_checksum(base::Bytes bytes) {
    bytes.resize(bytes.size() - 4);
    base::append_le(bytes, base::crc32c(bytes));
    return bytes;
}

TEST(StateForm, HasTheDocumentedBytes) {
    const auto bytes = encode_state({{Section::alerts, {0xab}}}, 258);
    EXPECT_EQ(base::to_hex(base::ByteSpan(bytes).first(bytes.size() - 4)),
              "414449544d45540a"
              "01000000"
              "01000000"
              "0201000000000000"
              "02000000"
              "0100000000000000"
              "ab");
    const auto state = decode_state(encode_state(kSections, -5));
    ASSERT_TRUE(state) << state.error();
    EXPECT_EQ(state->sections, kSections);
    EXPECT_EQ(state->wall_ms, -5);
}

TEST(StateForm, RefusesEveryTruncationAndEveryFlippedBit) {
    const auto good = encode_state(kSections, 1);
    for (std::size_t size = 0; size < good.size(); ++size)
        EXPECT_FALSE(decode_state(base::ByteSpan(good).first(size))) << size;
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        auto bad = good;
        bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1 << bit % 8));
        EXPECT_FALSE(decode_state(bad)) << bit;
    }
}

TEST(StateForm, TellsWhyItRefuses) {
    const auto good = encode_state(kSections, 1);
    auto newer = good;
    newer[8] = 2;
    auto damaged = good;
    damaged[30] ^= 1;
    auto many = good;
    many[12] = 200;
    auto long_section = good;
    long_section[28] = 100;
    const struct {
        base::Bytes bytes;
        const char* why;
    } kRows[] = {
        {{}, "it is not a history of metrics"},
        {base::Bytes(100, 'x'), "it is not a history of metrics"},
        {base::Bytes(good.begin(), good.begin() + 20), "cut short"},
        {newer, "a newer version of adit wrote it (format 2, this one reads 1)"},
        {damaged, "checksum"},
        {with_checksum(many), "sections are damaged"},
        {with_checksum(long_section), "sections are damaged"},
    };
    for (const auto& row : kRows) {
        const auto state = decode_state(row.bytes);
        ASSERT_FALSE(state) << row.why;
        EXPECT_THAT(state.error(), HasSubstr(row.why));
    }
}

TEST(StateForm, PassesOverSectionsThatItDoesNotKnow) {
    auto bytes = encode_state({{static_cast<Section>(9), {1}}, {Section::alerts, {2}}}, 1);
    const auto state = decode_state(bytes);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->sections, (Sections{{Section::alerts, {2}}}));
}

}  // namespace
}  // namespace adit::metrics
