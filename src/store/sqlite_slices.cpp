#include "store/sqlite_slices.h"

#include "store/sqlite.h"

namespace adit::store {
namespace {

using ledger::FoldPoint;
using ledger::FoundBlock;
using ledger::Stored;
using ledger::Sum;
using ledger::TallyDelta;

// Work is a 16-byte integer, most significant byte first, with chain::kWorkFraction binary places.
constexpr std::string_view kSchema = R"(
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
    slice_start INTEGER NOT NULL, slice_sequence INTEGER NOT NULL,
    bits INTEGER NOT NULL DEFAULT 0, snapshot INTEGER NOT NULL DEFAULT 0,
    pays_dues INTEGER NOT NULL DEFAULT 0, pays_finder INTEGER NOT NULL DEFAULT 0);
CREATE INDEX blocks_by_hash ON blocks (hash);
)";

// From version 1 to 2: whom a block's coinbase pays, and how hard it was.
constexpr std::string_view kSecondSchema = R"(
ALTER TABLE blocks ADD COLUMN bits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN snapshot INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN pays_dues INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN pays_finder INTEGER NOT NULL DEFAULT 0;
)";

std::int64_t number(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

Sum read_sum(const SqliteStatement& row, int column) {
    return {row.wide(column), static_cast<std::uint64_t>(row.integer(column + 1)),
            static_cast<std::uint64_t>(row.integer(column + 2))};
}

}  // namespace

// The connection and its prepared statements.
class SqliteSlices::Database {
 public:
    explicit Database(const std::filesystem::path& file) : connection(file) {}

    // Brings a new file to the present schema; refuses what it does not know.
    static std::unique_ptr<Database> open(const std::filesystem::path& file) {
        auto database = std::make_unique<Database>(file);
        SqliteStatement version(database->connection, "PRAGMA user_version");
        version.step();
        const auto found = version.integer(0);
        version.reset();
        if (found > kSchemaVersion) {
            throw SqliteError(
                fmt::format("it was written by a newer Adit (schema {}, this program knows {}): "
                            "use that one, or "
                            "restore the ledger from before the update",
                            found, kSchemaVersion));
        }
        if (found < kSchemaVersion) {
            SqliteTransaction transaction(database->connection);
            database->connection.run(std::string(found == 0 ? kSchema : kSecondSchema));
            database->connection.run(fmt::format("PRAGMA user_version = {}", kSchemaVersion));
            transaction.commit();
        }
        return database;
    }

    std::optional<FoldPoint> fold_point() {
        SqliteStatement row(connection,
                            "SELECT log_id, position, chain, slice_start, slice_sequence, time_ms "
                            "FROM fold_point");
        if (!row.step()) return std::nullopt;
        FoldPoint point;
        point.log_id = row.bytes<16>(0);
        point.log.position = static_cast<std::uint64_t>(row.integer(1));
        point.log.chain.bytes = row.bytes<32>(2);
        point.slice = {row.integer(3), static_cast<std::uint32_t>(row.integer(4))};
        point.time_ms = row.integer(5);
        return point;
    }

    void add_names(const TallyDelta& delta) {
        // The same name twice is harmless: ids are never reused in one log.
        SqliteStatement account(connection, "INSERT OR IGNORE INTO accounts VALUES (?, ?)");
        for (const auto& record : delta.accounts) {
            account.bind(record.id).bind(record.name).run();
        }
        SqliteStatement worker(connection, "INSERT OR IGNORE INTO workers VALUES (?, ?, ?)");
        for (const auto& record : delta.worker_names) {
            worker.bind(record.id).bind(record.account).bind(record.name).run();
        }
    }

    void add_slices(const TallyDelta& delta) {
        SqliteStatement add(
            connection,
            "INSERT INTO slices VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "work = add128(work, excluded.work), shares = shares + excluded.shares, "
            "uncredited = uncredited + excluded.uncredited");
        for (const auto& [key, sum] : delta.slices) {
            const auto& [slice, account] = key;
            add.bind(slice.start_s).bind(slice.sequence).bind(account).bind(sum.work);
            add.bind(number(sum.shares)).bind(number(sum.uncredited)).run();
        }
    }

    void add_workers(const TallyDelta& delta) {
        SqliteStatement slice(
            connection,
            "INSERT INTO worker_slices VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "work = add128(work, excluded.work), shares = shares + excluded.shares, "
            "uncredited = uncredited + excluded.uncredited");
        SqliteStatement total(
            connection,
            "INSERT INTO worker_totals VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "work = add128(work, excluded.work), shares = shares + excluded.shares, "
            "uncredited = uncredited + excluded.uncredited");
        for (const auto& [key, sum] : delta.workers) {
            const auto& [start, worker] = key;
            const auto shares = number(sum.shares);
            const auto uncredited = number(sum.uncredited);
            slice.bind(start).bind(worker).bind(sum.work).bind(shares).bind(uncredited).run();
            total.bind(worker).bind(sum.work).bind(shares).bind(uncredited).run();
        }
    }

