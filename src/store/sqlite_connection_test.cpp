#include "store/sqlite_connection.h"

#include "store/tally_test_support.h"

#include <gtest/gtest.h>

namespace adit::store {
namespace {

// A commit must not wait until what was written before is copied; that is for whoever has the time.
TEST(SqliteConnection, CopiesTheWriteAheadLogWhenItTidiesUpAndNotBefore) {
    const testing::TemporaryDir dir;
    const auto file = dir.path() / "ledger.sqlite";
    SqliteConnection connection(file, SqliteMode::write);
    connection.run("CREATE TABLE t (id INTEGER PRIMARY KEY, bytes BLOB)");
    connection.tidy_up();
    const auto add = [&](int megabytes) {
        for (int i = 0; i < megabytes; ++i) {
            SqlTransaction transaction(connection);
            connection.run("INSERT INTO t (bytes) VALUES (zeroblob(1048576))");
            transaction.commit();
        }
    };
    add(10);
    connection.tidy_up();
    EXPECT_LT(std::filesystem::file_size(file), 1u << 20) << "not yet worth it";
    add(20);
    EXPECT_LT(std::filesystem::file_size(file), 1u << 20) << "commits copy nothing";
    connection.tidy_up();
    EXPECT_GT(std::filesystem::file_size(file), 30u << 20);
    // What was copied makes room in the write-ahead log.
    const auto wal = std::filesystem::file_size(file.string() + "-wal");
    add(10);
    EXPECT_LE(std::filesystem::file_size(file.string() + "-wal"), wal);
}

TEST(SqliteConnection, CopiesAtACommitWhenNobodyEverTidiesUp) {
    const testing::TemporaryDir dir;
    const auto file = dir.path() / "ledger.sqlite";
    SqliteConnection connection(file, SqliteMode::write);
    connection.run("CREATE TABLE t (id INTEGER PRIMARY KEY, bytes BLOB)");
    for (int i = 0; i < 5; ++i)
        connection.run("INSERT INTO t (bytes) VALUES (zeroblob(33554432))");
    EXPECT_GT(std::filesystem::file_size(file), 100u << 20);
    EXPECT_LT(std::filesystem::file_size(file.string() + "-wal"), 200u << 20);
}

}  // namespace
}  // namespace adit::store
