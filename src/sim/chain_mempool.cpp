// SimChain's dealings with its mempool: what may enter, what a template takes from it.
#include "sim/block_rules.h"
#include "sim/script_rules.h"
#include "sim/sim_chain.h"

#include <algorithm>

namespace adit::sim {
namespace {

constexpr std::int64_t kMinRelaySatPerKvb = 1'000;
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

}  // namespace

Verdict SimChain::accept_transaction(const chain::Transaction& transaction) {
    const auto checked = check_transaction(transaction);
    if (checked != Verdict::accepted) return checked;
    if (transaction.is_coinbase()) return Verdict::coinbase;
    const auto context = context_above(tip());
    if (!context.segwit && transaction.has_witness()) return Verdict::premature_witness;
    if (!is_final(transaction, context.height, context.median_time_past)) {
        return Verdict::non_final;
    }
    const auto txid = transaction.txid();
    if (mempool_.contains(txid)) return Verdict::already_in_mempool;
    for (std::uint32_t i = 0; i < transaction.outputs.size(); ++i) {
        if (coins_.find({txid, i}) != nullptr) return Verdict::already_in_chain;
    }
    for (const auto& input : transaction.inputs) {
        if (mempool_.spends(input.previous)) return Verdict::mempool_conflict;
    }
    const MempoolCoins view(coins_, mempool_);
    const auto fee = check_inputs(transaction, view, context.height, params_.coinbase_maturity);
    if (!fee) return fee.error();
    if (context.csv &&
        !sequence_locks_met(transaction, view, context.height, context.median_time_at)) {
        return Verdict::non_bip68_final;
    }
    MempoolEntry entry{.transaction = transaction,
                       .txid = txid,
                       .wtxid = transaction.wtxid(),
                       .fee_sat = *fee,
                       .weight = transaction.weight(),
                       .sigop_cost = sigop_cost_of(transaction, view, context.segwit),
                       .time_s = clock_.wall_ms() / 1000,
                       .sequence = 0,
                       .coins = {}};
    if (*fee * 1000 < kMinRelaySatPerKvb * static_cast<std::int64_t>(entry.vsize())) {
        return Verdict::min_relay_fee_not_met;
    }
    if (mempool_.size() >= params_.max_mempool_transactions) return Verdict::mempool_full;
    if (!check_scripts(transaction, view, context.segwit)) return Verdict::script_failed;
    for (const auto& output : transaction.outputs) {
        entry.coins.push_back({output, context.height, false});
    }
    mempool_.add(std::move(entry));
    return Verdict::accepted;
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
        mempool_.select(kMaxBlockWeight - kReservedWeight, kMaxBlockSigopCost - kReservedSigopCost);
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
