#include "store/sql_rows.h"

namespace adit::store {
namespace {

std::vector<std::string_view> names_in(std::string_view columns) {
    std::vector<std::string_view> names;
    while (!columns.empty()) {
        const auto comma = columns.find(", ");
        names.push_back(columns.substr(0, comma));
        if (comma == std::string_view::npos) break;
        columns.remove_prefix(comma + 2);
    }
    return names;
}

constexpr std::string_view kFoldPointColumns =
    "log_id, position, chain, slice_start, slice_sequence, time_ms";

ledger::FoldPoint read_fold_point(RowReader& from) {
    ledger::FoldPoint point;
    point.log_id = from.bytes<16>();
    point.log.position = from.integer<std::uint64_t>();
    point.log.chain = from.hash();
    point.slice = from.slice();
    point.time_ms = from.integer<std::int64_t>();
    return point;
}

}  // namespace

std::string insert_of(std::string_view table, std::string_view columns) {
    std::string values;
    const auto count = names_in(columns).size();
    for (std::size_t i = 1; i <= count; ++i)
        values += fmt::format("{}${}", i == 1 ? "" : ", ", i);
    return fmt::format("INSERT INTO {} ({}) VALUES ({})", table, columns, values);
}

std::string upsert_of(std::string_view table, std::string_view columns, int keys) {
    std::string key;
    std::string updates;
    for (const auto name : names_in(columns)) {
        if (keys-- > 0) {
            key += fmt::format("{}{}", key.empty() ? "" : ", ", name);
        } else {
            updates += fmt::format("{}{} = excluded.{}", updates.empty() ? "" : ", ", name, name);
        }
    }
    return fmt::format("{} ON CONFLICT ({}) DO UPDATE SET {}", insert_of(table, columns), key,
                       updates);
}

ledger::BlockRow read_block(const SqlStatement& row) {
    RowReader from(row);
    ledger::BlockRow block;
    auto& record = block.found.block;
    record.hash = from.hash();
    block.instance = from.integer<ledger::InstanceId>();
    record.height = from.integer<std::int32_t>();
    record.bits = from.integer<std::uint32_t>();
    record.job = from.integer<job::JobId>();
    record.account = from.integer<share::AccountId>();
    record.worker = from.integer<share::WorkerId>();
    record.snapshot = from.integer<std::uint64_t>();
    record.pays_dues = from.flag();
    record.pays_finder = from.flag();
    record.coinbase_value_sat = from.integer<std::int64_t>();
    record.found_wall_ms = from.integer<std::int64_t>();
    record.stale = from.flag();
    record.file = from.text();
    block.found.position = from.integer<std::uint64_t>();
    block.found.time_ms = from.integer<std::int64_t>();
    block.found.slice = from.slice();
    block.finder = from.text();
    block.rules = from.integer<std::uint32_t>();
    block.state = from.enumerator(ledger::BlockState::orphaned);
    block.credited = from.flag();
    block.posted = from.flag();
    block.transition = from.integer<std::uint32_t>();
    block.reward = from.amount();
    block.confirmations = from.integer<std::int32_t>();
    block.changed_ms = from.integer<std::int64_t>();
    block.evidence = from.text();
    block.settlement.wanted = from.work();
    block.settlement.counted = from.work();
    block.settlement.oldest.slice = from.slice();
    block.settlement.oldest.instance = from.integer<ledger::InstanceId>();
    block.settlement.fee = from.amount();
    block.round_moved_to = from.hash();
    return block;
}

void bind_block(SqlStatement& to, const ledger::BlockRow& block) {
    const auto& record = block.found.block;
    const auto& settled = block.settlement;
    to.bind(record.hash).bind(block.instance).bind(record.height).bind(record.bits);
    to.bind(to_column(record.job)).bind(record.account).bind(record.worker);
    to.bind(to_column(record.snapshot)).bind(record.pays_dues).bind(record.pays_finder);
    to.bind(record.coinbase_value_sat).bind(record.found_wall_ms).bind(record.stale);
    to.bind(record.file).bind(to_column(block.found.position)).bind(block.found.time_ms);
    to.bind(block.found.slice.start_s).bind(block.found.slice.sequence);
    to.bind(block.finder).bind(block.rules).bind(static_cast<int>(block.state));
    to.bind(block.credited).bind(block.posted).bind(block.transition).bind(block.reward.sat());
    to.bind(block.confirmations).bind(block.changed_ms).bind(block.evidence);
    to.bind_wide(settled.wanted).bind_wide(settled.counted).bind(settled.oldest.slice.start_s);
    to.bind(settled.oldest.slice.sequence).bind(settled.oldest.instance).bind(settled.fee.sat());
    to.bind(block.round_moved_to);
}

ledger::RulesRow read_rules(const SqlStatement& row) {
    RowReader from(row);
    ledger::RulesRow rules;
    rules.id = from.integer<std::uint32_t>();
    rules.rules.scheme = from.enumerator(share::RewardScheme::solo);
    rules.rules.mode = from.enumerator(share::PayoutMode::none);
    rules.rules.pplns_factor_milli = from.integer<std::uint32_t>();
    rules.rules.fee_ppm = from.integer<std::uint32_t>();
    rules.rules.fee_account = from.text();
    rules.rules.at_wall_ms = from.integer<std::int64_t>();
    rules.position = from.integer<std::uint64_t>();
    return rules;
}

share::SettingsRecord read_settings(const SqlStatement& row) {
    RowReader from(row);
    share::SettingsRecord settings;
    settings.account = from.text();
    settings.threshold_sat = from.integer<std::int64_t>();
    settings.donation_ppm = from.integer<std::uint32_t>();
    settings.at_wall_ms = from.integer<std::int64_t>();
    return settings;
}

ledger::PayoutRow read_payout(const SqlStatement& row) {
    RowReader from(row);
    ledger::PayoutRow payout;
    payout.id = from.integer<share::PayoutId>();
    payout.state = from.enumerator(ledger::PayoutState::buried);
    payout.transition = from.integer<std::uint32_t>();
    payout.anchor.txid = from.hash();
    payout.anchor.index = from.integer<std::uint32_t>();
    payout.anchor_value = from.amount();
    payout.debits = from.amount();
    payout.outputs = from.amount();
    payout.payees = from.integer<std::uint32_t>();
    payout.attempts = from.integer<std::uint32_t>();
    payout.txid = from.hash();
    payout.block = from.hash();
    payout.height = from.integer<std::int32_t>();
    payout.created_ms = from.integer<std::int64_t>();
    payout.changed_ms = from.integer<std::int64_t>();
    payout.evidence = from.text();
    return payout;
}

void bind_payout(SqlStatement& to, const ledger::PayoutRow& payout) {
    to.bind(to_column(payout.id)).bind(static_cast<int>(payout.state)).bind(payout.transition);
    to.bind(payout.anchor.txid).bind(payout.anchor.index).bind(payout.anchor_value.sat());
    to.bind(payout.debits.sat()).bind(payout.outputs.sat()).bind(payout.payees);
    to.bind(payout.attempts).bind(payout.txid).bind(payout.block).bind(payout.height);
    to.bind(payout.created_ms).bind(payout.changed_ms).bind(payout.evidence);
}

share::SnapshotRecord read_snapshot(const SqlStatement& row) {
    base::ByteReader bytes(row.row().blob(0));
    auto record = share::read_record(bytes);
    auto* snapshot = record ? std::get_if<share::SnapshotRecord>(&*record) : nullptr;
    if (snapshot == nullptr || !bytes.finished()) throw SqlError("a stored snapshot is damaged");
    return std::move(*snapshot);
}

std::vector<ledger::SplitRow> read_split(SqlConnection& connection, const chain::Hash256& block) {
    auto row = connection.prepare(
        "SELECT account, work, part_sat, donation_sat, paid_sat FROM splits WHERE block = $1 "
        "ORDER BY place");
    row.bind(block);
    std::vector<ledger::SplitRow> rows;
    while (row.step()) {
        RowReader from(row);
        auto& part = rows.emplace_back();
        part.account = from.text();
        part.work = from.work();
        part.part = from.amount();
        part.donation = from.amount();
        part.paid = from.amount();
    }
    return rows;
}

std::vector<share::Payee> read_payees(SqlConnection& connection, share::PayoutId id) {
    auto row = connection.prepare(
        "SELECT account, script, debit_sat, output_sat FROM payees WHERE payout = $1 "
        "ORDER BY place");
    row.bind(to_column(id));
    std::vector<share::Payee> rows;
    while (row.step()) {
        RowReader from(row);
        auto& payee = rows.emplace_back();
        payee.account = from.text();
        payee.script = from.blob();
        payee.debit_sat = from.integer<std::int64_t>();
        payee.output_sat = from.integer<std::int64_t>();
    }
    return rows;
}

std::vector<share::PayoutSignedRecord> read_attempts(SqlConnection& connection,
                                                     share::PayoutId id) {
    auto row = connection.prepare(
        "SELECT payout, attempt, txid, fee_sat, at_wall_ms, raw FROM attempts WHERE payout = $1 "
        "ORDER BY attempt");
    row.bind(to_column(id));
    std::vector<share::PayoutSignedRecord> rows;
    while (row.step()) {
        RowReader from(row);
        auto& attempt = rows.emplace_back();
        attempt.payout = from.integer<share::PayoutId>();
        attempt.attempt = from.integer<std::uint32_t>();
        attempt.txid = from.hash();
        attempt.fee_sat = from.integer<std::int64_t>();
        attempt.at_wall_ms = from.integer<std::int64_t>();
        attempt.raw = from.blob();
    }
    return rows;
}

std::optional<ledger::BlockRow> find_block(SqlConnection& connection, const chain::Hash256& hash) {
    static const auto kSql = fmt::format("SELECT {} FROM blocks WHERE hash = $1", kBlockColumns);
    auto row = connection.prepare(kSql);
    if (!row.bind(hash).step()) return std::nullopt;
    return read_block(row);
}

std::optional<ledger::PayoutRow> find_payout(SqlConnection& connection, share::PayoutId id) {
    static const auto kSql = fmt::format("SELECT {} FROM payouts WHERE id = $1", kPayoutColumns);
    auto row = connection.prepare(kSql);
    if (!row.bind(to_column(id)).step()) return std::nullopt;
    return read_payout(row);
}

std::optional<share::PayoutId> find_payout_of(SqlConnection& connection,
                                              const chain::Hash256& txid) {
    auto row = connection.prepare("SELECT payout FROM attempts WHERE txid = $1");
    if (!row.bind(txid).step()) return std::nullopt;
    return RowReader(row).integer<share::PayoutId>();
}

std::optional<ledger::FoldPoint> find_fold_point(SqlConnection& connection,
                                                 ledger::InstanceId instance) {
    static const auto kSql =
        fmt::format("SELECT {} FROM fold_points WHERE instance = $1", kFoldPointColumns);
    auto row = connection.prepare(kSql);
    if (!row.bind(instance).step()) return std::nullopt;
    RowReader from(row);
    return read_fold_point(from);
}

std::map<ledger::InstanceId, ledger::FoldPoint> all_fold_points(SqlConnection& connection) {
    static const auto kSql = fmt::format("SELECT instance, {} FROM fold_points", kFoldPointColumns);
    auto row = connection.prepare(kSql);
    std::map<ledger::InstanceId, ledger::FoldPoint> points;
    while (row.step()) {
        RowReader from(row);
        const auto instance = from.integer<ledger::InstanceId>();
        points.emplace(instance, read_fold_point(from));
    }
    return points;
}

}  // namespace adit::store
