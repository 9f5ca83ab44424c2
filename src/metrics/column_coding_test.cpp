#include "metrics/column_coding.h"

#include <gtest/gtest.h>

#include <random>

namespace adit::metrics {
namespace {

TEST(ColumnCoding, KeepsVarints) {
    for (const std::uint64_t value : {0ULL, 1ULL, 127ULL, 128ULL, 16'384ULL, ~0ULL, ~0ULL >> 1}) {
        base::Bytes bytes;
        append_varint(bytes, value);
        base::ByteReader reader(bytes);
        EXPECT_EQ(read_varint(reader), value);
        EXPECT_TRUE(reader.finished());
    }
    EXPECT_EQ(
        [] {
            base::Bytes bytes;
            append_varint(bytes, 300);
            return base::to_hex(bytes);
        }(),
        "ac02");
    for (const auto* const bad : {"", "80", "ffffffffffffffffff02", "8080808080808080808000"}) {
        const auto bytes = *base::from_hex(std::string_view(bad));
        base::ByteReader reader(bytes);
        read_varint(reader);
        EXPECT_FALSE(reader.finished()) << bad;
    }
}

TEST(ColumnCoding, HasTheDocumentedBytes) {
    base::Bytes bytes;
    append_column(bytes, std::vector<std::uint64_t>{0x1200, 0x1200, 0x1200, 0x1234});
    EXPECT_EQ(base::to_hex(bytes),
              "1112"
              "0002"
              "0134");
}

TEST(ColumnCoding, KeepsRandomColumns) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 300; ++round) {
        std::vector<std::uint64_t> words(random() % 50);
        for (auto& word : words) {
            const auto kind = random() % 4;
            word = kind == 0 ? random() : kind == 1 ? random() % 300 << (random() % 60) : 0;
            if (kind == 2 && &word != words.data()) word = *(&word - 1);
        }
        base::Bytes bytes;
        append_column(bytes, words);
        EXPECT_LE(bytes.size(), words.size() * 9);
        base::ByteReader reader(bytes);
        EXPECT_EQ(read_column(reader, words.size()), words);
        EXPECT_TRUE(reader.finished());
        if (words.empty()) continue;
        base::ByteReader cut(base::ByteSpan(bytes).first(bytes.size() - 1));
        EXPECT_FALSE(read_column(cut, words.size()));
    }
}

TEST(ColumnCoding, RefusesWhatIsNoColumn) {
    const struct {
        const char* hex;
        std::size_t n;
    } kRows[] = {{"0000", 2}, {"0003", 2}, {"7200", 1}, {"10", 1}, {"", 1}, {"0900", 1}};
    for (const auto& row : kRows) {
        const auto bytes = *base::from_hex(std::string_view(row.hex));
        base::ByteReader reader(bytes);
        EXPECT_FALSE(read_column(reader, row.n)) << row.hex;
    }
}

}  // namespace
}  // namespace adit::metrics
