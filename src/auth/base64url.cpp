#include "auth/base64url.h"

namespace adit::auth {
namespace {

constexpr std::string_view kUrl =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kPlain =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string encode(base::ByteSpan bytes, std::string_view alphabet) {
    std::string text;
    text.reserve((bytes.size() * 4 + 2) / 3);
    std::uint32_t pending = 0;
    int bits = 0;
    for (const auto byte : bytes) {
        pending = pending << 8 | byte;
        for (bits += 8; bits >= 6;) {
            bits -= 6;
            text.push_back(alphabet[pending >> bits & 0x3f]);
        }
    }
    if (bits > 0) text.push_back(alphabet[pending << (6 - bits) & 0x3f]);
    return text;
}

std::optional<base::Bytes> decode(std::string_view text, std::string_view alphabet) {
    // One digit alone is less than a byte.
    if (text.size() % 4 == 1) return std::nullopt;
    base::Bytes bytes;
    bytes.reserve(text.size() * 3 / 4);
    std::uint32_t pending = 0;
    int bits = 0;
    for (const char c : text) {
        const auto digit = alphabet.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        pending = pending << 6 | static_cast<std::uint32_t>(digit);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        bytes.push_back(static_cast<std::uint8_t>(pending >> bits));
    }
    // What is left over is no byte; other texts would decode to the same bytes.
    if ((pending & ((1U << bits) - 1)) != 0) return std::nullopt;
    return bytes;
}

}  // namespace

std::string to_base64url(base::ByteSpan bytes) {
    return encode(bytes, kUrl);
}

std::optional<base::Bytes> from_base64url(std::string_view text) {
    return decode(text, kUrl);
}

std::string to_base64(base::ByteSpan bytes) {
    auto text = encode(bytes, kPlain);
    text.append((4 - text.size() % 4) % 4, '=');
    return text;
}

std::optional<base::Bytes> from_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    for (int i = 0; i < 2 && text.ends_with('='); ++i)
        text.remove_suffix(1);
    return decode(text, kPlain);
}

}  // namespace adit::auth
