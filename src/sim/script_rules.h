// Scripts as far as the embedded chain goes: which outputs can be spent, the checks of standard
// spends (P2PK, P2PKH, P2WPKH, P2SH-P2WPKH, bare OP_TRUE) and sigop counting.
// Any other form of output cannot be spent here, which is stricter than Bitcoin. Pure.
#pragma once

#include "chain/script.h"
#include "chain/signature_hash.h"

#include <span>

namespace adit::sim {

inline constexpr std::size_t kMaxScriptSize = 10'000;
inline constexpr std::int64_t kWitnessScale = 4;

// OP_RETURN outputs and oversized scripts: no coin comes of them.
bool is_unspendable(base::ByteSpan script);

using chain::legacy_signature_hash;
using chain::p2pkh_script;
using chain::p2wpkh_hash;
using chain::p2wpkh_script;
using chain::witness_signature_hash;

// True when input `index` of the transaction may spend `spent`. `segwit`: BIP141 is in force;
// before, a witness program is spendable by anybody.
bool verify_spend(const chain::Transaction& transaction, std::size_t index,
                  const chain::TxOutput& spent, bool segwit);

// CHECKSIGs of a script alone, a CHECKMULTISIG as 20 (GetSigOpCount(false) of Bitcoin Core).
std::int64_t legacy_sigops(base::ByteSpan script);
// Of all scripts of a transaction.
std::int64_t legacy_sigops(const chain::Transaction& transaction);
// BIP141 cost: legacy x 4 plus one for each P2WPKH spend. `spent` in the order of the inputs; empty
// for a coinbase.
std::int64_t sigop_cost(const chain::Transaction& transaction,
                        std::span<const chain::TxOutput* const> spent, bool segwit);

}  // namespace adit::sim
