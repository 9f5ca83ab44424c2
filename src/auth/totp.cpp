#include "auth/totp.h"

#include "base/check.h"

#include <oath.h>
#include <sodium.h>

namespace adit::auth {
namespace {

bool is_code(std::string_view code) {
    return code.size() == kTotpDigits &&
           std::ranges::all_of(code, [](char c) { return c >= '0' && c <= '9'; });
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
        out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

}  // namespace

std::string totp_code(base::ByteSpan secret, std::int64_t now_s, unsigned digits) {
    ADIT_CHECK(digits >= 6 && digits <= 8, "liboath makes six to eight digits");
    std::array<char, 9> out{};
    const int failed = oath_totp_generate(reinterpret_cast<const char*>(secret.data()),
                                          secret.size(), now_s, kTotpStep_s, 0, digits, out.data());
    ADIT_CHECK(failed == OATH_OK, "liboath makes a code");
    return out.data();
}

std::optional<std::int64_t> totp_step(base::ByteSpan secret, std::string_view code,
                                      std::int64_t now_s, std::int64_t used_step) {
    if (!is_code(code)) return std::nullopt;
    const auto present = now_s / kTotpStep_s;
    std::optional<std::int64_t> found;
    for (auto step = present - 1; step <= present + 1; ++step) {
        const auto right = totp_code(secret, step * kTotpStep_s);
        const bool same = sodium_memcmp(right.data(), code.data(), kTotpDigits) == 0;
        if (same && step > used_step && !found) found = step;
    }
    return found;
}

std::string to_base32(base::ByteSpan bytes) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    std::string text;
    std::uint32_t pending = 0;
    int bits = 0;
    for (const auto byte : bytes) {
        pending = pending << 8 | byte;
        for (bits += 8; bits >= 5;) {
            bits -= 5;
            text.push_back(kDigits[pending >> bits & 0x1f]);
        }
    }
    if (bits > 0) text.push_back(kDigits[pending << (5 - bits) & 0x1f]);
    return text;
}

std::string totp_uri(std::string_view pool, std::string_view user, std::string_view secret_base32) {
    return fmt::format(
        "otpauth://totp/{}:{}?secret={}&issuer={}&algorithm=SHA1&digits={}&period={}",
        escaped(pool), escaped(user), secret_base32, escaped(pool), kTotpDigits, kTotpStep_s);
}

}  // namespace adit::auth
