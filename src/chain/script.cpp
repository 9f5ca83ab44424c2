#include "chain/script.h"

namespace adit::chain {
namespace {

constexpr std::uint8_t kOp0 = 0x00, kOp1 = 0x51, kOp16 = 0x60;
constexpr std::uint8_t kOpDup = 0x76, kOpHash160 = 0xa9, kOpEqualVerify = 0x88, kOpCheckSig = 0xac;
constexpr std::uint8_t kPush20 = 20, kPush32 = 32;

}  // namespace

bool is_p2pkh(base::ByteSpan script) {
    return script.size() == 25 && script[0] == kOpDup && script[1] == kOpHash160 &&
           script[2] == kPush20 && script[23] == kOpEqualVerify && script[24] == kOpCheckSig;
}

bool is_witness_program(base::ByteSpan script) {
    return script.size() >= 4 && script.size() <= 42 &&
           (script[0] == kOp0 || (script[0] >= kOp1 && script[0] <= kOp16)) &&
           script[1] == script.size() - 2;
}

bool is_p2wpkh(base::ByteSpan script) {
    return script.size() == 22 && script[0] == kOp0 && script[1] == kPush20;
}

bool is_p2tr(base::ByteSpan script) {
    return script.size() == 34 && script[0] == kOp1 && script[1] == kPush32;
}

}  // namespace adit::chain
