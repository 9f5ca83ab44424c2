#include "store/sql_schema.h"

#include "store/sql_journal.h"
#include "store/sql_ledger_testing.h"

namespace adit::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SqlSchemaTest : public testing::SqlLedgerTest {};
INSTANTIATE_TEST_SUITE_P(On, SqlSchemaTest,
                         ::testing::Values(SqlDialect::sqlite, SqlDialect::postgres),
                         testing::dialect_name);

TEST_P(SqlSchemaTest, RefusesWhatANewerProgramWrote) {
    open();
    {
        const auto connection = database_.connect();
        EXPECT_EQ(connection->schema_version(), kLedgerSchemaVersion);
        connection->set_schema_version(99);
    }
    for (const bool read_only : {false, true}) {
        auto mine = settings();
        mine.read_only = read_only;
        const auto opened = SqlLedger::open(mine);
        ASSERT_FALSE(opened);
        EXPECT_THAT(opened.error(), HasSubstr("newer Adit (schema 99, this program knows 4)"));
    }
}

TEST_P(SqlSchemaTest, IsCreatedOnceByManyAtTheSameTime) {
    std::atomic<int> opened = 0;
    {
        std::vector<std::jthread> openers;
        for (int i = 0; i < 6; ++i) {
            openers.emplace_back([&] {
                const auto ledger = SqlLedger::open(settings());
                EXPECT_TRUE(ledger) << ledger.error();
                if (ledger) ++opened;
            });
        }
    }
    EXPECT_EQ(opened, 6);
}

// The tables of version 1, as they were.
constexpr const char* kVersion1 = R"(
CREATE TABLE fold_point (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    log_id BLOB NOT NULL, position INTEGER NOT NULL, chain BLOB NOT NULL,
    slice_start INTEGER NOT NULL, slice_sequence INTEGER NOT NULL, time_ms INTEGER NOT NULL);
CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE workers (id INTEGER PRIMARY KEY, account INTEGER NOT NULL, name TEXT NOT NULL,
    UNIQUE (account, name));
CREATE TABLE slices (start INTEGER NOT NULL, sequence INTEGER NOT NULL, account INTEGER NOT NULL,
    work BLOB NOT NULL, shares INTEGER NOT NULL, uncredited INTEGER NOT NULL,
    PRIMARY KEY (start, sequence, account)) WITHOUT ROWID;
CREATE TABLE worker_slices (start INTEGER NOT NULL, worker INTEGER NOT NULL,
    work BLOB NOT NULL, shares INTEGER NOT NULL, uncredited INTEGER NOT NULL,
    PRIMARY KEY (start, worker)) WITHOUT ROWID;
CREATE TABLE worker_totals (worker INTEGER PRIMARY KEY,
    work BLOB NOT NULL, shares INTEGER NOT NULL, uncredited INTEGER NOT NULL);
CREATE TABLE blocks (number INTEGER PRIMARY KEY,
    hash BLOB NOT NULL, height INTEGER NOT NULL, job INTEGER NOT NULL, account INTEGER NOT NULL,
    worker INTEGER NOT NULL, coinbase_value_sat INTEGER NOT NULL, found_wall_ms INTEGER NOT NULL,
    stale INTEGER NOT NULL, file TEXT NOT NULL, position INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    slice_start INTEGER NOT NULL, slice_sequence INTEGER NOT NULL);
CREATE INDEX blocks_by_hash ON blocks (hash);
INSERT INTO fold_point VALUES (1, x'07000000000000000000000000000000', 4000,
    x'0900000000000000000000000000000000000000000000000000000000000000', 600, 1, 600000);
INSERT INTO accounts VALUES (1, 'alice'), (2, 'bob');
INSERT INTO workers VALUES (1, 1, 'rig'), (2, 2, '');
INSERT INTO slices VALUES (600, 0, 1, x'00000010000000000000000000000000', 3, 1),
    (600, 0, 2, x'00000000000000000000000000000005', 1, 0);
