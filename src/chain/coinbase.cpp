// What consensus wants in a coinbase: the height (BIP34) and the witness commitment (BIP141).
#include "base/check.h"
#include "chain/block.h"

namespace adit::chain {
namespace {

constexpr std::uint8_t kOp0 = 0x00;
constexpr std::uint8_t kOp1 = 0x51;
constexpr std::uint8_t kOp16 = 0x60;
// OP_RETURN, a push of 36 bytes, and BIP141's commitment header.
constexpr std::array<std::uint8_t, 6> kCommitmentPrefix{0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed};
constexpr std::size_t kCommitmentSize = kCommitmentPrefix.size() + 32;

}  // namespace

base::Bytes height_push(std::int32_t height) {
    ADIT_CHECK(height >= 0, "heights count from 0");
    if (height == 0) return {kOp0};
    if (height <= 16) return {static_cast<std::uint8_t>(kOp1 + height - 1)};
    base::Bytes number;
    for (auto rest = static_cast<std::uint32_t>(height); rest != 0; rest >>= 8) {
        number.push_back(static_cast<std::uint8_t>(rest));
    }
    // The top bit of the last byte is the sign.
    if ((number.back() & 0x80) != 0) number.push_back(0);
    number.insert(number.begin(), static_cast<std::uint8_t>(number.size()));
    return number;
}

std::optional<std::int32_t> height_of_coinbase(base::ByteSpan script) {
    if (script.empty()) return std::nullopt;
    const std::uint8_t opcode = script[0];
    if (opcode == kOp0) return 0;
    if (opcode >= kOp1 && opcode <= kOp16) return opcode - kOp1 + 1;
    // Four bytes hold every height of an int32 (the sign bit of the fourth stays clear).
    if (opcode > 4 || script.size() < 1U + opcode) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = opcode; i > 0; --i)
        value = value << 8 | script[i];
    if ((script[opcode] & 0x80) != 0) return std::nullopt;
    const auto height = static_cast<std::int32_t>(value);
    const auto push = height_push(height);
    if (!std::equal(push.begin(), push.end(), script.begin())) return std::nullopt;
    return height;
}

base::Bytes witness_commitment_script(const Hash256& witness_root, const Hash256& reserved) {
    base::Bytes script(kCommitmentPrefix.begin(), kCommitmentPrefix.end());
    base::append(script, sha256d_pair(witness_root, reserved).bytes);
    return script;
}

std::optional<Hash256> witness_commitment_of(const Transaction& coinbase) {
    for (auto output = coinbase.outputs.rbegin(); output != coinbase.outputs.rend(); ++output) {
        const auto& script = output->script;
        if (script.size() < kCommitmentSize) continue;
        if (!std::equal(kCommitmentPrefix.begin(), kCommitmentPrefix.end(), script.begin())) {
            continue;
        }
        Hash256 commitment;
        std::copy_n(script.begin() + kCommitmentPrefix.size(), 32, commitment.bytes.begin());
        return commitment;
    }
    return std::nullopt;
}

}  // namespace adit::chain
