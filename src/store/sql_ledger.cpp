#include "store/sql_ledger.h"

#include "store/postgres_connection.h"
#include "store/sql_schema.h"
#include "store/sql_session.h"
#include "store/sqlite_connection.h"

namespace adit::store {

std::string ledger_database(const std::string& configured, const std::filesystem::path& data_dir) {
    return configured == "sqlite" ? (data_dir / "ledger.sqlite").string() : configured;
}

bool is_postgres_url(std::string_view database) {
    return database.starts_with("postgresql:") || database.starts_with("postgres:");
}

SqlLedger::SqlLedger(SqlLedgerSettings settings)
    : settings_(std::move(settings)),
      name_(is_postgres_url(settings_.database) ? postgres_name(settings_.database)
                                                : settings_.database) {}

SqlLedger::~SqlLedger() = default;

ledger::Stored<std::unique_ptr<SqlLedger>> SqlLedger::open(SqlLedgerSettings settings) {
    std::unique_ptr<SqlLedger> opened(new SqlLedger(std::move(settings)));
    const bool to_write = !opened->settings_.read_only;
    auto& session = to_write ? opened->writer_ : opened->reader_;
    const auto ready = opened->with(session, to_write, [](SqlConnection&) {});
    if (!ready) return std::unexpected(ready.error());
    return opened;
}

ledger::Stored<std::unique_ptr<SqlLedger>> SqlLedger::snapshot() {
    auto settings = settings_;
    settings.read_only = true;
    auto view = open(std::move(settings));
    if (!view) return view;
    (*view)->is_snapshot_ = true;
    const auto begun = (*view)->ask([](SqlConnection& connection) { connection.begin_read(); });
    if (!begun) return std::unexpected(begun.error());
    return view;
}

std::unique_ptr<SqlConnection> SqlLedger::connect(bool to_write) const {
    std::unique_ptr<SqlConnection> connection;
    if (is_postgres_url(settings_.database)) {
        connection = std::make_unique<PostgresConnection>(
            settings_.database, to_write ? PostgresMode::write : PostgresMode::read);
    } else {
        connection = std::make_unique<SqliteConnection>(
            settings_.database, to_write ? SqliteMode::write : SqliteMode::read);
    }
    to_write ? bring_up_to_date(*connection) : expect_up_to_date(*connection);
    if (to_write && settings_.fail_statement) {
        connection->watch([this] {
            if (!settings_.fail_statement()) throw SqlError("stopped by a test");
        });
    }
    return connection;
}

SqlConnection& SqlLedger::ready(Session& session, bool to_write) {
    if (session.connection && session.connection->is_lost()) {
        // Another connection would see another moment.
        if (is_snapshot_) throw SqlError("the connection of this snapshot is lost; take a new one");
        session.connection.reset();
    }
    if (!session.connection) session.connection = connect(to_write);
    return *session.connection;
}

}  // namespace adit::store
