#include "ledger/memory_journal.h"

#include <ranges>

namespace adit::ledger {
namespace {

template <class Map, class Key>
auto find_in(const Map& map, const Key& key) -> std::optional<typename Map::mapped_type> {
    const auto at = map.find(key);
    if (at == map.end()) return std::nullopt;
    return at->second;
}

template <class Map>
auto values_of(const Map& map) {
    std::vector<typename Map::mapped_type> values;
    values.reserve(map.size());
    for (const auto& [key, value] : map)
        values.push_back(value);
    return values;
}

// What a transfer adds to the account that takes it; the one that gives it loses as much.
Balance effect_of(Phase phase, Amount amount) {
    switch (phase) {
        case Phase::pend:
            return {{}, amount, {}};
        case Phase::post:
            return {amount, -amount, {}};
        case Phase::void_:
            return {{}, -amount, {}};
        case Phase::reverse:
            return {-amount, {}, {}};
        case Phase::direct:
            return {amount, {}, {}};
        case Phase::reserve:
            return {{}, {}, amount};
        case Phase::release:
            return {{}, {}, -amount};
        case Phase::settle:
            return {amount, {}, -amount};
        case Phase::unsettle:
            return {-amount, {}, amount};
    }
    return {};
}

void add_to(Balance& balance, const Balance& effect) {
    balance.posted += effect.posted;
    balance.pending += effect.pending;
    balance.reserved += effect.reserved;
}

Balance opposite(const Balance& effect) {
    return {-effect.posted, -effect.pending, -effect.reserved};
}

}  // namespace

void MemoryJournal::add(const TallyDelta& delta) {
    for (const auto& account : delta.accounts)
        names_.try_emplace(account.id, account.name);
    slices_.add(delta);
}

// --- rules, settings, names -------------------------------------------------------------------

RulesRow MemoryJournal::current_rules() {
    return rules_.empty() ? RulesRow{} : rules_.back();
}

RulesRow MemoryJournal::rules(std::uint32_t id) {
    return id == 0 ? RulesRow{} : rules_.at(id - 1);
}

void MemoryJournal::add_rules(const share::RulesRecord& rules, share::LogPosition position) {
    rules_.push_back({static_cast<std::uint32_t>(rules_.size() + 1), rules, position});
}

std::optional<share::SettingsRecord> MemoryJournal::settings(std::string_view account) {
    return find_in(settings_, account);
}

void MemoryJournal::put_settings(const share::SettingsRecord& settings) {
    settings_.insert_or_assign(settings.account, settings);
}

std::optional<std::string> MemoryJournal::account_name(InstanceId instance, share::AccountId id) {
    return instance == instance_ ? find_in(names_, id) : std::nullopt;
}

// --- blocks and slices ------------------------------------------------------------------------

MemoryJournal::BlockPlace MemoryJournal::place_of(const BlockRow& block) {
    return {block.found.time_ms, block.instance, block.found.slice};
}

std::optional<BlockRow> MemoryJournal::block(const chain::Hash256& hash) {
    return find_in(blocks_, hash);
}

void MemoryJournal::put_block(const BlockRow& block) {
    const auto& hash = block.found.block.hash;
    blocks_.insert_or_assign(hash, block);
    snapshots_of_blocks_.emplace(block.instance, block.found.block.snapshot);
    found_.insert_or_assign(place_of(block), hash);
    closed_.insert_or_assign(SliceRef{block.found.slice, block.instance}, block.found.time_ms);
}

std::optional<BlockRow> MemoryJournal::block_before(const BlockRow& block) {
    const auto at = found_.lower_bound(place_of(block));
    if (at == found_.begin()) return std::nullopt;
    return blocks_.at(std::prev(at)->second);
}

std::vector<BlockRow> MemoryJournal::blocks_after(const BlockRow& block) {
    std::vector<BlockRow> after;
    for (auto at = found_.upper_bound(place_of(block)); at != found_.end(); ++at)
        after.push_back(blocks_.at(at->second));
    return after;
}

std::vector<BlockRow> MemoryJournal::rounds_moved_to(const chain::Hash256& hash) {
    std::vector<BlockRow> moved;
    for (const auto& [place, found] : found_) {
        const auto& block = blocks_.at(found);
        if (block.round_moved_to == hash) moved.push_back(block);
    }
    return moved;
}

std::optional<std::int64_t> MemoryJournal::closed_ms(const SliceRef& ref) {
    return find_in(closed_, ref);
}

void MemoryJournal::slices_down(const SliceRef& from,
                                const std::function<bool(const SliceGroup&)>& visit) {
    const auto& packed = slices_.packed();
    std::vector<std::pair<share::AccountId, chain::Work>> work;
    for (auto at = packed.upper_bound(from.slice); at != packed.begin();) {
        --at;
        const SliceRef ref{at->first, instance_};
        if (from < ref) continue;
        work.clear();
        for (const auto& [account, sum] : SliceBook::unpack(at->second))
            work.emplace_back(account, sum.work);
        if (!visit({ref, work})) return;
    }
}

// --- money ------------------------------------------------------------------------------------

Balance MemoryJournal::balance(std::string_view account) {
    return find_in(balances_, account).value_or(Balance{});
}

void MemoryJournal::post(std::span<const Transfer> transfers) {
    for (const auto& transfer : transfers) {
        ADIT_CHECK(transfer_ids_.insert(transfer.id).second, "the ids of transfers are new");
        const auto effect = effect_of(transfer.phase, transfer.amount);
        add_to(balances_[transfer.credit], effect);
        add_to(balances_[transfer.debit], opposite(effect));
        transfers_.push_back(transfer);
    }
}

Balance MemoryJournal::total() {
    Balance total;
    for (const auto& [account, balance] : balances_)
        add_to(total, balance);
    return total;
}

std::vector<SplitRow> MemoryJournal::split(const chain::Hash256& block) {
    return find_in(splits_, block).value_or(std::vector<SplitRow>{});
}

void MemoryJournal::put_split(const chain::Hash256& block, std::span<const SplitRow> split) {
    splits_.insert_or_assign(block, std::vector<SplitRow>(split.begin(), split.end()));
}

std::optional<share::SnapshotRecord> MemoryJournal::snapshot(InstanceId instance,
                                                             std::uint64_t id) {
    return find_in(snapshots_, std::pair(instance, id));
}

std::uint64_t MemoryJournal::last_snapshot(InstanceId instance) {
    const auto at = snapshots_.upper_bound({instance, ~std::uint64_t{0}});
    if (at == snapshots_.begin() || std::prev(at)->first.first != instance) return 0;
    return std::prev(at)->first.second;
}

void MemoryJournal::put_snapshot(const share::SnapshotRecord& snapshot) {
    snapshots_.insert_or_assign({instance_, snapshot.id}, snapshot);
}

void MemoryJournal::forget_snapshots(std::uint64_t after, std::uint64_t upto) {
    auto at = snapshots_.upper_bound({instance_, after});
    const auto end = snapshots_.upper_bound({instance_, upto});
    while (at != end)
        at = snapshots_of_blocks_.contains(at->first) ? std::next(at) : snapshots_.erase(at);
}

// --- payouts ----------------------------------------------------------------------------------

std::optional<PayoutRow> MemoryJournal::payout(share::PayoutId id) {
    return find_in(payouts_, id);
}

void MemoryJournal::put_payout(const PayoutRow& payout) {
    payouts_.insert_or_assign(payout.id, payout);
}

std::vector<share::Payee> MemoryJournal::payees(share::PayoutId id) {
    return find_in(payees_, id).value_or(std::vector<share::Payee>{});
}

void MemoryJournal::put_payees(share::PayoutId id, std::span<const share::Payee> payees) {
    payees_.insert_or_assign(id, std::vector<share::Payee>(payees.begin(), payees.end()));
}

std::vector<share::PayoutSignedRecord> MemoryJournal::attempts(share::PayoutId id) {
    return find_in(attempts_, id).value_or(std::vector<share::PayoutSignedRecord>{});
}

void MemoryJournal::add_attempt(const share::PayoutSignedRecord& attempt) {
    attempts_[attempt.payout].push_back(attempt);
    payout_of_.insert_or_assign(attempt.txid, attempt.payout);
}

std::optional<share::PayoutId> MemoryJournal::payout_of(const chain::Hash256& txid) {
    return find_in(payout_of_, txid);
}

bool MemoryJournal::is_explained(const chain::Hash256& txid, std::string_view account) {
    return std::ranges::any_of(explained_, [&](const share::ExplainRecord& record) {
        return record.txid == txid && record.account == account;
    });
}

void MemoryJournal::add_explained(const share::ExplainRecord& explained) {
    explained_.push_back(explained);
}

void MemoryJournal::add_refused(const RefusedFact& refused) {
    refused_.push_back(refused);
}

// --- questions --------------------------------------------------------------------------------

Stored<Balance> MemoryJournal::balance_of(std::string_view account) {
    return balance(account);
}

Stored<std::vector<BalanceRow>> MemoryJournal::balances() {
    std::vector<BalanceRow> rows;
    for (const auto& [account, balance] : balances_)
        rows.push_back({account, balance});
    return rows;
}

Stored<Balance> MemoryJournal::total_of_all() {
    return total();
}

Stored<std::vector<Transfer>> MemoryJournal::transfers(std::string_view account,
                                                       std::int64_t from_ms, std::int64_t to_ms) {
    // A log's times never go back, and transfers come in its order.
    const auto begin = std::ranges::lower_bound(transfers_, from_ms, {}, &Transfer::time_ms);
    const auto end = std::ranges::lower_bound(transfers_, to_ms, {}, &Transfer::time_ms);
    std::vector<Transfer> rows;
    for (const auto& transfer : std::ranges::subrange(begin, end)) {
        if (account.empty() || transfer.debit == account || transfer.credit == account) {
            rows.push_back(transfer);
        }
    }
    std::ranges::stable_sort(rows, [](const Transfer& a, const Transfer& b) {
        return std::tie(a.position, a.id) < std::tie(b.position, b.id);
    });
    return rows;
}

Stored<std::vector<BlockRow>> MemoryJournal::block_rows() {
    std::vector<BlockRow> rows;
    for (const auto& [place, hash] : found_)
        rows.push_back(blocks_.at(hash));
    return rows;
}

Stored<std::optional<BlockRow>> MemoryJournal::block_row(const chain::Hash256& hash) {
    return block(hash);
}

Stored<std::vector<SplitRow>> MemoryJournal::split_of(const chain::Hash256& hash) {
    return split(hash);
}

Stored<std::vector<RulesRow>> MemoryJournal::rules_rows() {
    return rules_;
}

Stored<std::optional<share::SettingsRecord>> MemoryJournal::settings_of(std::string_view account) {
    return settings(account);
}

Stored<std::vector<share::SettingsRecord>> MemoryJournal::all_settings() {
    return values_of(settings_);
}

Stored<std::vector<PayoutRow>> MemoryJournal::payout_rows() {
    return values_of(payouts_);
}

Stored<std::vector<PayoutRow>> MemoryJournal::open_payouts() {
    auto rows = values_of(payouts_);
    std::erase_if(rows, [](const PayoutRow& row) { return is_final(row.state); });
    return rows;
}

Stored<std::vector<PayoutRow>> MemoryJournal::payouts_after(std::int64_t created_ms) {
    auto rows = values_of(payouts_);
    std::erase_if(rows, [&](const PayoutRow& row) { return row.created_ms <= created_ms; });
    return rows;
}

Stored<PayoutTotals> MemoryJournal::payout_totals() {
    PayoutTotals totals;
    for (const auto& [id, payout] : payouts_) {
        totals.by_state.at(static_cast<std::size_t>(payout.state)) += 1;
        totals.last = id;
        totals.last_created_ms = payout.created_ms;
    }
    return totals;
}

Stored<std::optional<PayoutRow>> MemoryJournal::payout_row(share::PayoutId id) {
    return payout(id);
}

Stored<std::vector<share::Payee>> MemoryJournal::payees_of(share::PayoutId id) {
    return payees(id);
}

Stored<std::vector<share::PayoutSignedRecord>> MemoryJournal::attempts_of(share::PayoutId id) {
    return attempts(id);
}

Stored<std::optional<share::PayoutId>> MemoryJournal::payout_of_txid(const chain::Hash256& txid) {
    return payout_of(txid);
}

Stored<std::vector<share::ExplainRecord>> MemoryJournal::explained() {
    return explained_;
}

Stored<std::vector<RefusedFact>> MemoryJournal::refused() {
    return refused_;
}

Stored<std::vector<share::SnapshotRecord>> MemoryJournal::snapshots() {
    return values_of(snapshots_);
}

}  // namespace adit::ledger
