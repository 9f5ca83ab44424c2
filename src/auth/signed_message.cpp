#include "auth/signed_message.h"

#include "auth/base64url.h"
#include "chain/address.h"
#include "chain/script.h"
#include "chain/signature_hash.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <secp256k1_schnorrsig.h>

namespace adit::auth {
namespace {

using base::ByteSpan;

constexpr std::string_view kLegacyPrefix = "Bitcoin Signed Message:\n";
constexpr std::string_view kSimplePrefix = "smp";
constexpr std::size_t kMostSignatureCharacters = 1'024;
constexpr std::size_t kLegacyBytes = 65;
constexpr std::uint8_t kSighashDefault = 0;
constexpr std::uint8_t kSighashAll = 1;

using Verdict = std::expected<void, SignatureFault>;

Verdict verdict(bool right) {
    if (!right) return std::unexpected(SignatureFault::wrong);
    return {};
}

// The header byte of BIP137 tells the key's recovery number and, by its range, the form of address
// it was meant for. Wallets disagree about that form, the key does not: 27 to 30 stand for an
// uncompressed key, everything above for a compressed one.
constexpr std::uint8_t kFirstHeader = 27;
constexpr std::uint8_t kFirstCompressed = 31;
constexpr std::uint8_t kLastHeader = 42;

// Whether a key of this form owns the script.
bool owns(const secp256k1_pubkey& key, bool compressed, ByteSpan script) {
    std::array<std::uint8_t, 65> bytes;
    auto size = bytes.size();
    secp256k1_ec_pubkey_serialize(secp256k1_context_static, bytes.data(), &size, &key,
                                  compressed ? SECP256K1_EC_COMPRESSED : SECP256K1_EC_UNCOMPRESSED);
    const auto hash = chain::hash160(ByteSpan(bytes).first(size));
    if (const auto wanted = chain::p2pkh_hash(script); !wanted.empty()) {
        return std::ranges::equal(hash, wanted);
    }
    // BIP143 knows compressed keys only.
    if (!compressed) return false;
    if (const auto wanted = chain::p2wpkh_hash(script); !wanted.empty()) {
        return std::ranges::equal(hash, wanted);
    }
    return std::ranges::equal(chain::hash160(chain::p2wpkh_script(hash)), chain::p2sh_hash(script));
}

Verdict verify_legacy(ByteSpan script, std::string_view message, ByteSpan signature) {
    const auto header = signature[0];
    if (header < kFirstHeader || header > kLastHeader) {
        return std::unexpected(SignatureFault::malformed);
    }
    const int recovery = (header - kFirstHeader) & 3;
    const auto* context = secp256k1_context_static;
    secp256k1_ecdsa_recoverable_signature parsed;
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(context, &parsed, &signature[1],
                                                            recovery) == 0) {
        return std::unexpected(SignatureFault::malformed);
    }
    const auto hash = legacy_message_hash(message);
    secp256k1_pubkey key;
    if (secp256k1_ecdsa_recover(context, &key, &parsed, hash.bytes.data()) == 0) {
        return std::unexpected(SignatureFault::wrong);
    }
    return verdict(owns(key, header >= kFirstCompressed, script));
}

// The consensus encoding of a witness stack, and nothing after it.
std::optional<std::vector<ByteSpan>> witness_in(ByteSpan bytes) {
    base::ByteReader reader(bytes);
    const auto count = chain::read_compact_size(reader);
    if (!count || *count > 2) return std::nullopt;
    std::vector<ByteSpan> items;
    for (std::uint64_t i = 0; i < *count; ++i) {
        const auto size = chain::read_compact_size(reader);
        if (!size || *size > reader.left()) return std::nullopt;
        items.push_back(reader.take(*size));
    }
    if (!reader.finished()) return std::nullopt;
    return items;
}

Verdict verify_p2wpkh(const Bip322Transactions& both, ByteSpan script,
                      const std::vector<ByteSpan>& witness) {
    if (witness.size() != 2 || witness[0].empty() || witness[0].back() != kSighashAll) {
        return std::unexpected(SignatureFault::malformed);
    }
    const auto der = witness[0].first(witness[0].size() - 1);
    const auto key_bytes = witness[1];
    const auto* context = secp256k1_context_static;
    secp256k1_pubkey key;
    secp256k1_ecdsa_signature signature;
    if (key_bytes.size() != 33 ||
        secp256k1_ec_pubkey_parse(context, &key, key_bytes.data(), key_bytes.size()) == 0 ||
        secp256k1_ecdsa_signature_parse_der(context, &signature, der.data(), der.size()) == 0) {
        return std::unexpected(SignatureFault::malformed);
    }
    const auto key_hash = chain::hash160(key_bytes);
    if (!std::ranges::equal(key_hash, chain::p2wpkh_hash(script))) {
        return std::unexpected(SignatureFault::wrong);
    }
    const auto hash = chain::witness_signature_hash(both.to_sign, 0, chain::p2pkh_script(key_hash),
                                                    0, kSighashAll);
    // A high S is refused by secp256k1, as BIP322 wants it.
    return verdict(secp256k1_ecdsa_verify(context, &signature, hash.bytes.data(), &key) == 1);
}

Verdict verify_p2tr(const Bip322Transactions& both, ByteSpan script,
                    const std::vector<ByteSpan>& witness) {
    if (witness.size() != 1) return std::unexpected(SignatureFault::malformed);
    const auto signature = witness[0];
    const bool all = signature.size() == 65 && signature.back() == kSighashAll;
    if (signature.size() != 64 && !all) return std::unexpected(SignatureFault::malformed);
    const auto* context = secp256k1_context_static;
    secp256k1_xonly_pubkey key;
    if (secp256k1_xonly_pubkey_parse(context, &key, chain::p2tr_key(script).data()) == 0) {
        return std::unexpected(SignatureFault::wrong);
    }
    const auto hash = chain::taproot_signature_hash(both.to_sign, 0, both.to_spend.outputs,
                                                    all ? kSighashAll : kSighashDefault);
    return verdict(secp256k1_schnorrsig_verify(context, signature.data(), hash.bytes.data(),
                                               hash.bytes.size(), &key) == 1);
}

}  // namespace

