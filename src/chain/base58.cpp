// Base58Check: big-endian base 58, each leading zero byte a '1', four bytes of SHA-256d at the end.
#include "chain/address.h"

namespace adit::chain {
namespace {

constexpr std::string_view kDigits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::size_t kChecksumSize = 4;
// Decoding takes quadratic time; addresses have 35 characters.
constexpr std::size_t kMaxTextSize = 128;

// Converts between bases, most significant digit first, leading zeroes kept one for one.
std::vector<std::uint8_t> convert(std::span<const std::uint8_t> digits, unsigned from,
                                  unsigned to) {
    std::size_t zeroes = 0;
    while (zeroes < digits.size() && digits[zeroes] == 0)
        ++zeroes;
    std::vector<std::uint8_t> little;  // least significant first
    for (const auto digit : digits.subspan(zeroes)) {
        unsigned carry = digit;
        for (auto& place : little) {
            carry += place * from;
            place = static_cast<std::uint8_t>(carry % to);
            carry /= to;
        }
        for (; carry != 0; carry /= to)
            little.push_back(static_cast<std::uint8_t>(carry % to));
    }
    little.insert(little.end(), zeroes, 0);
    std::reverse(little.begin(), little.end());
    return little;
}

}  // namespace

std::string base58check_encode(base::ByteSpan payload) {
    base::Bytes bytes(payload.begin(), payload.end());
    const auto checksum = sha256d(payload);
    base::append(bytes, std::span{checksum.bytes}.first(kChecksumSize));
    std::string text;
    for (const auto digit : convert(bytes, 256, 58))
        text.push_back(kDigits[digit]);
    return text;
}

std::expected<base::Bytes, AddressError> base58check_decode(std::string_view text) {
    if (text.empty()) return std::unexpected(AddressError::empty);
    if (text.size() > kMaxTextSize) return std::unexpected(AddressError::bad_length);
    std::vector<std::uint8_t> digits;
    for (const char character : text) {
        const auto digit = kDigits.find(character);
        if (digit == std::string_view::npos) return std::unexpected(AddressError::bad_character);
        digits.push_back(static_cast<std::uint8_t>(digit));
    }
    auto bytes = convert(digits, 58, 256);
    if (bytes.size() < kChecksumSize) return std::unexpected(AddressError::bad_length);
    const auto payload = base::ByteSpan{bytes}.first(bytes.size() - kChecksumSize);
    const auto checksum = sha256d(payload);
    if (!std::equal(payload.end(), base::ByteSpan{bytes}.end(), checksum.bytes.begin())) {
        return std::unexpected(AddressError::bad_checksum);
    }
    bytes.resize(payload.size());
    return bytes;
}

}  // namespace adit::chain
