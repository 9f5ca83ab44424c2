// How the ledger's values lie in rows: the columns of each table in one order, how they are read
// and how they are bound. Internal to the SQL ledger; throws SqlError for rows that cannot be.
#pragma once

#include "ledger/journal.h"
#include "store/sql_connection.h"

namespace adit::store {

inline std::int64_t to_column(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

// Takes the columns of the present row from left to right.
class RowReader {
 public:
    explicit RowReader(const SqlStatement& statement) : row_(statement.row()) {}

    template <std::integral T>
    T integer() {
        const auto value = row_.integer(next_++);
        if constexpr (std::same_as<T, std::uint64_t>) return static_cast<T>(value);
        if (!std::in_range<T>(value)) throw SqlError("a stored number is out of its range");
        return static_cast<T>(value);
    }
    bool flag() { return row_.integer(next_++) != 0; }
    template <class Enum>
    Enum enumerator(Enum last) {
        const auto value = integer<std::uint8_t>();
        if (value > static_cast<std::uint8_t>(last)) {
            throw SqlError("a stored number means nothing to this program");
        }
        return static_cast<Enum>(value);
    }
    std::string text() { return std::string(base::as_text(row_.blob(next_++))); }
    base::Bytes blob() {
        const auto bytes = row_.blob(next_++);
        return {bytes.begin(), bytes.end()};
    }
    template <std::size_t N>
    std::array<std::uint8_t, N> bytes() {
        std::array<std::uint8_t, N> out{};
        const auto from = row_.blob(next_++);
        if (from.size() != N) throw SqlError("a stored value has another size than it must");
        std::ranges::copy(from, out.begin());
        return out;
    }
    chain::Hash256 hash() { return {bytes<32>()}; }
    chain::Work work() { return row_.wide(next_++); }
    chain::Amount amount() {
        const auto sat = chain::Amount::from_sat(row_.integer(next_++));
        if (!sat) throw SqlError("a stored amount exceeds all coins");
        return *sat;
    }
    ledger::Sum sum() {
        ledger::Sum sum;
        sum.work = work();
        sum.shares = integer<std::uint64_t>();
        sum.uncredited = integer<std::uint64_t>();
        return sum;
    }
    ledger::SliceKey slice() {
        ledger::SliceKey slice;
        slice.start_s = integer<std::int64_t>();
        slice.sequence = integer<std::uint32_t>();
        return slice;
    }

 private:
    const SqlDriverStatement& row_;
    int next_ = 0;
};

// "INSERT INTO table (a, b) VALUES ($1, $2)"; the upsert takes the place of a row with the same
// first `keys` columns.
std::string insert_of(std::string_view table, std::string_view columns);
std::string upsert_of(std::string_view table, std::string_view columns, int keys);

inline constexpr std::string_view kBlockColumns =
    "hash, instance, height, bits, job, account, worker, snapshot, pays_dues, pays_finder, "
    "coinbase_value_sat, found_wall_ms, stale, file, position, time_ms, slice_start, "
    "slice_sequence, finder, rules, state, credited, posted, transition, reward_sat, "
    "confirmations, changed_ms, evidence, wanted, counted, oldest_start, oldest_sequence, "
    "oldest_instance, fee_sat, round_moved_to";
ledger::BlockRow read_block(const SqlStatement& row);
void bind_block(SqlStatement& to, const ledger::BlockRow& block);

inline constexpr std::string_view kSplitColumns =
    "block, place, account, work, part_sat, donation_sat, paid_sat";
inline constexpr std::string_view kRulesColumns =
    "id, scheme, mode, pplns_factor_milli, fee_ppm, fee_account, at_wall_ms, position";
ledger::RulesRow read_rules(const SqlStatement& row);
inline constexpr std::string_view kSettingsColumns =
    "account, threshold_sat, donation_ppm, at_wall_ms";
share::SettingsRecord read_settings(const SqlStatement& row);
inline constexpr std::string_view kPayoutColumns =
    "id, state, transition, anchor_txid, anchor_index, anchor_value_sat, debits_sat, outputs_sat, "
    "payees, attempts, txid, block, height, created_ms, changed_ms, evidence";
ledger::PayoutRow read_payout(const SqlStatement& row);
void bind_payout(SqlStatement& to, const ledger::PayoutRow& payout);
inline constexpr std::string_view kPayeeColumns =
    "payout, place, account, script, debit_sat, output_sat";
inline constexpr std::string_view kAttemptColumns =
    "payout, attempt, txid, fee_sat, at_wall_ms, raw";
// The record as the log holds it.
share::SnapshotRecord read_snapshot(const SqlStatement& row);

// Whole lists that both the journal and the questions need. `connection` may be in a transaction.
std::vector<ledger::SplitRow> read_split(SqlConnection& connection, const chain::Hash256& block);
std::vector<share::Payee> read_payees(SqlConnection& connection, share::PayoutId id);
std::vector<share::PayoutSignedRecord> read_attempts(SqlConnection& connection, share::PayoutId id);
std::optional<ledger::BlockRow> find_block(SqlConnection& connection, const chain::Hash256& hash);
std::optional<ledger::PayoutRow> find_payout(SqlConnection& connection, share::PayoutId id);
std::optional<share::PayoutId> find_payout_of(SqlConnection& connection,
                                              const chain::Hash256& txid);
std::optional<ledger::FoldPoint> find_fold_point(SqlConnection& connection,
                                                 ledger::InstanceId instance);
// Of all instances that ever folded into this ledger.
std::map<ledger::InstanceId, ledger::FoldPoint> all_fold_points(SqlConnection& connection);

}  // namespace adit::store