INSERT INTO worker_slices VALUES (600, 1, x'00000010000000000000000000000000', 3, 1);
INSERT INTO worker_totals VALUES (1, x'00000010000000000000000000000000', 3, 1);
PRAGMA user_version = 1;
)";

// What version 2 added.
constexpr const char* kVersion2 = R"(
ALTER TABLE blocks ADD COLUMN bits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN snapshot INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN pays_dues INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN pays_finder INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 2;
)";

// What version 4 changed, back.
constexpr const char* kBackToVersion3 = R"(
DROP TABLE postings;
DROP INDEX payouts_by_state;
DROP INDEX payouts_by_time;
CREATE INDEX transfers_by_debit ON transfers (debit, time_ms);
CREATE INDEX transfers_by_credit ON transfers (credit, time_ms);
)";

ledger::Transfer transfer_of(std::string_view account, ledger::Purpose purpose,
                             std::int64_t time_ms) {
    ledger::Transfer transfer;
    transfer.id = {purpose, testing::hash_of(1), 0, std::string(account)};
    transfer.debit = account;
    transfer.credit = ledger::kWithdrawnAccount;
    transfer.amount = chain::Amount::of(time_ms);
    transfer.phase = ledger::Phase::direct;
    transfer.position = static_cast<share::LogPosition>(time_ms);
    transfer.time_ms = time_ms;
    return transfer;
}

TEST_P(SqlSchemaTest, TakesOverWhatVersion3Held) {
    // One spend, explained at two times.
    const std::vector<ledger::Transfer> posted{
        transfer_of("alice", ledger::Purpose::explained, 5),
        transfer_of("bob", ledger::Purpose::explained, 7),
        transfer_of("alice", ledger::Purpose::donation, 7),
    };
    ASSERT_TRUE(open()->fold_point());
    {
        const auto connection = database_.connect();
        SqlTransaction transaction(*connection);
        SqlJournal journal(*connection, 0, 600);
        for (const auto& transfer : posted)
            journal.post({&transfer, 1});
        journal.finish();
        share::SnapshotRecord snapshot;
        snapshot.entries = {{1, 5, 0}};
        for (const std::uint64_t id : {1u, 2u, 3u, 2u + 300u}) {
            snapshot.id = id;
            journal.put_snapshot(snapshot);
        }
        ledger::BlockRow block;
        block.found = testing::found_block(1, {}, {600, 1});
        block.found.block.snapshot = 1;
        journal.put_block(block);
        connection->run(kBackToVersion3);
        connection->set_schema_version(3);
        transaction.commit();
    }
    auto reading = settings();
    reading.read_only = true;
    EXPECT_THAT(SqlLedger::open(reading).error(), HasSubstr("older Adit (schema 3, this program"));
    const auto ledger = open();
    EXPECT_EQ(database_.connect()->schema_version(), kLedgerSchemaVersion);
    std::vector<std::uint64_t> snapshots;
    const auto kept = *ledger->snapshots();
    for (const auto& snapshot : kept)
        snapshots.push_back(snapshot.id);
    EXPECT_THAT(snapshots, ElementsAre(1u, 3u, 302u));
    EXPECT_THAT(*ledger->transfers("", 0, 100), ElementsAre(posted[0], posted[2], posted[1]));
    EXPECT_THAT(*ledger->transfers("alice", 0, 100), ElementsAre(posted[0], posted[2]));
    EXPECT_THAT(*ledger->transfers("bob", 6, 8), ElementsAre(posted[1]));
    EXPECT_THAT(*ledger->transfers("bob", 0, 7), IsEmpty());
    EXPECT_THAT(*ledger->transfers(":withdrawn", 0, 7), ElementsAre(posted[0]));
    EXPECT_THAT(*ledger->transfers(":withdrawn", 7, 8), ElementsAre(posted[2], posted[1]));
}

class SqlMigrationTest : public testing::SqlLedgerTest {};
INSTANTIATE_TEST_SUITE_P(On, SqlMigrationTest, ::testing::Values(SqlDialect::sqlite),
                         testing::dialect_name);

