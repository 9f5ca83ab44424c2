// What a signature in a transaction signs: before segregated witness, by BIP143, and by BIP341 for
// spends by the key. Pure functions, safe from any thread.
#pragma once

#include "chain/transaction.h"

#include <span>

namespace adit::chain {

// Legacy signature hash (before BIP143) and that of BIP143. The low five bits of hash_type choose
// ALL (1), NONE (2) or SINGLE (3); 0x80 is ANYONECANPAY.
Hash256 legacy_signature_hash(const Transaction& transaction, std::size_t index,
                              base::ByteSpan script_code, std::uint32_t hash_type);
Hash256 witness_signature_hash(const Transaction& transaction, std::size_t index,
                               base::ByteSpan script_code, std::int64_t value_sat,
                               std::uint32_t hash_type);

// BIP341 for the key path without annex; hash_type DEFAULT (0) or ALL (1). `spent` in the order of
// the inputs.
Hash256 taproot_signature_hash(const Transaction& transaction, std::size_t index,
                               std::span<const TxOutput> spent, std::uint8_t hash_type);

// SHA-256(SHA-256(tag) ++ SHA-256(tag) ++ message) of BIP340.
Hash256 tagged_hash(std::string_view tag, base::ByteSpan message);

}  // namespace adit::chain
