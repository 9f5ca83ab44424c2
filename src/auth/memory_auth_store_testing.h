// An AuthStore in memory, which can be told to fail. Tests only. Safe from any thread.
#pragma once

#include "auth/auth_store.h"

#include <map>
#include <mutex>

namespace adit::auth::testing {

class MemoryAuthStore final : public AuthStore {
 public:
    // While set, every call fails.
    std::atomic<bool> broken = false;
    // How often rows were asked for.
    std::atomic<int> reads = 0;

    Stored<std::optional<UserId>> add_user(const UserRow& user) override {
        return with([&] { return added(user); });
    }
    Stored<std::optional<UserId>> add_first_admin(const UserRow& user) override {
        return with([&] { return admins_but(0) == 0 ? added(user) : std::nullopt; });
    }
    Stored<std::optional<UserRow>> user(UserId id) override {
        return with([&] { return found(users_, id); });
    }
    Stored<std::optional<UserRow>> user_named(std::string_view name) override {
        return with([&] {
            for (const auto& [id, user] : users_) {
                if (user.name == name) return std::optional(user);
            }
            return std::optional<UserRow>();
        });
    }
    Stored<std::vector<UserRow>> users() override {
        return with([&] { return all(users_, [](const UserRow&) { return true; }); });
    }
    Stored<bool> change_user(UserId id, const UserChange& change) override {
        return with([&] {
            const auto user = users_.find(id);
            if (user == users_.end()) return false;
            auto changed = user->second;
            if (!change(changed, admins_but(id))) return false;
            user->second = std::move(changed);
            return true;
        });
    }

    Stored<bool> add_session(const SessionRow& session, const std::string& password_hash,
                             std::int64_t most) override {
        return with([&] {
            const auto user = found(users_, session.user);
            if (!user || user->disabled || user->password_hash != password_hash) return false;
            auto row = session;
            row.number = ++last_id_;
            sessions_[row.id] = row;
            const auto mine = [&](const auto& other) { return other.user == session.user; };
            auto rows = all(sessions_, mine);
            std::ranges::sort(rows, {}, &SessionRow::number);
            for (std::ptrdiff_t i = 0; i < std::ssize(rows) - most; ++i)
                sessions_.erase(rows[static_cast<std::size_t>(i)].id);
            return true;
        });
    }
    Stored<std::optional<SessionRow>> session(const Digest& id) override {
        return with([&] { return found(sessions_, id); });
    }
    Stored<bool> change_session(const Digest& id, const SessionChange& change) override {
        return with([&] {
            const auto session = sessions_.find(id);
            if (session == sessions_.end()) return false;
            auto changed = session->second;
            if (!change(changed)) return false;
            session->second = std::move(changed);
            return true;
        });
    }
    Stored<void> revoke_sessions(UserId user, std::int64_t now_ms) override {
        return with([&] { revoke_if(now_ms, [&](const auto& row) { return row.user == user; }); });
    }

    Stored<std::optional<std::int64_t>> add_api_key(const ApiKeyRow& key,
                                                    std::int64_t most) override {
        return with([&]() -> std::optional<std::int64_t> {
            const auto counts = [&](const ApiKeyRow& row) {
                return row.user == key.user && row.revoked_ms == 0 &&
                       (row.expires_ms == 0 || row.expires_ms > key.created_ms);
            };
            if (std::ssize(all(keys_, counts)) >= most) return std::nullopt;
            auto row = key;
            row.id = ++last_id_;
            keys_[row.id] = row;
            return row.id;
        });
    }
    Stored<std::optional<ApiKeyRow>> api_key(const Digest& key) override {
        return with([&] {
            const auto rows = all(keys_, [&](const ApiKeyRow& row) { return row.key == key; });
            return rows.empty() ? std::nullopt : std::optional(rows[0]);
        });
    }
    Stored<std::vector<ApiKeyRow>> api_keys_of(UserId user) override {
        return with(
            [&] { return all(keys_, [&](const ApiKeyRow& row) { return row.user == user; }); });
    }
    Stored<bool> revoke_api_key(UserId user, std::int64_t id, std::int64_t now_ms) override {
        return with([&] {
            const auto key = keys_.find(id);
            if (key == keys_.end() || key->second.user != user) return false;
            if (key->second.revoked_ms != 0) return false;
            key->second.revoked_ms = now_ms;
            return true;
        });
    }

    Stored<SigningKey> signing_key_or(const SigningKey& fresh) override {
        return with([&] {
            if (!signing_key_) signing_key_ = fresh;
            return *signing_key_;
        });
    }
    Stored<void> replace_signing_key(const SigningKey& fresh, std::int64_t now_ms) override {
        return with([&] {
            signing_key_ = fresh;
            revoke_if(now_ms, [](const auto&) { return true; });
        });
    }

    Stored<void> add_event(const Event& event) override {
        return with([&] {
            auto row = event;
            row.id = ++last_id_;
            events_[row.id] = row;
        });
    }
    Stored<std::vector<Event>> events(std::int64_t from_ms, std::int64_t to_ms,
                                      std::int64_t before_id, std::int64_t most) override {
        return with([&] {
            auto rows = all(events_, [&](const Event& event) {
                return event.at_ms >= from_ms && event.at_ms < to_ms &&
                       (before_id == 0 || event.id < before_id);
            });
            std::ranges::reverse(rows);
            if (std::ssize(rows) > most) rows.resize(static_cast<std::size_t>(most));
            return rows;
        });
    }

