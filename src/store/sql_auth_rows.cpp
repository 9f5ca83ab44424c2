// Sessions, API keys, events and claimed settings of SqlAuthStore.
#include "store/sql_auth_session.h"
#include "store/sql_rows.h"

namespace adit::store {
namespace {

using auth::ApiKeyRow;
using auth::ChangeState;
using auth::Event;
using auth::PendingChange;
using auth::SessionRow;

constexpr std::string_view kSessionColumns =
    "id, number, user_id, refresh, created_ms, used_ms, expires_ms, ends_ms, revoked_ms, peer";
constexpr std::string_view kKeyColumns =
    "id, user_id, name, api_key, scopes, created_ms, expires_ms, revoked_ms";
constexpr std::string_view kEventColumns = "id, at_ms, kind, user_id, subject, peer, detail";
constexpr std::string_view kChangeColumns =
    "id, address, setting, new_value, created_ms, apply_at_ms, state";

SessionRow read_session(const SqlStatement& statement) {
    RowReader from(statement);
    SessionRow session;
    session.id = from.hash();
    session.number = from.integer<std::int64_t>();
    session.user = from.integer<std::int64_t>();
    session.refresh = from.hash();
    session.created_ms = from.integer<std::int64_t>();
    session.used_ms = from.integer<std::int64_t>();
    session.expires_ms = from.integer<std::int64_t>();
    session.ends_ms = from.integer<std::int64_t>();
    session.revoked_ms = from.integer<std::int64_t>();
    session.peer = from.text();
    return session;
}

void write_session(SqlConnection& connection, const SessionRow& session) {
    static const auto kUpsert = upsert_of("auth_sessions", kSessionColumns, 1);
    connection.prepare(kUpsert)
        .bind(session.id)
        .bind(session.number)
        .bind(session.user)
        .bind(session.refresh)
        .bind(session.created_ms)
        .bind(session.used_ms)
        .bind(session.expires_ms)
        .bind(session.ends_ms)
        .bind(session.revoked_ms)
        .bind(session.peer)
        .run();
}

std::optional<SessionRow> find_session(SqlConnection& connection, const auth::Digest& id) {
    static const auto kSelect =
        fmt::format("SELECT {} FROM auth_sessions WHERE id = $1", kSessionColumns);
    auto rows = connection.prepare(kSelect);
    rows.bind(id);
    if (!rows.step()) return std::nullopt;
    return read_session(rows);
}

bool may_log_in(SqlConnection& connection, auth::UserId user, const std::string& password_hash) {
    auto count = connection.prepare(
        "SELECT count(*) FROM auth_users WHERE id = $1 AND password_hash = $2 AND disabled = 0");
    count.bind(user).bind(password_hash);
    count.step();
    return count.row().integer(0) == 1;
}

ApiKeyRow read_key(const SqlStatement& statement) {
    RowReader from(statement);
    ApiKeyRow key;
    key.id = from.integer<std::int64_t>();
    key.user = from.integer<std::int64_t>();
    key.name = from.text();
    key.key = from.hash();
    key.scopes = auth::Permissions::from_bits(from.integer<std::uint32_t>());
    key.created_ms = from.integer<std::int64_t>();
    key.expires_ms = from.integer<std::int64_t>();
    key.revoked_ms = from.integer<std::int64_t>();
    return key;
}

Event read_event(const SqlStatement& statement) {
    RowReader from(statement);
    Event event;
    event.id = from.integer<std::int64_t>();
    event.at_ms = from.integer<std::int64_t>();
    event.kind = from.enumerator(auth::EventKind::change_cancelled);
    event.user = from.integer<std::int64_t>();
    event.subject = from.text();
    event.peer = from.text();
    event.detail = from.text();
    return event;
}

PendingChange read_change(const SqlStatement& statement) {
    RowReader from(statement);
    PendingChange change;
    change.id = from.integer<std::int64_t>();
    change.address = from.text();
    change.setting = from.text();
    change.value = from.text();
    change.created_ms = from.integer<std::int64_t>();
    change.apply_at_ms = from.integer<std::int64_t>();
    change.state = from.enumerator(ChangeState::cancelled);
    return change;
}

std::int64_t count_of(SqlStatement& count) {
    count.step();
    return count.row().integer(0);
}

int state_of(ChangeState state) {
    return static_cast<int>(state);
}

}  // namespace

auth::Stored<bool> SqlAuthStore::add_session(const SessionRow& session,
                                             const std::string& password_hash, std::int64_t most) {
    return write([&](SqlConnection& connection) {
        if (!may_log_in(connection, session.user, password_hash)) return false;
        auto row = session;
        row.number = next_auth_id(connection);
        write_session(connection, row);
        connection
            .prepare(
                "DELETE FROM auth_sessions WHERE user_id = $1 AND number NOT IN "
                "(SELECT number FROM auth_sessions WHERE user_id = $1 "
                "ORDER BY number DESC LIMIT $2)")
            .bind(session.user)
            .bind(most)
            .run();
        return true;
    });
}

auth::Stored<std::optional<SessionRow>> SqlAuthStore::session(const Digest& id) {
    return ask([&](SqlConnection& connection) { return find_session(connection, id); });
}

auth::Stored<bool> SqlAuthStore::change_session(const Digest& id, const SessionChange& change) {
    return write([&](SqlConnection& connection) {
        auto session = find_session(connection, id);
        if (!session || !change(*session)) return false;
        write_session(connection, *session);
        return true;
    });
}

auth::Stored<void> SqlAuthStore::revoke_sessions(UserId user, std::int64_t now_ms) {
    return write([&](SqlConnection& connection) {
        connection
            .prepare(
                "UPDATE auth_sessions SET revoked_ms = $1 WHERE user_id = $2 AND "
                "revoked_ms = 0")
            .bind(now_ms)
            .bind(user)
            .run();
    });
}

auth::Stored<std::optional<std::int64_t>> SqlAuthStore::add_api_key(const ApiKeyRow& key,
                                                                    std::int64_t most) {
    return write([&](SqlConnection& connection) -> std::optional<std::int64_t> {
        {
            auto count = connection.prepare(
                "SELECT count(*) FROM auth_api_keys WHERE user_id = $1 AND revoked_ms = 0 AND "
                "(expires_ms = 0 OR expires_ms > $2)");
            count.bind(key.user).bind(key.created_ms);
            if (count_of(count) >= most) return std::nullopt;
        }
        const auto id = next_auth_id(connection);
        static const auto kInsert = insert_of("auth_api_keys", kKeyColumns);
        connection.prepare(kInsert)
            .bind(id)
            .bind(key.user)
            .bind(key.name)
            .bind(key.key)
            .bind(key.scopes.bits())
            .bind(key.created_ms)
            .bind(key.expires_ms)
            .bind(key.revoked_ms)
            .run();
        return id;
    });
}

auth::Stored<std::optional<ApiKeyRow>> SqlAuthStore::api_key(const Digest& key) {
    return ask([&](SqlConnection& connection) -> std::optional<ApiKeyRow> {
        static const auto kSelect =
            fmt::format("SELECT {} FROM auth_api_keys WHERE api_key = $1", kKeyColumns);
        auto rows = connection.prepare(kSelect);
        rows.bind(key);
        if (!rows.step()) return std::nullopt;
        return read_key(rows);
    });
}

auth::Stored<std::vector<ApiKeyRow>> SqlAuthStore::api_keys_of(UserId user) {
    return ask([&](SqlConnection& connection) {
        static const auto kSelect =
            fmt::format("SELECT {} FROM auth_api_keys WHERE user_id = $1 ORDER BY id", kKeyColumns);
        std::vector<ApiKeyRow> keys;
        auto rows = connection.prepare(kSelect);
        rows.bind(user);
        while (rows.step())
            keys.push_back(read_key(rows));
        return keys;
    });
}

auth::Stored<bool> SqlAuthStore::revoke_api_key(UserId user, std::int64_t id, std::int64_t now_ms) {
    return write([&](SqlConnection& connection) {
        {
            auto count = connection.prepare(
                "SELECT count(*) FROM auth_api_keys WHERE id = $1 AND user_id = $2 AND "
                "revoked_ms = 0");
            count.bind(id).bind(user);
            if (count_of(count) == 0) return false;
        }
        connection.prepare("UPDATE auth_api_keys SET revoked_ms = $1 WHERE id = $2")
            .bind(now_ms)
            .bind(id)
            .run();
        return true;
    });
}

auth::Stored<void> SqlAuthStore::add_event(const Event& event) {
    return write([&](SqlConnection& connection) {
        static const auto kInsert = insert_of("auth_events", kEventColumns);
        const auto id = next_auth_id(connection);
        connection.prepare(kInsert)
            .bind(id)
            .bind(event.at_ms)
            .bind(static_cast<int>(event.kind))
            .bind(event.user)
            .bind(event.subject)
            .bind(event.peer)
            .bind(event.detail)
            .run();
    });
}

auth::Stored<std::vector<Event>> SqlAuthStore::events(std::int64_t from_ms, std::int64_t to_ms,
                                                      std::int64_t before_id, std::int64_t most) {
    return ask([&](SqlConnection& connection) {
        static const auto kSelect = fmt::format(
            "SELECT {} FROM auth_events WHERE at_ms >= $1 AND at_ms < $2 AND id < $3 "
            "ORDER BY id DESC LIMIT $4",
            kEventColumns);
        std::vector<Event> events;
        auto rows = connection.prepare(kSelect);
        rows.bind(from_ms)
            .bind(to_ms)
            .bind(before_id == 0 ? std::numeric_limits<std::int64_t>::max() : before_id)
            .bind(most);
        while (rows.step())
            events.push_back(read_event(rows));
        return events;
    });
}

auth::Stored<auth::AuthStore::ChangeAdded> SqlAuthStore::add_change(const PendingChange& change,
                                                                    const Digest& nonce,
                                                                    std::int64_t nonce_expires_ms,
                                                                    std::int64_t most) {
    using Outcome = ChangeAdded::Outcome;
    return write([&](SqlConnection& connection) {
        {
            auto used = connection.prepare("SELECT count(*) FROM auth_nonces WHERE nonce = $1");
            used.bind(nonce);
            if (count_of(used) != 0) return ChangeAdded{Outcome::nonce_used, 0};
        }
        {
            auto waiting = connection.prepare("SELECT count(*) FROM auth_changes WHERE state = $1");
            waiting.bind(state_of(ChangeState::waiting));
            if (count_of(waiting) >= most) return ChangeAdded{Outcome::full, 0};
        }
        connection.prepare("INSERT INTO auth_nonces (nonce, expires_ms) VALUES ($1, $2)")
            .bind(nonce)
            .bind(nonce_expires_ms)
            .run();
        connection
            .prepare(
                "UPDATE auth_changes SET state = $1 WHERE address = $2 AND setting = $3 AND "
                "state = $4")
            .bind(state_of(ChangeState::cancelled))
            .bind(change.address)
            .bind(change.setting)
            .bind(state_of(ChangeState::waiting))
            .run();
        const auto id = next_auth_id(connection);
        static const auto kInsert = insert_of("auth_changes", kChangeColumns);
        connection.prepare(kInsert)
            .bind(id)
            .bind(change.address)
            .bind(change.setting)
            .bind(change.value)
            .bind(change.created_ms)
            .bind(change.apply_at_ms)
            .bind(state_of(change.state))
            .run();
        return ChangeAdded{Outcome::added, id};
    });
}

auth::Stored<std::vector<PendingChange>> SqlAuthStore::due_changes(std::int64_t now_ms,
                                                                   std::int64_t most) {
    return ask([&](SqlConnection& connection) {
        static const auto kSelect = fmt::format(
            "SELECT {} FROM auth_changes WHERE state = $1 AND apply_at_ms <= $2 "
            "ORDER BY apply_at_ms, id LIMIT $3",
            kChangeColumns);
        std::vector<PendingChange> changes;
        auto rows = connection.prepare(kSelect);
        rows.bind(state_of(ChangeState::waiting)).bind(now_ms).bind(most);
        while (rows.step())
            changes.push_back(read_change(rows));
        return changes;
    });
}

auth::Stored<std::vector<PendingChange>> SqlAuthStore::changes_of(std::string_view address) {
    return ask([&](SqlConnection& connection) {
        static const auto kSelect = fmt::format(
            "SELECT {} FROM auth_changes WHERE address = $1 ORDER BY id", kChangeColumns);
        std::vector<PendingChange> changes;
        auto rows = connection.prepare(kSelect);
        rows.bind(address);
        while (rows.step())
            changes.push_back(read_change(rows));
        return changes;
    });
}

auth::Stored<std::optional<PendingChange>> SqlAuthStore::settle_change(std::int64_t id,
                                                                       ChangeState state) {
    return write([&](SqlConnection& connection) -> std::optional<PendingChange> {
        std::optional<PendingChange> change;
        {
            static const auto kSelect = fmt::format(
                "SELECT {} FROM auth_changes WHERE id = $1 AND state = $2", kChangeColumns);
            auto rows = connection.prepare(kSelect);
            rows.bind(id).bind(state_of(ChangeState::waiting));
            if (!rows.step()) return std::nullopt;
            change = read_change(rows);
        }
        connection.prepare("UPDATE auth_changes SET state = $1 WHERE id = $2")
            .bind(state_of(state))
            .bind(id)
            .run();
        change->state = state;
        return change;
    });
}

auth::Stored<void> SqlAuthStore::tidy(const Bounds& bounds) {
    return write([&](SqlConnection& connection) {
        connection
            .prepare(
                "DELETE FROM auth_sessions WHERE expires_ms < $1 OR "
                "(revoked_ms <> 0 AND revoked_ms < $1)")
            .bind(bounds.ended_ms)
            .run();
        connection
            .prepare(
                "DELETE FROM auth_api_keys WHERE (expires_ms <> 0 AND expires_ms < $1) OR "
                "(revoked_ms <> 0 AND revoked_ms < $1)")
            .bind(bounds.ended_ms)
            .run();
        connection.prepare("DELETE FROM auth_events WHERE at_ms < $1").bind(bounds.events_ms).run();
        connection
            .prepare(
                "DELETE FROM auth_events WHERE id <= "
                "(SELECT id FROM auth_events ORDER BY id DESC LIMIT 1 OFFSET $1)")
            .bind(bounds.most_events)
            .run();
        connection.prepare("DELETE FROM auth_nonces WHERE expires_ms < $1")
            .bind(bounds.now_ms)
            .run();
        connection.prepare("DELETE FROM auth_changes WHERE state <> $1 AND created_ms < $2")
            .bind(state_of(ChangeState::waiting))
            .bind(bounds.ended_ms)
            .run();
    });
}

}  // namespace adit::store
