#include "chain/signature_hash.h"

namespace adit::chain {
namespace {

constexpr std::uint32_t kSighashNone = 2;
constexpr std::uint32_t kSighashSingle = 3;
constexpr std::uint32_t kSighashAnyoneCanPay = 0x80;

void append_outpoint(base::Bytes& out, const OutPoint& outpoint) {
    base::append(out, outpoint.txid.bytes);
    base::append_le(out, outpoint.index);
}

void append_output(base::Bytes& out, const TxOutput& output) {
    base::append_le(out, output.value_sat);
    append_compact_size(out, output.script.size());
    base::append(out, output.script);
}

}  // namespace

Hash256 legacy_signature_hash(const Transaction& transaction, std::size_t index,
                              base::ByteSpan script_code, std::uint32_t hash_type) {
    const auto output_type = hash_type & 0x1f;
    if (output_type == kSighashSingle && index >= transaction.outputs.size()) {
        // The historic quirk: the hash is the number one.
        Hash256 one;
        one.bytes[0] = 1;
        return one;
    }
    Transaction copy;
    copy.version = transaction.version;
    copy.lock_time = transaction.lock_time;
    for (std::size_t i = 0; i < transaction.inputs.size(); ++i) {
        const auto& input = transaction.inputs[i];
        if ((hash_type & kSighashAnyoneCanPay) != 0 && i != index) continue;
        TxInput signed_input;
        signed_input.previous = input.previous;
        signed_input.sequence = input.sequence;
        if (i == index) {
            signed_input.script.assign(script_code.begin(), script_code.end());
        } else if (output_type == kSighashNone || output_type == kSighashSingle) {
            signed_input.sequence = 0;
        }
        copy.inputs.push_back(std::move(signed_input));
    }
    if (output_type == kSighashSingle) {
        copy.outputs.assign(index, TxOutput{-1, {}});
        copy.outputs.push_back(transaction.outputs[index]);
    } else if (output_type != kSighashNone) {
        copy.outputs = transaction.outputs;
    }
    auto bytes = copy.serialize_without_witness();
    base::append_le(bytes, hash_type);
    return sha256d(bytes);
}

Hash256 witness_signature_hash(const Transaction& transaction, std::size_t index,
                               base::ByteSpan script_code, std::int64_t value_sat,
                               std::uint32_t hash_type) {
    const auto output_type = hash_type & 0x1f;
    const bool anyone = (hash_type & kSighashAnyoneCanPay) != 0;
    const bool all_outputs = output_type != kSighashNone && output_type != kSighashSingle;
    Hash256 outpoints, sequences, outputs;
    base::Bytes part;
    if (!anyone) {
        for (const auto& input : transaction.inputs)
            append_outpoint(part, input.previous);
        outpoints = sha256d(part);
        part.clear();
        for (const auto& input : transaction.inputs)
            base::append_le(part, input.sequence);
        if (all_outputs) sequences = sha256d(part);
        part.clear();
    }
    if (all_outputs) {
        for (const auto& output : transaction.outputs)
            append_output(part, output);
        outputs = sha256d(part);
    } else if (output_type == kSighashSingle && index < transaction.outputs.size()) {
        append_output(part, transaction.outputs[index]);
        outputs = sha256d(part);
    }
    // The preimage of BIP143, in its order.
    const auto& input = transaction.inputs[index];
    base::Bytes preimage;
    base::append_le(preimage, transaction.version);
    base::append(preimage, outpoints.bytes);
    base::append(preimage, sequences.bytes);
    append_outpoint(preimage, input.previous);
    append_compact_size(preimage, script_code.size());
    base::append(preimage, script_code);
    base::append_le(preimage, value_sat);
    base::append_le(preimage, input.sequence);
    base::append(preimage, outputs.bytes);
    base::append_le(preimage, transaction.lock_time);
    base::append_le(preimage, hash_type);
    return sha256d(preimage);
}

Hash256 taproot_signature_hash(const Transaction& transaction, std::size_t index,
                               std::span<const TxOutput> spent, std::uint8_t hash_type) {
    base::Bytes outpoints, amounts, scripts, sequences, outputs;
    for (const auto& input : transaction.inputs) {
        append_outpoint(outpoints, input.previous);
        base::append_le(sequences, input.sequence);
    }
    for (const auto& output : spent) {
        base::append_le(amounts, output.value_sat);
        append_compact_size(scripts, output.script.size());
        base::append(scripts, output.script);
    }
    for (const auto& output : transaction.outputs)
        append_output(outputs, output);
    // The epoch, and the message of BIP341 in its order.
    base::Bytes message{0, hash_type};
    base::append_le(message, transaction.version);
    base::append_le(message, transaction.lock_time);
    for (const auto* part : {&outpoints, &amounts, &scripts, &sequences, &outputs})
        base::append(message, sha256(*part).bytes);
    message.push_back(0);  // by the key, without annex
    base::append_le(message, static_cast<std::uint32_t>(index));
    return tagged_hash("TapSighash", message);
}

Hash256 tagged_hash(std::string_view tag, base::ByteSpan message) {
    const auto prefix = sha256(base::as_bytes(tag));
    base::Bytes bytes;
    base::append(bytes, prefix.bytes);
    base::append(bytes, prefix.bytes);
    base::append(bytes, message);
    return sha256(bytes);
}

}  // namespace adit::chain
