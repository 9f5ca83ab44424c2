// PostgreSQL behind SqlConnection, by libpq. Statements that give no rows are sent ahead in
// pipeline mode and their results are read together, so that a block with thousands of transfers
// does not take as many round trips. One thread at a time.
#pragma once

#include "store/sql_connection.h"

#include <deque>

struct pg_conn;
struct pg_result;

namespace adit::store {

enum class PostgresMode {
    write,
    read,  // refuses to write
};

// Names Adit's locks among all advisory locks of a database: "adit" in ASCII, and "auth".
inline constexpr std::int64_t kPostgresLedgerLock = 0x61646974;
inline constexpr std::int64_t kPostgresAuthLock = 0x61757468;

// The URL for people: without password and options.
std::string postgres_name(const std::string& url);

class PostgresConnection final : public SqlConnection {
 public:
    // `lock` names the advisory lock that writers of the same things take.
    PostgresConnection(const std::string& url, PostgresMode mode,
                       std::int64_t lock = kPostgresLedgerLock);
    ~PostgresConnection() override;
    PostgresConnection(const PostgresConnection&) = delete;
    PostgresConnection& operator=(const PostgresConnection&) = delete;

    SqlDialect dialect() const override { return SqlDialect::postgres; }
    void run(const std::string& script) override;
    void begin_write() override;
    void begin_read() override;
    void commit() override;
    void rollback() noexcept override;
    bool is_lost() const override { return lost_; }
    int schema_version() override;
    void set_schema_version(int version) override;

 private:
    class Statement;
    struct FreeResult {
        void operator()(pg_result* result) const;
    };
    using Result = std::unique_ptr<pg_result, FreeResult>;
    // Something that was sent and is not answered yet.
    struct Sent {
        Statement* prepared = nullptr;  // it is the preparation of this one
        bool commit = false;            // it must say that it committed
    };

    std::unique_ptr<SqlDriverStatement> make_statement(const std::string& sql) override;
    void send(const std::string& sql, bool commit = false);
    void sent(Sent entry);
    // Reads all that was sent; gives the result of the last. Throws the first error.
    Result finish();
    Result read_one(const Sent& entry, std::string& error);
    [[noreturn]] void lose();
    std::string message() const;

    pg_conn* connection_ = nullptr;
    std::int64_t lock_;
    std::deque<Sent> sent_;
    std::uint64_t next_name_ = 0;
    bool lost_ = false;
};

}  // namespace adit::store
