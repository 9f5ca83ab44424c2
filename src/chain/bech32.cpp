// Bech32 (BIP173) and Bech32m (BIP350): 5-bit digits behind a human-readable part, with a BCH
// checksum that ends in a constant of the variant.
#include "chain/address.h"

namespace adit::chain {
namespace {

constexpr std::string_view kDigits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t kChecksumSize = 6;
constexpr std::size_t kMaxTextSize = 90;

std::uint32_t final_constant(Bech32Variant variant) {
    switch (variant) {
        case Bech32Variant::bech32:
            return 1;
        case Bech32Variant::bech32m:
            return 0x2bc830a3;
    }
    return 0;
}

// The remainder modulo the code's generator polynomial, one 5-bit value further.
std::uint32_t polymod_step(std::uint32_t remainder, std::uint8_t value) {
    constexpr std::array<std::uint32_t, 5> kGenerator{0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
                                                      0x3d4233dd, 0x2a1462b3};
    const std::uint32_t top = remainder >> 25;
    remainder = (remainder & 0x1ffffff) << 5 ^ value;
    for (std::size_t i = 0; i < kGenerator.size(); ++i) {
        if ((top >> i & 1) != 0) remainder ^= kGenerator[i];
    }
    return remainder;
}

std::uint32_t polymod(std::string_view hrp, std::span<const std::uint8_t> values) {
    std::uint32_t remainder = 1;
    for (const char c : hrp) {
        remainder = polymod_step(remainder, static_cast<std::uint8_t>(c) >> 5);
    }
    remainder = polymod_step(remainder, 0);
    for (const char c : hrp) {
        remainder = polymod_step(remainder, static_cast<std::uint8_t>(c) & 31);
    }
    for (const auto value : values)
        remainder = polymod_step(remainder, value);
    return remainder;
}

}  // namespace

std::expected<Bech32, AddressError> bech32_decode(std::string_view text) {
    if (text.empty()) return std::unexpected(AddressError::empty);
    if (text.size() > kMaxTextSize) return std::unexpected(AddressError::bad_length);
    bool upper = false;
    bool lower = false;
    std::string folded;
    for (const char c : text) {
        if (c < 33 || c > 126) return std::unexpected(AddressError::bad_character);
        upper |= c >= 'A' && c <= 'Z';
        lower |= c >= 'a' && c <= 'z';
        folded.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    }
    if (upper && lower) return std::unexpected(AddressError::mixed_case);
    const auto separator = folded.rfind('1');
    if (separator == std::string::npos || separator == 0) {
        return std::unexpected(AddressError::unknown_format);
    }
    if (folded.size() - separator - 1 < kChecksumSize) {
        return std::unexpected(AddressError::bad_length);
    }
    Bech32 content{Bech32Variant::bech32, folded.substr(0, separator), {}};
    for (const char c : std::string_view{folded}.substr(separator + 1)) {
        const auto digit = kDigits.find(c);
        if (digit == std::string_view::npos) return std::unexpected(AddressError::bad_character);
        content.values.push_back(static_cast<std::uint8_t>(digit));
    }
    const auto remainder = polymod(content.hrp, content.values);
    content.values.resize(content.values.size() - kChecksumSize);
    for (const auto variant : {Bech32Variant::bech32, Bech32Variant::bech32m}) {
        content.variant = variant;
        if (remainder == final_constant(variant)) return content;
    }
    return std::unexpected(AddressError::bad_checksum);
}

std::string bech32_encode(const Bech32& content) {
    auto values = content.values;
    values.resize(values.size() + kChecksumSize, 0);
    const auto checksum = polymod(content.hrp, values) ^ final_constant(content.variant);
    for (std::size_t i = 0; i < kChecksumSize; ++i) {
        values[content.values.size() + i] =
            static_cast<std::uint8_t>(checksum >> (5 * (kChecksumSize - 1 - i)) & 31);
    }
    std::string text = content.hrp + '1';
    for (const auto value : values)
        text.push_back(kDigits[value]);
    return text;
}

}  // namespace adit::chain
