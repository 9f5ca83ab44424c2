// The input is taken as a token, as a claim, as base64 and as a signature for an address of each
// form: what is accepted comes back the same, and nobody can log in or claim by guessing.
#include "auth/base64url.h"
#include "auth/claim_message.h"
#include "auth/jwt.h"
#include "auth/signed_message.h"
#include "base/check.h"

#include <algorithm>

using namespace adit;

namespace {

auth::SigningKey fixed_key() {
    auth::SigningKey key;
    key.id = "key1";
    key.seed.fill(1);
    return key;
}

void check_token(std::string_view text) {
    static const auto key = fixed_key();
    const auto claims = auth::read_token(key, text, 1'700'000'000);
    // Seeds hold a token that this key did not sign; only its holder makes one that passes.
    ADIT_CHECK(!claims, "no signature is guessed");
}

void check_claim(std::string_view text) {
    const auto message = auth::parse_claim_message(text);
    if (!message) return;
    ADIT_CHECK(auth::claim_text(*message) == text, "a claim has one spelling");
}

void check_base64(std::string_view text) {
    if (const auto bytes = auth::from_base64url(text)) {
        ADIT_CHECK(auth::to_base64url(*bytes) == text, "base64url has one spelling");
    }
    if (const auto bytes = auth::from_base64(text)) {
        ADIT_CHECK(auth::to_base64(*bytes) == text, "base64 has one spelling");
    }
    ADIT_CHECK(auth::from_base64(auth::to_base64(base::as_bytes(text))) &&
                   std::ranges::equal(*auth::from_base64(auth::to_base64(base::as_bytes(text))),
                                      base::as_bytes(text)),
               "bytes come back");
}

void check_signature(base::ByteSpan bytes) {
    const auto& network = chain::params(chain::Network::main);
    const auto signature = auth::to_base64(bytes);
    for (const auto* address :
         {"bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l", "14vV3aCHBeStb5bkenkNHbe2YAFinYdXgc",
          "3HSVzEhCFuH9Z3wvoWTexy7BMVVp3PjS6f",
          "bc1ppv609nr0vr25u07u95waq5lucwfm6tde4nydujnu8npg4q75mr5sxq8lt3"}) {
        // The message of no published signature.
        ADIT_CHECK(!auth::verify_message(address, "nobody ever signed this", signature, network),
                   "no signature is guessed");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto text = base::as_text({data, size});
    check_token(text);
    check_claim(text);
    check_base64(text);
    check_signature({data, size});
    return 0;
}
