// Whom the coinbase of a job pays. A snapshot is what the ledger said at one moment, bound to the
// block that was the tip then: the weight of every account's part, and what was due to it after all
// own blocks up to that one had been credited and debited. plan_coinbase() divides a coinbase's
// value by it and is the only place that does: job::JobMaker writes the outputs by it, and
// ledger::split_reward() debits what they have paid. Pure values, safe from any thread.
//
// The rule, for a value V:
//   1. fee = floor(V x fee_ppm / 1,000,000); V - fee is allotted by the weights (job::allot).
//   2. An account's claim is its part plus what is due to it. When dues may not be paid a due above
//      zero is left out; one below zero (an overdrawn account) is taken off either way.
//   3. Claims are served largest first, equal ones in the order of the entries, each with as much
//      as is left of V (the fee and what others are not paid included, since all of that stays owed
//      and is covered by other coins of the pool's address). Claims of accounts without a script
//      are not served.
//   4. It ends after max_outputs outputs, or when the claim or what is left of V is below the dust
//      limit or not above zero. Outputs that cost signature operations (P2PKH) are skipped once
//      there are kMostP2pkhOutputs of them.
//   5. What is left of V is carried: an output to the pool's address, owed to the accounts.
// So outputs + carried = V and fee + parts = V, exactly.
#pragma once

#include "base/bytes.h"
#include "chain/amount.h"
#include "chain/hash.h"
#include "chain/target.h"

#include <memory>
#include <string_view>
#include <vector>

namespace adit::job {

// Nodes leave room for 400 units of signature operations (BIP141) in the coinbase; a P2PKH output
// takes four, and so may the pool's own.
inline constexpr std::size_t kMostP2pkhOutputs = 99;

struct PayoutEntry {
    base::Bytes script;  // empty: cannot be paid by a coinbase, stays owed
    chain::Work weight = 0;
    chain::Amount due;  // from earlier blocks; below zero: overdrawn
};

struct PayoutSnapshot {
    std::uint64_t id = 0;     // counts up in one log; never 0
    chain::Hash256 previous;  // dues are paid only by jobs on top of this block
    std::uint32_t fee_ppm = 0;
    std::uint32_t max_outputs = 0;     // accounts that one coinbase pays
    chain::Amount dust;                // smaller amounts stay owed
    std::vector<PayoutEntry> entries;  // in the order of the accounts' names
};
using PayoutSnapshotRef = std::shared_ptr<const PayoutSnapshot>;

// False when there is nothing to divide by: the whole value is then for whoever finds the block.
bool has_weights(const PayoutSnapshot& snapshot);

struct PlannedOutput {
    std::size_t entry = 0;  // of the snapshot
    chain::Amount amount;
    friend bool operator==(const PlannedOutput&, const PlannedOutput&) = default;
};

struct CoinbasePlan {
    chain::Amount fee;
    std::vector<chain::Amount> parts;    // of the entries; all zero without weights
    std::vector<PlannedOutput> outputs;  // largest first, the order of the coinbase's outputs
    chain::Amount carried;
};

// The value must not be negative and the weights' sum must fit into 128 bits.
CoinbasePlan plan_coinbase(const PayoutSnapshot& snapshot, chain::Amount value, bool pays_dues);

// The script that a coinbase pays for an account whose name is an address, of whichever network: an
// address of a chain is an account's name only in that chain's pool. Empty for other names.
base::Bytes script_of_account(std::string_view account);

}  // namespace adit::job
