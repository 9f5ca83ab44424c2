// Byte buffers, hex, and fixed-width integers in memory order. Pure functions, safe from any
// thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adit::base {

using Bytes = std::vector<std::uint8_t>;
using ByteSpan = std::span<const std::uint8_t>;

// Lower-case hex, two digits a byte, in memory order.
std::string to_hex(ByteSpan bytes);

// Decodes exactly 2 x out.size() hex digits of either case; false (out undefined) otherwise.
bool from_hex(std::string_view hex, std::span<std::uint8_t> out);

// Decodes an even number of hex digits of either case; nullopt otherwise.
std::optional<Bytes> from_hex(std::string_view hex);

// Exactly eight hex digits as a big-endian integer (Stratum's ntime, nonce, version); nullopt
// otherwise.
std::optional<std::uint32_t> parse_hex32(std::string_view hex);

// Eight lower-case hex digits, zero-padded, big-endian.
std::string hex32(std::uint32_t value);

inline ByteSpan as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteSpan bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Little- and big-endian loads and stores at any alignment. The build is for little-endian hosts.
template <class T>
T load_le(const std::uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}
template <class T>
void store_le(std::uint8_t* at, T value) {
    std::memcpy(at, &value, sizeof value);
}
inline std::uint32_t load_be32(const std::uint8_t* at) {
    return __builtin_bswap32(load_le<std::uint32_t>(at));
}
inline void store_be32(std::uint8_t* at, std::uint32_t value) {
    store_le(at, __builtin_bswap32(value));
}
inline std::uint64_t load_be64(const std::uint8_t* at) {
    return __builtin_bswap64(load_le<std::uint64_t>(at));
}
inline void store_be64(std::uint8_t* at, std::uint64_t value) {
    store_le(at, __builtin_bswap64(value));
}

// Appends to a byte buffer.
inline void append(Bytes& out, ByteSpan bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}
template <class T>
void append_le(Bytes& out, T value) {
    const auto at = out.size();
    out.resize(at + sizeof value);
    store_le(out.data() + at, value);
}

// Reads fixed-width little-endian fields front to back. After a short read ok() is false and every
// further read yields zeroes, so a parser may check once at the end.
class ByteReader {
 public:
    explicit ByteReader(ByteSpan bytes) : rest_(bytes) {}

    template <class T>
    T le() {
        const auto bytes = take(sizeof(T));
        return bytes.size() == sizeof(T) ? load_le<T>(bytes.data()) : T{};
    }
    // The next n bytes; empty (and not ok) when fewer are left.
    ByteSpan take(std::size_t n) {
        if (n > rest_.size()) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const auto head = rest_.first(n);
        rest_ = rest_.subspan(n);
        return head;
    }
    std::size_t left() const { return rest_.size(); }
    bool ok() const { return ok_; }
    // True when everything was read and nothing was missing.
    bool finished() const { return ok_ && rest_.empty(); }
    void fail() { ok_ = false; }

 private:
    ByteSpan rest_;
    bool ok_ = true;
};

}  // namespace adit::base
