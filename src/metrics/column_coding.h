// The coding of stored columns: numbers that change little from one to the next take little space
// (docs/metrics.md, "The file"). Pure functions, safe from any thread.
#pragma once

#include "base/bytes.h"

#include <optional>
#include <span>
#include <vector>

namespace adit::metrics {

// LEB128: seven bits a byte, lowest first, the top bit says that more follow.
void append_varint(base::Bytes& out, std::uint64_t value);
// Not ok() when it does not end within ten bytes.
std::uint64_t read_varint(base::ByteReader& reader);

void append_text(base::Bytes& out, std::string_view text);
// Not ok() when it is longer than the limit.
std::string read_text(base::ByteReader& reader, std::size_t limit);

void append_double(base::Bytes& out, double value);
double read_double(base::ByteReader& reader);

// Each word is combined with the one before by exclusive or; what is left without its zero bytes is
// kept, runs of equal words as their length.
void append_column(base::Bytes& out, std::span<const std::uint64_t> words);
// Exactly n words; nullopt when the bytes are not such a column.
std::optional<std::vector<std::uint64_t>> read_column(base::ByteReader& reader, std::size_t n);

}  // namespace adit::metrics
