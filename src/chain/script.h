// The forms of output scripts that the pool tells apart by their bytes. Pure.
#pragma once

#include "base/bytes.h"

namespace adit::chain {

// OP_DUP OP_HASH160 <20 bytes> OP_EQUALVERIFY OP_CHECKSIG.
bool is_p2pkh(base::ByteSpan script);
// OP_0 or OP_1 to OP_16 and one push of 2 to 40 bytes (BIP141).
bool is_witness_program(base::ByteSpan script);
// OP_0 <20 bytes> (BIP141).
bool is_p2wpkh(base::ByteSpan script);
// OP_1 <32 bytes> (BIP341).
bool is_p2tr(base::ByteSpan script);

}  // namespace adit::chain
