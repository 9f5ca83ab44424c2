// Transactions that wait for a block: checked against the coins and against each other, bounded in
// number. Which may enter or replace others is SimChain's business. Not thread-safe: owned by
// SimChain.
#pragma once

#include "sim/coins.h"
#include "sim/verdict.h"

#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace adit::sim {

struct MempoolEntry {
    chain::Transaction transaction;
    chain::Hash256 txid;
    chain::Hash256 wtxid;
    std::int64_t fee_sat = 0;
    std::size_t weight = 0;
    std::int64_t sigop_cost = 0;
    std::int64_t time_s = 0;
    std::uint64_t sequence = 0;  // order of arrival: parents come before their children
    std::vector<Coin> coins;     // its outputs, as coins of the next block
    // virtual bytes, rounded up (BIP141)
    std::size_t vsize() const { return (weight + 3) / 4; }
};
using MempoolEntryRef = std::shared_ptr<const MempoolEntry>;

using TxidSet = std::unordered_set<chain::Hash256, chain::Hash256Hasher>;

class Mempool {
 public:
    bool contains(const chain::Hash256& txid) const { return entries_.contains(txid); }
    MempoolEntryRef find(const chain::Hash256& txid) const;
    std::size_t size() const { return entries_.size(); }
    // Sum of virtual sizes.
    std::size_t bytes() const { return bytes_; }
    std::int64_t fees_sat() const { return fees_sat_; }
    // Raised by every change.
    std::uint64_t sequence() const { return sequence_; }

    // True when some waiting transaction spends this output.
    bool spends(const chain::OutPoint& outpoint) const { return spenders_.contains(outpoint); }
    // The waiting transaction that spends this output.
    std::optional<chain::Hash256> spender_of(const chain::OutPoint& outpoint) const;
    // These and all that hang on them.
    TxidSet with_descendants(const TxidSet& txids) const;
    // Those whose outputs the transaction spends, directly or through others.
    TxidSet ancestors_of(const chain::Transaction& transaction) const;
    // The transaction has been checked against `coins()` of this mempool.
    void add(MempoolEntry entry);
    void remove(const TxidSet& txids);
    // Removes what a block includes, and whatever conflicts with it or hangs on such.
    void remove_for_block(std::span<const chain::Transaction> transactions);
    // All entries in order of arrival.
    std::vector<MempoolEntryRef> entries() const;
    // Best fee rate first, parents before children, within the limits. A transaction that pays less
    // than min_sat_per_kvb, together with the ancestors it needs, stays out.
    std::vector<MempoolEntryRef> select(std::size_t max_weight, std::int64_t max_sigop_cost,
                                        std::int64_t min_sat_per_kvb) const;
    void clear();

 private:
    void remove_with_descendants(const chain::Hash256& txid);
    void remove_one(const chain::Hash256& txid);

    std::unordered_map<chain::Hash256, MempoolEntryRef, chain::Hash256Hasher> entries_;
    std::unordered_map<chain::OutPoint, chain::Hash256, OutPointHasher> spenders_;
    std::size_t bytes_ = 0;
    std::int64_t fees_sat_ = 0;
    std::uint64_t sequence_ = 0;
};

// `missing`: what a waiting transaction spends is gone. `present`: it is still there, for whoever
// replaces that transaction.
enum class SpentInMempool { missing, present };

// The coins as they are once everything in the mempool is in a block. Both must outlive it.
class MempoolCoins final : public CoinSource {
 public:
    MempoolCoins(const CoinSource& below, const Mempool& mempool,
                 SpentInMempool spent = SpentInMempool::missing)
        : below_(below), mempool_(mempool), spent_(spent) {}
    const Coin* find(const chain::OutPoint& outpoint) const override;

 private:
    const CoinSource& below_;
    const Mempool& mempool_;
    SpentInMempool spent_;
};

}  // namespace adit::sim
