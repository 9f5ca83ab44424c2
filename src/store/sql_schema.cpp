#include "store/sql_schema.h"

#include "ledger/bookkeeper.h"

namespace adit::store {
namespace {

constexpr std::string_view kTables = R"(
CREATE TABLE fold_points (instance INT PRIMARY KEY,
    log_id BLOB NOT NULL, position INT NOT NULL, chain BLOB NOT NULL,
    slice_start INT NOT NULL, slice_sequence INT NOT NULL, time_ms INT NOT NULL);
CREATE TABLE accounts (instance INT NOT NULL, id INT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (instance, id), UNIQUE (instance, name)) COMPACT;
CREATE TABLE workers (instance INT NOT NULL, id INT NOT NULL, account INT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (instance, id), UNIQUE (instance, account, name)) COMPACT;
CREATE TABLE slices (start INT NOT NULL, sequence INT NOT NULL, instance INT NOT NULL,
    account INT NOT NULL, work WORK NOT NULL, shares INT NOT NULL, uncredited INT NOT NULL,
    PRIMARY KEY (start, sequence, instance, account)) COMPACT;
CREATE TABLE worker_slices (start INT NOT NULL, instance INT NOT NULL, worker INT NOT NULL,
    work WORK NOT NULL, shares INT NOT NULL, uncredited INT NOT NULL,
    PRIMARY KEY (start, instance, worker)) COMPACT;
CREATE TABLE worker_totals (instance INT NOT NULL, worker INT NOT NULL,
    work WORK NOT NULL, shares INT NOT NULL, uncredited INT NOT NULL,
    PRIMARY KEY (instance, worker)) COMPACT;

CREATE TABLE rules (id INT PRIMARY KEY, scheme INT NOT NULL, mode INT NOT NULL,
    pplns_factor_milli INT NOT NULL, fee_ppm INT NOT NULL, fee_account TEXT NOT NULL,
    at_wall_ms INT NOT NULL, position INT NOT NULL);
CREATE TABLE settings (account TEXT PRIMARY KEY, threshold_sat INT NOT NULL,
    donation_ppm INT NOT NULL, at_wall_ms INT NOT NULL);

CREATE TABLE blocks (hash BLOB PRIMARY KEY, instance INT NOT NULL, height INT NOT NULL,
    bits INT NOT NULL, job INT NOT NULL, account INT NOT NULL, worker INT NOT NULL,
    snapshot INT NOT NULL, pays_dues INT NOT NULL, pays_finder INT NOT NULL,
    coinbase_value_sat INT NOT NULL, found_wall_ms INT NOT NULL, stale INT NOT NULL,
    file TEXT NOT NULL, position INT NOT NULL, time_ms INT NOT NULL,
    slice_start INT NOT NULL, slice_sequence INT NOT NULL,
    finder TEXT NOT NULL, rules INT NOT NULL, state INT NOT NULL, credited INT NOT NULL,
    posted INT NOT NULL, transition INT NOT NULL, reward_sat INT NOT NULL,
    confirmations INT NOT NULL, changed_ms INT NOT NULL, evidence TEXT NOT NULL,
    wanted WORK NOT NULL, counted WORK NOT NULL, oldest_start INT NOT NULL,
    oldest_sequence INT NOT NULL, oldest_instance INT NOT NULL, fee_sat INT NOT NULL,
    round_moved_to BLOB NOT NULL);
CREATE INDEX blocks_by_time ON blocks (time_ms, instance, slice_start, slice_sequence);
CREATE INDEX blocks_by_slice ON blocks (slice_start, slice_sequence, instance);
CREATE INDEX blocks_by_round ON blocks (round_moved_to);
CREATE TABLE splits (block BLOB NOT NULL, place INT NOT NULL, account TEXT NOT NULL,
    work WORK NOT NULL, part_sat INT NOT NULL, donation_sat INT NOT NULL, paid_sat INT NOT NULL,
    PRIMARY KEY (block, place)) COMPACT;

CREATE TABLE balances (id INT PRIMARY KEY, account TEXT NOT NULL UNIQUE,
    posted_sat INT NOT NULL, pending_sat INT NOT NULL, reserved_sat INT NOT NULL);
CREATE TABLE transfers (reference BLOB NOT NULL, purpose INT NOT NULL, transition INT NOT NULL,
    account INT NOT NULL, debit INT NOT NULL, credit INT NOT NULL,
    amount_sat INT NOT NULL CHECK (amount_sat > 0), phase INT NOT NULL,
    position INT NOT NULL, time_ms INT NOT NULL,
    PRIMARY KEY (reference, purpose, transition, account)) COMPACT;

CREATE TABLE payouts (id INT PRIMARY KEY, state INT NOT NULL, transition INT NOT NULL,
    anchor_txid BLOB NOT NULL, anchor_index INT NOT NULL, anchor_value_sat INT NOT NULL,
    debits_sat INT NOT NULL, outputs_sat INT NOT NULL, payees INT NOT NULL,
    attempts INT NOT NULL, txid BLOB NOT NULL, block BLOB NOT NULL, height INT NOT NULL,
    created_ms INT NOT NULL, changed_ms INT NOT NULL, evidence TEXT NOT NULL);
CREATE TABLE payees (payout INT NOT NULL, place INT NOT NULL, account TEXT NOT NULL,
    script BLOB NOT NULL, debit_sat INT NOT NULL, output_sat INT NOT NULL,
    PRIMARY KEY (payout, place)) COMPACT;
CREATE TABLE attempts (payout INT NOT NULL, attempt INT NOT NULL, txid BLOB NOT NULL UNIQUE,
    fee_sat INT NOT NULL, at_wall_ms INT NOT NULL, raw BLOB NOT NULL,
    PRIMARY KEY (payout, attempt));
CREATE TABLE explained (txid BLOB NOT NULL, number INT NOT NULL, account TEXT NOT NULL,
    amount_sat INT NOT NULL, at_wall_ms INT NOT NULL, note TEXT NOT NULL,
    PRIMARY KEY (txid, account));
CREATE TABLE snapshots (instance INT NOT NULL, id INT NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (instance, id));
CREATE TABLE refused (number INT PRIMARY KEY, position INT NOT NULL, time_ms INT NOT NULL,
    refusal INT NOT NULL, what TEXT NOT NULL);
)";

constexpr std::string_view kSinceVersion4 = R"(
CREATE TABLE postings (time_ms INT NOT NULL, reference BLOB NOT NULL, purpose INT NOT NULL,
    transition INT NOT NULL, PRIMARY KEY (time_ms, reference, purpose, transition)) COMPACT;
CREATE INDEX payouts_by_state ON payouts (state);
CREATE INDEX payouts_by_time ON payouts (created_ms);
)";

