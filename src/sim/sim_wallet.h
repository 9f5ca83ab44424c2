// A wallet beside the embedded chain, with the state and the judgement of Bitcoin Core's: its keys,
// its transactions with their blocks and conflicts, its unspent outputs and locks. What it knows
// comes from the chain's events; questions take the chain whose events it was given. Not
// thread-safe: owned by WalletSet, used on the chain's thread.
#pragma once

#include "sim/sim_chain.h"
#include "sim/wallet_keys.h"
#include "sim/wallet_lock.h"

#include <limits>
#include <optional>
#include <set>

namespace adit::sim {

struct BlockRef {
    chain::Hash256 hash;
    std::int32_t height = 0;
};

struct WalletTransaction {
    chain::Transaction transaction;
    chain::Hash256 txid;
    std::int64_t time_s = 0;           // when it was first seen
    std::uint64_t order = 0;           // of arrival in this wallet
    std::optional<BlockRef> block;     // the block of the main chain that holds it
    std::optional<BlockRef> conflict;  // the one that holds a transaction it conflicts with
    bool abandoned = false;            // given up; of a coinbase: its block left the chain
};

// An unspent output of the wallet whose transaction is in a block or in the mempool.
struct WalletCoin {
    chain::OutPoint outpoint;
    chain::TxOutput output;
    std::int32_t depth = 0;  // confirmations
    bool mature = true;      // false: a coinbase that cannot be spent yet
    bool safe = true;        // confirmed, or change of the wallet's own waiting transactions
    bool locked = false;
};

enum class CatchUp { done, pruned };

class SimWallet {
 public:
    // The clock must outlive it. A fresh wallet knows nothing; see catch_up().
    SimWallet(std::string name, std::string seed, const base::Clock& clock);

    const std::string& name() const { return name_; }
    WalletLock& lock() { return lock_; }
    const WalletLock& lock() const { return lock_; }

    // Addresses given out to be paid, and scripts for change.
    base::Bytes new_receiving_script(ScriptKind kind, std::string label);
    base::Bytes new_change_script(ScriptKind kind = ScriptKind::p2wpkh);
    bool is_mine(base::ByteSpan script) const { return keys_.owns(script); }
    const SimKey* key_of(base::ByteSpan script) const { return keys_.find(script); }
    // An own script that was never given out as an address.
    bool is_change(base::ByteSpan script) const { return is_mine(script) && !label_of(script); }
    // Null: not given out.
    const std::string* label_of(base::ByteSpan script) const;

    // What the chain's events do.
    void transaction_accepted(const chain::Transaction& transaction);
    void block_connected(const BlockEntry& entry);
    void block_disconnected(const BlockEntry& entry);
    // Goes from the last block it saw to the tip, and through the mempool. `pruned`: a block on the
    // way is gone; nothing was changed.
    CatchUp catch_up(const SimChain& chain);

    // By order of arrival.
    std::vector<const WalletTransaction*> transactions() const;
    const WalletTransaction* find(const chain::Hash256& txid) const;
    // Confirmations: 0 while it waits (or is forgotten), negative when a block holds a conflict.
    static std::int32_t depth(const WalletTransaction& known, const SimChain& chain);
    // Blocks until a coinbase can be spent; 0 for anything else.
    static std::int32_t blocks_to_maturity(const WalletTransaction& known, const SimChain& chain);
    bool is_trusted(const WalletTransaction& known, const SimChain& chain) const;
    // Other transactions of the wallet that spend one of its inputs.
    std::set<chain::Hash256> conflicts_of(const WalletTransaction& known) const;
    // Sum of its inputs, and of its outputs, that are the wallet's, in satoshis.
    std::int64_t debit_sat(const WalletTransaction& known) const;
    std::int64_t credit_sat(const WalletTransaction& known) const;
    // The wallet's output that this input spends; null: it is not the wallet's.
    const chain::TxOutput* own_output(const chain::OutPoint& outpoint) const;

    // True when a transaction of the wallet that may still count spends it.
    bool is_spent(const chain::OutPoint& outpoint, const SimChain& chain) const;
    // By order of arrival of their transactions.
    std::vector<WalletCoin> coins(const SimChain& chain) const;
    // Gives up a transaction that is neither in a block nor in the mempool, with all that spend it.
    // False: it cannot be given up.
    bool abandon(const chain::Hash256& txid, const SimChain& chain);

    void lock_coin(const chain::OutPoint& outpoint, bool persistent);
    void unlock_coin(const chain::OutPoint& outpoint) { locks_.erase(outpoint); }
    void unlock_all_coins() { locks_.clear(); }
    bool is_locked(const chain::OutPoint& outpoint) const { return locks_.contains(outpoint); }
    std::vector<chain::OutPoint> locked_coins() const;

    // Loses what a wallet loses with its process: locks that are not persistent, the passphrase.
    void reload();

 private:
    WalletTransaction* add(const chain::Transaction& transaction, std::int64_t time_s);
    bool concerns(const chain::Transaction& transaction) const;
    void mark_conflicted(const chain::Hash256& txid, const BlockRef& block);
    std::vector<chain::Hash256> spenders_of(const chain::OutPoint& outpoint) const;

    std::string name_;
    const base::Clock& clock_;
    WalletKeys keys_;
    WalletLock lock_;
    std::map<base::Bytes, std::string, std::less<>> labels_;  // of scripts given out
    std::map<chain::Hash256, WalletTransaction> transactions_;
    std::multimap<chain::OutPoint, chain::Hash256> spends_;
    std::map<chain::OutPoint, bool> locks_;  // true: persistent
    std::optional<BlockRef> last_block_;
    std::uint64_t arrivals_ = 0;
};

}  // namespace adit::sim
