// The tables of the accounts and how older ones become today's. They may share a PostgreSQL
// database with the ledger, so their version stands in a table of their own. Called once a
// connection by SqlAuthStore; throws SqlError.
#pragma once

#include "store/sql_connection.h"

namespace adit::store {

// 1: users, sessions, API keys, the signing key, events, claimed settings.
inline constexpr int kAuthSchemaVersion = 1;

// 0: the database holds no accounts.
int auth_schema_version(SqlConnection& connection);
void set_auth_schema_version(SqlConnection& connection, int version);

// Creates the tables where there are none, in one transaction; refuses what a newer program wrote.
void bring_auth_up_to_date(SqlConnection& connection);

}  // namespace adit::store