TEST_P(SqlMigrationTest, TakesOverWhatVersion2Held) {
    database_.connect()->run(kVersion1);
    database_.connect()->run(kVersion2);
    ASSERT_EQ(database_.connect()->schema_version(), 2);
    const auto ledger = open();
    EXPECT_EQ((*ledger->fold_point())->log.position, 4'000u);
    EXPECT_EQ(ledger->slices(0, 1'000)->size(), 2u);
    EXPECT_EQ(database_.connect()->schema_version(), kLedgerSchemaVersion);
}

TEST_P(SqlMigrationTest, TakesOverWhatVersion1Held) {
    database_.connect()->run(kVersion1);
    auto reading = settings();
    reading.read_only = true;
    EXPECT_THAT(SqlLedger::open(reading).error(), HasSubstr("older Adit (schema 1, this program"));
    const auto ledger = open();
    const auto point = *ledger->fold_point();
    ASSERT_TRUE(point);
    EXPECT_EQ(point->log_id[0], 7);
    EXPECT_EQ(point->log.position, 4'000u);
    EXPECT_EQ(point->log.chain.bytes[0], 9);
    EXPECT_EQ(point->slice, (ledger::SliceKey{600, 1}));
    EXPECT_EQ(point->time_ms, 600'000);
    EXPECT_EQ(*ledger->account_work_since(1, 0), (ledger::Sum{chain::Work{1} << 100, 3, 1}));
    EXPECT_EQ(ledger->slices(0, 1'000)->size(), 2u);
    EXPECT_EQ(ledger->worker_work_since(1, 0)->shares, 3u);
    EXPECT_EQ(ledger->worker_totals()->size(), 1u);
    EXPECT_EQ(ledger->accounts()->at(1), (share::AccountRecord{2, "bob"}));
    EXPECT_EQ(ledger->workers()->at(0), (share::WorkerRecord{1, 1, "rig"}));
    ASSERT_TRUE(ledger->apply(testing::delta_from(*point, 600)));
    EXPECT_EQ(ledger->account_work_since(1, 0)->shares, 6u);
    EXPECT_EQ(database_.connect()->schema_version(), kLedgerSchemaVersion);
}

// Older versions did not keep all that a split of their blocks needs: the log is folded again.
TEST_P(SqlMigrationTest, BeginsAnewWhenAnOlderVersionHeldBlocks) {
    for (const bool second : {false, true}) {
        const testing::EmptyDatabase database(SqlDialect::sqlite);
        const auto connection = database.connect();
        connection->run(kVersion1);
        connection->run(
            "INSERT INTO blocks VALUES (1, zeroblob(32), 5, 1, 1, 1, 50, 77, 0, 'f', 1000, 600000, "
            "600, 0)");
        if (second) connection->run(kVersion2);
        auto mine = settings();
        mine.database = database.name();
        const auto ledger = open(mine);
        EXPECT_EQ(*ledger->fold_point(), std::nullopt);
        EXPECT_TRUE(ledger->slices(0, 1'000)->empty());
        EXPECT_TRUE(ledger->accounts()->empty());
        EXPECT_TRUE(ledger->blocks()->empty());
        ASSERT_TRUE(ledger->apply(testing::delta_from({}, 600)));
    }
}

// Nothing of a migration that fails stays.
TEST_P(SqlMigrationTest, LeavesAFileThatItCannotMigrateAsItWas) {
    const auto connection = database_.connect();
    connection->run(kVersion1);
    connection->run("DROP TABLE worker_totals");
    EXPECT_FALSE(SqlLedger::open(settings()));
    EXPECT_EQ(connection->schema_version(), 1);
    auto row = connection->prepare("SELECT count(*) FROM slices");
    ASSERT_TRUE(row.step());
    EXPECT_EQ(row.row().integer(0), 2);
}

}  // namespace
}  // namespace adit::store
