#include "store/sql_journal.h"

#include "store/sql_rows.h"

namespace adit::store {
namespace {

using ledger::Balance;
using ledger::BlockRow;
using ledger::InstanceId;
using ledger::Transfer;

// Single names asked for before all of an instance are read at once.
constexpr int kSingleNameQueries = 32;
// Rows of slices read in one query.
constexpr std::int64_t kSlicePage = 16'384;

void move(Balance& balance, ledger::Phase phase, chain::Amount amount) {
    switch (phase) {
        case ledger::Phase::pend:
            balance.pending += amount;
            return;
        case ledger::Phase::post:
            balance.pending -= amount;
            balance.posted += amount;
            return;
        case ledger::Phase::void_:
            balance.pending -= amount;
            return;
        case ledger::Phase::reverse:
            balance.posted -= amount;
            return;
        case ledger::Phase::direct:
            balance.posted += amount;
            return;
        case ledger::Phase::reserve:
            balance.reserved += amount;
            return;
        case ledger::Phase::release:
            balance.reserved -= amount;
            return;
        case ledger::Phase::settle:
            balance.reserved -= amount;
            balance.posted += amount;
            return;
        case ledger::Phase::unsettle:
            balance.posted -= amount;
            balance.reserved += amount;
            return;
    }
}

}  // namespace

// --- money ------------------------------------------------------------------------------------

void SqlJournal::load_balances() {
    if (std::exchange(balances_loaded_, true)) return;
    auto row = connection_.prepare(
        "SELECT id, account, posted_sat, pending_sat, reserved_sat FROM balances");
    while (row.step()) {
        RowReader from(row);
        Account account;
        account.id = from.integer<std::int64_t>();
        auto name = from.text();
        account.balance.posted = from.amount();
        account.balance.pending = from.amount();
        account.balance.reserved = from.amount();
        account.is_stored = true;
        last_account_id_ = std::max(last_account_id_, account.id);
        accounts_.emplace(std::move(name), account);
    }
}

SqlJournal::Account& SqlJournal::account(std::string_view name) {
    const auto known = accounts_.find(name);
    if (known != accounts_.end()) return known->second;
    return accounts_.emplace(name, Account{++last_account_id_, {}, true, false}).first->second;
}

Balance SqlJournal::balance(std::string_view account) {
    load_balances();
    const auto known = accounts_.find(account);
    return known == accounts_.end() ? Balance{} : known->second.balance;
}

void SqlJournal::post(std::span<const Transfer> transfers) {
    load_balances();
    static const auto kSql =
        insert_of("transfers",
                  "reference, purpose, transition, account, debit, credit, amount_sat, phase, "
                  "position, time_ms");
    auto add = connection_.prepare(kSql);
    for (const auto& transfer : transfers)
        insert_transfer(add, transfer);
    insert_postings(transfers);
}

// What leads from a time to the transfers made then.
void SqlJournal::insert_postings(std::span<const Transfer> transfers) {
    auto add = connection_.prepare(
        "INSERT INTO postings (time_ms, reference, purpose, transition) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING");
    std::set<std::tuple<std::int64_t, chain::Hash256, ledger::Purpose, std::uint32_t>> added;
    for (const auto& transfer : transfers) {
        const auto& id = transfer.id;
        if (!added.emplace(transfer.time_ms, id.reference, id.purpose, id.transition).second) {
            continue;
        }
        add.bind(transfer.time_ms).bind(id.reference).bind(static_cast<int>(id.purpose));
        add.bind(id.transition).run();
    }
}

void SqlJournal::insert_transfer(SqlStatement& add, const Transfer& transfer) {
    auto& owner = account(transfer.id.account);
    auto& debit = account(transfer.debit);
    auto& credit = account(transfer.credit);
    add.bind(transfer.id.reference).bind(static_cast<int>(transfer.id.purpose));
    add.bind(transfer.id.transition).bind(owner.id).bind(debit.id).bind(credit.id);
    add.bind(transfer.amount.sat()).bind(static_cast<int>(transfer.phase));
    add.bind(to_column(transfer.position)).bind(transfer.time_ms).run();
    move(debit.balance, transfer.phase, -transfer.amount);
    move(credit.balance, transfer.phase, transfer.amount);
    debit.changed = true;
    credit.changed = true;
}

// Over all that is stored and all that has changed.
Balance SqlJournal::total() {
    load_balances();
    Balance total;
    for (const auto& [name, account] : accounts_) {
        total.posted += account.balance.posted;
        total.pending += account.balance.pending;
        total.reserved += account.balance.reserved;
    }
    return total;
}

void SqlJournal::finish() {
    static const auto kSql =
        insert_of("balances", "posted_sat, pending_sat, reserved_sat, id, account");
    auto add = connection_.prepare(kSql);
    // Leaves the names and their index alone.
    auto change = connection_.prepare(
        "UPDATE balances SET posted_sat = $1, pending_sat = $2, reserved_sat = $3 WHERE id = $4");
    for (auto& [name, account] : accounts_) {
        if (!std::exchange(account.changed, false)) continue;
        const bool is_new = !std::exchange(account.is_stored, true);
        auto& put = is_new ? add : change;
        const auto& balance = account.balance;
        put.bind(balance.posted.sat()).bind(balance.pending.sat()).bind(balance.reserved.sat());
        put.bind(account.id);
        if (is_new) put.bind(name);
        put.run();
    }
}

std::vector<ledger::SplitRow> SqlJournal::split(const chain::Hash256& block) {
    return read_split(connection_, block);
}

void SqlJournal::put_split(const chain::Hash256& block, std::span<const ledger::SplitRow> split) {
    static const auto kSql = insert_of("splits", kSplitColumns);
    auto add = connection_.prepare(kSql);
    std::int64_t place = 0;
    for (const auto& part : split) {
        add.bind(block).bind(place++).bind(part.account).bind_wide(part.work);
        add.bind(part.part.sat()).bind(part.donation.sat()).bind(part.paid.sat()).run();
    }
}

// --- rules, settings, names -------------------------------------------------------------------

ledger::RulesRow SqlJournal::current_rules() {
    static const auto kSql =
        fmt::format("SELECT {} FROM rules ORDER BY id DESC LIMIT 1", kRulesColumns);
    auto row = connection_.prepare(kSql);
    return row.step() ? read_rules(row) : ledger::RulesRow{};
}

ledger::RulesRow SqlJournal::rules(std::uint32_t id) {
    if (id == 0) return {};
    static const auto kSql = fmt::format("SELECT {} FROM rules WHERE id = $1", kRulesColumns);
    auto row = connection_.prepare(kSql);
    if (!row.bind(id).step()) throw SqlError(fmt::format("the reward rules {} are missing", id));
    return read_rules(row);
}

void SqlJournal::add_rules(const share::RulesRecord& rules, share::LogPosition position) {
    const auto id = current_rules().id + 1;
    static const auto kSql = insert_of("rules", kRulesColumns);
    auto add = connection_.prepare(kSql);
    add.bind(id).bind(static_cast<int>(rules.scheme)).bind(static_cast<int>(rules.mode));
    add.bind(rules.pplns_factor_milli).bind(rules.fee_ppm).bind(rules.fee_account);
    add.bind(rules.at_wall_ms).bind(to_column(position)).run();
}

std::optional<share::SettingsRecord> SqlJournal::settings(std::string_view account) {
    if (!settings_) {
        settings_.emplace();
        static const auto kSql = fmt::format("SELECT {} FROM settings", kSettingsColumns);
        auto row = connection_.prepare(kSql);
        while (row.step()) {
            auto settings = read_settings(row);
            settings_->emplace(settings.account, settings);
        }
    }
    const auto known = settings_->find(account);
    if (known == settings_->end()) return std::nullopt;
    return known->second;
}

void SqlJournal::put_settings(const share::SettingsRecord& settings) {
    static const auto kSql = upsert_of("settings", kSettingsColumns, 1);
    auto put = connection_.prepare(kSql);
    put.bind(settings.account).bind(settings.threshold_sat).bind(settings.donation_ppm);
    put.bind(settings.at_wall_ms).run();
    if (settings_) settings_->insert_or_assign(settings.account, settings);
}

std::optional<std::string> SqlJournal::account_name(InstanceId instance, share::AccountId id) {
    auto& names = names_[instance];
    if (const auto known = names.find(id); known != names.end()) return known->second;
    if (name_queries_ < kSingleNameQueries) {
        ++name_queries_;
        auto row = connection_.prepare("SELECT name FROM accounts WHERE instance = $1 AND id = $2");
        if (!row.bind(instance).bind(id).step()) return std::nullopt;
        return names.emplace(id, RowReader(row).text()).first->second;
    }
    // Names are written before the facts: what is missing now stays missing in this transaction.
    if (names.size() <= kSingleNameQueries) {
        auto row = connection_.prepare("SELECT id, name FROM accounts WHERE instance = $1");
        row.bind(instance);
        while (row.step()) {
            RowReader from(row);
            const auto read = from.integer<share::AccountId>();
            names.insert_or_assign(read, from.text());
        }
    }
    const auto known = names.find(id);
    return known == names.end() ? std::nullopt : std::optional(known->second);
}

// --- slices and snapshots ---------------------------------------------------------------------

void SqlJournal::slices_down(const ledger::SliceRef& from, const SliceCache::Visit& visit) {
    const auto read = [&](const ledger::SliceRef& below, const ledger::SliceRef& floor,
                          const SliceCache::Visit& each) {
        return read_slices(below, floor, each);
    };
    SliceCache none(0);
    auto& cache = cache_ == nullptr ? none : *cache_;
    cache.walk(from, all_fold_points(connection_), read, visit);
}

void SqlJournal::keep_slices() {
    const auto floor = oldest_needed();
    if (cache_ == nullptr || !floor) return;
    cache_->keep_up(*floor, all_fold_points(connection_),
                    [&](const ledger::SliceRef& below, const ledger::SliceRef& end,
                        const SliceCache::Visit& each) { return read_slices(below, end, each); });
}

// Where the last window began; windows move on. nullopt: the last block was divided by something
// else than work of the ledger.
std::optional<ledger::SliceRef> SqlJournal::oldest_needed() {
    auto row = connection_.prepare(
        "SELECT oldest_start, oldest_sequence, oldest_instance FROM blocks WHERE reward_sat > 0 "
        "ORDER BY time_ms DESC LIMIT 1");
    if (!row.step()) return ledger::SliceRef{};
    RowReader from(row);
    ledger::SliceRef oldest;
    oldest.slice = from.slice();
    oldest.instance = from.integer<InstanceId>();
    return oldest == ledger::SliceRef{} ? std::nullopt : std::optional(oldest);
}

// All groups below the one and not below the other, newest first. False: `visit` said so.
bool SqlJournal::read_slices(const ledger::SliceRef& below, const ledger::SliceRef& floor,
                             const SliceCache::Visit& visit) {
    std::vector<std::pair<share::AccountId, chain::Work>> group;
    ledger::SliceRef ref = below;
    ledger::SliceRef last = below;
    std::int64_t account = 0;  // the first page begins below every account of `below`
    for (std::int64_t read = kSlicePage; read == kSlicePage;) {
        // Read to its end before anybody is called who may ask something else.
        std::vector<std::pair<ledger::SliceRef, std::pair<share::AccountId, chain::Work>>> page;
        {
            auto row = connection_.prepare(
                "SELECT start, sequence, instance, account, work FROM slices "
                "WHERE (start, sequence, instance, account) < ($1, $2, $3, $4) "
                "AND (start, sequence, instance) >= ($5, $6, $7) "
                "ORDER BY start DESC, sequence DESC, instance DESC, account DESC LIMIT $8");
            row.bind(last.slice.start_s).bind(last.slice.sequence).bind(last.instance);
            row.bind(account).bind(floor.slice.start_s).bind(floor.slice.sequence);
            row.bind(floor.instance).bind(kSlicePage);
            while (row.step()) {
                RowReader columns(row);
                auto& entry = page.emplace_back();
                entry.first.slice = columns.slice();
                entry.first.instance = columns.integer<InstanceId>();
                entry.second.first = columns.integer<share::AccountId>();
                entry.second.second = columns.work();
            }
        }
        read = static_cast<std::int64_t>(page.size());
        for (const auto& [at, work] : page) {
            if (at != ref && !group.empty()) {
                if (!visit({ref, group})) return false;
                group.clear();
            }
            ref = at;
            group.push_back(work);
        }
        if (page.empty()) break;
        last = page.back().first;
        account = page.back().second.first;
    }
    return group.empty() || visit({ref, group});
}

std::optional<share::SnapshotRecord> SqlJournal::snapshot(InstanceId instance, std::uint64_t id) {
    auto row = connection_.prepare("SELECT record FROM snapshots WHERE instance = $1 AND id = $2");
    if (!row.bind(instance).bind(to_column(id)).step()) return std::nullopt;
    return read_snapshot(row);
}

std::uint64_t SqlJournal::last_snapshot(InstanceId instance) {
    auto row = connection_.prepare(
        "SELECT id FROM snapshots WHERE instance = $1 ORDER BY id DESC LIMIT 1");
    if (!row.bind(instance).step()) return 0;
    return RowReader(row).integer<std::uint64_t>();
}

void SqlJournal::put_snapshot(const share::SnapshotRecord& snapshot) {
    base::Bytes record;
    share::append_record(record, snapshot);
    static const auto kSql = upsert_of("snapshots", "instance, id, record", 2);
    auto add = connection_.prepare(kSql);
    add.bind(instance_).bind(to_column(snapshot.id)).bind(base::ByteSpan(record)).run();
}

void SqlJournal::forget_snapshots(std::uint64_t after, std::uint64_t upto) {
    auto forget = connection_.prepare(
        "DELETE FROM snapshots WHERE instance = $1 AND id > $2 AND id <= $3 AND NOT EXISTS "
        "(SELECT 1 FROM blocks WHERE blocks.instance = snapshots.instance "
        "AND blocks.snapshot = snapshots.id)");
    forget.bind(instance_).bind(to_column(after)).bind(to_column(upto)).run();
}

}  // namespace adit::store