    Stored<ChangeAdded> add_change(const PendingChange& change, const Digest& nonce,
                                   std::int64_t nonce_expires_ms, std::int64_t most) override {
        using Outcome = ChangeAdded::Outcome;
        return with([&] {
            if (nonces_.contains(nonce)) return ChangeAdded{Outcome::nonce_used, 0};
            const auto waits = [](const auto& row) { return row.state == ChangeState::waiting; };
            if (std::ssize(all(changes_, waits)) >= most) return ChangeAdded{Outcome::full, 0};
            nonces_[nonce] = nonce_expires_ms;
            for (auto& [id, row] : changes_) {
                if (waits(row) && row.address == change.address && row.setting == change.setting) {
                    row.state = ChangeState::cancelled;
                }
            }
            auto row = change;
            row.id = ++last_id_;
            changes_[row.id] = row;
            return ChangeAdded{Outcome::added, row.id};
        });
    }
    Stored<std::vector<PendingChange>> due_changes(std::int64_t now_ms,
                                                   std::int64_t most) override {
        return with([&] {
            auto rows = all(changes_, [&](const PendingChange& row) {
                return row.state == ChangeState::waiting && row.apply_at_ms <= now_ms;
            });
            std::ranges::sort(rows, {}, [](const PendingChange& row) {
                return std::pair(row.apply_at_ms, row.id);
            });
            if (std::ssize(rows) > most) rows.resize(static_cast<std::size_t>(most));
            return rows;
        });
    }
    Stored<std::vector<PendingChange>> changes_of(std::string_view address) override {
        return with([&] {
            return all(changes_, [&](const PendingChange& row) { return row.address == address; });
        });
    }
    Stored<std::optional<PendingChange>> settle_change(std::int64_t id,
                                                       ChangeState state) override {
        return with([&]() -> std::optional<PendingChange> {
            const auto change = changes_.find(id);
            if (change == changes_.end()) return std::nullopt;
            if (change->second.state != ChangeState::waiting) return std::nullopt;
            change->second.state = state;
            return change->second;
        });
    }

    Stored<void> tidy(const Bounds& bounds) override {
        return with([&] {
            std::erase_if(sessions_, [&](const auto& entry) {
                const auto& row = entry.second;
                return row.expires_ms < bounds.ended_ms ||
                       (row.revoked_ms != 0 && row.revoked_ms < bounds.ended_ms);
            });
            std::erase_if(keys_, [&](const auto& entry) {
                const auto& row = entry.second;
                return (row.expires_ms != 0 && row.expires_ms < bounds.ended_ms) ||
                       (row.revoked_ms != 0 && row.revoked_ms < bounds.ended_ms);
            });
            std::erase_if(events_,
                          [&](const auto& entry) { return entry.second.at_ms < bounds.events_ms; });
            while (std::ssize(events_) > bounds.most_events)
                events_.erase(events_.begin());
            std::erase_if(nonces_, [&](const auto& entry) { return entry.second < bounds.now_ms; });
            std::erase_if(changes_, [&](const auto& entry) {
                const auto& row = entry.second;
                return row.state != ChangeState::waiting && row.created_ms < bounds.ended_ms;
            });
        });
    }

 private:
    template <class Work>
    auto with(Work work) -> Stored<decltype(work())> {
        if (broken) return std::unexpected("the memory is broken by a test");
        ++reads;
        const std::lock_guard lock(mutex_);
        if constexpr (std::is_void_v<decltype(work())>) {
            work();
            return {};
        } else {
            return work();
        }
    }
    template <class Map, class Key>
    static std::optional<typename Map::mapped_type> found(const Map& rows, const Key& key) {
        const auto at = rows.find(key);
        return at == rows.end() ? std::nullopt : std::optional(at->second);
    }
    template <class Map, class Fits>
    static std::vector<typename Map::mapped_type> all(const Map& rows, Fits fits) {
        std::vector<typename Map::mapped_type> out;
        for (const auto& [key, row] : rows) {
            if (fits(row)) out.push_back(row);
        }
        return out;
    }
    std::int64_t admins_but(UserId id) const {
        return std::ranges::count_if(users_, [&](const auto& entry) {
            return entry.first != id && entry.second.role == Role::admin && !entry.second.disabled;
        });
    }
    std::optional<UserId> added(const UserRow& user) {
        for (const auto& [id, row] : users_) {
            if (row.name == user.name) return std::nullopt;
        }
        auto row = user;
        row.id = ++last_id_;
        users_[row.id] = row;
        return row.id;
    }
    template <class Fits>
    void revoke_if(std::int64_t now_ms, Fits fits) {
        for (auto& [id, row] : sessions_) {
            if (fits(row) && row.revoked_ms == 0) row.revoked_ms = now_ms;
        }
    }

    std::mutex mutex_;
    std::int64_t last_id_ = 0;
    std::map<UserId, UserRow> users_;
    std::map<Digest, SessionRow> sessions_;
    std::map<std::int64_t, ApiKeyRow> keys_;
    std::optional<SigningKey> signing_key_;
    std::map<std::int64_t, Event> events_;
    std::map<std::int64_t, PendingChange> changes_;
    std::map<Digest, std::int64_t> nonces_;
};

}  // namespace adit::auth::testing
