#include "sim/sim_chain.h"

#include "base/check.h"
#include "chain/network.h"
#include "sim/block_rules.h"
#include "sim/difficulty.h"
#include "sim/tx_rules.h"

#include <algorithm>
#include <unordered_set>

namespace adit::sim {
namespace {

constexpr std::int64_t kMaxFutureS = 2 * 60 * 60;
constexpr std::size_t kMedianSpan = 11;

// Bitcoin Core's regtest genesis block (chainparams.cpp), serialised.
constexpr std::string_view kGenesisHex =
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c"
    "3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4adae5494dffff7f20020000000101000000010000000000000000"
    "000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054696d657320"
    "30332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f"
    "757420666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a8"
    "28e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00"
    "000000";

chain::Block genesis_block() {
    auto block = chain::parse_block(*base::from_hex(kGenesisHex));
    ADIT_CHECK(block, "the genesis block is well-formed");
    return std::move(*block);
}

// Bitcoin Core fills in the witness that a miner left out beside its commitment.
void add_missing_reserved_value(chain::Block& block) {
    if (block.transactions.empty()) return;
    auto& coinbase = block.transactions.front();
    if (!coinbase.is_coinbase() || coinbase.has_witness()) return;
    if (chain::witness_commitment_of(coinbase)) coinbase.inputs[0].witness = {base::Bytes(32)};
}

}  // namespace

SimChain::SimChain(SimParams params, const base::Clock& clock) : params_(params), clock_(clock) {
    auto block = std::make_shared<const chain::Block>(genesis_block());
    auto entry = std::make_unique<BlockEntry>();
    entry->header = block->header;
    entry->hash = block->header.hash();
    entry->chainwork = block_work(block->header.bits);
    entry->connected_once = true;
    entry->transaction_count = 1;
    entry->block = std::move(block);
    ADIT_CHECK(entry->hash.rpc_hex() == chain::params(chain::Network::regtest).genesis_hash,
               "the genesis block is regtest's");
    main_.push_back(entry.get());
    entries_.emplace(entry->hash, std::move(entry));
}

Verdict SimChain::submit(base::ByteSpan raw) {
    auto block = chain::parse_block(raw);
    return block ? submit(std::move(*block)) : Verdict::decode_failed;
}

Verdict SimChain::submit(chain::Block block) {
    if (const auto* known = find(block.header.hash())) {
        if (known->failed) return Verdict::duplicate_invalid;
        if (known->connected_once || known->block) return Verdict::duplicate;
    }
    const auto* parent = find(block.header.previous);
    if (parent != nullptr && parent->height + 1 >= params_.segwit_height) {
        add_missing_reserved_value(block);
    }
    return process(block);
}

Verdict SimChain::process(const chain::Block& block) {
    BlockEntry* entry = nullptr;
    auto verdict = accept_block(block, entry);
    if (verdict != Verdict::accepted) {
        if (entry != nullptr && !is_mutation(verdict) && verdict != Verdict::duplicate &&
            verdict != Verdict::duplicate_invalid) {
            condemn(*entry);
        }
        return verdict;
    }
    entry->transaction_count = block.transactions.size();
    entry->block = std::make_shared<const chain::Block>(block);
    verdict = Verdict::inconclusive;
    activate_best(entry, verdict);
    if (!entry->failed && on_main_chain(*entry)) verdict = Verdict::accepted;
    return verdict;
}

Verdict SimChain::accept_block(const chain::Block& block, BlockEntry*& entry) {
    auto verdict = check_block(block, params_.pow_limit_bits, true);
    if (verdict != Verdict::accepted) return verdict;
    const auto hash = block.header.hash();
    if (const auto known = entries_.find(hash); known != entries_.end()) {
        if (known->second->failed) return Verdict::duplicate_invalid;
        if (known->second->connected_once || known->second->block) return Verdict::duplicate;
        entry = known->second.get();
    } else {
        const auto parent = entries_.find(block.header.previous);
        if (parent == entries_.end()) return Verdict::prev_blk_not_found;
        if (parent->second->failed) return Verdict::bad_prevblk;
        verdict = check_header_context(block.header, *parent->second);
        if (verdict != Verdict::accepted) return verdict;
        entry = &add_entry(block.header, *parent->second);
    }
    return check_block_context(block, *entry->parent);
}

BlockEntry& SimChain::add_entry(const chain::BlockHeader& header, BlockEntry& parent) {
    auto entry = std::make_unique<BlockEntry>();
    entry->header = header;
    entry->hash = header.hash();
    entry->parent = &parent;
    entry->height = parent.height + 1;
    entry->chainwork = parent.chainwork + block_work(header.bits);
    entry->sequence = ++arrivals_;
    auto& added = *entry;
    entries_.emplace(added.hash, std::move(entry));
    return added;
}

Verdict SimChain::check_header_context(const chain::BlockHeader& header,
                                       const BlockEntry& parent) const {
    if (header.bits != required_bits(parent)) return Verdict::bad_diffbits;
    if (header.time <= median_time_past(parent)) return Verdict::time_too_old;
    if (header.time > clock_.wall_ms() / 1000 + kMaxFutureS) return Verdict::time_too_new;
    const auto height = parent.height + 1;
    const bool outdated = (header.version < 2 && height >= params_.bip34_height) ||
                          (header.version < 3 && height >= params_.bip66_height) ||
                          (header.version < 4 && height >= params_.bip65_height);
    return outdated ? Verdict::bad_version : Verdict::accepted;
}

BlockContext SimChain::context_above(const BlockEntry& parent) const {
    auto context = context_at(params_, parent.height + 1);
    context.median_time_past = median_time_past(parent);
    context.subsidy_sat = subsidy_sat(context.height);
    context.median_time_at = [this, &parent](std::int32_t height) {
        const auto* entry = &parent;
        while (entry->height > height)
            entry = entry->parent;
        return median_time_past(*entry);
    };
    return context;
}

Verdict SimChain::check_block_context(const chain::Block& block, const BlockEntry& parent) const {
    return sim::check_block_context(block, params_, context_above(parent));
}

Verdict SimChain::propose(const chain::Block& block) const {
    if (const auto* known = find(block.header.hash())) {
        if (known->failed) return Verdict::duplicate_invalid;
        return known->connected_once ? Verdict::duplicate : Verdict::duplicate_inconclusive;
    }
    if (block.header.previous != tip().hash) return Verdict::inconclusive_not_best_prevblk;
    auto verdict = check_header_context(block.header, tip());
    if (verdict == Verdict::accepted) verdict = check_block(block, params_.pow_limit_bits, false);
    if (verdict == Verdict::accepted) verdict = check_block_context(block, tip());
    if (verdict != Verdict::accepted) return verdict;
    return check_connect(block, coins_, params_, context_above(tip()));
}

BlockEntry* SimChain::best_candidate() const {
    auto* best = main_.back();
    for (const auto& [hash, entry] : entries_) {
        if (entry->failed || !entry->block) continue;
        const bool better = best->failed || entry->chainwork > best->chainwork ||
                            (entry->chainwork == best->chainwork &&
                             entry->sequence < best->sequence && !on_main_chain(*best));
        if (better && can_activate(*entry)) best = entry.get();
    }
    return best;
}

bool SimChain::can_activate(const BlockEntry& entry) const {
    const auto* at = &entry;
    for (; !on_main_chain(*at); at = at->parent) {
        if (at->failed || !at->block) return false;
    }
    // Blocks above the fork must still be there to be undone.
    const auto above_fork = static_cast<std::size_t>(at->height) + 1;
    return above_fork >= main_.size() || main_[above_fork]->block != nullptr;
}

void SimChain::activate_best(const BlockEntry* watched, Verdict& verdict) {
    std::vector<chain::Transaction> returned;
    bool reorganised = false;
    while (true) {
        auto* best = best_candidate();
        if (best == main_.back()) break;
        std::vector<BlockEntry*> path;
        for (auto* at = best; !on_main_chain(*at); at = const_cast<BlockEntry*>(at->parent)) {
            path.push_back(at);
        }
        const auto fork_height = path.back()->parent->height;
        while (main_.back()->height > fork_height) {
            disconnect_tip(returned);
            reorganised = true;
        }
        for (auto step = path.rbegin(); step != path.rend(); ++step) {
            const auto connected = connect_tip(**step);
            if (connected == Verdict::accepted) continue;
            condemn(**step);
            if (*step == watched) verdict = connected;
            break;
        }
    }
    if (reorganised) refill_mempool(std::move(returned));
    prune();
}

Verdict SimChain::connect_tip(BlockEntry& entry) {
    const auto verdict = check_connect(*entry.block, coins_, params_, context_above(tip()));
    if (verdict != Verdict::accepted) return verdict;
    entry.undo = apply_block(coins_, entry.block->transactions, entry.height);
    entry.connected_once = true;
    main_.push_back(&entry);
    mempool_.remove_for_block(entry.block->transactions);
    ++tip_sequence_;
    for (auto* observer : observers_)
        observer->block_connected(entry);
    return Verdict::accepted;
}

void SimChain::disconnect_tip(std::vector<chain::Transaction>& returned) {
    auto& entry = *main_.back();
    ADIT_CHECK(entry.block && main_.size() > 1, "the tip can be undone");
    undo_block(coins_, entry.block->transactions, std::move(entry.undo));
    entry.undo = {};
    // Older transactions first: this block goes in front of those returned before.
    returned.insert(returned.begin(), entry.block->transactions.begin() + 1,
                    entry.block->transactions.end());
    main_.pop_back();
    ++tip_sequence_;
    for (auto* observer : observers_)
        observer->block_disconnected(entry);
}

void SimChain::refill_mempool(std::vector<chain::Transaction> returned) {
    for (const auto& entry : mempool_.entries())
        returned.push_back(entry->transaction);
    mempool_.clear();
    for (const auto& transaction : returned)
        accept_transaction(transaction);
}

void SimChain::condemn(BlockEntry& entry) {
    entry.failed = true;
    for (auto& [hash, other] : entries_) {
        const auto* at = other.get();
        while (at->height > entry.height)
            at = at->parent;
        if (at == &entry) other->failed = true;
    }
}

void SimChain::prune() {
    const auto keep_from = tip().height - params_.keep_blocks;
    for (auto height = keep_from; height > 0; --height) {
        auto& entry = *main_[static_cast<std::size_t>(height)];
        if (!entry.block) break;
        entry.block.reset();
        entry.undo = {};
    }
}

bool SimChain::invalidate(const chain::Hash256& hash) {
    const auto known = entries_.find(hash);
    if (known == entries_.end() || known->second->parent == nullptr) return false;
    auto& entry = *known->second;
    if (on_main_chain(entry) && !entry.block) return false;  // pruned: cannot be undone
    condemn(entry);
    std::vector<chain::Transaction> returned;
    while (on_main_chain(entry))
        disconnect_tip(returned);
    auto verdict = Verdict::accepted;
    activate_best(nullptr, verdict);
    refill_mempool(std::move(returned));
    return true;
}

bool SimChain::reconsider(const chain::Hash256& hash) {
    const auto known = entries_.find(hash);
    if (known == entries_.end()) return false;
    auto& entry = *known->second;
    for (auto& [other_hash, other] : entries_) {
        const auto* at = other.get();
        while (at->height > entry.height)
            at = at->parent;
        if (at == &entry) other->failed = false;
    }
    for (auto* at = &entry; at != nullptr; at = const_cast<BlockEntry*>(at->parent)) {
        at->failed = false;
    }
    auto verdict = Verdict::accepted;
    activate_best(nullptr, verdict);
    return true;
}

void SimChain::add_observer(ChainObserver& observer) {
    observers_.push_back(&observer);
}

void SimChain::remove_observer(ChainObserver& observer) {
    std::erase(observers_, &observer);
}

const BlockEntry* SimChain::find(const chain::Hash256& hash) const {
    const auto at = entries_.find(hash);
    return at == entries_.end() ? nullptr : at->second.get();
}

const BlockEntry* SimChain::at_height(std::int32_t height) const {
    if (height < 0 || height > tip().height) return nullptr;
    return main_[static_cast<std::size_t>(height)];
}

bool SimChain::on_main_chain(const BlockEntry& entry) const {
    return at_height(entry.height) == &entry;
}

std::vector<const BlockEntry*> SimChain::tips() const {
    std::unordered_set<const BlockEntry*> parents;
    for (const auto& [hash, entry] : entries_)
        parents.insert(entry->parent);
    std::vector<const BlockEntry*> heads{&tip()};
    for (const auto& [hash, entry] : entries_) {
        if (entry.get() != &tip() && !parents.contains(entry.get())) heads.push_back(entry.get());
    }
    std::ranges::stable_sort(heads, std::greater{}, &BlockEntry::height);
    return heads;
}

std::uint32_t SimChain::median_time_past(const BlockEntry& entry) const {
    std::vector<std::uint32_t> times;
    for (const auto* at = &entry; at != nullptr && times.size() < kMedianSpan; at = at->parent) {
        times.push_back(at->header.time);
    }
    std::ranges::sort(times);
    return times[times.size() / 2];
}

std::uint32_t SimChain::required_bits(const BlockEntry& parent) const {
    if (!params_.retarget) return params_.pow_limit_bits;
    const auto easy = params_.retarget->easy_blocks;
    if (parent.height < easy) return params_.pow_limit_bits;
    std::vector<RetargetPoint> recent;
    const auto wanted = static_cast<std::size_t>(params_.retarget->window) + 1;
    for (const auto* at = &parent; at->height > easy && recent.size() < wanted; at = at->parent) {
        recent.push_back({at->header.time, at->header.bits});
    }
    std::ranges::reverse(recent);
    return next_bits(*params_.retarget, params_.pow_limit_bits, recent);
}

std::int64_t SimChain::subsidy_sat(std::int32_t height) const {
    auto network = chain::params(chain::Network::regtest);
    network.halving_interval = params_.halving_interval;
    return chain::block_subsidy_sat(network, height);
}

}  // namespace adit::sim
