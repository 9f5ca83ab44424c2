#include "chain/script.h"

namespace adit::chain {
namespace {

constexpr std::uint8_t kOp0 = 0x00;
constexpr std::uint8_t kOp1 = 0x51;
constexpr std::uint8_t kOpDup = 0x76;
constexpr std::uint8_t kOpEqual = 0x87;
constexpr std::uint8_t kOpEqualVerify = 0x88;
constexpr std::uint8_t kOpHash160 = 0xa9;
constexpr std::uint8_t kOpCheckSig = 0xac;

}  // namespace

bool is_witness_program(base::ByteSpan script) {
    return script.size() >= 4 && script.size() <= 42 &&
           (script[0] == kOp0 || (script[0] >= kOp1 && script[0] <= kOp1 + 15)) &&
           script[1] == script.size() - 2;
}

base::Bytes p2pkh_script(const Hash160& key_hash) {
    base::Bytes script{kOpDup, kOpHash160, 20};
    base::append(script, key_hash);
    script.push_back(kOpEqualVerify);
    script.push_back(kOpCheckSig);
    return script;
}

base::Bytes p2wpkh_script(const Hash160& key_hash) {
    base::Bytes script{kOp0, 20};
    base::append(script, key_hash);
    return script;
}

base::ByteSpan p2wpkh_hash(base::ByteSpan script) {
    const bool matches = script.size() == 22 && script[0] == kOp0 && script[1] == 20;
    return matches ? script.subspan(2) : base::ByteSpan{};
}

base::ByteSpan p2pkh_hash(base::ByteSpan script) {
    const bool matches = script.size() == 25 && script[0] == kOpDup && script[1] == kOpHash160 &&
                         script[2] == 20 && script[23] == kOpEqualVerify &&
                         script[24] == kOpCheckSig;
    return matches ? script.subspan(3, 20) : base::ByteSpan{};
}

base::ByteSpan p2sh_hash(base::ByteSpan script) {
    const bool matches =
        script.size() == 23 && script[0] == kOpHash160 && script[1] == 20 && script[22] == kOpEqual;
    return matches ? script.subspan(2, 20) : base::ByteSpan{};
}

base::ByteSpan p2tr_key(base::ByteSpan script) {
    const bool matches = script.size() == 34 && script[0] == kOp1 && script[1] == 32;
    return matches ? script.subspan(2) : base::ByteSpan{};
}

}  // namespace adit::chain
