#include "store/sqlite_connection.h"

#include <sqlite3.h>

namespace adit::store {
namespace {

// Pages of 4 KiB.
constexpr int kTidyWalPages = 4'096;
constexpr int kMostWalPages = 32'768;

using base::U128;

std::array<std::uint8_t, 16> to_blob(U128 value) {
    std::array<std::uint8_t, 16> blob;
    base::store_be64(blob.data(), static_cast<std::uint64_t>(value >> 64));
    base::store_be64(blob.data() + 8, static_cast<std::uint64_t>(value));
    return blob;
}

U128 from_blob(const std::uint8_t* blob) {
    return U128{base::load_be64(blob)} << 64 | base::load_be64(blob + 8);
}

// Reads a 16-byte argument of an SQL function; false (and an SQL error) for anything else.
bool argument(sqlite3_context* context, sqlite3_value* value, U128& out) {
    if (sqlite3_value_bytes(value) != 16) {
        sqlite3_result_error(context, "a 128-bit integer is not 16 bytes long", -1);
        return false;
    }
    out = from_blob(static_cast<const std::uint8_t*>(sqlite3_value_blob(value)));
    return true;
}

void result(sqlite3_context* context, U128 value) {
    const auto blob = to_blob(value);
    sqlite3_result_blob(context, blob.data(), static_cast<int>(blob.size()), SQLITE_TRANSIENT);
}

bool add(sqlite3_context* context, U128& sum, U128 more) {
    if (sum > ~more) {
        sqlite3_result_error(context, "a sum of work does not fit into 128 bits", -1);
        return false;
    }
    sum += more;
    return true;
}

void add128(sqlite3_context* context, int, sqlite3_value** values) {
    U128 a = 0;
    U128 b = 0;
    if (!argument(context, values[0], a) || !argument(context, values[1], b)) return;
    if (add(context, a, b)) result(context, a);
}

void total128_step(sqlite3_context* context, int, sqlite3_value** values) {
    // The memory comes zeroed and only 8-byte aligned.
    auto* memory = static_cast<std::uint8_t*>(sqlite3_aggregate_context(context, 16));
    if (memory == nullptr) return sqlite3_result_error_nomem(context);
    U128 more = 0;
    if (!argument(context, values[0], more)) return;
    auto sum = from_blob(memory);
    if (!add(context, sum, more)) return;
    const auto blob = to_blob(sum);
    std::copy(blob.begin(), blob.end(), memory);
}

void total128_final(sqlite3_context* context) {
    const auto* memory = static_cast<std::uint8_t*>(sqlite3_aggregate_context(context, 0));
    result(context, memory == nullptr ? U128{0} : from_blob(memory));
}

class SqliteStatement final : public SqlDriverStatement {
 public:
    SqliteStatement(sqlite3* database, const std::string& sql) : database_(database) {
        check(sqlite3_prepare_v3(database_, sql.c_str(), static_cast<int>(sql.size()),
                                 SQLITE_PREPARE_PERSISTENT, &statement_, nullptr));
    }
    ~SqliteStatement() override { sqlite3_finalize(statement_); }
    SqliteStatement(const SqliteStatement&) = delete;
    SqliteStatement& operator=(const SqliteStatement&) = delete;

    void bind(std::int64_t value) override {
        check(sqlite3_bind_int64(statement_, ++bound_, value));
    }
    void bind(std::string_view text) override {
        // An empty view may have no address, which would bind NULL.
        const char* at = text.empty() ? "" : text.data();
        check(sqlite3_bind_text(statement_, ++bound_, at, static_cast<int>(text.size()),
                                SQLITE_TRANSIENT));
    }
    void bind(base::ByteSpan blob) override {
        const void* at = blob.empty() ? static_cast<const void*>("") : blob.data();
        check(sqlite3_bind_blob(statement_, ++bound_, at, static_cast<int>(blob.size()),
                                SQLITE_TRANSIENT));
    }
    void bind(U128 value) override { bind(base::ByteSpan(to_blob(value))); }