    void add_blocks(const TallyDelta& delta) {
        SqliteStatement add(connection,
                            "INSERT INTO blocks (hash, height, job, account, worker, "
                            "coinbase_value_sat, found_wall_ms, stale, file, position, time_ms, "
                            "slice_start, slice_sequence, bits, snapshot, pays_dues, pays_finder) "
                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        for (const auto& found : delta.blocks) {
            const auto& block = found.block;
            add.bind(base::ByteSpan(block.hash.bytes)).bind(block.height).bind(number(block.job));
            add.bind(block.account).bind(block.worker).bind(block.coinbase_value_sat);
            add.bind(block.found_wall_ms).bind(std::int64_t{block.stale}).bind(block.file);
            add.bind(number(found.position)).bind(found.time_ms);
            add.bind(found.slice.start_s).bind(found.slice.sequence);
            add.bind(block.bits).bind(number(block.snapshot));
            add.bind(std::int64_t{block.pays_dues}).bind(std::int64_t{block.pays_finder}).run();
        }
    }

    void set_fold_point(const FoldPoint& point) {
        SqliteStatement set(connection,
                            "INSERT OR REPLACE INTO fold_point VALUES (1, ?, ?, ?, ?, ?, ?)");
        set.bind(base::ByteSpan(point.log_id)).bind(number(point.log.position));
        set.bind(base::ByteSpan(point.log.chain.bytes)).bind(point.slice.start_s);
        set.bind(point.slice.sequence).bind(point.time_ms).run();
    }

    void forget_worker_slices(std::int64_t before_s) {
        SqliteStatement forget(connection, "DELETE FROM worker_slices WHERE start < ?");
        forget.bind(before_s).run();
    }

    SqliteDatabase connection;
};

namespace {

// Runs what may throw and names the file in the error.
template <class Work>
auto guarded(const std::filesystem::path& file, Work work) -> Stored<decltype(work())> {
    try {
        if constexpr (std::is_void_v<decltype(work())>) {
            work();
            return {};
        } else {
            return work();
        }
    } catch (const SqliteError& error) {
        return std::unexpected(fmt::format("ledger {}: {}", file.string(), error.what()));
    }
}

}  // namespace

Stored<std::unique_ptr<SqliteSlices>> SqliteSlices::open(SqliteSlicesSettings settings) {
    const auto file = settings.file;
    return guarded(file, [&] {
        auto database = Database::open(file);
        return std::unique_ptr<SqliteSlices>(
            new SqliteSlices(std::move(database), std::move(settings)));
    });
}

SqliteSlices::SqliteSlices(std::unique_ptr<Database> database, SqliteSlicesSettings settings)
    : database_(std::move(database)), settings_(std::move(settings)) {}

SqliteSlices::~SqliteSlices() = default;

Stored<std::optional<FoldPoint>> SqliteSlices::fold_point() {
    const std::lock_guard lock(mutex_);
    return guarded(settings_.file, [&] { return database_->fold_point(); });
}

Stored<void> SqliteSlices::apply(const TallyDelta& delta) {
    const std::lock_guard lock(mutex_);
    return guarded(settings_.file, [&] {
        int steps = 0;
        const auto step = [&] {
            if (settings_.fail_point && !settings_.fail_point(steps++)) {
                throw SqliteError("stopped by a test");
            }
        };
        step();
        SqliteTransaction transaction(database_->connection);
        step();
        const auto stands = database_->fold_point();
        if (stands ? *stands != delta.before : delta.before.log.position != 0) {
            throw SqliteError("it does not stand where this delta begins");
        }
        database_->add_names(delta);
        step();
        database_->add_slices(delta);
        step();
        database_->add_workers(delta);
        step();
        database_->add_blocks(delta);
        step();
        database_->set_fold_point(delta.after);
        step();
        if (delta.after.slice.start_s != delta.before.slice.start_s) {
            database_->forget_worker_slices(delta.after.slice.start_s -
                                            settings_.keep_worker_slices_s);
        }
        step();
        transaction.commit();
        step();
    });
}

Stored<Sum> SqliteSlices::account_work_since(share::AccountId account, std::int64_t start_s) {
    const std::lock_guard lock(mutex_);
    return guarded(settings_.file, [&] {
        SqliteStatement row(
            database_->connection,
            "SELECT total128(work), coalesce(sum(shares), 0), "
            "coalesce(sum(uncredited), 0) FROM slices WHERE start >= ? AND account = ?");
        row.bind(start_s).bind(account).step();
        return read_sum(row, 0);
    });
}

Stored<Sum> SqliteSlices::worker_work_since(share::WorkerId worker, std::int64_t start_s) {
    const std::lock_guard lock(mutex_);
    return guarded(settings_.file, [&] {
        SqliteStatement row(
            database_->connection,
            "SELECT total128(work), coalesce(sum(shares), 0), coalesce(sum(uncredited), 0) "
            "FROM worker_slices WHERE start >= ? AND worker = ?");
        row.bind(start_s).bind(worker).step();
        return read_sum(row, 0);
    });
}

Stored<Sum> SqliteSlices::pool_work_since(std::int64_t start_s) {
    const std::lock_guard lock(mutex_);
    return guarded(settings_.file, [&] {
        SqliteStatement row(database_->connection,
                            "SELECT total128(work), coalesce(sum(shares), 0), "
                            "coalesce(sum(uncredited), 0) FROM slices WHERE start >= ?");
        row.bind(start_s).step();
        return read_sum(row, 0);
    });
}

Stored<std::vector<ledger::SliceRow>> SqliteSlices::slices(std::int64_t from_s, std::int64_t to_s) {
    const std::lock_guard lock(mutex_);
    return guarded(settings_.file, [&] {
        SqliteStatement row(database_->connection,
                            "SELECT start, sequence, account, work, shares, uncredited FROM slices "
                            "WHERE start >= ? AND start < ? ORDER BY start, sequence, account");
        row.bind(from_s).bind(to_s);
        std::vector<ledger::SliceRow> rows;
        while (row.step()) {
            rows.push_back({{row.integer(0), static_cast<std::uint32_t>(row.integer(1))},
                            static_cast<share::AccountId>(row.integer(2)),
                            read_sum(row, 3)});
        }
        return rows;
    });
}

Stored<std::vector<ledger::TotalRow>> SqliteSlices::worker_totals() {
    const std::lock_guard lock(mutex_);
    return guarded(settings_.file, [&] {
        SqliteStatement row(database_->connection,
                            "SELECT worker, work, shares, uncredited FROM worker_totals "
                            "ORDER BY worker");
        std::vector<ledger::TotalRow> rows;
        while (row.step()) {
            rows.push_back({static_cast<std::uint32_t>(row.integer(0)), read_sum(row, 1)});
        }
        return rows;
    });
}

Stored<std::vector<FoundBlock>> SqliteSlices::blocks() {
    const std::lock_guard lock(mutex_);
    return guarded(settings_.file, [&] {
        SqliteStatement row(database_->connection,
                            "SELECT hash, height, job, account, worker, coinbase_value_sat, "
                            "found_wall_ms, stale, file, position, time_ms, slice_start, "
                            "slice_sequence, bits, snapshot, pays_dues, pays_finder FROM blocks "
                            "ORDER BY number");
        std::vector<FoundBlock> rows;
        while (row.step()) {
            auto& found = rows.emplace_back();
            auto& block = found.block;
            block.hash.bytes = row.bytes<32>(0);
            block.height = static_cast<std::int32_t>(row.integer(1));
            block.job = static_cast<job::JobId>(row.integer(2));
            block.account = static_cast<share::AccountId>(row.integer(3));
            block.worker = static_cast<share::WorkerId>(row.integer(4));
            block.coinbase_value_sat = row.integer(5);
            block.found_wall_ms = row.integer(6);
            block.stale = row.integer(7) != 0;
            block.file = row.text(8);
            found.position = static_cast<std::uint64_t>(row.integer(9));
            found.time_ms = row.integer(10);
            found.slice = {row.integer(11), static_cast<std::uint32_t>(row.integer(12))};
            block.bits = static_cast<std::uint32_t>(row.integer(13));
            block.snapshot = static_cast<std::uint64_t>(row.integer(14));
            block.pays_dues = row.integer(15) != 0;
            block.pays_finder = row.integer(16) != 0;
        }
        return rows;
    });
}

Stored<std::vector<share::AccountRecord>> SqliteSlices::accounts() {
    const std::lock_guard lock(mutex_);
    return guarded(settings_.file, [&] {
        SqliteStatement row(database_->connection, "SELECT id, name FROM accounts ORDER BY id");
        std::vector<share::AccountRecord> rows;
        while (row.step()) {
            rows.push_back({static_cast<share::AccountId>(row.integer(0)), row.text(1)});
        }
        return rows;
    });
}

Stored<std::vector<share::WorkerRecord>> SqliteSlices::workers() {
    const std::lock_guard lock(mutex_);
    return guarded(settings_.file, [&] {
        SqliteStatement row(database_->connection,
                            "SELECT id, account, name FROM workers ORDER BY id");
        std::vector<share::WorkerRecord> rows;
        while (row.step()) {
            rows.push_back({static_cast<share::WorkerId>(row.integer(0)),
                            static_cast<share::AccountId>(row.integer(1)), row.text(2)});
        }
        return rows;
    });
}

}  // namespace adit::store
