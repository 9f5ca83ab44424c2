#include "auth/jwt.h"

#include "auth/base64url.h"
#include "base/check.h"
#include "base/random.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <sodium.h>

namespace adit::auth {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kIssuer = "adit";
// Ours have about 400.
constexpr std::size_t kMostCharacters = 1'024;
constexpr std::int64_t kClockSkew_s = 60;

struct KeyPair {
    std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> open;
    std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> secret;

    explicit KeyPair(const SigningKey& key) {
        static_assert(sizeof(key.seed) == crypto_sign_SEEDBYTES);
        crypto_sign_seed_keypair(open.data(), secret.data(), key.seed.data());
    }
    ~KeyPair() { sodium_memzero(secret.data(), secret.size()); }
    KeyPair(const KeyPair&) = delete;
    KeyPair& operator=(const KeyPair&) = delete;
};

std::optional<Json> object_of(std::string_view part) {
    const auto bytes = from_base64url(part);
    if (!bytes) return std::nullopt;
    auto json = Json::parse(*bytes, nullptr, false);
    if (!json.is_object()) return std::nullopt;
    return json;
}

std::optional<std::string> text_in(const Json& object, const char* name) {
    const auto at = object.find(name);
    if (at == object.end() || !at->is_string()) return std::nullopt;
    return at->get<std::string>();
}

std::optional<std::int64_t> number_in(const Json& object, const char* name) {
    const auto at = object.find(name);
    if (at == object.end() || !at->is_number_unsigned()) return std::nullopt;
    const auto value = at->get<std::uint64_t>();
    if (!std::in_range<std::int64_t>(value)) return std::nullopt;
    return static_cast<std::int64_t>(value);
}

std::optional<Claims> claims_of(const Json& body) {
    const auto issuer = text_in(body, "iss");
    const auto user = text_in(body, "sub");
    const auto session = text_in(body, "sid");
    const auto id = text_in(body, "jti");
    const auto issued = number_in(body, "iat");
    const auto expires = number_in(body, "exp");
    if (!issuer || !user || !session || !id || !issued || !expires) return std::nullopt;
    Claims claims;
    claims.id = *id;
    claims.issued_s = *issued;
    claims.expires_s = *expires;
    const auto* end = user->data() + user->size();
    const auto read = std::from_chars(user->data(), end, claims.user);
    const bool sound = *issuer == kIssuer && read.ec == std::errc{} && read.ptr == end &&
                       base::from_hex(*session, claims.session.bytes);
    if (!sound) return std::nullopt;
    return claims;
}

}  // namespace

std::string_view name_of(TokenFault fault) {
    switch (fault) {
        case TokenFault::malformed:
            return "malformed";
        case TokenFault::wrong_algorithm:
            return "wrong_algorithm";
        case TokenFault::other_key:
            return "other_key";
        case TokenFault::bad_signature:
            return "bad_signature";
        case TokenFault::not_yet:
            return "not_yet";
        case TokenFault::expired:
            return "expired";
    }
    return "malformed";
}

SigningKey make_signing_key(std::int64_t now_ms) {
    SigningKey key;
    key.id = base::random_hex(8);
    base::fill_random(key.seed);
    key.created_ms = now_ms;
    return key;
}

std::string make_token(const SigningKey& key, const Claims& claims) {
    const Json header{{"alg", "EdDSA"}, {"typ", "JWT"}, {"kid", key.id}};
    const Json body{{"iss", kIssuer},
                    {"sub", fmt::format("{}", claims.user)},
                    {"sid", base::to_hex(claims.session.bytes)},
                    {"jti", claims.id},
                    {"iat", static_cast<std::uint64_t>(claims.issued_s)},
                    {"exp", static_cast<std::uint64_t>(claims.expires_s)}};
    auto token = to_base64url(base::as_bytes(header.dump())) + "." +
                 to_base64url(base::as_bytes(body.dump()));
    const KeyPair pair(key);
    std::array<std::uint8_t, crypto_sign_BYTES> signature;
    const auto text = base::as_bytes(token);
    const int failed = crypto_sign_detached(signature.data(), nullptr, text.data(), text.size(),
                                            pair.secret.data());
    ADIT_CHECK(failed == 0, "Ed25519 signs");
    return token + "." + to_base64url(signature);
}

std::expected<Claims, TokenFault> read_token(const SigningKey& key, std::string_view token,
                                             std::int64_t now_s) {
    const auto malformed = std::unexpected(TokenFault::malformed);
    if (token.size() > kMostCharacters) return malformed;
    const auto first = token.find('.');
    const auto second = first == token.npos ? token.npos : token.find('.', first + 1);
    if (second == token.npos || token.find('.', second + 1) != token.npos) return malformed;
    const auto header = object_of(token.substr(0, first));
    if (!header) return malformed;
    if (text_in(*header, "alg") != "EdDSA") return std::unexpected(TokenFault::wrong_algorithm);
    if (text_in(*header, "kid") != key.id) return std::unexpected(TokenFault::other_key);
    const auto signature = from_base64url(token.substr(second + 1));
    if (!signature || signature->size() != crypto_sign_BYTES) return malformed;
    const KeyPair pair(key);
    const auto text = base::as_bytes(token.substr(0, second));
    if (crypto_sign_verify_detached(signature->data(), text.data(), text.size(),
                                    pair.open.data()) != 0) {
        return std::unexpected(TokenFault::bad_signature);
    }
    const auto body = object_of(token.substr(first + 1, second - first - 1));
    const auto claims = body ? claims_of(*body) : std::nullopt;
    if (!claims) return malformed;
    if (claims->issued_s > now_s + kClockSkew_s) return std::unexpected(TokenFault::not_yet);
    if (claims->expires_s <= now_s) return std::unexpected(TokenFault::expired);
    return *claims;
}

}  // namespace adit::auth