// What SQLite's connection brings with it as functions.
constexpr std::string_view kPostgresFunctions = R"(
CREATE DOMAIN work128 AS NUMERIC(39, 0) CONSTRAINT "work fits into 128 bits"
    CHECK (VALUE >= 0 AND VALUE < 340282366920938463463374607431768211456);
CREATE FUNCTION add128(a NUMERIC, b NUMERIC) RETURNS NUMERIC
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT a + b';
CREATE AGGREGATE total128(NUMERIC) (SFUNC = numeric_add, STYPE = NUMERIC, INITCOND = '0');
)";

std::string_view type_of(SqlDialect dialect, std::string_view word) {
    const bool sqlite = dialect == SqlDialect::sqlite;
    // INTEGER is how SQLite wants the key that is its row number to be spelled.
    if (word == "INT") return sqlite ? "INTEGER" : "BIGINT";
    if (word == "WORK") return sqlite ? "BLOB" : "work128";
    if (word == "BLOB") return sqlite ? "BLOB" : "BYTEA";
    // PostgreSQL's TEXT refuses bytes that do not fit the database's encoding; names and evidence
    // come from outside and must never stop the fold.
    if (word == "TEXT") return sqlite ? "TEXT" : "BYTEA";
    if (word == "COMPACT") return sqlite ? "WITHOUT ROWID" : "";
    return word;
}

void create_tables(SqlConnection& connection) {
    const auto dialect = connection.dialect();
    if (dialect == SqlDialect::postgres) connection.run(std::string(kPostgresFunctions));
    connection.run(in_dialect(dialect, kTables));
    connection.run(in_dialect(dialect, kSinceVersion4));
}

