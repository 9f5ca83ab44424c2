// Base64 without padding and with the alphabet of URLs (RFC 4648, 5), as JWTs use it, and the plain
// one with padding, as wallets write signatures. Pure functions, safe from any thread.
#pragma once

#include "base/bytes.h"

#include <optional>
#include <string>
#include <string_view>

namespace adit::auth {

std::string to_base64url(base::ByteSpan bytes);
// Exactly what to_base64url() makes of some bytes: no padding, no stray bits, no white space.
std::optional<base::Bytes> from_base64url(std::string_view text);

std::string to_base64(base::ByteSpan bytes);
// With its padding; otherwise as strict.
std::optional<base::Bytes> from_base64(std::string_view text);

}  // namespace adit::auth
