// A thin wrapper of SQLite's C interface. Throws SqliteError, which the stores that use it turn
// into values at their public face. One thread at a time.
#pragma once

#include "base/u256.h"

#include <concepts>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace adit::store {

class SqliteError : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

class SqliteDatabase;

// A prepared statement. Bind by position from 1, step, read columns from 0.
class SqliteStatement {
 public:
    SqliteStatement(SqliteDatabase& database, std::string_view sql);
    ~SqliteStatement();
    SqliteStatement(const SqliteStatement&) = delete;
    SqliteStatement& operator=(const SqliteStatement&) = delete;

    SqliteStatement& bind(std::int64_t value);
    template <std::integral T>
    SqliteStatement& bind(T value) {
        return bind(static_cast<std::int64_t>(value));
    }
    SqliteStatement& bind(std::string_view text);
    SqliteStatement& bind(base::ByteSpan blob);
    SqliteStatement& bind(base::U128 value);  // 16 bytes, most significant first
    // True when there is a row.
    bool step();
    // Runs to the end and makes ready for the next binding.
    void run();
    void reset();

    std::int64_t integer(int column) const;
    std::string text(int column) const;
    base::ByteSpan blob(int column) const;  // until the next step
    base::U128 wide(int column) const;
    template <std::size_t N>
    std::array<std::uint8_t, N> bytes(int column) const {
        std::array<std::uint8_t, N> out{};
        const auto from = blob(column);
        if (from.size() != N) throw SqliteError("a stored value has another size than it must");
        std::copy(from.begin(), from.end(), out.begin());
        return out;
    }

 private:
    void check(int result) const;
    sqlite3* database_;
    sqlite3_stmt* statement_ = nullptr;
    int bound_ = 0;
};

// Opens for writing in WAL mode with synchronous FULL. SQL gets two functions on 16-byte integers:
// add128(a, b) and total128(column), both of which fail on overflow.
class SqliteDatabase {
 public:
    explicit SqliteDatabase(const std::filesystem::path& file);
    ~SqliteDatabase();
    SqliteDatabase(const SqliteDatabase&) = delete;
    SqliteDatabase& operator=(const SqliteDatabase&) = delete;

    void run(const std::string& sql);
    sqlite3* handle() const { return database_; }

 private:
    sqlite3* database_ = nullptr;
};

// Rolls back unless commit() was reached.
class SqliteTransaction {
 public:
    explicit SqliteTransaction(SqliteDatabase& database);
    ~SqliteTransaction();
    SqliteTransaction(const SqliteTransaction&) = delete;
    SqliteTransaction& operator=(const SqliteTransaction&) = delete;
    void commit();

 private:
    SqliteDatabase& database_;
    bool open_ = true;
};

}  // namespace adit::store
