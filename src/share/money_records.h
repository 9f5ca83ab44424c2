// The facts that move money, as the share log holds them (docs/share-log.md): each is on disk
// before it takes effect, so that the ledger can be computed again from the log alone. Whoever
// decides something writes the fact; the ledger draws the consequences when the log is
// folded. Values; encoding and decoding are in record.h.
#pragma once

#include "chain/amount.h"
#include "chain/transaction.h"
#include "share/recorder.h"

#include <string>
#include <vector>

namespace adit::share {

inline constexpr std::uint32_t kPpm = 1'000'000;       // one, in parts per million
inline constexpr std::size_t kEvidenceLimit = 2'000;   // bytes of words for people
inline constexpr std::size_t kScriptLimit = 10'000;    // bytes of an output script
inline constexpr std::size_t kPayeeLimit = 4'000;      // of one payout
inline constexpr std::size_t kSnapshotLimit = 30'000;  // accounts of one snapshot

enum class RewardScheme : std::uint8_t { pplns = 0, prop = 1, solo = 2 };
enum class PayoutMode : std::uint8_t { wallet = 0, coinbase = 1, none = 2 };
std::string_view name_of(RewardScheme scheme);
std::string_view name_of(PayoutMode mode);

// The reward rules in force from the next block record on.
struct RulesRecord {
    RewardScheme scheme = RewardScheme::pplns;
    PayoutMode mode = PayoutMode::wallet;
    std::uint32_t pplns_factor_milli = 2'000;  // the window in thousandths of the block's work
    std::uint32_t fee_ppm = 10'000;            // of the reward; 1 % is 10,000
    std::string fee_account = ":fee";
    std::int64_t at_wall_ms = 0;
    friend bool operator==(const RulesRecord&, const RulesRecord&) = default;
};

// What an account has chosen. Takes effect for payouts and blocks after it.
struct SettingsRecord {
    std::string account;
    std::int64_t threshold_sat = 0;  // 0: the pool's
    std::uint32_t donation_ppm = 0;  // of what the account earns
    std::int64_t at_wall_ms = 0;
    friend bool operator==(const SettingsRecord&, const SettingsRecord&) = default;
};

enum class BlockFact : std::uint8_t {
    confirmed = 1,  // in the best chain: its reward is split, pending
    contested = 2,  // not in the best chain of every node: nothing moves until that is settled
    mature = 3,     // as deep as maturity demands: what was pending is posted
    orphaned = 4,   // out of the chain for good: what it credited is taken back
};
std::string_view name_of(BlockFact fact);

// What the chain says of a found block. The transition counts the facts of this block from 1.
struct BlockFactRecord {
    chain::Hash256 hash;
    std::uint32_t transition = 0;
    BlockFact fact = BlockFact::confirmed;
    std::int64_t coinbase_value_sat = 0;  // all outputs of its coinbase; with `confirmed` only
    std::int32_t confirmations = 0;
    std::int64_t at_wall_ms = 0;
    std::string evidence;  // which node said what
    friend bool operator==(const BlockFactRecord&, const BlockFactRecord&) = default;
};

using PayoutId = std::uint64_t;  // counts from 1 within one ledger

struct Payee {
    std::string account;
    base::Bytes script;           // that is paid
    std::int64_t debit_sat = 0;   // taken from the account
    std::int64_t output_sat = 0;  // reaches the script; the rest is the account's part of the fee
    friend bool operator==(const Payee&, const Payee&) = default;
};

// Accounts, amounts and the anchor of a payout, fixed before anything is signed.
struct PayoutIntentRecord {
    PayoutId payout = 0;
    chain::OutPoint anchor;  // every transaction of this payout spends it
    std::int64_t anchor_value_sat = 0;
    bool needs_approval = false;
    std::int64_t at_wall_ms = 0;
    std::vector<Payee> payees;
    friend bool operator==(const PayoutIntentRecord&, const PayoutIntentRecord&) = default;
};

// A signed transaction, before it is broadcast for the first time.
struct PayoutSignedRecord {
    PayoutId payout = 0;
    std::uint32_t attempt = 0;  // counts from 1; a higher one is a fee bump
    chain::Hash256 txid;
    std::int64_t fee_sat = 0;
    std::int64_t at_wall_ms = 0;
    base::Bytes raw;
    friend bool operator==(const PayoutSignedRecord&, const PayoutSignedRecord&) = default;
};

enum class PayoutFact : std::uint8_t {
    approved = 1,     // by a person
    confirmed = 2,    // deep enough: the debits are posted
    unconfirmed = 3,  // its block left the chain: the debits are reserved again
    conflicted = 4,   // something else has spent the anchor: a person is asked
    reanchored = 5,   // by a person: a new anchor, after something else spent the old one for good
    cancelled = 6,    // by a person, before anything was signed: the debits are released
    buried = 7,       // 100 deep: nothing more to watch
};
std::string_view name_of(PayoutFact fact);

// What became of a payout. The transition counts the facts of this payout from 1.
struct PayoutFactRecord {
    PayoutId payout = 0;
    std::uint32_t transition = 0;
    PayoutFact fact = PayoutFact::approved;
    chain::Hash256 txid;     // confirmed, unconfirmed, buried: which of its transactions;
                             // conflicted: what spent the anchor (zero: not known)
    chain::OutPoint anchor;  // reanchored: the new one
    std::int64_t anchor_value_sat = 0;
    chain::Hash256 block;  // confirmed, buried: where it is
    std::int32_t height = 0;
    std::int64_t at_wall_ms = 0;
    std::string evidence;
    friend bool operator==(const PayoutFactRecord&, const PayoutFactRecord&) = default;
};

// A person accounts for a spend of the wallet that the pool did not make.
struct ExplainRecord {
    chain::Hash256 txid;
    std::string account;          // whose money it was; empty: none of the ledger's
    std::int64_t amount_sat = 0;  // taken from that account
    std::int64_t at_wall_ms = 0;
    std::string note;
    friend bool operator==(const ExplainRecord&, const ExplainRecord&) = default;
};

// Whom the coinbase of a job pays, and how much is due to them from earlier blocks. Bound to a
// previous block: dues are paid only by jobs on top of it.
struct SnapshotEntry {
    AccountId account = 0;  // of this log
    chain::Work work = 0;   // the weight of its part
    std::int64_t due_sat = 0;
    friend bool operator==(const SnapshotEntry&, const SnapshotEntry&) = default;
};
struct SnapshotRecord {
    std::uint64_t id = 0;  // counts up in one log
    chain::Hash256 previous;
    std::uint32_t fee_ppm = 0;
    std::uint32_t max_outputs = 0;  // paid accounts at most
    std::int64_t dust_sat = 0;      // smaller amounts stay owed
    std::int64_t at_wall_ms = 0;
    std::vector<SnapshotEntry> entries;  // in the order of the accounts' names
    friend bool operator==(const SnapshotRecord&, const SnapshotRecord&) = default;
};

}  // namespace adit::share
