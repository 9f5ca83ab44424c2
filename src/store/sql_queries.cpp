// The questions that SqlLedger answers about the whole ledger.
#include "store/sql_ledger.h"
#include "store/sql_rows.h"
#include "store/sql_session.h"

namespace adit::store {
namespace {

using ledger::Balance;
using ledger::Stored;

Balance read_balance(RowReader& from) {
    Balance balance;
    balance.posted = from.amount();
    balance.pending = from.amount();
    balance.reserved = from.amount();
    return balance;
}

constexpr std::string_view kTransferColumns =
    "SELECT t.purpose, t.reference, t.transition, owner.account, giver.account, taker.account, "
    "t.amount_sat, t.phase, t.position, t.time_ms FROM ";
constexpr std::string_view kNamesOfTransfers =
    " JOIN balances owner ON owner.id = t.account JOIN balances giver ON giver.id = t.debit "
    "JOIN balances taker ON taker.id = t.credit ";
// From the postings of the time to their transfers: CROSS JOIN keeps SQLite from the other way. The
// same posting at two times (a spend explained in two facts) shows each with its own transfers.
constexpr std::string_view kTransfersByPosting =
    "WHERE p.time_ms >= $1 AND p.time_ms < $2 AND t.reference = p.reference "
    "AND t.purpose = p.purpose AND t.transition = p.transition AND t.time_ms = p.time_ms";
constexpr std::string_view kTransferOrder =
    " ORDER BY t.position, t.purpose, t.reference, t.transition, owner.account";

ledger::Transfer read_transfer(const SqlStatement& row) {
    RowReader from(row);
    ledger::Transfer transfer;
    transfer.id.purpose = from.enumerator(ledger::Purpose::explained);
    transfer.id.reference = from.hash();
    transfer.id.transition = from.integer<std::uint32_t>();
    transfer.id.account = from.text();
    transfer.debit = from.text();
    transfer.credit = from.text();
    transfer.amount = from.amount();
    transfer.phase = from.enumerator(ledger::Phase::unsettle);
    transfer.position = from.integer<std::uint64_t>();
    transfer.time_ms = from.integer<std::int64_t>();
    return transfer;
}

// "0, 1, 2": the states of payouts that are not final.
std::string open_states() {
    std::string list;
    for (std::size_t state = 0; state < ledger::kPayoutStates; ++state) {
        if (is_final(static_cast<ledger::PayoutState>(state))) continue;
        list += fmt::format("{}{}", list.empty() ? "" : ", ", state);
    }
    return list;
}

// All rows of a statement, read one by one.
template <class Read>
auto rows_of(SqlStatement& statement, Read read) {
    std::vector<decltype(read(statement))> rows;
    while (statement.step())
        rows.push_back(read(statement));
    return rows;
}

template <class Read>
auto row_of(SqlStatement& statement, Read read) -> std::optional<decltype(read(statement))> {
    if (!statement.step()) return std::nullopt;
    return read(statement);
}

}  // namespace

Stored<Balance> SqlLedger::balance_of(std::string_view account) {
    return ask([&](SqlConnection& connection) {
        auto row = connection.prepare(
            "SELECT posted_sat, pending_sat, reserved_sat FROM balances WHERE account = $1");
        if (!row.bind(account).step()) return Balance{};
        RowReader from(row);
        return read_balance(from);
    });
}

Stored<std::vector<ledger::BalanceRow>> SqlLedger::balances() {
    return ask([&](SqlConnection& connection) {
        auto row = connection.prepare(
            "SELECT account, posted_sat, pending_sat, reserved_sat FROM balances "
            "ORDER BY account");
        return rows_of(row, [](const SqlStatement& at) {
            RowReader from(at);
            ledger::BalanceRow balance;
            balance.account = from.text();
            balance.balance = read_balance(from);
            return balance;
        });
    });
}

Stored<Balance> SqlLedger::total_of_all() {
    return ask([&](SqlConnection& connection) {
        auto row = connection.prepare(
            "SELECT coalesce(sum(posted_sat), 0), coalesce(sum(pending_sat), 0), "
            "coalesce(sum(reserved_sat), 0) FROM balances");
        row.step();
        RowReader from(row);
        return read_balance(from);
    });
}

Stored<std::vector<ledger::Transfer>> SqlLedger::transfers(std::string_view account,
                                                           std::int64_t from_ms,
                                                           std::int64_t to_ms) {
    return ask([&](SqlConnection& connection) -> std::vector<ledger::Transfer> {
        if (account.empty()) {
            // Every row there is, even if no posting leads to it: audits look for such.
            static const auto kSql =
                fmt::format("{}transfers t{}WHERE t.time_ms >= $1 AND t.time_ms < $2{}",
                            kTransferColumns, kNamesOfTransfers, kTransferOrder);
            auto row = connection.prepare(kSql);
            row.bind(from_ms).bind(to_ms);
            return rows_of(row, read_transfer);
        }
        std::int64_t id = 0;
        {
            auto row = connection.prepare("SELECT id FROM balances WHERE account = $1");
            if (!row.bind(account).step()) return {};
            id = RowReader(row).integer<std::int64_t>();
        }
        // Each transfer has one of the ledger's own accounts on a side. All others are the owner of
        // each of theirs, which is the end of the key.
        static const auto kBegin =
            fmt::format("{}postings p CROSS JOIN transfers t{}{}", kTransferColumns,
                        kNamesOfTransfers, kTransfersByPosting);
        static const auto kOfOwner = fmt::format("{} AND t.account = $3{}", kBegin, kTransferOrder);
        static const auto kOfEither =
            fmt::format("{} AND (t.debit = $3 OR t.credit = $3){}", kBegin, kTransferOrder);
        auto row = connection.prepare(account.starts_with(':') ? kOfEither : kOfOwner);
        row.bind(from_ms).bind(to_ms).bind(id);
        return rows_of(row, read_transfer);
    });
}

Stored<std::vector<ledger::BlockRow>> SqlLedger::block_rows() {
    return ask([&](SqlConnection& connection) {
        static const auto kSql = fmt::format(
            "SELECT {} FROM blocks ORDER BY time_ms, instance, slice_start, slice_sequence",
            kBlockColumns);
        auto row = connection.prepare(kSql);
        return rows_of(row, read_block);
    });
}

Stored<std::optional<ledger::BlockRow>> SqlLedger::block_row(const chain::Hash256& hash) {
    return ask([&](SqlConnection& connection) { return find_block(connection, hash); });
}

Stored<std::vector<ledger::SplitRow>> SqlLedger::split_of(const chain::Hash256& block) {
    return ask([&](SqlConnection& connection) { return read_split(connection, block); });
}

Stored<std::vector<ledger::RulesRow>> SqlLedger::rules_rows() {
    return ask([&](SqlConnection& connection) {
        static const auto kSql = fmt::format("SELECT {} FROM rules ORDER BY id", kRulesColumns);
        auto row = connection.prepare(kSql);
        return rows_of(row, read_rules);
    });
}

Stored<std::optional<share::SettingsRecord>> SqlLedger::settings_of(std::string_view account) {
    return ask([&](SqlConnection& connection) {
        static const auto kSql =
            fmt::format("SELECT {} FROM settings WHERE account = $1", kSettingsColumns);
        auto row = connection.prepare(kSql);
        row.bind(account);
        return row_of(row, read_settings);
    });
}

Stored<std::vector<share::SettingsRecord>> SqlLedger::all_settings() {
    return ask([&](SqlConnection& connection) {
        static const auto kSql =
            fmt::format("SELECT {} FROM settings ORDER BY account", kSettingsColumns);
        auto row = connection.prepare(kSql);
        return rows_of(row, read_settings);
    });
}

Stored<std::vector<ledger::PayoutRow>> SqlLedger::payout_rows() {
    return ask([&](SqlConnection& connection) {
        static const auto kSql = fmt::format("SELECT {} FROM payouts ORDER BY id", kPayoutColumns);
        auto row = connection.prepare(kSql);
        return rows_of(row, read_payout);
    });
}

Stored<std::vector<ledger::PayoutRow>> SqlLedger::open_payouts() {
    return ask([&](SqlConnection& connection) {
        static const auto kSql =
            fmt::format("SELECT {} FROM payouts WHERE state IN ({}) ORDER BY id", kPayoutColumns,
                        open_states());
        auto row = connection.prepare(kSql);
        return rows_of(row, read_payout);
    });
}

Stored<std::vector<ledger::PayoutRow>> SqlLedger::payouts_after(std::int64_t created_ms) {
    return ask([&](SqlConnection& connection) {
        static const auto kSql =
            fmt::format("SELECT {} FROM payouts WHERE created_ms > $1 ORDER BY id", kPayoutColumns);
        auto row = connection.prepare(kSql);
        row.bind(created_ms);
        return rows_of(row, read_payout);
    });
}

Stored<ledger::PayoutTotals> SqlLedger::payout_totals() {
    return ask([&](SqlConnection& connection) {
        ledger::PayoutTotals totals;
        auto count = connection.prepare("SELECT state, count(*) FROM payouts GROUP BY state");
        while (count.step()) {
            RowReader from(count);
            const auto state = from.enumerator(ledger::PayoutState::buried);
            totals.by_state.at(static_cast<std::size_t>(state)) = from.integer<std::uint64_t>();
        }
        auto last =
            connection.prepare("SELECT id, created_ms FROM payouts ORDER BY id DESC LIMIT 1");
        if (!last.step()) return totals;
        RowReader from(last);
        totals.last = from.integer<share::PayoutId>();
        totals.last_created_ms = from.integer<std::int64_t>();
        return totals;
    });
}

Stored<std::optional<ledger::PayoutRow>> SqlLedger::payout_row(share::PayoutId id) {
    return ask([&](SqlConnection& connection) { return find_payout(connection, id); });
}

Stored<std::vector<share::Payee>> SqlLedger::payees_of(share::PayoutId id) {
    return ask([&](SqlConnection& connection) { return read_payees(connection, id); });
}

Stored<std::vector<share::PayoutSignedRecord>> SqlLedger::attempts_of(share::PayoutId id) {
    return ask([&](SqlConnection& connection) { return read_attempts(connection, id); });
}

Stored<std::optional<share::PayoutId>> SqlLedger::payout_of_txid(const chain::Hash256& txid) {
    return ask([&](SqlConnection& connection) { return find_payout_of(connection, txid); });
}

Stored<std::vector<share::ExplainRecord>> SqlLedger::explained() {
    return ask([&](SqlConnection& connection) {
        auto row = connection.prepare(
            "SELECT txid, account, amount_sat, at_wall_ms, note FROM explained ORDER BY number");
        return rows_of(row, [](const SqlStatement& at) {
            RowReader from(at);
            share::ExplainRecord explained;
            explained.txid = from.hash();
            explained.account = from.text();
            explained.amount_sat = from.integer<std::int64_t>();
            explained.at_wall_ms = from.integer<std::int64_t>();
            explained.note = from.text();
            return explained;
        });
    });
}

Stored<std::vector<ledger::RefusedFact>> SqlLedger::refused() {
    return ask([&](SqlConnection& connection) {
        auto row = connection.prepare(
            "SELECT position, time_ms, refusal, what FROM refused ORDER BY number");
        return rows_of(row, [](const SqlStatement& at) {
            RowReader from(at);
            ledger::RefusedFact refused;
            refused.position = from.integer<std::uint64_t>();
            refused.time_ms = from.integer<std::int64_t>();
            refused.refusal = from.enumerator(ledger::FactRefusal::already_explained);
            refused.what = from.text();
            return refused;
        });
    });
}

Stored<std::vector<share::SnapshotRecord>> SqlLedger::snapshots() {
    return ask([&](SqlConnection& connection) {
        auto row = connection.prepare("SELECT record FROM snapshots ORDER BY id, instance");
        return rows_of(row, read_snapshot);
    });
}

}  // namespace adit::store