std::string_view name_of(SignatureFault fault) {
    switch (fault) {
        case SignatureFault::bad_address:
            return "bad_address";
        case SignatureFault::unsupported_address:
            return "unsupported_address";
        case SignatureFault::malformed:
            return "malformed";
        case SignatureFault::wrong:
            return "wrong";
    }
    return "wrong";
}

chain::Hash256 legacy_message_hash(std::string_view message) {
    base::Bytes bytes;
    chain::append_compact_size(bytes, kLegacyPrefix.size());
    base::append(bytes, base::as_bytes(kLegacyPrefix));
    chain::append_compact_size(bytes, message.size());
    base::append(bytes, base::as_bytes(message));
    return chain::sha256d(bytes);
}

chain::Hash256 bip322_message_hash(std::string_view message) {
    return chain::tagged_hash("BIP0322-signed-message", base::as_bytes(message));
}

Bip322Transactions bip322_transactions(std::string_view message, ByteSpan script) {
    constexpr std::uint8_t kOp0 = 0x00;
    constexpr std::uint8_t kOpReturn = 0x6a;
    Bip322Transactions both;
    auto& to_spend = both.to_spend;
    to_spend.version = 0;
    chain::TxInput commitment;
    commitment.sequence = 0;
    commitment.script = {kOp0, 32};
    base::append(commitment.script, bip322_message_hash(message).bytes);
    to_spend.inputs.push_back(std::move(commitment));
    to_spend.outputs.push_back({0, base::Bytes(script.begin(), script.end())});

    auto& to_sign = both.to_sign;
    to_sign.version = 0;
    chain::TxInput spend;
    spend.previous = {to_spend.txid(), 0};
    spend.sequence = 0;
    to_sign.inputs.push_back(std::move(spend));
    to_sign.outputs.push_back({0, {kOpReturn}});
    return both;
}

Verdict verify_message(std::string_view address, std::string_view message,
                       std::string_view signature, const chain::NetworkParams& network) {
    const auto script = chain::script_of_address(address, network);
    if (!script) return std::unexpected(SignatureFault::bad_address);
    const bool is_p2wpkh = !chain::p2wpkh_hash(*script).empty();
    const bool is_p2tr = !chain::p2tr_key(*script).empty();
    const bool is_old = !chain::p2pkh_hash(*script).empty() || !chain::p2sh_hash(*script).empty();
    if (!is_p2wpkh && !is_p2tr && !is_old) {
        return std::unexpected(SignatureFault::unsupported_address);
    }
    if (signature.size() > kMostSignatureCharacters) {
        return std::unexpected(SignatureFault::malformed);
    }
    // Newer wallets name the format.
    if (signature.starts_with(kSimplePrefix)) signature.remove_prefix(kSimplePrefix.size());
    const auto bytes = from_base64(signature);
    if (!bytes) return std::unexpected(SignatureFault::malformed);
    // A witness of P2WPKH is never as short as this.
    if (bytes->size() == kLegacyBytes && !is_p2tr) return verify_legacy(*script, message, *bytes);
    if (is_old) return std::unexpected(SignatureFault::malformed);
    const auto witness = witness_in(*bytes);
    if (!witness) return std::unexpected(SignatureFault::malformed);
    const auto both = bip322_transactions(message, *script);
    return is_p2wpkh ? verify_p2wpkh(both, *script, *witness)
                     : verify_p2tr(both, *script, *witness);
}

}  // namespace adit::auth
