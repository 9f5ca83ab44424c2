#include "sim/mempool.h"

#include <algorithm>

namespace adit::sim {
namespace {

bool better_rate(const MempoolEntryRef& a, const MempoolEntryRef& b) {
    const auto left = a->fee_sat * static_cast<std::int64_t>(b->weight);
    const auto right = b->fee_sat * static_cast<std::int64_t>(a->weight);
    return left != right ? left > right : a->sequence < b->sequence;
}

}  // namespace

MempoolEntryRef Mempool::find(const chain::Hash256& txid) const {
    const auto at = entries_.find(txid);
    return at == entries_.end() ? nullptr : at->second;
}

std::optional<chain::Hash256> Mempool::spender_of(const chain::OutPoint& outpoint) const {
    const auto at = spenders_.find(outpoint);
    if (at == spenders_.end()) return std::nullopt;
    return at->second;
}

TxidSet Mempool::with_descendants(const TxidSet& txids) const {
    TxidSet all;
    std::vector<chain::Hash256> pending(txids.begin(), txids.end());
    while (!pending.empty()) {
        const auto next = pending.back();
        pending.pop_back();
        const auto entry = find(next);
        if (!entry || !all.insert(next).second) continue;
        for (std::uint32_t i = 0; i < entry->transaction.outputs.size(); ++i) {
            if (const auto child = spender_of({next, i})) pending.push_back(*child);
        }
    }
    return all;
}

TxidSet Mempool::ancestors_of(const chain::Transaction& transaction) const {
    TxidSet all;
    std::vector<const chain::Transaction*> pending{&transaction};
    while (!pending.empty()) {
        const auto* next = pending.back();
        pending.pop_back();
        for (const auto& input : next->inputs) {
            const auto parent = find(input.previous.txid);
            if (parent && all.insert(parent->txid).second) {
                pending.push_back(&parent->transaction);
            }
        }
    }
    return all;
}

void Mempool::remove(const TxidSet& txids) {
    for (const auto& txid : txids)
        remove_one(txid);
}

void Mempool::add(MempoolEntry entry) {
    entry.sequence = ++sequence_;
    for (const auto& input : entry.transaction.inputs) {
        spenders_.insert_or_assign(input.previous, entry.txid);
    }
    bytes_ += entry.vsize();
    fees_sat_ += entry.fee_sat;
    const auto txid = entry.txid;
    entries_.insert_or_assign(txid, std::make_shared<const MempoolEntry>(std::move(entry)));
}

void Mempool::remove_one(const chain::Hash256& txid) {
    const auto node = entries_.extract(txid);
    if (node.empty()) return;
    const auto& entry = *node.mapped();
    for (const auto& input : entry.transaction.inputs)
        spenders_.erase(input.previous);
    bytes_ -= entry.vsize();
    fees_sat_ -= entry.fee_sat;
    ++sequence_;
}

void Mempool::remove_with_descendants(const chain::Hash256& txid) {
    remove(with_descendants({txid}));
}

void Mempool::remove_for_block(std::span<const chain::Transaction> transactions) {
    for (const auto& transaction : transactions) {
        remove_one(transaction.txid());
        for (const auto& input : transaction.inputs) {
            const auto conflict = spenders_.find(input.previous);
            // A copy: the removal erases the element.
            if (conflict != spenders_.end()) {
                remove_with_descendants(chain::Hash256(conflict->second));
            }
        }
    }
}

std::vector<MempoolEntryRef> Mempool::entries() const {
    std::vector<MempoolEntryRef> all;
    all.reserve(entries_.size());
    for (const auto& [txid, entry] : entries_)
        all.push_back(entry);
    std::ranges::sort(all, {}, [](const MempoolEntryRef& entry) { return entry->sequence; });
    return all;
}

std::vector<MempoolEntryRef> Mempool::select(std::size_t max_weight, std::int64_t max_sigop_cost,
                                             std::int64_t min_sat_per_kvb) const {
    auto candidates = entries();
    std::ranges::sort(candidates, better_rate);
    std::vector<MempoolEntryRef> chosen;
    TxidSet included;
    std::size_t weight = 0;
    std::int64_t sigops = 0;
    for (const auto& candidate : candidates) {
        if (included.contains(candidate->txid)) continue;
        // The candidate with those of its ancestors that are not in yet.
        std::vector<MempoolEntryRef> package{candidate};
        TxidSet in_package{candidate->txid};
        for (std::size_t i = 0; i < package.size(); ++i) {
            for (const auto& input : MempoolEntryRef(package[i])->transaction.inputs) {
                const auto parent = find(input.previous.txid);
                if (!parent || included.contains(parent->txid)) continue;
                if (in_package.insert(parent->txid).second) package.push_back(parent);
            }
        }
        std::size_t package_weight = 0;
        std::int64_t package_sigops = 0;
        std::int64_t package_fee = 0;
        for (const auto& entry : package) {
            package_weight += entry->weight;
            package_sigops += entry->sigop_cost;
            package_fee += entry->fee_sat;
        }
        const auto package_vsize = static_cast<std::int64_t>((package_weight + 3) / 4);
        if (package_fee * 1'000 < min_sat_per_kvb * package_vsize) continue;
        if (weight + package_weight > max_weight || sigops + package_sigops > max_sigop_cost) {
            continue;
        }
        std::ranges::sort(package, {},
                          [](const MempoolEntryRef& entry) { return entry->sequence; });
        for (auto& entry : package) {
            included.insert(entry->txid);
            chosen.push_back(std::move(entry));
        }
        weight += package_weight;
        sigops += package_sigops;
    }
    return chosen;
}

void Mempool::clear() {
    entries_.clear();
    spenders_.clear();
    bytes_ = 0;
    fees_sat_ = 0;
    ++sequence_;
}

const Coin* MempoolCoins::find(const chain::OutPoint& outpoint) const {
    if (spent_ == SpentInMempool::missing && mempool_.spends(outpoint)) return nullptr;
    if (const auto parent = mempool_.find(outpoint.txid)) {
        // The entry stays in the mempool, so the coin outlives this reference.
        return outpoint.index < parent->coins.size() ? &parent->coins[outpoint.index] : nullptr;
    }
    return below_.find(outpoint);
}

}  // namespace adit::sim
