// The tables of the ledger database (docs/ledger.md) and how older ones become today's. Called once
// a connection by SqlLedger; throws SqlError.
#pragma once

#include "store/sql_connection.h"

namespace adit::store {

// 1: slices, totals, names and blocks of one instance, in SQLite only. 2: blocks know whom their
// coinbase pays. 3: instances and the double-entry ledger. 4: transfers are found by their time.
inline constexpr int kLedgerSchemaVersion = 4;

// Creation of tables in the dialect's words: INT for 64-bit integers, WORK for unsigned 128-bit
// integers, BLOB and TEXT for bytes; COMPACT tables are stored in the order of their key.
std::string in_dialect(SqlDialect dialect, std::string_view tables);

// Creates the tables in an empty database and migrates older ones, in one transaction; refuses what
// a newer program wrote.
void bring_up_to_date(SqlConnection& connection);
// The same check without a change, for readers: also refuses older and empty databases.
void expect_up_to_date(SqlConnection& connection);

}  // namespace adit::store
