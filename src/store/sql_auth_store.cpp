#include "store/sql_auth_store.h"

#include "store/postgres_connection.h"
#include "store/sql_auth_schema.h"
#include "store/sql_auth_session.h"
#include "store/sql_ledger.h"
#include "store/sql_rows.h"
#include "store/sqlite_connection.h"

#include <cstdlib>
#include <sys/stat.h>
#include <unistd.h>

namespace adit::store {
namespace {

using auth::SigningKey;
using auth::UserId;
using auth::UserRow;

constexpr std::string_view kUserColumns =
    "id, name, role, disabled, password_hash, created_ms, changed_ms, second_factor, totp_secret, "
    "totp_used_step, backup_codes";

UserRow read_user(const SqlStatement& statement) {
    RowReader from(statement);
    UserRow user;
    user.id = from.integer<std::int64_t>();
    user.name = from.text();
    user.role = from.enumerator(auth::Role::admin);
    user.disabled = from.flag();
    user.password_hash = from.text();
    user.created_ms = from.integer<std::int64_t>();
    user.changed_ms = from.integer<std::int64_t>();
    user.second_factor = from.enumerator(auth::SecondFactor::on);
    user.totp_secret = from.blob();
    user.totp_used_step = from.integer<std::int64_t>();
    const auto codes = from.blob();
    if (codes.size() % sizeof(auth::Digest) != 0) throw SqlError("stored backup codes are cut");
    base::ByteReader reader(codes);
    while (reader.left() > 0) {
        auth::Digest digest;
        std::ranges::copy(reader.take(digest.bytes.size()), digest.bytes.begin());
        user.backup_codes.push_back(digest);
    }
    return user;
}

void write_user(SqlConnection& connection, const UserRow& user) {
    base::Bytes codes;
    for (const auto& digest : user.backup_codes)
        base::append(codes, digest.bytes);
    static const auto kUpsert = upsert_of("auth_users", kUserColumns, 1);
    connection.prepare(kUpsert)
        .bind(user.id)
        .bind(user.name)
        .bind(static_cast<int>(user.role))
        .bind(user.disabled ? 1 : 0)
        .bind(user.password_hash)
        .bind(user.created_ms)
        .bind(user.changed_ms)
        .bind(static_cast<int>(user.second_factor))
        .bind(base::ByteSpan(user.totp_secret))
        .bind(user.totp_used_step)
        .bind(base::ByteSpan(codes))
        .run();
}

std::optional<UserRow> find_user(SqlConnection& connection, UserId id) {
    static const auto kSelect =
        fmt::format("SELECT {} FROM auth_users WHERE id = $1", kUserColumns);
    auto rows = connection.prepare(kSelect);
    rows.bind(id);
    if (!rows.step()) return std::nullopt;
    return read_user(rows);
}

std::optional<UserRow> find_user_named(SqlConnection& connection, std::string_view name) {
    static const auto kSelect =
        fmt::format("SELECT {} FROM auth_users WHERE name = $1", kUserColumns);
    auto rows = connection.prepare(kSelect);
    rows.bind(name);
    if (!rows.step()) return std::nullopt;
    return read_user(rows);
}

UserId insert_user(SqlConnection& connection, const UserRow& user) {
    auto row = user;
    row.id = next_auth_id(connection);
    write_user(connection, row);
    return row.id;
}

// Enabled admins other than this one.
std::int64_t admins_but(SqlConnection& connection, UserId id) {
    auto count = connection.prepare(
        "SELECT count(*) FROM auth_users WHERE role = $1 AND disabled = 0 AND id <> $2");
    count.bind(static_cast<int>(auth::Role::admin)).bind(id);
    count.step();
    return count.row().integer(0);
}

// Only the pool's own user may look into the file, before anything is in it. The file gets its name
// when nobody here holds it open any more: closing it would end the locks that SQLite has on it.
void make_private(const std::string& file) {
    const auto failed = [](std::string_view what) {
        return SqlError(fmt::format("cannot {} the file: {}", what, std::strerror(errno)));
    };
    if (::chmod(file.c_str(), 0600) == 0) return;
    if (errno != ENOENT) throw failed("make private (mode 0600)");
    auto fresh = file + ".XXXXXX";
    const int made = ::mkstemp(fresh.data());
    if (made < 0) throw failed("create");
    ::close(made);
    const bool named = ::link(fresh.c_str(), file.c_str()) == 0 || errno == EEXIST;
    const auto error = named ? std::optional<SqlError>() : failed("name");
    ::unlink(fresh.c_str());
    if (error) throw *error;
}

std::optional<SigningKey> find_signing_key(SqlConnection& connection) {
    auto rows = connection.prepare("SELECT id, seed, created_ms FROM auth_signing_key");
    if (!rows.step()) return std::nullopt;
    RowReader from(rows);
    SigningKey key;
    key.id = from.text();
    key.seed = from.bytes<32>();
    key.created_ms = from.integer<std::int64_t>();
    return key;
}

void write_signing_key(SqlConnection& connection, const SigningKey& key) {
    static const auto kUpsert = upsert_of("auth_signing_key", "place, id, seed, created_ms", 1);
    connection.prepare(kUpsert)
        .bind(1)
        .bind(key.id)
        .bind(base::ByteSpan(key.seed))
        .bind(key.created_ms)
        .run();
}

}  // namespace

std::int64_t next_auth_id(SqlConnection& connection) {
    connection.prepare("UPDATE auth_ids SET last = last + 1").run();
    auto row = connection.prepare("SELECT last FROM auth_ids");
    if (!row.step()) throw SqlError("the table of numbers is empty");
    return row.row().integer(0);
}

std::string auth_database(const std::string& ledger, const std::filesystem::path& data_dir) {
    return is_postgres_url(ledger) ? ledger : (data_dir / "auth.db").string();
}

SqlAuthStore::SqlAuthStore(std::string database)
    : database_(std::move(database)),
      name_(is_postgres_url(database_) ? postgres_name(database_) : database_) {}

SqlAuthStore::~SqlAuthStore() = default;

auth::Stored<std::unique_ptr<SqlAuthStore>> SqlAuthStore::open(std::string database) {
    std::unique_ptr<SqlAuthStore> opened(new SqlAuthStore(std::move(database)));
    const auto ready = opened->with(opened->writer_, true, [](SqlConnection&) {});
    if (!ready) return std::unexpected(ready.error());
    return opened;
}

std::unique_ptr<SqlConnection> SqlAuthStore::connect(bool to_write) const {
    std::unique_ptr<SqlConnection> connection;
    if (is_postgres_url(database_)) {
        connection = std::make_unique<PostgresConnection>(
            database_, to_write ? PostgresMode::write : PostgresMode::read, kPostgresAuthLock);
    } else {
        if (to_write) make_private(database_);
        connection = std::make_unique<SqliteConnection>(
            database_, to_write ? SqliteMode::write : SqliteMode::read);
    }
    if (to_write) bring_auth_up_to_date(*connection);
    return connection;
}

auth::Stored<std::optional<UserId>> SqlAuthStore::add_user(const UserRow& user) {
    return write([&](SqlConnection& connection) {
        return find_user_named(connection, user.name)
                   ? std::nullopt
                   : std::optional(insert_user(connection, user));
    });
}

auth::Stored<std::optional<UserId>> SqlAuthStore::add_first_admin(const UserRow& user) {
    return write([&](SqlConnection& connection) -> std::optional<UserId> {
        if (admins_but(connection, 0) != 0 || find_user_named(connection, user.name)) {
            return std::nullopt;
        }
        return insert_user(connection, user);
    });
}

auth::Stored<std::optional<UserRow>> SqlAuthStore::user(UserId id) {
    return ask([&](SqlConnection& connection) { return find_user(connection, id); });
}

auth::Stored<std::optional<UserRow>> SqlAuthStore::user_named(std::string_view name) {
    return ask([&](SqlConnection& connection) { return find_user_named(connection, name); });
}

auth::Stored<std::vector<UserRow>> SqlAuthStore::users() {
    return ask([&](SqlConnection& connection) {
        static const auto kSelect =
            fmt::format("SELECT {} FROM auth_users ORDER BY id", kUserColumns);
        std::vector<UserRow> users;
        auto rows = connection.prepare(kSelect);
        while (rows.step())
            users.push_back(read_user(rows));
        return users;
    });
}

auth::Stored<bool> SqlAuthStore::change_user(UserId id, const UserChange& change) {
    return write([&](SqlConnection& connection) {
        auto user = find_user(connection, id);
        if (!user) return false;
        const auto other_admins = admins_but(connection, id);
        if (!change(*user, other_admins)) return false;
        write_user(connection, *user);
        return true;
    });
}

auth::Stored<SigningKey> SqlAuthStore::signing_key_or(const SigningKey& fresh) {
    auto standing = ask([](SqlConnection& connection) { return find_signing_key(connection); });
    if (!standing) return std::unexpected(standing.error());
    if (*standing) return std::move(**standing);
    return write([&](SqlConnection& connection) {
        if (auto key = find_signing_key(connection)) return *key;
        write_signing_key(connection, fresh);
        return fresh;
    });
}

auth::Stored<void> SqlAuthStore::replace_signing_key(const SigningKey& fresh, std::int64_t now_ms) {
    return write([&](SqlConnection& connection) {
        write_signing_key(connection, fresh);
        connection.prepare("UPDATE auth_sessions SET revoked_ms = $1 WHERE revoked_ms = 0")
            .bind(now_ms)
            .run();
    });
}

}  // namespace adit::store