// Versions 1 and 2 knew one instance, version 1 less about blocks than a split needs, and neither
// what the log's facts say about blocks: a database with blocks is emptied, and the tally folds the
// log into it again from the beginning.
void migrate_from_one_instance(SqlConnection& connection) {
    for (const auto* table :
         {"accounts", "workers", "slices", "worker_slices", "worker_totals", "blocks"}) {
        connection.run(fmt::format("ALTER TABLE {0} RENAME TO old_{0}", table));
    }
    create_tables(connection);
    connection.run(R"(
DELETE FROM fold_point WHERE EXISTS (SELECT 1 FROM old_blocks);
INSERT INTO fold_points
    SELECT 0, log_id, position, chain, slice_start, slice_sequence, time_ms FROM fold_point;
INSERT INTO accounts SELECT 0, id, name FROM old_accounts
    WHERE EXISTS (SELECT 1 FROM fold_point);
INSERT INTO workers SELECT 0, id, account, name FROM old_workers
    WHERE EXISTS (SELECT 1 FROM fold_point);
INSERT INTO slices SELECT start, sequence, 0, account, work, shares, uncredited FROM old_slices
    WHERE EXISTS (SELECT 1 FROM fold_point);
INSERT INTO worker_slices SELECT start, 0, worker, work, shares, uncredited FROM old_worker_slices
    WHERE EXISTS (SELECT 1 FROM fold_point);
INSERT INTO worker_totals SELECT 0, worker, work, shares, uncredited FROM old_worker_totals
    WHERE EXISTS (SELECT 1 FROM fold_point);
DROP TABLE fold_point;
DROP TABLE old_accounts;
DROP TABLE old_workers;
DROP TABLE old_slices;
DROP TABLE old_worker_slices;
DROP TABLE old_worker_totals;
DROP TABLE old_blocks;
)");
}

// Version 3 had an index of transfers by account. Each account of a block had its own place in it,
// so that posting a block wrote to as many pages as there were accounts. And it kept all snapshots.
void migrate_from_version3(SqlConnection& connection) {
    connection.run(in_dialect(connection.dialect(), kSinceVersion4));
    connection.run(R"(
INSERT INTO postings
    SELECT DISTINCT time_ms, reference, purpose, transition FROM transfers;
DROP INDEX transfers_by_debit;
DROP INDEX transfers_by_credit;
)");
    connection.run(fmt::format(
        "DELETE FROM snapshots WHERE id <= (SELECT max(id) FROM snapshots newer "
        "WHERE newer.instance = snapshots.instance) - {} AND NOT EXISTS (SELECT 1 FROM blocks "
        "WHERE blocks.instance = snapshots.instance AND blocks.snapshot = snapshots.id)",
        ledger::kKeptSnapshots));
}

void refuse_newer(int version) {
    if (version <= kLedgerSchemaVersion) return;
    throw SqlError(fmt::format(
        "it was written by a newer Adit (schema {}, this program knows {}): use that one, or "
        "restore the ledger from before the update",
        version, kLedgerSchemaVersion));
}

}  // namespace

std::string in_dialect(SqlDialect dialect, std::string_view tables) {
    const auto is_letter = [](char c) { return c >= 'A' && c <= 'Z'; };
    std::string out;
    for (std::size_t at = 0; at < tables.size();) {
        auto end = at;
        while (end < tables.size() && is_letter(tables[end]))
            ++end;
        if (end == at) {
            out += tables[at++];
            continue;
        }
        out += type_of(dialect, tables.substr(at, end - at));
        at = end;
    }
    return out;
}

void bring_up_to_date(SqlConnection& connection) {
    const auto version = connection.schema_version();
    refuse_newer(version);
    if (version == kLedgerSchemaVersion) return;
    SqlTransaction transaction(connection);
    // Another program may have been here while this one waited for the lock.
    const auto locked = connection.schema_version();
    refuse_newer(locked);
    if (locked == kLedgerSchemaVersion) return;
    if (locked == 0) {
        create_tables(connection);
    } else if (locked == 3) {
        migrate_from_version3(connection);
    } else {
        migrate_from_one_instance(connection);
    }
    connection.set_schema_version(kLedgerSchemaVersion);
    transaction.commit();
}

void expect_up_to_date(SqlConnection& connection) {
    const auto version = connection.schema_version();
    refuse_newer(version);
    if (version == kLedgerSchemaVersion) return;
    if (version == 0) throw SqlError("it holds no ledger; has the pool run with it?");
    throw SqlError(
        fmt::format("it was written by an older Adit (schema {}, this program reads {}): start the "
                    "pool once, which brings it up to date",
                    version, kLedgerSchemaVersion));
}

}  // namespace adit::store
