// Time-based one-time passwords (RFC 6238, by liboath): SHA-1, steps of 30 s, six digits, which is
// what authenticator apps know. Pure functions, safe from any thread.
#pragma once

#include "base/bytes.h"

#include <optional>
#include <string>
#include <string_view>

namespace adit::auth {

inline constexpr std::int64_t kTotpStep_s = 30;
inline constexpr std::size_t kTotpSecretBytes = 20;
inline constexpr unsigned kTotpDigits = 6;

// The code of the step that this second lies in.
std::string totp_code(base::ByteSpan secret, std::int64_t now_s, unsigned digits = kTotpDigits);

// The step whose code this is: the present one, or the one before or after, since clocks differ;
// nullopt when it is none of them or not later than `used_step`.
std::optional<std::int64_t> totp_step(base::ByteSpan secret, std::string_view code,
                                      std::int64_t now_s, std::int64_t used_step);

std::string to_base32(base::ByteSpan bytes);
// What authenticator apps take as a QR code. The pool's name is escaped.
std::string totp_uri(std::string_view pool, std::string_view user, std::string_view secret_base32);

}  // namespace adit::auth
