#include "sim/sim_wallet.h"

#include <algorithm>

namespace adit::sim {

SimWallet::SimWallet(std::string name, std::string seed, const base::Clock& clock)
    : name_(std::move(name)), clock_(clock), keys_(std::move(seed)), lock_(clock) {}

base::Bytes SimWallet::new_receiving_script(ScriptKind kind, std::string label) {
    auto script = keys_.next_script(KeyBranch::receiving, kind);
    labels_.insert_or_assign(script, std::move(label));
    return script;
}

base::Bytes SimWallet::new_change_script(ScriptKind kind) {
    return keys_.next_script(KeyBranch::change, kind);
}

const std::string* SimWallet::label_of(base::ByteSpan script) const {
    const auto at = labels_.find(base::Bytes(script.begin(), script.end()));
    return at == labels_.end() ? nullptr : &at->second;
}

bool SimWallet::concerns(const chain::Transaction& transaction) const {
    return std::ranges::any_of(
               transaction.outputs,
               [&](const chain::TxOutput& output) { return is_mine(output.script); }) ||
           std::ranges::any_of(transaction.inputs, [&](const chain::TxInput& input) {
               return own_output(input.previous) != nullptr;
           });
}

WalletTransaction* SimWallet::add(const chain::Transaction& transaction, std::int64_t time_s) {
    const auto txid = transaction.txid();
    if (const auto known = transactions_.find(txid); known != transactions_.end()) {
        return &known->second;
    }
    if (!concerns(transaction)) return nullptr;
    for (const auto& input : transaction.inputs) {
        if (transaction.is_coinbase()) break;
        spends_.emplace(input.previous, txid);
        locks_.erase(input.previous);
    }
    for (const auto& output : transaction.outputs)
        keys_.mark_used(output.script);
    WalletTransaction known{.transaction = transaction,
                            .txid = txid,
                            .time_s = time_s,
                            .order = ++arrivals_,
                            .block = {},
                            .conflict = {},
                            .abandoned = false};
    return &transactions_.emplace(txid, std::move(known)).first->second;
}

void SimWallet::transaction_accepted(const chain::Transaction& transaction) {
    auto* known = add(transaction, clock_.wall_ms() / 1000);
    if (known == nullptr) return;
    known->conflict.reset();
    known->abandoned = false;
}

void SimWallet::block_connected(const BlockEntry& entry) {
    const BlockRef block{entry.hash, entry.height};
    for (const auto& transaction : entry.block->transactions) {
        auto* known = add(transaction, entry.header.time);
        if (known != nullptr) {
            known->block = block;
            known->conflict.reset();
            known->abandoned = false;
        }
        if (transaction.is_coinbase()) continue;
        const auto txid = transaction.txid();
        for (const auto& input : transaction.inputs) {
            for (const auto& spender : spenders_of(input.previous)) {
                if (spender != txid) mark_conflicted(spender, block);
            }
        }
    }
    last_block_ = block;
}

void SimWallet::block_disconnected(const BlockEntry& entry) {
    for (auto& [txid, known] : transactions_) {
        if (known.block && known.block->hash == entry.hash) {
            known.block.reset();
            // A coinbase never waits for another block.
            known.abandoned = known.transaction.is_coinbase();
        }
        if (known.conflict && known.conflict->hash == entry.hash) known.conflict.reset();
    }
    last_block_ = BlockRef{entry.parent->hash, entry.parent->height};
}

void SimWallet::mark_conflicted(const chain::Hash256& txid, const BlockRef& block) {
    std::vector<chain::Hash256> pending{txid};
    while (!pending.empty()) {
        const auto next = pending.back();
        pending.pop_back();
        auto& known = transactions_.at(next);
        if (known.block || known.conflict) continue;
        known.conflict = block;
        for (std::uint32_t i = 0; i < known.transaction.outputs.size(); ++i) {
            for (const auto& child : spenders_of({next, i}))
                pending.push_back(child);
        }
    }
}

CatchUp SimWallet::catch_up(const SimChain& chain) {
    const auto* from = last_block_ ? chain.find(last_block_->hash) : nullptr;
    std::vector<const BlockEntry*> left;
    while (from != nullptr && !chain.on_main_chain(*from)) {
        left.push_back(from);
        from = from->parent;
    }
    const auto first = from != nullptr ? from->height + 1 : 1;
    for (auto height = first; height <= chain.tip().height; ++height) {
        if (!chain.at_height(height)->block) return CatchUp::pruned;
    }
    for (const auto* entry : left)
        block_disconnected(*entry);
    for (auto height = first; height <= chain.tip().height; ++height) {
        block_connected(*chain.at_height(height));
    }
    for (const auto& entry : chain.mempool().entries())
        transaction_accepted(entry->transaction);
    return CatchUp::done;
}

std::vector<const WalletTransaction*> SimWallet::transactions() const {
    std::vector<const WalletTransaction*> all;
    all.reserve(transactions_.size());
    for (const auto& [txid, known] : transactions_)
        all.push_back(&known);
    std::ranges::sort(all, {}, &WalletTransaction::order);
    return all;
}

const WalletTransaction* SimWallet::find(const chain::Hash256& txid) const {
    const auto at = transactions_.find(txid);
    return at == transactions_.end() ? nullptr : &at->second;
}

std::int32_t SimWallet::depth(const WalletTransaction& known, const SimChain& chain) {
    if (known.block) return chain.tip().height - known.block->height + 1;
    if (known.conflict) return known.conflict->height - chain.tip().height - 1;
    return 0;
}

std::int32_t SimWallet::blocks_to_maturity(const WalletTransaction& known, const SimChain& chain) {
    if (!known.transaction.is_coinbase()) return 0;
    return std::max(0, chain.params().coinbase_maturity + 1 - depth(known, chain));
}

bool SimWallet::is_trusted(const WalletTransaction& known, const SimChain& chain) const {
    std::vector<const WalletTransaction*> pending{&known};
    std::set<chain::Hash256> visited;
    while (!pending.empty()) {
        const auto* next = pending.back();
        pending.pop_back();
        const auto confirmations = depth(*next, chain);
        if (confirmations > 0 || !visited.insert(next->txid).second) continue;
        if (confirmations < 0 || !chain.mempool().contains(next->txid)) return false;
        for (const auto& input : next->transaction.inputs) {
            if (own_output(input.previous) == nullptr) return false;
            pending.push_back(find(input.previous.txid));
        }
    }
    return true;
}

std::vector<chain::Hash256> SimWallet::spenders_of(const chain::OutPoint& outpoint) const {
    std::vector<chain::Hash256> spenders;
    const auto [first, last] = spends_.equal_range(outpoint);
    for (auto at = first; at != last; ++at)
        spenders.push_back(at->second);
    return spenders;
}

std::set<chain::Hash256> SimWallet::conflicts_of(const WalletTransaction& known) const {
    std::set<chain::Hash256> conflicts;
    if (known.transaction.is_coinbase()) return conflicts;
    for (const auto& input : known.transaction.inputs) {
        for (const auto& spender : spenders_of(input.previous))
            conflicts.insert(spender);
    }
    conflicts.erase(known.txid);
    return conflicts;
}

std::int64_t SimWallet::debit_sat(const WalletTransaction& known) const {
    std::int64_t sum = 0;
    for (const auto& input : known.transaction.inputs) {
        const auto* output = own_output(input.previous);
        if (output != nullptr) sum += output->value_sat;
    }
    return sum;
}

std::int64_t SimWallet::credit_sat(const WalletTransaction& known) const {
    std::int64_t sum = 0;
    for (const auto& output : known.transaction.outputs) {
        if (is_mine(output.script)) sum += output.value_sat;
    }
    return sum;
}

const chain::TxOutput* SimWallet::own_output(const chain::OutPoint& outpoint) const {
    const auto* parent = find(outpoint.txid);
    if (parent == nullptr || outpoint.index >= parent->transaction.outputs.size()) return nullptr;
    const auto& output = parent->transaction.outputs[outpoint.index];
    return is_mine(output.script) ? &output : nullptr;
}

bool SimWallet::is_spent(const chain::OutPoint& outpoint, const SimChain& chain) const {
    return std::ranges::any_of(spenders_of(outpoint), [&](const chain::Hash256& spender) {
        const auto& known = transactions_.at(spender);
        const auto confirmations = depth(known, chain);
        return confirmations > 0 || (confirmations == 0 && !known.abandoned);
    });
}

std::vector<WalletCoin> SimWallet::coins(const SimChain& chain) const {
    std::vector<WalletCoin> found;
    for (const auto* known : transactions()) {
        const auto confirmations = depth(*known, chain);
        if (confirmations < 0) continue;
        if (confirmations == 0 && !chain.mempool().contains(known->txid)) continue;
        const bool safe = is_trusted(*known, chain);
        const bool mature = blocks_to_maturity(*known, chain) == 0;
        for (std::uint32_t i = 0; i < known->transaction.outputs.size(); ++i) {
            const auto& output = known->transaction.outputs[i];
            const chain::OutPoint outpoint{known->txid, i};
            if (!is_mine(output.script) || is_spent(outpoint, chain)) continue;
            found.push_back({.outpoint = outpoint,
                             .output = output,
                             .depth = confirmations,
                             .mature = mature,
                             .safe = safe,
                             .locked = is_locked(outpoint)});
        }
    }
    return found;
}

bool SimWallet::abandon(const chain::Hash256& txid, const SimChain& chain) {
    const auto* asked = find(txid);
    if (asked == nullptr || depth(*asked, chain) != 0 || chain.mempool().contains(txid)) {
        return false;
    }
    std::vector<chain::Hash256> pending{txid};
    while (!pending.empty()) {
        const auto next = pending.back();
        pending.pop_back();
        auto& known = transactions_.at(next);
        if (known.abandoned || depth(known, chain) != 0) continue;
        known.abandoned = true;
        for (std::uint32_t i = 0; i < known.transaction.outputs.size(); ++i) {
            for (const auto& child : spenders_of({next, i}))
                pending.push_back(child);
        }
    }
    return true;
}

void SimWallet::lock_coin(const chain::OutPoint& outpoint, bool persistent) {
    // A lock that is persistent already stays so.
    auto& held = locks_[outpoint];
    held = held || persistent;
}

std::vector<chain::OutPoint> SimWallet::locked_coins() const {
    std::vector<chain::OutPoint> all;
    for (const auto& [outpoint, persistent] : locks_)
        all.push_back(outpoint);
    return all;
}

void SimWallet::reload() {
    std::erase_if(locks_, [](const auto& lock) { return !lock.second; });
    lock_.lock();
}

}  // namespace adit::sim
