// How SqlLedger's calls run on a connection. Internal to its .cpp files.
#pragma once

#include "store/sql_connection.h"
#include "store/sql_ledger.h"

namespace adit::store {

template <class Work>
auto SqlLedger::with(Session& session, bool to_write, Work work)
    -> Stored<decltype(work(std::declval<SqlConnection&>()))> {
    const std::lock_guard lock(session.mutex);
    try {
        auto& connection = ready(session, to_write);
        if constexpr (std::is_void_v<decltype(work(connection))>) {
            work(connection);
            return {};
        } else {
            return work(connection);
        }
    } catch (const SqlError& error) {
        return std::unexpected(fmt::format("ledger {}: {}", name_, error.what()));
    }
}

}  // namespace adit::store
