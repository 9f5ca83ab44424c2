// What the ledger needs of a database, whichever it is: prepared statements by text, rows and
// transactions. SQL is written once for SQLite and PostgreSQL: parameters are $1, $2, ... in the
// order of their first use, add128(a, b) and total128(column) add work exactly. Throws SqlError,
// which SqlLedger turns into values. A connection and its statements belong to one thread at a
// time.
#pragma once

#include "base/u256.h"
#include "chain/hash.h"

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace adit::store {

class SqlError : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

enum class SqlDialect { sqlite, postgres };

// A prepared statement of a driver. Parameters are bound in order; columns count from 0.
class SqlDriverStatement {
 public:
    virtual ~SqlDriverStatement() = default;
    virtual void bind(std::int64_t value) = 0;
    virtual void bind(std::string_view text) = 0;  // any bytes
    virtual void bind(base::ByteSpan blob) = 0;
    virtual void bind(base::U128 value) = 0;
    // Runs it to the next row; false: there is none.
    virtual bool step() = 0;
    // Runs it for its effect and makes ready for the next binding. An error may be reported later,
    // at the latest by commit().
    virtual void run() = 0;
    virtual void reset() = 0;

    virtual std::int64_t integer(int column) const = 0;
    virtual base::ByteSpan blob(int column) const = 0;  // or text; valid until the next step
    virtual base::U128 wide(int column) const = 0;
};

// Test only: called before each statement is run or stepped to its next row; may throw.
using SqlWatch = std::function<void()>;

// One use of a prepared statement; ends the use when it goes out of scope.
class SqlStatement {
 public:
    explicit SqlStatement(SqlDriverStatement& statement, const SqlWatch* watch = nullptr)
        : statement_(statement), watch_(watch) {}
    ~SqlStatement() { statement_.reset(); }
    SqlStatement(const SqlStatement&) = delete;
    SqlStatement& operator=(const SqlStatement&) = delete;

    template <std::integral T>
        requires(sizeof(T) <= 8)
    SqlStatement& bind(T value) {
        statement_.bind(static_cast<std::int64_t>(value));
        return *this;
    }
    SqlStatement& bind(std::string_view text) {
        statement_.bind(text);
        return *this;
    }
    SqlStatement& bind(base::ByteSpan blob) {
        statement_.bind(blob);
        return *this;
    }
    SqlStatement& bind(const chain::Hash256& hash) { return bind(base::ByteSpan(hash.bytes)); }
    SqlStatement& bind_wide(base::U128 value) {
        statement_.bind(value);
        return *this;
    }
    bool step() {
        if (watch_ != nullptr) (*watch_)();
        return statement_.step();
    }
    void run() {
        if (watch_ != nullptr) (*watch_)();
        statement_.run();
    }
    const SqlDriverStatement& row() const { return statement_; }

 private:
    SqlDriverStatement& statement_;
    const SqlWatch* watch_;
};

class SqlConnection {
 public:
    virtual ~SqlConnection() = default;
    // At most one use of a text at a time.
    SqlStatement prepare(std::string_view sql);
    // Test only: of all statements that are prepared from now on.
    void watch(SqlWatch watch) { watch_ = std::move(watch); }
    virtual SqlDialect dialect() const = 0;
    // Statements without parameters and rows, separated by semicolons.
    virtual void run(const std::string& script) = 0;

    // Keeps all other writers of this database out until the transaction ends.
    virtual void begin_write() = 0;
    // What is read until the end is of one moment.
    virtual void begin_read() = 0;
    // After an error nobody knows whether it happened.
    virtual void commit() = 0;
    virtual void rollback() noexcept = 0;
    // What the database puts off until its writer has the time.
    virtual void tidy_up() {}
    // Nothing works any more; open another one.
    virtual bool is_lost() const { return false; }

    // 0: the database holds nothing of Adit.
    virtual int schema_version() = 0;
    virtual void set_schema_version(int version) = 0;

 protected:
    virtual std::unique_ptr<SqlDriverStatement> make_statement(const std::string& sql) = 0;
    // Statements must be gone before a driver closes its handle.
    void forget_statements() { statements_.clear(); }

 private:
    std::map<std::string, std::unique_ptr<SqlDriverStatement>, std::less<>> statements_;
    SqlWatch watch_;
};

// Rolls back unless commit() was reached.
class SqlTransaction {
 public:
    explicit SqlTransaction(SqlConnection& connection) : connection_(connection) {
        connection_.begin_write();
    }
    ~SqlTransaction() {
        if (open_) connection_.rollback();
    }
    SqlTransaction(const SqlTransaction&) = delete;
    SqlTransaction& operator=(const SqlTransaction&) = delete;
    void commit() {
        connection_.commit();
        open_ = false;
    }

 private:
    SqlConnection& connection_;
    bool open_ = true;
};

// What is read until it ends is of one moment; nobody waits for it.
class SqlView {
 public:
    explicit SqlView(SqlConnection& connection) : connection_(connection) {
        connection_.begin_read();
    }
    ~SqlView() { connection_.rollback(); }
    SqlView(const SqlView&) = delete;
    SqlView& operator=(const SqlView&) = delete;

 private:
    SqlConnection& connection_;
};

// Decimal digits; nullopt for anything that is no unsigned 128-bit integer.
std::string to_decimal(base::U128 value);
std::optional<base::U128> from_decimal(std::string_view digits);

}  // namespace adit::store
