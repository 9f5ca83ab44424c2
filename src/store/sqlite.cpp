#include "store/sqlite.h"

#include <sqlite3.h>

namespace adit::store {
namespace {

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

}  // namespace

SqliteDatabase::SqliteDatabase(const std::filesystem::path& file) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(file.c_str(), &database_, flags, nullptr) != SQLITE_OK) {
        const std::string why =
            database_ == nullptr ? "no memory" : std::string(sqlite3_errmsg(database_));
        sqlite3_close(database_);
        throw SqliteError("cannot open: " + why);
    }
    try {
        sqlite3_busy_timeout(database_, 5'000);
        const int pure = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
        sqlite3_create_function(database_, "add128", 2, pure, nullptr, add128, nullptr, nullptr);
        sqlite3_create_function(database_, "total128", 1, pure, nullptr, nullptr, total128_step,
                                total128_final);
        run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    } catch (...) {
        sqlite3_close(database_);
        throw;
    }
}

SqliteDatabase::~SqliteDatabase() {
    sqlite3_close(database_);
}

void SqliteDatabase::run(const std::string& sql) {
    if (sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        throw SqliteError(sqlite3_errmsg(database_));
    }
}

SqliteStatement::SqliteStatement(SqliteDatabase& database, std::string_view sql)
    : database_(database.handle()) {
    check(sqlite3_prepare_v2(database_, sql.data(), static_cast<int>(sql.size()), &statement_,
                             nullptr));
}

SqliteStatement::~SqliteStatement() {
    sqlite3_finalize(statement_);
}

SqliteStatement& SqliteStatement::bind(std::int64_t value) {
    check(sqlite3_bind_int64(statement_, ++bound_, value));
    return *this;
}

SqliteStatement& SqliteStatement::bind(std::string_view text) {
    check(sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()),
                            SQLITE_TRANSIENT));
    return *this;
}

SqliteStatement& SqliteStatement::bind(base::ByteSpan blob) {
    check(sqlite3_bind_blob(statement_, ++bound_, blob.data(), static_cast<int>(blob.size()),
                            SQLITE_TRANSIENT));
    return *this;
}

SqliteStatement& SqliteStatement::bind(U128 value) {
    return bind(base::ByteSpan(to_blob(value)));
}

bool SqliteStatement::step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) throw SqliteError(sqlite3_errmsg(database_));
    return false;
}

void SqliteStatement::run() {
    while (step()) {
    }
    reset();
}

void SqliteStatement::reset() {
    sqlite3_reset(statement_);
    bound_ = 0;
}

std::int64_t SqliteStatement::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}

std::string SqliteStatement::text(int column) const {
    return std::string(base::as_text(blob(column)));
}

base::ByteSpan SqliteStatement::blob(int column) const {
    const auto* at = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
    return {at, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

U128 SqliteStatement::wide(int column) const {
    return from_blob(bytes<16>(column).data());
}

void SqliteStatement::check(int code) const {
    if (code != SQLITE_OK) throw SqliteError(sqlite3_errmsg(database_));
}

SqliteTransaction::SqliteTransaction(SqliteDatabase& database) : database_(database) {
    database_.run("BEGIN IMMEDIATE");
}

SqliteTransaction::~SqliteTransaction() {
    if (!open_) return;
    // A failed rollback has been rolled back by SQLite itself already.
    sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void SqliteTransaction::commit() {
    database_.run("COMMIT");
    open_ = false;
}

}  // namespace adit::store
