// A chain in memory that validates like Bitcoin Core: header, block and transaction rules, coins,
// standard scripts, fork choice by work with reorganisation, and a mempool for templates. Only
// outputs of the standard forms in sim/script_rules.h can be spent.
//
// Not thread-safe: one owner (SimNode's thread, or a test). Time comes from the clock it is given,
// which must outlive it.
#pragma once

#include "base/clock.h"
#include "base/u256.h"
#include "chain/block.h"
#include "sim/block_rules.h"
#include "sim/coins.h"
#include "sim/mempool.h"
#include "sim/sim_params.h"
#include "sim/verdict.h"

#include <expected>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace adit::sim {

// A header in the tree. Entries live as long as the chain does.
struct BlockEntry {
    chain::BlockHeader header;
    chain::Hash256 hash;
    const BlockEntry* parent = nullptr;
    std::int32_t height = 0;
    base::U256 chainwork;         // with this block
    std::uint64_t sequence = 0;   // order of arrival; the first seen wins between equals
    bool failed = false;          // refused by a rule or by an order, or on top of such
    bool connected_once = false;  // its transactions were found good
    std::size_t transaction_count = 0;
    std::shared_ptr<const chain::Block> block;  // null: header only, or pruned
    BlockUndo undo;                             // of a block on the main chain
};

// What getblocktemplate offers.
struct SimTemplate {
    std::int32_t height = 0;
    chain::Hash256 previous;
    std::uint32_t version = 0;
    std::uint32_t bits = 0;
    std::uint32_t min_time = 0;
    std::uint32_t current_time = 0;
    std::int64_t coinbase_value_sat = 0;
    bool segwit = false;
    base::Bytes commitment_script;  // empty before segwit
    struct Item {
        std::shared_ptr<const MempoolEntry> entry;
        std::vector<std::size_t> depends;  // 1-based places in this list
    };
    std::vector<Item> transactions;
    std::uint64_t mempool_sequence = 0;
};

// Told of what happens, on the chain's thread, after it has happened. Must not change the chain.
class ChainObserver {
 public:
    virtual ~ChainObserver() = default;
    // Entered the mempool; again when it returned to it from a block.
    virtual void transaction_accepted(const MempoolEntry& entry) = 0;
    // Became the tip (its block is there); is the tip no more.
    virtual void block_connected(const BlockEntry& entry) = 0;
    virtual void block_disconnected(const BlockEntry& entry) = 0;
};

// What a node's operator decides, and tests with it. Rates are in satoshis per 1,000 virtual bytes.
struct SimPolicy {
    bool full_rbf = false;  // replaces transactions that do not signal BIP125 too
    std::int64_t min_relay_sat_per_kvb = 1'000;
    // Templates and mined blocks leave out what pays less (Bitcoin Core's blockmintxfee).
    std::int64_t min_block_sat_per_kvb = 0;
    // What estimatesmartfee answers; nullopt: it has no data yet.
    std::optional<std::int64_t> estimate_sat_per_kvb;
    // The wallet's rate without an estimate; nullopt: it refuses (Bitcoin Core's fallbackfee=0).
    std::optional<std::int64_t> fallback_sat_per_kvb = 20'000;
};

class SimChain {
 public:
    SimChain(SimParams params, const base::Clock& clock);

    // Bitcoin Core's submitblock. `accepted`: the new tip; `inconclusive`: stored on a side chain.
    // A missing coinbase witness beside a commitment is filled in, as Core does.
    Verdict submit(chain::Block block);
    Verdict submit(base::ByteSpan raw);
    // The same without the filling-in, as a block from a peer is taken.
    Verdict process(const chain::Block& block);
    // getblocktemplate's proposal mode: everything but proof of work, on the tip only; stores
    // nothing.
    Verdict propose(const chain::Block& block) const;

    // To the mempool; may replace others there by the rules of BIP125, as in Bitcoin Core 24 to 27:
    // those replaced signal it (or policy().full_rbf), the newcomer pays a better rate than each it
    // conflicts with, a higher fee than all that leave together, 1 sat/vB (the relay fee) more for
    // itself, spends no output of the mempool that they did not spend, and at most 100 leave.
    Verdict accept_transaction(const chain::Transaction& transaction);

