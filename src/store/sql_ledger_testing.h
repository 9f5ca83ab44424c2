// Empty databases of both kinds for tests of the SQL ledger, and what is put into them. Tests only.
#pragma once

#include "store/postgres_testing.h"
#include "store/sql_ledger.h"
#include "store/sqlite_connection.h"

#include <gmock/gmock.h>

namespace adit::store::testing {

// One database that is empty at first.
class EmptyDatabase {
 public:
    explicit EmptyDatabase(SqlDialect dialect)
        : name_(dialect == SqlDialect::sqlite ? (dir_.path() / "ledger.sqlite").string()
                                              : PostgresServer::instance().create_database()) {}
    const std::string& name() const { return name_; }
    std::unique_ptr<SqlConnection> connect() const {
        if (is_postgres_url(name_)) {
            return std::make_unique<PostgresConnection>(name_, PostgresMode::write);
        }
        return std::make_unique<SqliteConnection>(name_, SqliteMode::write);
    }

 private:
    TemporaryDir dir_;
    std::string name_;
};

// Runs a test on SQLite and on PostgreSQL.
class SqlLedgerTest : public ::testing::TestWithParam<SqlDialect> {
 protected:
    SqlLedgerSettings settings(ledger::InstanceId instance = 0) const {
        SqlLedgerSettings settings;
        settings.database = database_.name();
        settings.instance = instance;
        settings.keep_worker_slices_s = 7'200;
        return settings;
    }
    std::unique_ptr<SqlLedger> open() const { return open(settings()); }
    static std::unique_ptr<SqlLedger> open(const SqlLedgerSettings& settings) {
        auto opened = SqlLedger::open(settings);
        if (!opened) throw std::runtime_error(opened.error());
        return std::move(*opened);
    }
    EmptyDatabase database_{GetParam()};
};

inline std::string dialect_name(const ::testing::TestParamInfo<SqlDialect>& param) {
    return param.param == SqlDialect::sqlite ? "Sqlite" : "Postgres";
}

inline chain::Hash256 hash_of(std::uint32_t number) {
    std::array<std::uint8_t, 4> bytes;
    base::store_le(bytes.data(), number);
    return chain::sha256(bytes);
}

inline ledger::FoundBlock found_block(std::uint32_t number, const ledger::FoldPoint& at,
                                      ledger::SliceKey slice) {
    ledger::FoundBlock found;
    found.block.hash = hash_of(number);
    found.block.height = 5;
    found.block.bits = 0x207fffff;
    found.block.job = 1;
    found.block.account = 1;
    found.block.worker = 1;
    found.block.coinbase_value_sat = 50;
    found.block.found_wall_ms = 77;
    found.block.file = "f";
    found.position = at.log.position;
    found.time_ms = slice.start_s * 1'000;
    found.slice = slice;
    return found;
}

// A delta of two accounts, one worker each, and a block.
inline ledger::TallyDelta delta_from(const ledger::FoldPoint& before, std::int64_t start_s) {
    ledger::TallyDelta delta;
    delta.before = before;
    delta.after = before;
    delta.after.log_id[0] = 7;
    delta.after.log.position += 1'000;
    delta.after.log.chain.bytes[0] += 1;
    const auto sequence = before.slice.start_s == start_s ? before.slice.sequence : 0;
    delta.after.slice = {start_s, sequence + 1};
    delta.after.time_ms = start_s * 1'000;
    const ledger::SliceKey slice{start_s, 0};
    // Above 64 bits.
    delta.slices[{slice, 1}] = {chain::Work{1} << 100, 3, 1};
    delta.slices[{slice, 2}] = {5, 1, 0};
    delta.workers[{start_s, 1}] = {chain::Work{1} << 100, 3, 1};
    delta.workers[{start_s, 2}] = {5, 1, 0};
    delta.accounts = {{1, "alice"}, {2, "bob"}};
    delta.worker_names = {{1, 1, "rig"}, {2, 2, ""}};
    const auto number = static_cast<std::uint32_t>(delta.after.log.position);
    const auto found = found_block(number, before, {start_s, sequence});
    delta.facts.push_back({found, found.position, found.time_ms});
    delta.shares = 4;
    return delta;
}

inline ledger::FoundBlock block_in(const ledger::TallyDelta& delta) {
    return std::get<ledger::FoundBlock>(delta.facts.at(0).what);
}

}  // namespace adit::store::testing
