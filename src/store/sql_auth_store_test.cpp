// The store of accounts on SQLite and on PostgreSQL, and the double in memory beside them, so that
// what is tested over the double holds for the others.
#include "store/sql_auth_store.h"

#include "auth/accounts_testing.h"
#include "store/sql_auth_schema.h"
#include "store/sql_ledger_testing.h"

#include <sys/stat.h>

namespace adit::store {
namespace {

using namespace auth;
using ::testing::HasSubstr;

enum class Kind { memory, sqlite, postgres };

class AuthStoreTest : public ::testing::TestWithParam<Kind> {
 protected:
    AuthStoreTest() {
        if (GetParam() == Kind::memory) {
            store_ = std::make_unique<auth::testing::MemoryAuthStore>();
            return;
        }
        database_.emplace(GetParam() == Kind::sqlite ? SqlDialect::sqlite : SqlDialect::postgres);
        reopen();
    }
    // What is stored outlives a restart, but for the double's.
    void reopen() {
        if (!database_) return;
        store_.reset();
        auto opened = SqlAuthStore::open(database_->name());
        if (!opened) throw std::runtime_error(opened.error());
        store_ = std::move(*opened);
    }
    static UserRow user(std::string name, Role role = Role::miner) {
        UserRow row;
        row.name = std::move(name);
        row.role = role;
        row.password_hash = "$argon2id$...";
        row.created_ms = 5;
        row.changed_ms = 6;
        return row;
    }
    UserId add(std::string name, Role role = Role::miner) {
        return store_->add_user(user(std::move(name), role)).value().value();
    }
    static Digest digest(std::uint32_t number) { return testing::hash_of(number); }
    SessionRow session(UserId user, std::uint32_t number) {
        SessionRow row;
        row.id = digest(number);
        row.user = user;
        row.refresh = digest(number + 1'000);
        row.created_ms = 10;
        row.used_ms = 11;
        row.expires_ms = 12;
        row.ends_ms = 13;
        row.peer = "192.0.2.1";
        return row;
    }
    bool open_session(UserId user, std::uint32_t number, std::int64_t most = 10) {
        return store_->add_session(session(user, number), "$argon2id$...", most).value();
    }

    std::optional<testing::EmptyDatabase> database_;
    std::unique_ptr<AuthStore> store_;
};

std::string kind_name(const ::testing::TestParamInfo<Kind>& param) {
    switch (param.param) {
        case Kind::memory:
            return "Memory";
        case Kind::sqlite:
            return "Sqlite";
        case Kind::postgres:
            return "Postgres";
    }
    return "";
}
INSTANTIATE_TEST_SUITE_P(On, AuthStoreTest,
                         ::testing::Values(Kind::memory, Kind::sqlite, Kind::postgres), kind_name);

TEST_P(AuthStoreTest, KeepsUsers) {
    const auto alice = add("alice");
    const auto bob = add("bob", Role::admin);
    EXPECT_NE(alice, bob);
    EXPECT_FALSE(store_->add_user(user("alice")).value());
    reopen();
    EXPECT_EQ(store_->user_named("bob").value()->id, bob);
    EXPECT_FALSE(store_->user_named("carol").value());
    EXPECT_FALSE(store_->user(bob + 100).value());
    EXPECT_EQ(store_->users()->size(), 2U);

    const auto changed = store_->change_user(alice, [](UserRow& row, std::int64_t other_admins) {
        EXPECT_EQ(other_admins, 1);
        row.disabled = true;
        row.role = Role::operator_;
        row.second_factor = SecondFactor::on;
        row.totp_secret = {0, 1, 255};
        row.totp_used_step = 77;
        row.backup_codes = {digest(1), digest(2)};
        row.password_hash = "other";
        row.changed_ms = 9;
        return true;
    });
    EXPECT_TRUE(changed.value());
    reopen();
    const auto row = store_->user(alice).value().value();
    EXPECT_EQ(row.name, "alice");
    EXPECT_TRUE(row.disabled);
    EXPECT_EQ(row.role, Role::operator_);
    EXPECT_EQ(row.second_factor, SecondFactor::on);
    EXPECT_EQ(row.totp_secret, (base::Bytes{0, 1, 255}));
    EXPECT_EQ(row.totp_used_step, 77);
    EXPECT_EQ(row.backup_codes, (std::vector<Digest>{digest(1), digest(2)}));
    EXPECT_EQ(row.password_hash, "other");
    EXPECT_EQ(row.created_ms, 5);
    EXPECT_EQ(row.changed_ms, 9);
}

TEST_P(AuthStoreTest, ChangesNothingWhenAChangeDoesNotHold) {
    const auto alice = add("alice");
    const auto refuse = [](UserRow& row, std::int64_t) {
        row.name = "mallory";
        return false;
    };
    EXPECT_FALSE(store_->change_user(alice, refuse).value());
    EXPECT_EQ(store_->user(alice).value()->name, "alice");
    EXPECT_FALSE(store_->change_user(alice + 1, refuse).value());
}

TEST_P(AuthStoreTest, MakesOneFirstAdmin) {
    add("alice");
    const auto first = store_->add_first_admin(user("admin", Role::admin)).value();
    ASSERT_TRUE(first);
    EXPECT_FALSE(store_->add_first_admin(user("admin2", Role::admin)).value());
    const auto disable = [](UserRow& row, std::int64_t other_admins) {
        EXPECT_EQ(other_admins, 0);
        return row.disabled = true;
    };
    ASSERT_TRUE(store_->change_user(*first, disable).value());
    EXPECT_FALSE(store_->add_first_admin(user("admin", Role::admin)).value());
    EXPECT_TRUE(store_->add_first_admin(user("admin2", Role::admin)).value());
}

TEST_P(AuthStoreTest, KeepsSessions) {
    const auto alice = add("alice");
    ASSERT_TRUE(open_session(alice, 1));
    reopen();
    auto row = store_->session(digest(1)).value().value();
    EXPECT_EQ(row.user, alice);
    EXPECT_EQ(row.refresh, digest(1'001));
    EXPECT_EQ(row.created_ms, 10);
    EXPECT_EQ(row.used_ms, 11);
    EXPECT_EQ(row.expires_ms, 12);
    EXPECT_EQ(row.ends_ms, 13);
    EXPECT_EQ(row.revoked_ms, 0);
    EXPECT_EQ(row.peer, "192.0.2.1");
    EXPECT_FALSE(store_->session(digest(2)).value());
    EXPECT_TRUE(store_
                    ->change_session(digest(1),
                                     [](SessionRow& session) {
                                         session.refresh = digest(5);
                                         return true;
                                     })
                    .value());
    EXPECT_FALSE(store_
                     ->change_session(digest(1),
                                      [](SessionRow& session) {
                                          session.refresh = digest(6);
                                          return false;
                                      })
                     .value());
    EXPECT_FALSE(store_->change_session(digest(2), [](SessionRow&) { return true; }).value());
    EXPECT_EQ(store_->session(digest(1)).value()->refresh, digest(5));
}

TEST_P(AuthStoreTest, OpensSessionsOfThePresentPasswordOnly) {
    const auto alice = add("alice");
    EXPECT_FALSE(store_->add_session(session(alice, 1), "old", 10).value());
    EXPECT_FALSE(store_->add_session(session(alice + 1, 1), "$argon2id$...", 10).value());
    ASSERT_TRUE(
        store_->change_user(alice, [](UserRow& row, std::int64_t) { return row.disabled = true; }));
    EXPECT_FALSE(open_session(alice, 1));
    EXPECT_FALSE(store_->session(digest(1)).value());
}

TEST_P(AuthStoreTest, KeepsTheLatestSessionsOfAUser) {
    const auto alice = add("alice");
    const auto bob = add("bob");
    ASSERT_TRUE(open_session(bob, 9, 3));
    for (std::uint32_t i = 1; i <= 5; ++i)
        ASSERT_TRUE(open_session(alice, i, 3));
    for (std::uint32_t i = 1; i <= 5; ++i)
        EXPECT_EQ(store_->session(digest(i)).value().has_value(), i > 2) << i;
    EXPECT_TRUE(store_->session(digest(9)).value());
}

TEST_P(AuthStoreTest, RevokesSessionsOfOneUserAndOfAll) {
    const auto alice = add("alice");
    const auto bob = add("bob");
    for (std::uint32_t i = 1; i <= 2; ++i)
        ASSERT_TRUE(open_session(alice, i));
    ASSERT_TRUE(open_session(bob, 3));
    ASSERT_TRUE(store_->revoke_sessions(alice, 50));
    EXPECT_EQ(store_->session(digest(1)).value()->revoked_ms, 50);
    EXPECT_EQ(store_->session(digest(2)).value()->revoked_ms, 50);
    EXPECT_EQ(store_->session(digest(3)).value()->revoked_ms, 0);
    ASSERT_TRUE(store_->replace_signing_key({"k", {}, 0}, 60));
    EXPECT_EQ(store_->session(digest(1)).value()->revoked_ms, 50);
    EXPECT_EQ(store_->session(digest(3)).value()->revoked_ms, 60);
}

TEST_P(AuthStoreTest, KeepsApiKeys) {
    ApiKeyRow row;
    row.user = add("alice");
    row.name = "grafana";
    row.key = digest(1);
    row.scopes = Permissions().add(Permission::view_pool);
    row.created_ms = 100;
    row.expires_ms = 200;
    const auto id = store_->add_api_key(row, 2).value().value();
    row.key = digest(2);
    row.expires_ms = 0;
    const auto second = store_->add_api_key(row, 2).value().value();
    row.key = digest(3);
    EXPECT_FALSE(store_->add_api_key(row, 2).value());
    reopen();
    const auto read = store_->api_key(digest(1)).value().value();
    EXPECT_EQ(read.id, id);
    EXPECT_EQ(read.user, row.user);
    EXPECT_EQ(read.name, "grafana");
    EXPECT_EQ(read.scopes, row.scopes);
    EXPECT_EQ(read.created_ms, 100);
    EXPECT_EQ(read.expires_ms, 200);
    EXPECT_FALSE(store_->api_key(digest(3)).value());
    EXPECT_EQ(store_->api_keys_of(row.user)->size(), 2U);
    EXPECT_TRUE(store_->api_keys_of(row.user + 100)->empty());

    EXPECT_FALSE(store_->revoke_api_key(row.user + 100, second, 150).value());
    EXPECT_TRUE(store_->revoke_api_key(row.user, second, 150).value());
    EXPECT_FALSE(store_->revoke_api_key(row.user, second, 151).value());
    EXPECT_EQ(store_->api_key(digest(2)).value()->revoked_ms, 150);
    EXPECT_TRUE(store_->add_api_key(row, 2).value());
    row.key = digest(4);
    EXPECT_FALSE(store_->add_api_key(row, 2).value());
    // The first one has expired by then.
    row.created_ms = 200;
    EXPECT_TRUE(store_->add_api_key(row, 2).value());
}

TEST_P(AuthStoreTest, KeepsOneSigningKey) {
    SigningKey one{"one", {}, 7};
    one.seed.fill(1);
    SigningKey two{"two", {}, 8};
    two.seed.fill(2);
    EXPECT_EQ(store_->signing_key_or(one)->id, "one");
    reopen();
    const auto kept = store_->signing_key_or(two).value();
    EXPECT_EQ(kept.id, "one");
    EXPECT_EQ(kept.seed, one.seed);
    EXPECT_EQ(kept.created_ms, 7);
    ASSERT_TRUE(store_->replace_signing_key(two, 9));
    EXPECT_EQ(store_->signing_key_or(one)->seed, two.seed);
}

TEST_P(AuthStoreTest, PagesEventsFromTheLatest) {
    for (int i = 0; i < 10; ++i) {
        Event event;
        event.at_ms = 100 + i;
        event.kind = EventKind::change_cancelled;
        event.user = i;
        event.subject = std::string("any \xff bytes", 11);
        event.peer = "192.0.2.1";
        event.detail = fmt::format("number {}", i);
        ASSERT_TRUE(store_->add_event(event));
    }
    reopen();
    const auto all = store_->events(100, 110, 0, 100).value();
    ASSERT_EQ(all.size(), 10U);
    EXPECT_EQ(all[0].detail, "number 9");
    EXPECT_EQ(all[0].user, 9);
    EXPECT_EQ(all[0].at_ms, 109);
    EXPECT_EQ(all[0].kind, EventKind::change_cancelled);
    EXPECT_EQ(all[0].subject, std::string("any \xff bytes", 11));
    EXPECT_EQ(all[0].peer, "192.0.2.1");
    const auto page = store_->events(100, 110, all[2].id, 3).value();
    ASSERT_EQ(page.size(), 3U);
    EXPECT_EQ(page[0].id, all[3].id);
    EXPECT_EQ(store_->events(103, 105, 0, 100)->size(), 2U);
}

TEST_P(AuthStoreTest, KeepsClaimedChanges) {
    using Outcome = AuthStore::ChangeAdded::Outcome;
    PendingChange change{0, "bc1qa", "threshold", "5", 10, 100, ChangeState::waiting};
    const auto first = store_->add_change(change, digest(1), 1'000, 3).value();
    ASSERT_EQ(first.outcome, Outcome::added);
    EXPECT_EQ(store_->add_change(change, digest(1), 1'000, 3)->outcome, Outcome::nonce_used);
    change.value = "6";
    change.apply_at_ms = 99;
    const auto second = store_->add_change(change, digest(2), 1'000, 3).value();
    ASSERT_EQ(second.outcome, Outcome::added);
    change.setting = "donation";
    change.apply_at_ms = 98;
    ASSERT_EQ(store_->add_change(change, digest(3), 1'000, 3)->outcome, Outcome::added);
    change.address = "bc1qb";
    ASSERT_EQ(store_->add_change(change, digest(4), 1'000, 3)->outcome, Outcome::added);
    change.address = "bc1qc";
    EXPECT_EQ(store_->add_change(change, digest(5), 1'000, 3)->outcome, Outcome::full);
    reopen();

    const auto mine = store_->changes_of("bc1qa").value();
    ASSERT_EQ(mine.size(), 3U);
    EXPECT_EQ(mine[0].id, first.id);
    EXPECT_EQ(mine[0].state, ChangeState::cancelled);
    EXPECT_EQ(mine[1].value, "6");
    EXPECT_EQ(mine[1].state, ChangeState::waiting);
    const auto due = store_->due_changes(99, 10).value();
    ASSERT_EQ(due.size(), 3U);
    EXPECT_EQ(due[0].apply_at_ms, 98);
    EXPECT_EQ(due[2].id, second.id);
    EXPECT_EQ(store_->due_changes(99, 2)->size(), 2U);
    EXPECT_EQ(store_->due_changes(98, 10)->size(), 2U);

    const auto settled = store_->settle_change(second.id, ChangeState::applied).value();
    ASSERT_TRUE(settled);
    EXPECT_EQ(settled->value, "6");
    EXPECT_EQ(settled->state, ChangeState::applied);
    EXPECT_FALSE(store_->settle_change(second.id, ChangeState::applied).value());
    EXPECT_FALSE(store_->settle_change(first.id, ChangeState::applied).value());
    EXPECT_FALSE(store_->settle_change(9'999, ChangeState::applied).value());
    // A full list took no nonce.
    EXPECT_EQ(store_->add_change(change, digest(5), 1'000, 3)->outcome, Outcome::added);
}

TEST_P(AuthStoreTest, DeletesWhatIsOver) {
    const auto alice = add("alice");
    for (std::uint32_t i = 1; i <= 3; ++i)
        ASSERT_TRUE(open_session(alice, i));
    const auto set = [&](std::uint32_t number, std::int64_t expires_ms, std::int64_t revoked_ms) {
        ASSERT_TRUE(store_->change_session(digest(number), [&](SessionRow& row) {
            row.expires_ms = expires_ms;
            row.revoked_ms = revoked_ms;
            return true;
        }));
    };
    set(1, 500, 0);
    set(2, 5'000, 500);
    set(3, 5'000, 1'000);
    ApiKeyRow key;
    key.user = alice;
    for (const auto& [number, expires_ms] : {std::pair{1, 500}, {2, 0}, {3, 1'000}}) {
        key.key = digest(static_cast<std::uint32_t>(number));
        key.expires_ms = expires_ms;
        ASSERT_TRUE(store_->add_api_key(key, 10).value());
    }
    for (int i = 0; i < 6; ++i) {
        Event event;
        event.at_ms = 100 * i;
        ASSERT_TRUE(store_->add_event(event));
    }
    PendingChange change{0, "bc1qa", "threshold", "5", 10, 100, ChangeState::waiting};
    const auto old = store_->add_change(change, digest(1), 1'999, 10).value();
    ASSERT_TRUE(store_->settle_change(old.id, ChangeState::applied).value());
    ASSERT_TRUE(store_->add_change(change, digest(2), 2'000, 10));

    AuthStore::Bounds bounds;
    bounds.now_ms = 2'000;
    bounds.ended_ms = 1'000;
    bounds.events_ms = 200;
    bounds.most_events = 3;
    ASSERT_TRUE(store_->tidy(bounds));
    EXPECT_FALSE(store_->session(digest(1)).value());
    EXPECT_FALSE(store_->session(digest(2)).value());
    EXPECT_TRUE(store_->session(digest(3)).value());
    EXPECT_FALSE(store_->api_key(digest(1)).value());
    EXPECT_TRUE(store_->api_key(digest(2)).value());
    EXPECT_TRUE(store_->api_key(digest(3)).value());
    const auto events = store_->events(0, 10'000, 0, 10).value();
    ASSERT_EQ(events.size(), 3U);
    EXPECT_EQ(events[2].at_ms, 300);
    EXPECT_EQ(store_->changes_of("bc1qa")->size(), 1U);
    using Outcome = AuthStore::ChangeAdded::Outcome;
    EXPECT_EQ(store_->add_change(change, digest(2), 9'000, 10)->outcome, Outcome::nonce_used);
    EXPECT_EQ(store_->add_change(change, digest(1), 9'000, 10)->outcome, Outcome::added);
    // Ids do not come again.
    bounds.events_ms = 9'999;
    ASSERT_TRUE(store_->tidy(bounds));
    ASSERT_TRUE(store_->add_event(Event{}));
    EXPECT_GT(store_->events(0, 10'000, 0, 10).value()[0].id, events[0].id);
}

TEST_P(AuthStoreTest, LetsOneOfManyWin) {
    const auto alice = add("alice");
    std::atomic<int> won = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] {
                for (std::int64_t step = 1; step <= 25; ++step) {
                    const auto used = store_->change_user(alice, [&](UserRow& row, std::int64_t) {
                        if (row.totp_used_step >= step) return false;
                        row.totp_used_step = step;
                        return true;
                    });
                    if (used.value_or(false)) ++won;
                }
            });
        }
    }
    EXPECT_EQ(won, 25);
}

// The service itself over each of them.
TEST_P(AuthStoreTest, CarriesTheWholeService) {
    base::ManualClock clock;
    metrics::Registry registry;
    base::Logger log(base::LogLevel::error, base::LogFormat::text, [](std::string_view) {});
    const auto open = [&] {
        auto opened =
            Accounts::open(auth::testing::quick_settings(), *store_, clock, registry, log);
        if (!opened) throw std::runtime_error(opened.error());
        return std::move(*opened);
    };
    auto accounts = open();
    const auto first = accounts->first_admin();
    ASSERT_TRUE(first);
    const auto tokens = accounts->login({first->name, first->password, "", "192.0.2.1"});
    ASSERT_TRUE(tokens) << tokens.error().text;
    accounts.reset();
    reopen();
    accounts = open();
    EXPECT_FALSE(accounts->first_admin());
    const auto who = accounts->identify(tokens->access);
    ASSERT_TRUE(who);
    EXPECT_EQ(who->role, Role::admin);
    const auto next = accounts->refresh(tokens->refresh, "192.0.2.1");
    ASSERT_TRUE(next);
    EXPECT_FALSE(accounts->refresh(tokens->refresh, "192.0.2.1"));
    EXPECT_EQ(accounts->identify(next->access).error(), Denial::revoked);
    EXPECT_TRUE(accounts->probe());
    const auto events = accounts->events(0, clock.wall_ms() + 1, 0, 10);
    ASSERT_TRUE(events);
    ASSERT_EQ(events->size(), 3U);
    EXPECT_EQ((*events)[0].kind, EventKind::refresh_reused);
}

class SqlAuthStoreTest : public ::testing::TestWithParam<SqlDialect> {
 protected:
    testing::EmptyDatabase database_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(On, SqlAuthStoreTest,
                         ::testing::Values(SqlDialect::sqlite, SqlDialect::postgres),
                         testing::dialect_name);

TEST_P(SqlAuthStoreTest, RefusesWhatANewerProgramWrote) {
    ASSERT_TRUE(SqlAuthStore::open(database_.name()));
    {
        const auto connection = database_.connect();
        EXPECT_EQ(auth_schema_version(*connection), kAuthSchemaVersion);
        set_auth_schema_version(*connection, 99);
    }
    const auto opened = SqlAuthStore::open(database_.name());
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error(), HasSubstr("newer Adit (schema 99, this program knows 1)"));
}

TEST_P(SqlAuthStoreTest, IsCreatedOnceByManyAtTheSameTime) {
    std::atomic<int> opened = 0;
    {
        std::vector<std::jthread> openers;
        for (int i = 0; i < 6; ++i) {
            openers.emplace_back([&] {
                const auto store = SqlAuthStore::open(database_.name());
                EXPECT_TRUE(store) << store.error();
                if (store) ++opened;
            });
        }
    }
    EXPECT_EQ(opened, 6);
}

TEST_P(SqlAuthStoreTest, LivesBesideTheLedger) {
    const auto store = SqlAuthStore::open(database_.name());
    ASSERT_TRUE(store);
    SqlLedgerSettings settings;
    settings.database = database_.name();
    const auto ledger = SqlLedger::open(settings);
    ASSERT_TRUE(ledger) << ledger.error();
    EXPECT_TRUE((*ledger)->balances());
    EXPECT_TRUE((*store)->users());
}

TEST(SqlAuthFile, IsForItsOwnerOnly) {
    testing::TemporaryDir dir;
    const auto file = auth_database("sqlite", dir.path());
    EXPECT_EQ(file, (dir.path() / "auth.db").string());
    const auto store = SqlAuthStore::open(file);
    ASSERT_TRUE(store) << store.error();
    ASSERT_TRUE((*store)->signing_key_or({"k", {}, 0}));
    for (const auto* end : {"", "-wal", "-shm"}) {
        struct stat status{};
        ASSERT_EQ(::stat((file + end).c_str(), &status), 0) << end;
        EXPECT_EQ(status.st_mode & 0777, 0600U) << end;
    }
}

TEST(SqlAuthFile, SaysWhatIsWrong) {
    testing::TemporaryDir dir;
    const auto opened = SqlAuthStore::open((dir.path() / "missing" / "auth.db").string());
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error(), HasSubstr("auth.db: cannot create the file: No such file"));
    EXPECT_EQ(auth_database("postgresql://u@h/d", dir.path()), "postgresql://u@h/d");
}

}  // namespace
}  // namespace adit::store