    // What would enter a mempool, and what would leave it. Changes nothing.
    struct Admission {
        MempoolEntry entry;
        TxidSet replaced;
    };
    std::expected<Admission, Verdict> examine(const chain::Transaction& transaction,
                                              const Mempool& mempool) const;

    SimPolicy& policy() { return policy_; }
    const SimPolicy& policy() const { return policy_; }
    // The observer must outlive the chain's use, or be taken away.
    void add_observer(ChainObserver& observer);
    void remove_observer(ChainObserver& observer);

    // On the tip, with transactions of the mempool.
    SimTemplate make_template() const;
    // On any block, without transactions.
    SimTemplate make_empty_template(const BlockEntry& parent) const;
    // Raised by every change of the tip, and by every change of the mempool.
    std::uint64_t tip_sequence() const { return tip_sequence_; }

    const SimParams& params() const { return params_; }
    const BlockEntry& tip() const { return *main_.back(); }
    const BlockEntry& genesis() const { return *main_.front(); }
    const BlockEntry* find(const chain::Hash256& hash) const;
    // Headers in the tree, of all branches.
    std::size_t known_headers() const { return entries_.size(); }
    // On the main chain; null outside it.
    const BlockEntry* at_height(std::int32_t height) const;
    bool on_main_chain(const BlockEntry& entry) const;
    // Heads of all branches, the active one among them.
    std::vector<const BlockEntry*> tips() const;
    const Mempool& mempool() const { return mempool_; }
    // An unspent output of the main chain.
    const Coin* coin(const chain::OutPoint& outpoint) const { return coins_.find(outpoint); }
    const CoinSet& coins() const { return coins_; }

    // A transaction in the mempool or in a kept block of the main chain.
    struct FoundTransaction {
        chain::Transaction transaction;
        const BlockEntry* entry;  // null: it is in the mempool
    };
    std::optional<FoundTransaction> find_transaction(const chain::Hash256& txid) const;

    // Orders of the operator. False: unknown block (or genesis).
    bool invalidate(const chain::Hash256& hash);
    bool reconsider(const chain::Hash256& hash);

    std::uint32_t median_time_past(const BlockEntry& entry) const;
    // Bits that a block on top of `parent` must have.
    std::uint32_t required_bits(const BlockEntry& parent) const;
    std::int64_t subsidy_sat(std::int32_t height) const;

 private:
    BlockEntry& add_entry(const chain::BlockHeader& header, BlockEntry& parent);
    // Checks a header and the block on top of its parent; fills `entry` when the header is good.
    Verdict accept_block(const chain::Block& block, BlockEntry*& entry);
    Verdict check_header_context(const chain::BlockHeader& header, const BlockEntry& parent) const;
    Verdict check_block_context(const chain::Block& block, const BlockEntry& parent) const;
    // Moves the main chain to the best branch; blocks that fail on the way are condemned and noted
    // in `verdict` when they are `watched`.
    void activate_best(const BlockEntry* watched, Verdict& verdict);
    BlockEntry* best_candidate() const;
    // Every block between the main chain and the entry is there and not condemned.
    bool can_activate(const BlockEntry& entry) const;
    BlockContext context_above(const BlockEntry& parent) const;
    Verdict connect_tip(BlockEntry& entry);
    void disconnect_tip(std::vector<chain::Transaction>& returned);
    void condemn(BlockEntry& entry);
    std::expected<TxidSet, Verdict> replaced_by(const MempoolEntry& entry,
                                                const Mempool& mempool) const;
    void refill_mempool(std::vector<chain::Transaction> returned);
    void prune();

    SimParams params_;
    const base::Clock& clock_;
    std::unordered_map<chain::Hash256, std::unique_ptr<BlockEntry>, chain::Hash256Hasher> entries_;
    std::vector<BlockEntry*> main_;  // by height
    CoinSet coins_;
    Mempool mempool_;
    SimPolicy policy_;
    std::vector<ChainObserver*> observers_;
    std::uint64_t arrivals_ = 0;
    std::uint64_t tip_sequence_ = 0;
};

}  // namespace adit::sim
