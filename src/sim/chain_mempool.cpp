// SimChain's dealings with its mempool: what may enter, what a template takes from it.
#include "sim/block_rules.h"
#include "sim/script_rules.h"
#include "sim/sim_chain.h"

#include <algorithm>

namespace adit::sim {
namespace {

constexpr std::size_t kMaxStandardWeight = 400'000;
constexpr std::size_t kMaxReplaced = 100;
// Left to the coinbase, as Bitcoin Core does.
constexpr std::size_t kReservedWeight = 4'000;
constexpr std::int64_t kReservedSigopCost = 400;

// The commitment that a block of these transactions needs, for a reserved value of zeroes.
base::Bytes commitment_for(const std::vector<MempoolEntryRef>& selected) {
    std::vector<chain::Hash256> leaves{chain::Hash256{}};
    for (const auto& entry : selected)
        leaves.push_back(entry->wtxid);
    return chain::witness_commitment_script(chain::merkle_root(std::move(leaves)), {});
}

bool better_rate(const MempoolEntry& a, const MempoolEntry& b) {
    return a.fee_sat * static_cast<std::int64_t>(b.vsize()) >
           b.fee_sat * static_cast<std::int64_t>(a.vsize());
}

std::int64_t relay_fee_x1000(const SimPolicy& policy, const MempoolEntry& entry) {
    return policy.min_relay_sat_per_kvb * static_cast<std::int64_t>(entry.vsize());
}

// What needs neither coins nor the mempool.
Verdict check_for_relay(const chain::Transaction& transaction, const BlockContext& context) {
    const auto checked = check_transaction(transaction);
    if (checked != Verdict::accepted) return checked;
    if (transaction.is_coinbase()) return Verdict::coinbase;
    if (!context.segwit && transaction.has_witness()) return Verdict::premature_witness;
    if (transaction.weight() > kMaxStandardWeight) return Verdict::tx_size;
    for (const auto& output : transaction.outputs) {
        if (output.value_sat < dust_threshold_sat(output.script)) return Verdict::dust;
    }
    if (!is_final(transaction, context.height, context.median_time_past)) {
        return Verdict::non_final;
    }
    return Verdict::accepted;
}

}  // namespace

Verdict SimChain::accept_transaction(const chain::Transaction& transaction) {
    auto admission = examine(transaction, mempool_);
    if (!admission) return admission.error();
    mempool_.remove(admission->replaced);
    const auto txid = admission->entry.txid;
    mempool_.add(std::move(admission->entry));
    const auto entry = mempool_.find(txid);
    for (auto* observer : observers_)
        observer->transaction_accepted(*entry);
    return Verdict::accepted;
}

std::expected<SimChain::Admission, Verdict> SimChain::examine(const chain::Transaction& transaction,
                                                              const Mempool& mempool) const {
    const auto context = context_above(tip());
    const auto checked = check_for_relay(transaction, context);
    if (checked != Verdict::accepted) return std::unexpected(checked);
    const auto txid = transaction.txid();
    if (mempool.contains(txid)) return std::unexpected(Verdict::already_in_mempool);
    for (std::uint32_t i = 0; i < transaction.outputs.size(); ++i) {
        if (coins_.find({txid, i}) != nullptr) return std::unexpected(Verdict::already_in_chain);
    }
    for (const auto& input : transaction.inputs) {
        const auto conflict = mempool.spender_of(input.previous);
        if (conflict && !policy_.full_rbf &&
            !signals_replacement(mempool.find(*conflict)->transaction)) {
            return std::unexpected(Verdict::mempool_conflict);
        }
    }
    const MempoolCoins view(coins_, mempool, SpentInMempool::present);
    const auto fee = check_inputs(transaction, view, context.height, params_.coinbase_maturity);
    if (!fee) return std::unexpected(fee.error());
    if (context.csv &&
        !sequence_locks_met(transaction, view, context.height, context.median_time_at)) {
        return std::unexpected(Verdict::non_bip68_final);
    }
    Admission result;
    result.entry = {.transaction = transaction,
                    .txid = txid,
                    .wtxid = transaction.wtxid(),
                    .fee_sat = *fee,
                    .weight = transaction.weight(),
                    .sigop_cost = sigop_cost_of(transaction, view, context.segwit),
                    .time_s = clock_.wall_ms() / 1000,
                    .sequence = 0,
                    .coins = {}};
    if (*fee * 1000 < relay_fee_x1000(policy_, result.entry)) {
        return std::unexpected(Verdict::min_relay_fee_not_met);
    }
    auto replaced = replaced_by(result.entry, mempool);
    if (!replaced) return std::unexpected(replaced.error());
    result.replaced = std::move(*replaced);
    if (mempool.size() - result.replaced.size() >= params_.max_mempool_transactions) {
        return std::unexpected(Verdict::mempool_full);
    }
    if (!check_scripts(transaction, view, context.segwit)) {
        return std::unexpected(Verdict::script_failed);
    }
    for (const auto& output : transaction.outputs) {
        result.entry.coins.push_back({output, context.height, false});
    }
    return result;
}

std::expected<TxidSet, Verdict> SimChain::replaced_by(const MempoolEntry& entry,
                                                      const Mempool& mempool) const {
    TxidSet conflicts;
    TxidSet their_parents;
    for (const auto& input : entry.transaction.inputs) {
        const auto conflict = mempool.spender_of(input.previous);
        if (!conflict || !conflicts.insert(*conflict).second) continue;
        for (const auto& spent : mempool.find(*conflict)->transaction.inputs) {
            their_parents.insert(spent.previous.txid);
        }
    }
    if (conflicts.empty()) return TxidSet{};
    for (const auto& ancestor : mempool.ancestors_of(entry.transaction)) {
        if (conflicts.contains(ancestor)) {
            return std::unexpected(Verdict::bad_txns_spends_conflicting_tx);
        }
    }
    for (const auto& conflict : conflicts) {
        if (!better_rate(entry, *mempool.find(conflict))) {
            return std::unexpected(Verdict::insufficient_fee);
        }
    }
    auto leaving = mempool.with_descendants(conflicts);
    if (leaving.size() > kMaxReplaced) return std::unexpected(Verdict::too_many_replacements);
    for (const auto& input : entry.transaction.inputs) {
        const auto& parent = input.previous.txid;
        if (mempool.contains(parent) && !their_parents.contains(parent)) {
            return std::unexpected(Verdict::replacement_adds_unconfirmed);
        }
    }
    std::int64_t their_fees = 0;
    for (const auto& txid : leaving)
        their_fees += mempool.find(txid)->fee_sat;
    const auto more = entry.fee_sat - their_fees;
    if (more < 0 || more * 1000 < relay_fee_x1000(policy_, entry)) {
        return std::unexpected(Verdict::insufficient_fee);
    }
    return leaving;
}

SimTemplate SimChain::make_empty_template(const BlockEntry& parent) const {
    const auto context = context_above(parent);
    SimTemplate result;
    result.height = context.height;
    result.previous = parent.hash;
    result.version = params_.block_version;
    result.bits = required_bits(parent);
    result.min_time = context.median_time_past + 1;
    result.current_time =
        std::max(result.min_time, static_cast<std::uint32_t>(clock_.wall_ms() / 1000));
    result.coinbase_value_sat = context.subsidy_sat;
    result.segwit = context.segwit;
    result.mempool_sequence = mempool_.sequence();
    if (context.segwit) result.commitment_script = commitment_for({});
    return result;
}

SimTemplate SimChain::make_template() const {
    auto result = make_empty_template(tip());
    const auto selected =
        mempool_.select(kMaxBlockWeight - kReservedWeight, kMaxBlockSigopCost - kReservedSigopCost,
                        policy_.min_block_sat_per_kvb);
    if (result.segwit) result.commitment_script = commitment_for(selected);
    std::unordered_map<chain::Hash256, std::size_t, chain::Hash256Hasher> places;
    for (const auto& entry : selected) {
        SimTemplate::Item item{entry, {}};
        for (const auto& input : entry->transaction.inputs) {
            const auto parent = places.find(input.previous.txid);
            if (parent != places.end()) item.depends.push_back(parent->second);
        }
        std::ranges::sort(item.depends);
        item.depends.erase(std::unique(item.depends.begin(), item.depends.end()),
                           item.depends.end());
        result.coinbase_value_sat += entry->fee_sat;
        result.transactions.push_back(std::move(item));
        places.emplace(entry->txid, result.transactions.size());
    }
    return result;
}

std::optional<SimChain::FoundTransaction> SimChain::find_transaction(
    const chain::Hash256& txid) const {
    if (const auto waiting = mempool_.find(txid)) {
        return FoundTransaction{waiting->transaction, nullptr};
    }
    for (auto entry = main_.rbegin(); entry != main_.rend() && (*entry)->block; ++entry) {
        for (const auto& transaction : (*entry)->block->transactions) {
            if (transaction.txid() == txid) return FoundTransaction{transaction, *entry};
        }
    }
    return std::nullopt;
}

}  // namespace adit::sim
