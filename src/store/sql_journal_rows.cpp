// The part of the journal that keeps blocks, payouts and what did not apply.
#include "store/sql_journal.h"
#include "store/sql_rows.h"

namespace adit::store {

using ledger::BlockRow;

std::optional<BlockRow> SqlJournal::block(const chain::Hash256& hash) {
    return find_block(connection_, hash);
}

void SqlJournal::put_block(const BlockRow& block) {
    static const auto kSql = upsert_of("blocks", kBlockColumns, 1);
    auto put = connection_.prepare(kSql);
    bind_block(put, block);
    put.run();
}

std::vector<BlockRow> SqlJournal::read_blocks(SqlStatement& row) {
    std::vector<BlockRow> rows;
    while (row.step())
        rows.push_back(read_block(row));
    return rows;
}

// Two blocks of one batch differ in the slices that they close.
std::optional<BlockRow> SqlJournal::block_before(const BlockRow& block) {
    static const auto kSql = fmt::format(
        "SELECT {} FROM blocks WHERE (time_ms, instance, slice_start, slice_sequence) < "
        "($1, $2, $3, $4) ORDER BY time_ms DESC, instance DESC, slice_start DESC, "
        "slice_sequence DESC LIMIT 1",
        kBlockColumns);
    auto row = connection_.prepare(kSql);
    row.bind(block.found.time_ms).bind(block.instance);
    row.bind(block.found.slice.start_s).bind(block.found.slice.sequence);
    if (!row.step()) return std::nullopt;
    return read_block(row);
}

std::vector<BlockRow> SqlJournal::blocks_after(const BlockRow& block) {
    static const auto kSql = fmt::format(
        "SELECT {} FROM blocks WHERE (time_ms, instance, slice_start, slice_sequence) > "
        "($1, $2, $3, $4) ORDER BY time_ms, instance, slice_start, slice_sequence",
        kBlockColumns);
    auto row = connection_.prepare(kSql);
    row.bind(block.found.time_ms).bind(block.instance);
    row.bind(block.found.slice.start_s).bind(block.found.slice.sequence);
    return read_blocks(row);
}

std::vector<BlockRow> SqlJournal::rounds_moved_to(const chain::Hash256& hash) {
    static const auto kSql = fmt::format(
        "SELECT {} FROM blocks WHERE round_moved_to = $1 "
        "ORDER BY time_ms, instance, slice_start, slice_sequence",
        kBlockColumns);
    auto row = connection_.prepare(kSql);
    row.bind(hash);
    return read_blocks(row);
}

std::optional<std::int64_t> SqlJournal::closed_ms(const ledger::SliceRef& ref) {
    auto row = connection_.prepare(
        "SELECT time_ms FROM blocks WHERE slice_start = $1 AND slice_sequence = $2 "
        "AND instance = $3 ORDER BY time_ms LIMIT 1");
    row.bind(ref.slice.start_s).bind(ref.slice.sequence).bind(ref.instance);
    if (!row.step()) return std::nullopt;
    return RowReader(row).integer<std::int64_t>();
}

std::optional<ledger::PayoutRow> SqlJournal::payout(share::PayoutId id) {
    return find_payout(connection_, id);
}

void SqlJournal::put_payout(const ledger::PayoutRow& payout) {
    static const auto kSql = upsert_of("payouts", kPayoutColumns, 1);
    auto put = connection_.prepare(kSql);
    bind_payout(put, payout);
    put.run();
}

std::vector<share::Payee> SqlJournal::payees(share::PayoutId id) {
    return read_payees(connection_, id);
}

void SqlJournal::put_payees(share::PayoutId id, std::span<const share::Payee> payees) {
    static const auto kSql = insert_of("payees", kPayeeColumns);
    auto add = connection_.prepare(kSql);
    std::int64_t place = 0;
    for (const auto& payee : payees) {
        add.bind(to_column(id)).bind(place++).bind(payee.account);
        add.bind(base::ByteSpan(payee.script)).bind(payee.debit_sat).bind(payee.output_sat).run();
    }
}

std::vector<share::PayoutSignedRecord> SqlJournal::attempts(share::PayoutId id) {
    return read_attempts(connection_, id);
}

void SqlJournal::add_attempt(const share::PayoutSignedRecord& attempt) {
    static const auto kSql = insert_of("attempts", kAttemptColumns);
    auto add = connection_.prepare(kSql);
    add.bind(to_column(attempt.payout)).bind(attempt.attempt).bind(attempt.txid);
    add.bind(attempt.fee_sat).bind(attempt.at_wall_ms).bind(base::ByteSpan(attempt.raw)).run();
}

std::optional<share::PayoutId> SqlJournal::payout_of(const chain::Hash256& txid) {
    return find_payout_of(connection_, txid);
}

bool SqlJournal::is_explained(const chain::Hash256& txid, std::string_view account) {
    auto row = connection_.prepare("SELECT number FROM explained WHERE txid = $1 AND account = $2");
    return row.bind(txid).bind(account).step();
}

void SqlJournal::add_explained(const share::ExplainRecord& explained) {
    auto add = connection_.prepare(
        "INSERT INTO explained (txid, number, account, amount_sat, at_wall_ms, note) VALUES "
        "($1, (SELECT coalesce(max(number), 0) + 1 FROM explained), $2, $3, $4, $5)");
    add.bind(explained.txid).bind(explained.account).bind(explained.amount_sat);
    add.bind(explained.at_wall_ms).bind(explained.note).run();
}

void SqlJournal::add_refused(const ledger::RefusedFact& refused) {
    auto add = connection_.prepare(
        "INSERT INTO refused (number, position, time_ms, refusal, what) VALUES "
        "((SELECT coalesce(max(number), 0) + 1 FROM refused), $1, $2, $3, $4)");
    add.bind(to_column(refused.position)).bind(refused.time_ms);
    add.bind(static_cast<int>(refused.refusal)).bind(refused.what).run();
}

}  // namespace adit::store
