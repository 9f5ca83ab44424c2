#include "metrics/column_coding.h"

#include <bit>

namespace adit::metrics {

void append_varint(base::Bytes& out, std::uint64_t value) {
    while (value >= 0x80) {
        out.push_back(static_cast<std::uint8_t>(value | 0x80));
        value >>= 7;
    }
    out.push_back(static_cast<std::uint8_t>(value));
}

std::uint64_t read_varint(base::ByteReader& reader) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const auto byte = reader.le<std::uint8_t>();
        if (shift == 63 && byte > 1) break;
        value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
    reader.fail();
    return 0;
}

void append_text(base::Bytes& out, std::string_view text) {
    append_varint(out, text.size());
    base::append(out, base::as_bytes(text));
}

std::string read_text(base::ByteReader& reader, std::size_t limit) {
    const auto size = read_varint(reader);
    if (size > limit) {
        reader.fail();
        return {};
    }
    return std::string(base::as_text(reader.take(size)));
}

void append_double(base::Bytes& out, double value) {
    base::append_le(out, std::bit_cast<std::uint64_t>(value));
}

double read_double(base::ByteReader& reader) {
    return std::bit_cast<double>(reader.le<std::uint64_t>());
}

void append_column(base::Bytes& out, std::span<const std::uint64_t> words) {
    std::uint64_t before = 0;
    for (std::size_t i = 0; i < words.size();) {
        const auto change = words[i] ^ before;
        if (change == 0) {
            const auto first = i;
            while (i < words.size() && words[i] == before)
                ++i;
            out.push_back(0);
            append_varint(out, i - first);
            continue;
        }
        const auto skipped = std::countr_zero(change) / 8;
        const auto size = 8 - std::countl_zero(change) / 8 - skipped;
        out.push_back(static_cast<std::uint8_t>(skipped << 4 | size));
        for (int byte = 0; byte < size; ++byte)
            out.push_back(static_cast<std::uint8_t>(change >> (8 * (skipped + byte))));
        before = words[i++];
    }
}

std::optional<std::vector<std::uint64_t>> read_column(base::ByteReader& reader, std::size_t n) {
    std::vector<std::uint64_t> words;
    words.reserve(n);
    std::uint64_t word = 0;
    while (words.size() < n) {
        const auto control = reader.le<std::uint8_t>();
        if (!reader.ok()) return std::nullopt;
        if (control == 0) {
            const auto run = read_varint(reader);
            if (!reader.ok() || run == 0 || run > n - words.size()) return std::nullopt;
            words.insert(words.end(), run, word);
            continue;
        }
        const auto skipped = static_cast<unsigned>(control >> 4);
        const auto size = static_cast<unsigned>(control & 15);
        if (size == 0 || skipped + size > 8) return std::nullopt;
        std::uint64_t change = 0;
        for (unsigned byte = 0; byte < size; ++byte) {
            change |= static_cast<std::uint64_t>(reader.le<std::uint8_t>())
                      << (8 * (skipped + byte));
        }
        if (!reader.ok()) return std::nullopt;
        word ^= change;
        words.push_back(word);
    }
    return words;
}

}  // namespace adit::metrics
