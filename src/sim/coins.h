// Unspent outputs, a view that collects changes without making them, and what it takes to undo a
// block. Not thread-safe: owned by SimChain.
#pragma once

#include "chain/transaction.h"

#include <optional>
#include <unordered_map>
#include <vector>

namespace adit::sim {

struct Coin {
    chain::TxOutput output;
    std::int32_t height = 0;
    bool coinbase = false;
};

struct OutPointHasher {
    std::size_t operator()(const chain::OutPoint& outpoint) const {
        return chain::Hash256Hasher{}(outpoint.txid) ^ (outpoint.index * 0x9e3779b97f4a7c15ULL);
    }
};

// The coins that a block spent, in the order it spent them.
struct BlockUndo {
    std::vector<std::pair<chain::OutPoint, Coin>> spent;
};

class CoinSource {
 public:
    virtual ~CoinSource() = default;
    // Null: unknown or spent. Valid until the next change.
    virtual const Coin* find(const chain::OutPoint& outpoint) const = 0;
};

class CoinSet final : public CoinSource {
 public:
    const Coin* find(const chain::OutPoint& outpoint) const override;
    void add(const chain::OutPoint& outpoint, Coin coin);
    // The coin that was there; it must be.
    Coin take(const chain::OutPoint& outpoint);
    std::size_t size() const { return coins_.size(); }

 private:
    std::unordered_map<chain::OutPoint, Coin, OutPointHasher> coins_;
};

// A source with changes on top. The source must outlive it and not change.
class CoinOverlay final : public CoinSource {
 public:
    explicit CoinOverlay(const CoinSource& below) : below_(below) {}
    const Coin* find(const chain::OutPoint& outpoint) const override;
    void add(const chain::OutPoint& outpoint, Coin coin);
    // False: no such coin.
    bool spend(const chain::OutPoint& outpoint);
    // Outputs that can never be spent (OP_RETURN, oversized scripts) are not added.
    void add_outputs(const chain::Transaction& transaction, const chain::Hash256& txid,
                     std::int32_t height);

 private:
    const CoinSource& below_;
    std::unordered_map<chain::OutPoint, std::optional<Coin>, OutPointHasher> changes_;
};

// Applies a block that was found good and returns its undo data; takes it back.
BlockUndo apply_block(CoinSet& coins, std::span<const chain::Transaction> transactions,
                      std::int32_t height);
void undo_block(CoinSet& coins, std::span<const chain::Transaction> transactions, BlockUndo undo);

}  // namespace adit::sim
