#include "sim/script_rules.h"

#include "chain/script.h"

#include <secp256k1.h>

namespace adit::sim {
namespace {

constexpr std::uint8_t kPushData1 = 0x4c;
constexpr std::uint8_t kPushData2 = 0x4d;
constexpr std::uint8_t kPushData4 = 0x4e;
constexpr std::uint8_t kOpTrue = 0x51;
constexpr std::uint8_t kOpReturn = 0x6a;
constexpr std::uint8_t kOpCheckSig = 0xac;
constexpr std::uint8_t kOpCheckSigVerify = 0xad;
constexpr std::uint8_t kOpCheckMultiSig = 0xae;
constexpr std::uint8_t kOpCheckMultiSigVerify = 0xaf;
constexpr std::int64_t kMultiSigOps = 20;

struct ScriptOp {
    std::uint8_t code = 0;
    base::ByteSpan data;
};

// The next operation; nullopt at the end or when a push runs past it.
std::optional<ScriptOp> next_op(base::ByteReader& script) {
    if (script.left() == 0) return std::nullopt;
    ScriptOp op{.code = script.le<std::uint8_t>(), .data = {}};
    if (op.code > kPushData4) return op;
    std::size_t size = op.code;
    if (op.code == kPushData1) size = script.le<std::uint8_t>();
    if (op.code == kPushData2) size = script.le<std::uint16_t>();
    if (op.code == kPushData4) size = script.le<std::uint32_t>();
    op.data = script.take(size);
    if (!script.ok()) return std::nullopt;
    return op;
}

// The data pushed by a script of exactly n pushes; empty for any other script.
std::vector<base::ByteSpan> pushes_of(base::ByteSpan script, std::size_t n) {
    base::ByteReader reader(script);
    std::vector<base::ByteSpan> pushes;
    while (const auto op = next_op(reader)) {
        if (op->code > kPushData4) return {};
        pushes.push_back(op->data);
    }
    if (!reader.finished() || pushes.size() != n) return {};
    return pushes;
}

base::ByteSpan p2pk_key(base::ByteSpan script) {
    if (script.size() < 2 || script.back() != kOpCheckSig) return {};
    const auto size = script.size() - 2;
    return script[0] == size && (size == 33 || size == 65) ? script.subspan(1, size)
                                                           : base::ByteSpan{};
}

// A DER signature (without its hash type) over this hash. High S is legal in consensus.
bool verify_signature(base::ByteSpan key, base::ByteSpan der, const chain::Hash256& hash) {
    const auto* context = secp256k1_context_static;
    secp256k1_pubkey parsed_key;
    secp256k1_ecdsa_signature signature;
    if (secp256k1_ec_pubkey_parse(context, &parsed_key, key.data(), key.size()) == 0) return false;
    if (secp256k1_ecdsa_signature_parse_der(context, &signature, der.data(), der.size()) == 0) {
        return false;
    }
    secp256k1_ecdsa_signature_normalize(context, &signature, &signature);
    return secp256k1_ecdsa_verify(context, &signature, hash.bytes.data(), &parsed_key) == 1;
}

struct Spend {
    const chain::Transaction& transaction;
    std::size_t index;
    const chain::TxOutput& spent;

    const chain::TxInput& input() const { return transaction.inputs[index]; }
};

bool verify_legacy(const Spend& spend, base::ByteSpan key, base::ByteSpan signature) {
    if (signature.empty()) return false;
    const auto hash =
        legacy_signature_hash(spend.transaction, spend.index, spend.spent.script, signature.back());
    return verify_signature(key, signature.first(signature.size() - 1), hash);
}

bool verify_p2wpkh(const Spend& spend, base::ByteSpan key_hash) {
    const auto& witness = spend.input().witness;
    if (witness.size() != 2 || witness[0].empty()) return false;
    const base::ByteSpan signature = witness[0];
    const auto hashed = chain::hash160(witness[1]);
    if (!std::ranges::equal(hashed, key_hash)) return false;
    const auto hash = witness_signature_hash(spend.transaction, spend.index, p2pkh_script(hashed),
                                             spend.spent.value_sat, signature.back());
    return verify_signature(witness[1], signature.first(signature.size() - 1), hash);
}

bool verify_p2sh(const Spend& spend, base::ByteSpan script_hash, bool segwit) {
    const auto pushes = pushes_of(spend.input().script, 1);
    if (pushes.empty() || !std::ranges::equal(chain::hash160(pushes[0]), script_hash)) return false;
    const auto key_hash = p2wpkh_hash(pushes[0]);
    if (key_hash.empty()) return false;
    return segwit ? verify_p2wpkh(spend, key_hash) : spend.input().witness.empty();
}

}  // namespace

bool is_unspendable(base::ByteSpan script) {
    return script.size() > kMaxScriptSize || (!script.empty() && script[0] == kOpReturn);
}

bool verify_spend(const chain::Transaction& transaction, std::size_t index,
                  const chain::TxOutput& spent, bool segwit) {
    const Spend spend{transaction, index, spent};
    const auto& input = spend.input();
    if (chain::is_witness_program(spent.script)) {
        if (!input.script.empty()) return false;
        if (!segwit) return input.witness.empty();
        const auto key_hash = p2wpkh_hash(spent.script);
        return !key_hash.empty() && verify_p2wpkh(spend, key_hash);
    }
    if (const auto script_hash = chain::p2sh_hash(spent.script); !script_hash.empty()) {
        return verify_p2sh(spend, script_hash, segwit);
    }
    // A witness beside a script that uses none (BIP141).
    if (!input.witness.empty()) return false;
    if (spent.script.size() == 1 && spent.script[0] == kOpTrue) return input.script.empty();
    if (const auto key_hash = chain::p2pkh_hash(spent.script); !key_hash.empty()) {
        const auto pushes = pushes_of(input.script, 2);
        return !pushes.empty() && std::ranges::equal(chain::hash160(pushes[1]), key_hash) &&
               verify_legacy(spend, pushes[1], pushes[0]);
    }
    if (const auto key = p2pk_key(spent.script); !key.empty()) {
        const auto pushes = pushes_of(input.script, 1);
        return !pushes.empty() && verify_legacy(spend, key, pushes[0]);
    }
    return false;
}

std::int64_t legacy_sigops(base::ByteSpan script) {
    base::ByteReader reader(script);
    std::int64_t count = 0;
    while (const auto op = next_op(reader)) {
        if (op->code == kOpCheckSig || op->code == kOpCheckSigVerify) ++count;
        if (op->code == kOpCheckMultiSig || op->code == kOpCheckMultiSigVerify) {
            count += kMultiSigOps;
        }
    }
    return count;
}

std::int64_t legacy_sigops(const chain::Transaction& transaction) {
    std::int64_t count = 0;
    for (const auto& input : transaction.inputs)
        count += legacy_sigops(input.script);
    for (const auto& output : transaction.outputs)
        count += legacy_sigops(output.script);
    return count;
}

std::int64_t sigop_cost(const chain::Transaction& transaction,
                        std::span<const chain::TxOutput* const> spent, bool segwit) {
    auto cost = legacy_sigops(transaction) * kWitnessScale;
    if (!segwit) return cost;
    for (std::size_t i = 0; i < spent.size(); ++i) {
        const auto& script = spent[i]->script;
        if (!p2wpkh_hash(script).empty()) ++cost;
        if (chain::p2sh_hash(script).empty()) continue;
        const auto pushes = pushes_of(transaction.inputs[i].script, 1);
        if (!pushes.empty() && !p2wpkh_hash(pushes[0]).empty()) ++cost;
    }
    return cost;
}

}  // namespace adit::sim
