// The standard forms of output scripts: made, and recognised. Pure functions, safe from any thread.
#pragma once

#include "base/bytes.h"
#include "chain/hash.h"

namespace adit::chain {

// OP_0 or OP_1 to OP_16 and one push of 2 to 40 bytes (BIP141).
bool is_witness_program(base::ByteSpan script);

// OP_DUP OP_HASH160 <hash> OP_EQUALVERIFY OP_CHECKSIG.
base::Bytes p2pkh_script(const Hash160& key_hash);
// OP_0 <hash>.
base::Bytes p2wpkh_script(const Hash160& key_hash);

// What a script of this form pays to; empty for anything else.
base::ByteSpan p2wpkh_hash(base::ByteSpan script);
base::ByteSpan p2pkh_hash(base::ByteSpan script);
base::ByteSpan p2sh_hash(base::ByteSpan script);
base::ByteSpan p2tr_key(base::ByteSpan script);

inline bool is_p2pkh(base::ByteSpan script) {
    return !p2pkh_hash(script).empty();
}
inline bool is_p2wpkh(base::ByteSpan script) {
    return !p2wpkh_hash(script).empty();
}
inline bool is_p2tr(base::ByteSpan script) {
    return !p2tr_key(script).empty();
}

}  // namespace adit::chain
