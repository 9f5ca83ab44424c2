#include "sim/coins.h"

#include "base/check.h"
#include "sim/script_rules.h"

#include <utility>

namespace adit::sim {

const Coin* CoinSet::find(const chain::OutPoint& outpoint) const {
    const auto at = coins_.find(outpoint);
    return at == coins_.end() ? nullptr : &at->second;
}

void CoinSet::add(const chain::OutPoint& outpoint, Coin coin) {
    coins_.insert_or_assign(outpoint, std::move(coin));
}

Coin CoinSet::take(const chain::OutPoint& outpoint) {
    const auto node = coins_.extract(outpoint);
    ADIT_CHECK(!node.empty(), "a checked block spends a coin that is not there");
    return std::move(node.mapped());
}

const Coin* CoinOverlay::find(const chain::OutPoint& outpoint) const {
    const auto at = changes_.find(outpoint);
    if (at == changes_.end()) return below_.find(outpoint);
    return at->second ? &*at->second : nullptr;
}

void CoinOverlay::add(const chain::OutPoint& outpoint, Coin coin) {
    changes_.insert_or_assign(outpoint, std::move(coin));
}

bool CoinOverlay::spend(const chain::OutPoint& outpoint) {
    if (find(outpoint) == nullptr) return false;
    changes_.insert_or_assign(outpoint, std::nullopt);
    return true;
}

void CoinOverlay::add_outputs(const chain::Transaction& transaction, const chain::Hash256& txid,
                              std::int32_t height) {
    const bool coinbase = transaction.is_coinbase();
    for (std::uint32_t i = 0; i < transaction.outputs.size(); ++i) {
        const auto& output = transaction.outputs[i];
        if (is_unspendable(output.script)) continue;
        add({txid, i}, {output, height, coinbase});
    }
}

BlockUndo apply_block(CoinSet& coins, std::span<const chain::Transaction> transactions,
                      std::int32_t height) {
    BlockUndo undo;
    for (const auto& transaction : transactions) {
        const bool coinbase = transaction.is_coinbase();
        if (!coinbase) {
            for (const auto& input : transaction.inputs) {
                undo.spent.emplace_back(input.previous, coins.take(input.previous));
            }
        }
        const auto txid = transaction.txid();
        for (std::uint32_t i = 0; i < transaction.outputs.size(); ++i) {
            const auto& output = transaction.outputs[i];
            if (!is_unspendable(output.script)) coins.add({txid, i}, {output, height, coinbase});
        }
    }
    return undo;
}

void undo_block(CoinSet& coins, std::span<const chain::Transaction> transactions, BlockUndo undo) {
    // Coins that were made and spent inside the block come back first and then go with the rest.
    for (auto spent = undo.spent.rbegin(); spent != undo.spent.rend(); ++spent) {
        coins.add(spent->first, std::move(spent->second));
    }
    for (const auto& transaction : transactions) {
        const auto txid = transaction.txid();
        for (std::uint32_t i = 0; i < transaction.outputs.size(); ++i) {
            if (!is_unspendable(transaction.outputs[i].script)) coins.take({txid, i});
        }
    }
}

}  // namespace adit::sim
