#include "sim/signer.h"

#include "base/check.h"
#include "sim/script_rules.h"

#include <secp256k1.h>

namespace adit::sim {
namespace {

constexpr std::uint8_t kSighashAll = 1;

struct ContextFree {
    void operator()(secp256k1_context* context) const { secp256k1_context_destroy(context); }
};
using Context = std::unique_ptr<secp256k1_context, ContextFree>;

Context make_context() {
    return Context(secp256k1_context_create(SECP256K1_CONTEXT_NONE));
}

base::Bytes sign_der(const std::array<std::uint8_t, 32>& secret, const chain::Hash256& hash) {
    const auto context = make_context();
    secp256k1_ecdsa_signature signature;
    const int signed_ok = secp256k1_ecdsa_sign(context.get(), &signature, hash.bytes.data(),
                                               secret.data(), nullptr, nullptr);
    ADIT_CHECK(signed_ok == 1, "signing with a valid key");
    base::Bytes der(72);
    std::size_t size = der.size();
    secp256k1_ecdsa_signature_serialize_der(context.get(), der.data(), &size, &signature);
    der.resize(size);
    return der;
}

void append_push(base::Bytes& script, base::ByteSpan data) {
    script.push_back(static_cast<std::uint8_t>(data.size()));  // at most 75 bytes here
    base::append(script, data);
}

}  // namespace

SimKey SimKey::from_seed(std::string_view words) {
    SimKey key;
    const auto context = make_context();
    key.secret_ = chain::sha256(base::as_bytes(words)).bytes;
    // A hash that is no key (probability 2^-128) is hashed again.
    while (secp256k1_ec_seckey_verify(context.get(), key.secret_.data()) == 0) {
        key.secret_ = chain::sha256(key.secret_).bytes;
    }
    secp256k1_pubkey point;
    const int made = secp256k1_ec_pubkey_create(context.get(), &point, key.secret_.data());
    ADIT_CHECK(made == 1, "a public key of a valid key");
    std::size_t size = key.public_key_.size();
    secp256k1_ec_pubkey_serialize(context.get(), key.public_key_.data(), &size, &point,
                                  SECP256K1_EC_COMPRESSED);
    return key;
}

chain::Hash160 SimKey::key_hash() const {
    return chain::hash160(public_key_);
}
base::Bytes SimKey::p2wpkh_script() const {
    return sim::p2wpkh_script(key_hash());
}
base::Bytes SimKey::p2pkh_script() const {
    return sim::p2pkh_script(key_hash());
}

void SimKey::sign(chain::Transaction& transaction, std::size_t input,
                  const chain::TxOutput& spent) const {
    const auto p2pkh = p2pkh_script();
    const bool witness = spent.script == p2wpkh_script();
    ADIT_CHECK(witness || spent.script == p2pkh, "an output of this key");
    const auto hash =
        witness ? witness_signature_hash(transaction, input, p2pkh, spent.value_sat, kSighashAll)
                : legacy_signature_hash(transaction, input, p2pkh, kSighashAll);
    auto signature = sign_der(secret_, hash);
    signature.push_back(kSighashAll);
    auto& place = transaction.inputs[input];
    if (witness) {
        place.witness = {signature, base::Bytes(public_key_.begin(), public_key_.end())};
        return;
    }
    place.script.clear();
    append_push(place.script, signature);
    append_push(place.script, public_key_);
}

}  // namespace adit::sim
