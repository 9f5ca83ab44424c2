// Messages signed by the owner of an address: the format of Bitcoin Core's signmessage (P2PKH, and
// P2WPKH and P2SH-P2WPKH as wallets sign for them, BIP137) and the "simple" one of BIP322 (P2WPKH,
// and P2TR by its key). Pure functions, safe from any thread.
#pragma once

#include "base/bytes.h"
#include "chain/hash.h"
#include "chain/network.h"
#include "chain/transaction.h"

#include <expected>
#include <string_view>

namespace adit::auth {

enum class SignatureFault : std::uint8_t {
    bad_address = 0,
    unsupported_address = 1,
    malformed = 2,
    wrong = 3,
};
std::string_view name_of(SignatureFault fault);

// `signature`: base64, of either format; which one it is follows from its length.
std::expected<void, SignatureFault> verify_message(std::string_view address,
                                                   std::string_view message,
                                                   std::string_view signature,
                                                   const chain::NetworkParams& network);

// What is signed, for vectors and tests: the double SHA-256 of the legacy format, the tagged hash
// of BIP322, and its two virtual transactions for an output script.
chain::Hash256 legacy_message_hash(std::string_view message);
chain::Hash256 bip322_message_hash(std::string_view message);
struct Bip322Transactions {
    chain::Transaction to_spend;
    chain::Transaction to_sign;  // without witness
};
Bip322Transactions bip322_transactions(std::string_view message, base::ByteSpan script);

}  // namespace adit::auth
