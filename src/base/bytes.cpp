#include "base/bytes.h"

#include <array>

namespace adit::base {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

constexpr std::array<std::int8_t, 256> make_values() {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (std::uint8_t i = 0; i < 10; ++i)
        values[std::size_t{'0'} + i] = static_cast<std::int8_t>(i);
    for (std::uint8_t i = 0; i < 6; ++i) {
        values[std::size_t{'a'} + i] = static_cast<std::int8_t>(10 + i);
        values[std::size_t{'A'} + i] = static_cast<std::int8_t>(10 + i);
    }
    return values;
}
constexpr auto kValues = make_values();

int digit(char c) {
    return kValues[static_cast<std::uint8_t>(c)];
}

}  // namespace

std::string to_hex(ByteSpan bytes) {
    std::string hex(bytes.size() * 2, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        hex[2 * i] = kDigits[bytes[i] >> 4];
        hex[2 * i + 1] = kDigits[bytes[i] & 15];
    }
    return hex;
}

bool from_hex(std::string_view hex, std::span<std::uint8_t> out) {
    if (hex.size() != out.size() * 2) return false;
    int bad = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int high = digit(hex[2 * i]);
        const int low = digit(hex[2 * i + 1]);
        bad |= high | low;
        out[i] = static_cast<std::uint8_t>(high << 4 | (low & 15));
    }
    return bad >= 0;
}

std::optional<Bytes> from_hex(std::string_view hex) {
    Bytes bytes(hex.size() / 2);
    if (hex.size() % 2 != 0 || !from_hex(hex, bytes)) return std::nullopt;
    return bytes;
}

std::optional<std::uint32_t> parse_hex32(std::string_view hex) {
    std::array<std::uint8_t, 4> bytes;
    if (!from_hex(hex, bytes)) return std::nullopt;
    return load_be32(bytes.data());
}

std::string hex32(std::uint32_t value) {
    std::array<std::uint8_t, 4> bytes;
    store_be32(bytes.data(), value);
    return to_hex(bytes);
}

}  // namespace adit::base
