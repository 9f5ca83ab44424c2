// SQLite behind SqlConnection. Opens in WAL mode with synchronous FULL, so that readers, also those
// of other processes, work beside the writer. One thread at a time.
#pragma once

#include "store/sql_connection.h"

#include <filesystem>

struct sqlite3;

namespace adit::store {

enum class SqliteMode {
    write,  // creates the file when it is missing
    read,   // refuses to write
};

class SqliteConnection final : public SqlConnection {
 public:
    SqliteConnection(const std::filesystem::path& file, SqliteMode mode);
    ~SqliteConnection() override;
    SqliteConnection(const SqliteConnection&) = delete;
    SqliteConnection& operator=(const SqliteConnection&) = delete;

    SqlDialect dialect() const override { return SqlDialect::sqlite; }
    void run(const std::string& script) override;
    void begin_write() override;
    void begin_read() override;
    void commit() override;
    void rollback() noexcept override;
    // Copies a long write-ahead log into the database; commit() leaves that to this.
    void tidy_up() override;
    int schema_version() override;
    void set_schema_version(int version) override;

 private:
    std::unique_ptr<SqlDriverStatement> make_statement(const std::string& sql) override;
    void configure(SqliteMode mode);
    static int on_commit(void* self, sqlite3* database, const char* name, int wal_pages);
    sqlite3* database_ = nullptr;
    int wal_pages_ = 0;  // after the last commit, if it was not tidied up since
};

}  // namespace adit::store
