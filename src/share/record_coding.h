// Pieces that records are encoded and decoded with. Internal to record.cpp and money_records.cpp;
// pure.
#pragma once

#include "base/check.h"
#include "share/record.h"

#include <cstring>

namespace adit::share::coding {

enum class Type : std::uint8_t {
    share = 1,
    job = 2,
    account = 3,
    worker = 4,
    block = 5,
    run = 6,
    rules = 7,
    settings = 8,
    block_fact = 9,
    intent = 10,
    signed_payout = 11,
    payout_fact = 12,
    explain = 13,
    snapshot = 14,
};

inline constexpr std::size_t kBodyHeader = 8;  // type, three zero bytes, body size

inline constexpr std::uint8_t kUncredited = 1, kBlock = 2, kStale = 4;
inline constexpr std::uint8_t kSegwit = 1, kPaysDues = 2, kPaysFinder = 4;
inline constexpr std::uint8_t kStaleBlock = 1;

template <class T>
using Decoded = std::expected<T, RecordError>;

inline void append_hash(base::Bytes& out, const chain::Hash256& hash) {
    base::append(out, hash.bytes);
}

inline void append_sized(base::Bytes& out, base::ByteSpan bytes) {
    base::append_le(out, static_cast<std::uint32_t>(bytes.size()));
    base::append(out, bytes);
}

inline void append_name(base::Bytes& out, std::string_view name) {
    ADIT_CHECK(name.size() <= kNameLimit, "names are bounded before they are recorded");
    base::append_le(out, static_cast<std::uint8_t>(name.size()));
    base::append(out, base::as_bytes(name));
}

// Writes the header of a sized record and, when it goes out of scope, the size.
class Body {
 public:
    Body(base::Bytes& out, Type type) : out_(out), at_(out.size()) {
        base::append_le(out_, static_cast<std::uint32_t>(type));
        base::append_le(out_, std::uint32_t{0});
    }
    ~Body() {
        const auto size = out_.size() - at_ - kBodyHeader;
        ADIT_CHECK(size <= kRecordBodyLimit, "records are bounded before they are recorded");
        base::store_le(out_.data() + at_ + 4, static_cast<std::uint32_t>(size));
    }
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;

 private:
    base::Bytes& out_;
    std::size_t at_;
};

inline chain::Hash256 read_hash(base::ByteReader& reader) {
    chain::Hash256 hash;
    const auto bytes = reader.take(hash.bytes.size());
    if (!bytes.empty()) std::memcpy(hash.bytes.data(), bytes.data(), hash.bytes.size());
    return hash;
}

inline base::Bytes read_sized(base::ByteReader& reader) {
    const auto bytes = reader.take(reader.le<std::uint32_t>());
    return {bytes.begin(), bytes.end()};
}

inline std::string read_name(base::ByteReader& reader) {
    return std::string(base::as_text(reader.take(reader.le<std::uint8_t>())));
}

// The checks that end every sized record.
inline std::optional<RecordError> rest_error(const base::ByteReader& reader) {
    if (!reader.ok()) return RecordError::truncated;
    if (reader.left() != 0) return RecordError::trailing_bytes;
    return std::nullopt;
}

// Money records, from a body of exactly one record (money_records.cpp).
Decoded<Record> decode_money(Type type, base::ByteReader body);

}  // namespace adit::share::coding