    bool step() override {
        const int code = sqlite3_step(statement_);
        if (code == SQLITE_ROW) return true;
        if (code != SQLITE_DONE) throw SqlError(sqlite3_errmsg(database_));
        return false;
    }
    void run() override {
        while (step()) {
        }
        reset();
    }
    void reset() override {
        sqlite3_reset(statement_);
        bound_ = 0;
    }

    std::int64_t integer(int column) const override {
        return sqlite3_column_int64(statement_, column);
    }
    base::ByteSpan blob(int column) const override {
        const auto* at = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
        return {at, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
    }
    U128 wide(int column) const override {
        const auto bytes = blob(column);
        if (bytes.size() != 16) throw SqlError("a stored work is not 16 bytes long");
        return from_blob(bytes.data());
    }

 private:
    void check(int code) const {
        if (code != SQLITE_OK) throw SqlError(sqlite3_errmsg(database_));
    }
    sqlite3* database_;
    sqlite3_stmt* statement_ = nullptr;
    int bound_ = 0;
};

}  // namespace

SqliteConnection::SqliteConnection(const std::filesystem::path& file, SqliteMode mode) {
    const int access = mode == SqliteMode::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                                 : SQLITE_OPEN_READONLY;
    if (sqlite3_open_v2(file.c_str(), &database_, access | SQLITE_OPEN_NOMUTEX, nullptr) !=
        SQLITE_OK) {
        const std::string why =
            database_ == nullptr ? "no memory" : std::string(sqlite3_errmsg(database_));
        sqlite3_close(database_);
        throw SqlError("cannot open: " + why);
    }
    try {
        configure(mode);
    } catch (...) {
        sqlite3_close(database_);
        throw;
    }
}

void SqliteConnection::configure(SqliteMode mode) {
    sqlite3_busy_timeout(database_, 5'000);
    const int pure = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
    sqlite3_create_function(database_, "add128", 2, pure, nullptr, add128, nullptr, nullptr);
    sqlite3_create_function(database_, "total128", 1, pure, nullptr, nullptr, total128_step,
                            total128_final);
    // Rows of 10,000 accounts and their indexes fit into 64 MiB.
    run("PRAGMA cache_size = -65536");
    if (mode == SqliteMode::read) return;
    run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    // Takes the place of the automatic checkpoint.
    sqlite3_wal_hook(database_, &SqliteConnection::on_commit, this);
}

// Copying the write-ahead log into the database takes as long as the disk likes, and whoever waits
// for a commit should not wait for that too; unless nobody tidies up.
int SqliteConnection::on_commit(void* self, sqlite3* database, const char*, int wal_pages) {
    auto& connection = *static_cast<SqliteConnection*>(self);
    connection.wal_pages_ = wal_pages;
    if (wal_pages < kMostWalPages) return SQLITE_OK;
    // A reader that is in the way is no failure of the commit; the next one tries again.
    sqlite3_wal_checkpoint_v2(database, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    return SQLITE_OK;
}

void SqliteConnection::tidy_up() {
    if (wal_pages_ < kTidyWalPages) return;
    wal_pages_ = 0;
    sqlite3_wal_checkpoint_v2(database_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

SqliteConnection::~SqliteConnection() {
    forget_statements();
    sqlite3_close(database_);
}

void SqliteConnection::run(const std::string& script) {
    if (sqlite3_exec(database_, script.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        throw SqlError(sqlite3_errmsg(database_));
    }
}

void SqliteConnection::begin_write() {
    run("BEGIN IMMEDIATE");
}

// SQLite takes its view with the first read.
void SqliteConnection::begin_read() {
    run("BEGIN; SELECT count(*) FROM sqlite_schema;");
}

void SqliteConnection::commit() {
    run("COMMIT");
}

void SqliteConnection::rollback() noexcept {
    // A failed rollback has been rolled back by SQLite itself already.
    sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
}

int SqliteConnection::schema_version() {
    auto row = prepare("PRAGMA user_version");
    row.step();
    return static_cast<int>(row.row().integer(0));
}

void SqliteConnection::set_schema_version(int version) {
    run(fmt::format("PRAGMA user_version = {}", version));
}

std::unique_ptr<SqlDriverStatement> SqliteConnection::make_statement(const std::string& sql) {
    return std::make_unique<SqliteStatement>(database_, sql);
}

}  // namespace adit::store
