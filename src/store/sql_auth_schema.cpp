#include "store/sql_auth_schema.h"

#include "store/sql_schema.h"

namespace adit::store {
namespace {

constexpr std::string_view kTables = R"(
CREATE TABLE auth_ids (last INT NOT NULL);
INSERT INTO auth_ids VALUES (0);
CREATE TABLE auth_users (id INT PRIMARY KEY, name TEXT NOT NULL UNIQUE, role INT NOT NULL,
    disabled INT NOT NULL, password_hash TEXT NOT NULL, created_ms INT NOT NULL,
    changed_ms INT NOT NULL, second_factor INT NOT NULL, totp_secret BLOB NOT NULL,
    totp_used_step INT NOT NULL, backup_codes BLOB NOT NULL);
CREATE TABLE auth_sessions (id BLOB PRIMARY KEY, number INT NOT NULL, user_id INT NOT NULL,
    refresh BLOB NOT NULL, created_ms INT NOT NULL, used_ms INT NOT NULL, expires_ms INT NOT NULL,
    ends_ms INT NOT NULL, revoked_ms INT NOT NULL, peer TEXT NOT NULL);
CREATE INDEX auth_sessions_by_user ON auth_sessions (user_id, number);
CREATE TABLE auth_api_keys (id INT PRIMARY KEY, user_id INT NOT NULL, name TEXT NOT NULL,
    api_key BLOB NOT NULL UNIQUE, scopes INT NOT NULL, created_ms INT NOT NULL,
    expires_ms INT NOT NULL, revoked_ms INT NOT NULL);
CREATE INDEX auth_api_keys_by_user ON auth_api_keys (user_id, id);
CREATE TABLE auth_signing_key (place INT PRIMARY KEY, id TEXT NOT NULL, seed BLOB NOT NULL,
    created_ms INT NOT NULL);
CREATE TABLE auth_events (id INT PRIMARY KEY, at_ms INT NOT NULL, kind INT NOT NULL,
    user_id INT NOT NULL, subject TEXT NOT NULL, peer TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX auth_events_by_time ON auth_events (at_ms);
CREATE TABLE auth_changes (id INT PRIMARY KEY, address TEXT NOT NULL, setting TEXT NOT NULL,
    new_value TEXT NOT NULL, created_ms INT NOT NULL, apply_at_ms INT NOT NULL,
    state INT NOT NULL);
CREATE INDEX auth_changes_by_address ON auth_changes (address, id);
CREATE INDEX auth_changes_by_state ON auth_changes (state, apply_at_ms);
CREATE TABLE auth_nonces (nonce BLOB PRIMARY KEY, expires_ms INT NOT NULL);
CREATE INDEX auth_nonces_by_time ON auth_nonces (expires_ms);
)";

bool is_there(SqlConnection& connection) {
    constexpr std::string_view kSqlite =
        "SELECT count(*) FROM sqlite_schema WHERE name = 'auth_schema'";
    constexpr std::string_view kPostgres =
        "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('auth_schema')";
    auto row = connection.prepare(connection.dialect() == SqlDialect::sqlite ? kSqlite : kPostgres);
    row.step();
    return row.row().integer(0) != 0;
}

void refuse_newer(int version) {
    if (version <= kAuthSchemaVersion) return;
    throw SqlError(fmt::format(
        "they were written by a newer Adit (schema {}, this program knows {}): use that one",
        version, kAuthSchemaVersion));
}

}  // namespace

int auth_schema_version(SqlConnection& connection) {
    if (!is_there(connection)) return 0;
    auto row = connection.prepare("SELECT version FROM auth_schema");
    return row.step() ? static_cast<int>(row.row().integer(0)) : 0;
}

void set_auth_schema_version(SqlConnection& connection, int version) {
    connection.run(
        fmt::format("DELETE FROM auth_schema; INSERT INTO auth_schema VALUES ({});", version));
}

void bring_auth_up_to_date(SqlConnection& connection) {
    auto version = auth_schema_version(connection);
    refuse_newer(version);
    if (version == kAuthSchemaVersion) return;
    SqlTransaction transaction(connection);
    // Another program may have been here while this one waited for the lock.
    version = auth_schema_version(connection);
    refuse_newer(version);
    if (version == kAuthSchemaVersion) return;
    connection.run(
        in_dialect(connection.dialect(), "CREATE TABLE auth_schema (version INT NOT NULL);"));
    connection.run(in_dialect(connection.dialect(), kTables));
    set_auth_schema_version(connection, kAuthSchemaVersion);
    transaction.commit();
}

}  // namespace adit::store
