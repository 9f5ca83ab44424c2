// The accounts in a database: a SQLite file of their own, which only its owner may read, or the
// PostgreSQL database of the ledger, so that all instances of a pool know the same users. Safe from
// any thread: one connection writes, another answers questions. A lost connection fails the call
// under way and is opened again by the next one. Errors name the database, never its password.
#pragma once

#include "auth/auth_store.h"

#include <filesystem>
#include <memory>
#include <mutex>

namespace adit::store {

class SqlConnection;

// Where the accounts lie: the ledger's PostgreSQL database when `ledger` is its URL, otherwise
// auth.db in the data directory.
std::string auth_database(const std::string& ledger, const std::filesystem::path& data_dir);

class SqlAuthStore final : public auth::AuthStore {
 public:
    template <class T>
    using Stored = auth::Stored<T>;
    using UserId = auth::UserId;
    using Digest = auth::Digest;

    // Creates the file (mode 0600) and the tables where there are none. The error is a sentence for
    // the operator.
    static Stored<std::unique_ptr<SqlAuthStore>> open(std::string database);
    ~SqlAuthStore() override;

    // The file, or the URL without its password.
    const std::string& name() const { return name_; }

    Stored<std::optional<UserId>> add_user(const auth::UserRow& user) override;
    Stored<std::optional<UserId>> add_first_admin(const auth::UserRow& user) override;
    Stored<std::optional<auth::UserRow>> user(UserId id) override;
    Stored<std::optional<auth::UserRow>> user_named(std::string_view name) override;
    Stored<std::vector<auth::UserRow>> users() override;
    Stored<bool> change_user(UserId id, const UserChange& change) override;

    Stored<bool> add_session(const auth::SessionRow& session, const std::string& password_hash,
                             std::int64_t most) override;
    Stored<std::optional<auth::SessionRow>> session(const Digest& id) override;
    Stored<bool> change_session(const Digest& id, const SessionChange& change) override;
    Stored<void> revoke_sessions(UserId user, std::int64_t now_ms) override;

    Stored<std::optional<std::int64_t>> add_api_key(const auth::ApiKeyRow& key,
                                                    std::int64_t most) override;
    Stored<std::optional<auth::ApiKeyRow>> api_key(const Digest& key) override;
    Stored<std::vector<auth::ApiKeyRow>> api_keys_of(UserId user) override;
    Stored<bool> revoke_api_key(UserId user, std::int64_t id, std::int64_t now_ms) override;

    Stored<auth::SigningKey> signing_key_or(const auth::SigningKey& fresh) override;
    Stored<void> replace_signing_key(const auth::SigningKey& fresh, std::int64_t now_ms) override;

    Stored<void> add_event(const auth::Event& event) override;
    Stored<std::vector<auth::Event>> events(std::int64_t from_ms, std::int64_t to_ms,
                                            std::int64_t before_id, std::int64_t most) override;

    Stored<ChangeAdded> add_change(const auth::PendingChange& change, const Digest& nonce,
                                   std::int64_t nonce_expires_ms, std::int64_t most) override;
    Stored<std::vector<auth::PendingChange>> due_changes(std::int64_t now_ms,
                                                         std::int64_t most) override;
    Stored<std::vector<auth::PendingChange>> changes_of(std::string_view address) override;
    Stored<std::optional<auth::PendingChange>> settle_change(std::int64_t id,
                                                             auth::ChangeState state) override;

    Stored<void> tidy(const Bounds& bounds) override;

 private:
    // A connection and whoever is using it.
    struct Session {
        std::mutex mutex;
        std::unique_ptr<SqlConnection> connection;
    };

    explicit SqlAuthStore(std::string database);
    std::unique_ptr<SqlConnection> connect(bool to_write) const;
    // Runs what may throw on a connection; the error names the database.
    template <class Work>
    auto with(Session& session, bool to_write, Work work)
        -> Stored<decltype(work(std::declval<SqlConnection&>()))>;
    template <class Work>
    auto ask(Work work) {
        return with(reader_, false, std::move(work));
    }
    // In one transaction.
    template <class Work>
    auto write(Work work);

    std::string database_;
    std::string name_;
    Session writer_;
    Session reader_;
};

}  // namespace adit::store
