#include "auth/jwt.h"

#include "auth/base64url.h"

#include <gtest/gtest.h>

#include <sodium.h>

namespace adit::auth {
namespace {

constexpr std::int64_t kNow_s = 1'700'000'000;

SigningKey key_of(std::uint8_t number) {
    SigningKey key;
    key.id = fmt::format("key{}", number);
    key.seed.fill(number);
    return key;
}

Claims claims() {
    Claims claims;
    claims.user = 42;
    claims.session = chain::sha256({});
    claims.id = "0123456789abcdef";
    claims.issued_s = kNow_s;
    claims.expires_s = kNow_s + 900;
    return claims;
}

// What somebody who has a signing key could write, with any header and body.
std::string signed_by(const SigningKey& key, std::string_view header, std::string_view body) {
    auto text = to_base64url(base::as_bytes(header)) + "." + to_base64url(base::as_bytes(body));
    std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> open;
    std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> secret;
    crypto_sign_seed_keypair(open.data(), secret.data(), key.seed.data());
    std::array<std::uint8_t, crypto_sign_BYTES> signature;
    crypto_sign_detached(signature.data(), nullptr,
                         reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                         secret.data());
    return text + "." + to_base64url(signature);
}

constexpr std::string_view kHeader = R"({"alg":"EdDSA","kid":"key1","typ":"JWT"})";

std::string body_with(std::string_view from = "", std::string_view to = "") {
    std::string body = R"({"exp":1700000900,"iat":1700000000,"iss":"adit","jti":"a","sid":")" +
                       base::to_hex(chain::sha256({}).bytes) + R"(","sub":"42"})";
    if (!from.empty()) body.replace(body.find(from), from.size(), to);
    return body;
}

TEST(Jwt, GivesBackWhatWasSigned) {
    const auto read = read_token(key_of(1), make_token(key_of(1), claims()), kNow_s);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->user, 42);
    EXPECT_EQ(read->session, chain::sha256({}));
    EXPECT_EQ(read->id, "0123456789abcdef");
    EXPECT_EQ(read->issued_s, kNow_s);
    EXPECT_EQ(read->expires_s, kNow_s + 900);
}

// RFC 8037, appendix A: the key, the header and payload, and their signature.
TEST(Jwt, SignsAsTheStandardsExample) {
    SigningKey key;
    const auto seed = from_base64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    ASSERT_TRUE(seed && seed->size() == key.seed.size());
    std::ranges::copy(*seed, key.seed.begin());
    EXPECT_EQ(signed_by(key, R"({"alg":"EdDSA"})", "Example of Ed25519 signing"),
              "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCj"
              "P0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
}

TEST(Jwt, RefusesEveryTampering) {
    const auto key = key_of(1);
    const auto good = make_token(key, claims());
    const auto first = good.find('.');
    const auto second = good.find('.', first + 1);
    const auto header = good.substr(0, first);
    const auto body = good.substr(first, second - first);
    const auto signature = good.substr(second);
    const auto encoded = [](std::string_view text) { return to_base64url(base::as_bytes(text)); };
    auto flipped = good;
    flipped[first + 20] = flipped[first + 20] == 'A' ? 'B' : 'A';
    auto other_signature = good;
    other_signature[second + 5] = other_signature[second + 5] == 'A' ? 'B' : 'A';

    struct Row {
        std::string what;
        std::string token;
        TokenFault fault;
    };
    using enum TokenFault;
    const std::vector<Row> rows{
        {"nothing", "", malformed},
        {"no dots", "abc", malformed},
        {"only dots", "..", malformed},
        {"a fourth part", good + ".x", malformed},
        {"truncated by one", good.substr(0, good.size() - 1), malformed},
        {"no signature", header + body + ".", malformed},
        {"too long", good + std::string(2'000, 'A'), malformed},
        {"padding", good + "=", malformed},
        {"a header that is no JSON", encoded("{") + body + signature, malformed},
        {"a header that is no object", encoded("[]") + body + signature, malformed},
        {"alg none", encoded(R"({"alg":"none","kid":"key1"})") + body + ".", wrong_algorithm},
        {"alg none, signed", signed_by(key, R"({"alg":"none","kid":"key1"})", body_with()),
         wrong_algorithm},
        {"alg HS256", signed_by(key, R"({"alg":"HS256","kid":"key1"})", body_with()),
         wrong_algorithm},
        {"alg eddsa", signed_by(key, R"({"alg":"eddsa","kid":"key1"})", body_with()),
         wrong_algorithm},
        {"no alg", signed_by(key, R"({"kid":"key1"})", body_with()), wrong_algorithm},
        {"alg is a list", signed_by(key, R"({"alg":["EdDSA"],"kid":"key1"})", body_with()),
         wrong_algorithm},
        {"no kid", signed_by(key, R"({"alg":"EdDSA"})", body_with()), other_key},
        {"other kid", signed_by(key, R"({"alg":"EdDSA","kid":"key2"})", body_with()), other_key},
        {"another key's token", make_token(key_of(2), claims()), other_key},
        {"another key under our kid", signed_by(key_of(2), kHeader, body_with()), bad_signature},
        {"a changed body", flipped, bad_signature},
        {"a changed signature", other_signature, bad_signature},
        {"a body that is no JSON", signed_by(key, kHeader, "{"), malformed},
        {"another issuer", signed_by(key, kHeader, body_with("adit", "else")), malformed},
        {"no exp", signed_by(key, kHeader, body_with("\"exp\"", "\"exq\"")), malformed},
        {"exp as text", signed_by(key, kHeader, body_with("1700000900", "\"9\"")), malformed},
        {"exp negative", signed_by(key, kHeader, body_with("1700000900", "-1")), malformed},
        {"exp broken", signed_by(key, kHeader, body_with("1700000900", "1e300")), malformed},
        {"exp beyond 63 bits",
         signed_by(key, kHeader, body_with("1700000900", "18446744073709551615")), malformed},
        {"sub is no number", signed_by(key, kHeader, body_with("\"42\"", "\"42x\"")), malformed},
        {"sid too short", signed_by(key, kHeader, body_with("\"sid\":\"e3", "\"sid\":\"")),
         malformed},
        {"expired", signed_by(key, kHeader, body_with("1700000900", "1700000000")), expired},
        {"from the future",
         signed_by(key, kHeader, body_with("\"iat\":1700000000", "\"iat\":1700000061")), not_yet},
    };
    for (const auto& row : rows) {
        const auto read = read_token(key, row.token, kNow_s);
        ASSERT_FALSE(read) << row.what;
        EXPECT_EQ(read.error(), row.fault) << row.what << ": " << name_of(read.error());
    }
    // The hand-made one is sound but for what the rows change.
    EXPECT_TRUE(read_token(key, signed_by(key, kHeader, body_with()), kNow_s));
}

TEST(Jwt, HoldsUntilItsExpiry) {
    const auto key = key_of(1);
    const auto token = make_token(key, claims());
    EXPECT_TRUE(read_token(key, token, kNow_s + 899));
    EXPECT_EQ(read_token(key, token, kNow_s + 900).error(), TokenFault::expired);
    EXPECT_TRUE(read_token(key, token, kNow_s - 60));
    EXPECT_EQ(read_token(key, token, kNow_s - 61).error(), TokenFault::not_yet);
}

TEST(Jwt, MakesKeysThatDiffer) {
    const auto one = make_signing_key(5);
    const auto two = make_signing_key(5);
    EXPECT_NE(one.id, two.id);
    EXPECT_NE(one.seed, two.seed);
    EXPECT_EQ(one.created_ms, 5);
}

}  // namespace
}  // namespace adit::auth
