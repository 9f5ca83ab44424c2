// How SqlAuthStore's calls run on a connection. Internal to its .cpp files.
#pragma once

#include "store/sql_auth_store.h"
#include "store/sql_connection.h"

namespace adit::store {

template <class Work>
auto SqlAuthStore::with(Session& session, bool to_write, Work work)
    -> Stored<decltype(work(std::declval<SqlConnection&>()))> {
    const std::lock_guard lock(session.mutex);
    try {
        if (session.connection && session.connection->is_lost()) session.connection.reset();
        if (!session.connection) session.connection = connect(to_write);
        auto& connection = *session.connection;
        if constexpr (std::is_void_v<decltype(work(connection))>) {
            work(connection);
            return {};
        } else {
            return work(connection);
        }
    } catch (const SqlError& error) {
        return std::unexpected(fmt::format("accounts {}: {}", name_, error.what()));
    }
}

template <class Work>
auto SqlAuthStore::write(Work work) {
    return with(writer_, true, [&](SqlConnection& connection) {
        SqlTransaction transaction(connection);
        if constexpr (std::is_void_v<decltype(work(connection))>) {
            work(connection);
            transaction.commit();
        } else {
            auto result = work(connection);
            transaction.commit();
            return result;
        }
    });
}

// The next number of all rows that are numbered. In a transaction.
std::int64_t next_auth_id(SqlConnection& connection);

}  // namespace adit::store
