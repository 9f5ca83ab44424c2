// Whether a transaction that a wallet returned as signed is the one it was given, and signed such
// that nobody can change it any more. Pure.
#pragma once

#include "ledger/wallet.h"

#include <optional>
#include <span>
#include <string>

namespace adit::node {

// What is wrong, as a part of a sentence; nullopt: nothing. The same but for witnesses; every input
// spends one of the coins; every witness has the form of a key's signature for its coin's script
// over the whole transaction (SIGHASH_ALL or, for P2TR, SIGHASH_DEFAULT). The signatures themselves
// are the node's business.
std::optional<std::string> fault_of_signed(const chain::Transaction& asked,
                                           const chain::Transaction& got,
                                           std::span<const ledger::Coin> coins);

}  // namespace adit::node
