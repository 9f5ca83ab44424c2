// Access tokens: JSON Web Tokens (RFC 7519) signed by EdDSA with Ed25519 (RFC 8037), and nothing
// else: the header must name this algorithm and the one key. Pure functions, safe from any thread.
#pragma once

#include "auth/auth_store.h"

namespace adit::auth {

struct Claims {
    UserId user = 0;             // sub
    Digest session;              // sid
    std::string id;              // jti, random
    std::int64_t issued_s = 0;   // iat
    std::int64_t expires_s = 0;  // exp
};

enum class TokenFault : std::uint8_t {
    malformed = 0,
    wrong_algorithm = 1,
    other_key = 2,
    bad_signature = 3,
    not_yet = 4,
    expired = 5,
};
std::string_view name_of(TokenFault fault);

// A new key from the system's randomness.
SigningKey make_signing_key(std::int64_t now_ms);

std::string make_token(const SigningKey& key, const Claims& claims);
// Checks all of it; a token holds until expires_s. Issued up to a minute ahead of now is allowed,
// since instances' clocks differ.
std::expected<Claims, TokenFault> read_token(const SigningKey& key, std::string_view token,
                                             std::int64_t now_s);

}  // namespace adit::auth
