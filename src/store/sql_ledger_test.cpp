// The fold in the database, on SQLite and PostgreSQL alike.
#include "store/sql_ledger_testing.h"

namespace adit::store {
namespace {

using ledger::SliceRow;
using ledger::Sum;
using testing::block_in;
using testing::delta_from;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class SqlSlicesTest : public testing::SqlLedgerTest {
 protected:
    SqlSlicesTest() { reopen(); }
    void reopen() {
        store_.reset();
        store_ = open();
    }
    ledger::FoldPoint point() { return store_->fold_point()->value_or(ledger::FoldPoint{}); }
    std::unique_ptr<SqlLedger> store_;
};
INSTANTIATE_TEST_SUITE_P(On, SqlSlicesTest,
                         ::testing::Values(SqlDialect::sqlite, SqlDialect::postgres),
                         testing::dialect_name);

TEST_P(SqlSlicesTest, AddsUpExactlyAndGivesBackWhatItHolds) {
    EXPECT_EQ(*store_->fold_point(), std::nullopt);
    const auto first = delta_from({}, 600);
    ASSERT_TRUE(store_->apply(first)) << store_->apply(first).error();
    auto second = delta_from(first.after, 600);
    second.accounts.clear();
    second.worker_names.clear();
    ASSERT_TRUE(store_->apply(second));
    reopen();
    EXPECT_EQ(point(), second.after);
    EXPECT_THAT(*store_->slices(0, 601),
                ElementsAre(SliceRow{{600, 0}, 1, {chain::Work{1} << 101, 6, 2}},
                            SliceRow{{600, 0}, 2, {10, 2, 0}}));
    EXPECT_TRUE(store_->slices(0, 600)->empty());
    EXPECT_EQ(store_->pool_work_since(600)->work, (chain::Work{1} << 101) + 10);
    EXPECT_EQ(*store_->pool_work_since(601), Sum{});
    EXPECT_EQ(*store_->account_work_since(2, 0), (Sum{10, 2, 0}));
    EXPECT_EQ(*store_->worker_work_since(1, 0), (Sum{chain::Work{1} << 101, 6, 2}));
    EXPECT_THAT(*store_->worker_totals(),
                ElementsAre(ledger::TotalRow{1, {chain::Work{1} << 101, 6, 2}},
                            ledger::TotalRow{2, {10, 2, 0}}));
    EXPECT_THAT(*store_->blocks(), ElementsAre(block_in(first), block_in(second)));
    EXPECT_EQ(*store_->accounts(), first.accounts);
    EXPECT_EQ(*store_->workers(), first.worker_names);
}

TEST_P(SqlSlicesTest, KeepsTheBiggestWorkAndNamesOfAnyBytes) {
    auto delta = delta_from({}, 600);
    delta.slices[{{600, 0}, 1}].work = ~chain::Work{0} - 5;
    const std::string odd("\0\xff\xc3 'quoted' \n", 15);
    delta.worker_names[0].name = odd;
    ASSERT_TRUE(store_->apply(delta));
    EXPECT_EQ(store_->slices(0, 601)->at(0).sum.work, ~chain::Work{0} - 5);
    EXPECT_EQ(store_->pool_work_since(0)->work, ~chain::Work{0});
    EXPECT_EQ(store_->workers()->at(0).name, odd);
}

TEST_P(SqlSlicesTest, RefusesADeltaThatDoesNotBeginWhereItStands) {
    const auto first = delta_from({}, 600);
    ASSERT_TRUE(store_->apply(first));
    EXPECT_THAT(store_->apply(first).error(), HasSubstr("does not stand"));
    auto other = delta_from(first.after, 600);
    other.before.log.chain.bytes[9] ^= 1;
    EXPECT_FALSE(store_->apply(other));
    EXPECT_EQ(point(), first.after);
    EXPECT_EQ(store_->pool_work_since(0)->shares, 4u);
}

TEST_P(SqlSlicesTest, RefusesAnOverflowAndStaysAsItWas) {
    auto first = delta_from({}, 600);
    first.slices.begin()->second.work = ~chain::Work{0};
    ASSERT_TRUE(store_->apply(first));
    EXPECT_THAT(store_->apply(delta_from(first.after, 600)).error(), HasSubstr("128 bits"));
    EXPECT_EQ(point(), first.after);
    // A question about more work than there can be is an error, not a number.
    EXPECT_THAT(store_->pool_work_since(0).error(), HasSubstr("128 bits"));
}

TEST_P(SqlSlicesTest, ForgetsOldWorkerSlicesButNotTheirTotals) {
    const auto first = delta_from({}, 600);
    ASSERT_TRUE(store_->apply(first));
    ASSERT_TRUE(store_->apply(delta_from(first.after, 600 + 7'200 + 600)));
    EXPECT_EQ(store_->worker_work_since(2, 0)->shares, 1u);
    EXPECT_EQ(store_->worker_totals()->at(1).sum.shares, 2u);
    EXPECT_EQ(store_->account_work_since(2, 0)->shares, 2u);
}

TEST_P(SqlSlicesTest, KeepsInstancesApart) {
    const auto other = open(settings(1));
    auto mine = delta_from({}, 600);
    ASSERT_TRUE(store_->apply(mine));
    auto theirs = delta_from({}, 600);
    theirs.after.log_id[0] = 8;
    theirs.after.log.position = 77;
    theirs.accounts = {{1, "carol"}};
    theirs.worker_names = {{1, 1, "other rig"}};
    theirs.slices = {{{{600, 0}, 1}, {9, 1, 0}}};
    theirs.workers = {{{600, 1}, {9, 1, 0}}};
    theirs.facts = {{testing::found_block(1'000'000, {}, {600, 0}), 0, 600'000}};
    ASSERT_TRUE(other->apply(theirs)) << other->apply(theirs).error();
    EXPECT_EQ(point(), mine.after);
    EXPECT_EQ(**other->fold_point(), theirs.after);
    EXPECT_EQ(store_->pool_work_since(0)->shares, 4u);
    EXPECT_EQ(*other->pool_work_since(0), (Sum{9, 1, 0}));
    EXPECT_EQ(*other->account_work_since(1, 0), (Sum{9, 1, 0}));
    EXPECT_EQ(*other->worker_work_since(1, 0), (Sum{9, 1, 0}));
    EXPECT_THAT(*other->slices(0, 601), ElementsAre(SliceRow{{600, 0}, 1, {9, 1, 0}}));
    EXPECT_THAT(*other->accounts(), ElementsAre(share::AccountRecord{1, "carol"}));
    EXPECT_EQ(store_->accounts()->size(), 2u);
    EXPECT_EQ(other->workers()->at(0).name, "other rig");
    EXPECT_EQ(other->worker_totals()->size(), 1u);
    EXPECT_THAT(*other->blocks(), ElementsAre(block_in(theirs)));
    // The ledger is one.
    EXPECT_EQ(other->block_rows()->size(), 2u);
    EXPECT_EQ(*other->block_rows(), *store_->block_rows());
}

// The process dies between any two steps of a transaction: either all of it is there or nothing.
TEST_P(SqlSlicesTest, AppliesADeltaWhollyOrNotAtAllWhenKilledAtAnyStep) {
    const auto first = delta_from({}, 600);
    ASSERT_TRUE(store_->apply(first));
    auto stands = first.after;
    int died = 0;
    int survived = 0;
    for (int step = 0; survived == 0; ++step) {
        ASSERT_LT(step, 50);
        store_.reset();
        const auto next = delta_from(stands, 600);
        const auto child = ::fork();
        if (child == 0) {
            auto mine = settings();
            mine.fail_point = [step](int at) {
                if (at == step) ::_exit(9);
                return true;
            };
            const auto store = SqlLedger::open(mine);
            ::_exit(store && (*store)->apply(next) ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFEXITED(status));
        ASSERT_NE(WEXITSTATUS(status), 1);
        (WEXITSTATUS(status) == 9 ? died : survived) += 1;
        reopen();
        const bool applied = point() == next.after;
        ASSERT_TRUE(applied || point() == stands) << "step " << step;
        if (applied) stands = next.after;
        // What the store says it has is what it has.
        const auto expected = stands.log.position / 1'000;
        EXPECT_EQ(store_->pool_work_since(0)->shares, 4 * expected) << "step " << step;
        EXPECT_EQ(store_->worker_totals()->at(1).sum.shares, expected) << "step " << step;
        EXPECT_EQ(store_->blocks()->size(), expected) << "step " << step;
        // Where it stands it goes on.
        if (!applied) {
            ASSERT_TRUE(store_->apply(next));
            stands = next.after;
        }
    }
    EXPECT_GE(died, 10);
}

// The same within a process: the object is dropped, another one finds all or nothing.
TEST_P(SqlSlicesTest, AppliesADeltaWhollyOrNotAtAllWhenAStepFails) {
    store_.reset();
    auto stands = ledger::FoldPoint{};
    bool failed = true;
    int failures = 0;
    for (int step = 0; failed; ++step) {
        ASSERT_LT(step, 50);
        const auto next = delta_from(stands, 600);
        {
            auto failing = settings();
            failing.fail_point = [step](int at) { return at != step; };
            const auto store = open(failing);
            const auto applied = store->apply(next);
            failed = !applied;
            if (failed) {
                ++failures;
                EXPECT_THAT(applied.error(), HasSubstr("stopped by a test"));
                EXPECT_THAT(applied.error(), HasSubstr(store->name()));
            }
        }
        reopen();
        if (point() == stands) {
            EXPECT_EQ(store_->pool_work_since(0)->shares, stands.log.position / 1'000 * 4);
            ASSERT_TRUE(store_->apply(next));
        }
        stands = next.after;
        EXPECT_EQ(point(), stands);
        EXPECT_EQ(store_->blocks()->size(), stands.log.position / 1'000);
        store_.reset();
    }
    EXPECT_GE(failures, 10);
}

TEST_P(SqlSlicesTest, ShowsASnapshotAsItWasWhileItGoesOn) {
    const auto first = delta_from({}, 600);
    ASSERT_TRUE(store_->apply(first));
    const auto taken = store_->snapshot();
    ASSERT_TRUE(taken) << taken.error();
    const auto& view = *taken;
    ASSERT_TRUE(store_->apply(delta_from(first.after, 600)));
    EXPECT_EQ(**view->fold_point(), first.after);
    EXPECT_EQ(view->pool_work_since(0)->shares, 4u);
    EXPECT_EQ(view->block_rows()->size(), 1u);
    EXPECT_EQ(store_->block_rows()->size(), 2u);
    EXPECT_THAT(view->apply(delta_from(first.after, 600)).error(), HasSubstr("reading only"));
    EXPECT_EQ((*store_->snapshot())->block_rows()->size(), 2u);
}

TEST_P(SqlSlicesTest, IsReadBesideARunningPoolByAReaderThatWritesNothing) {
    auto reading = settings();
    reading.read_only = true;
    const auto reader = open(reading);
    EXPECT_EQ(*reader->fold_point(), std::nullopt);
    const auto first = delta_from({}, 600);
    ASSERT_TRUE(store_->apply(first));
    EXPECT_EQ(**reader->fold_point(), first.after);
    EXPECT_THAT(reader->apply(delta_from(first.after, 600)).error(), HasSubstr("reading only"));
    EXPECT_EQ((*reader->snapshot())->pool_work_since(0)->shares, 4u);
    store_.reset();
    // Nobody writes any more.
    EXPECT_EQ(open(reading)->pool_work_since(0)->shares, 4u);
    const testing::EmptyDatabase empty(GetParam());
    reading.database = empty.name();
    EXPECT_FALSE(SqlLedger::open(reading));
}

class SqliteFileTest : public testing::SqlLedgerTest {};
INSTANTIATE_TEST_SUITE_P(On, SqliteFileTest, ::testing::Values(SqlDialect::sqlite),
                         testing::dialect_name);

TEST_P(SqliteFileTest, RefusesForeignFiles) {
    testing::TemporaryDir dir;
    PosixFileSystem files;
    ASSERT_TRUE(replace_file(files, dir.path() / "text", base::as_bytes(std::string(5'000, 'x'))));
    auto foreign = settings();
    foreign.database = (dir.path() / "text").string();
    EXPECT_THAT(SqlLedger::open(foreign).error(), HasSubstr("not a database"));
    foreign.database = (dir.path() / "no" / "such" / "folder").string();
    EXPECT_THAT(SqlLedger::open(foreign).error(), HasSubstr("cannot open"));
}

class PostgresTest : public testing::SqlLedgerTest {
 protected:
    // Ends all other connections to this test's database.
    void cut_connections() const {
        database_.connect()->run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()");
    }
};
INSTANTIATE_TEST_SUITE_P(On, PostgresTest, ::testing::Values(SqlDialect::postgres),
                         testing::dialect_name);

TEST_P(PostgresTest, OpensALostConnectionAgainAndNeverLeavesHalfADelta) {
    for (int step = 0; step < 11; ++step) {
        const testing::EmptyDatabase database(SqlDialect::postgres);
        auto mine = settings();
        mine.database = database.name();
        std::atomic<bool> cut = true;
        mine.fail_point = [&](int at) {
            if (at == step && cut.exchange(false)) {
                database.connect()->run(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()");
            }
            return true;
        };
        const auto store = open(mine);
        const auto delta = delta_from({}, 600);
        EXPECT_EQ(*store->fold_point(), std::nullopt);
        const auto applied = store->apply(delta);
        // The connection of the questions was cut as well.
        (void)store->fold_point();
        const auto stands = store->fold_point();
        ASSERT_TRUE(stands) << stands.error();
        if (!applied) {
            EXPECT_THAT(applied.error(), HasSubstr("the connection is lost"));
            EXPECT_EQ(*stands, std::nullopt);
            EXPECT_EQ(*store->pool_work_since(0), Sum{});
            ASSERT_TRUE(store->apply(delta)) << store->apply(delta).error();
        }
        EXPECT_EQ(**store->fold_point(), delta.after);
        EXPECT_EQ(store->pool_work_since(0)->shares, 4u);
        EXPECT_EQ(store->block_rows()->size(), 1u);
    }
}

TEST_P(PostgresTest, EndsASnapshotWithItsConnection) {
    const auto store = open();
    ASSERT_TRUE(store->apply(delta_from({}, 600)));
    const auto view = std::move(*store->snapshot());
    EXPECT_EQ(view->pool_work_since(0)->shares, 4u);
    cut_connections();
    EXPECT_FALSE(view->fold_point());
    EXPECT_THAT(view->fold_point().error(), HasSubstr("take a new one"));
    EXPECT_EQ((*open()->snapshot())->pool_work_since(0)->shares, 4u);
}

TEST_P(PostgresTest, WaitsForAServerThatIsAwayAndNeverNamesThePassword) {
    auto away = settings();
    away.database = "postgresql://adit:hunter2@127.0.0.1:1/ledger?password=hunter3";
    const auto opened = SqlLedger::open(away);
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error(), HasSubstr("ledger postgresql://adit@127.0.0.1:1/ledger: cannot"));
    EXPECT_THAT(opened.error(), Not(HasSubstr("hunter")));
    away.database = "postgresql://adit:hunter2@[bad/ledger";
    EXPECT_THAT(SqlLedger::open(away).error(), HasSubstr("its URL must be like"));
    EXPECT_THAT(SqlLedger::open(away).error(), Not(HasSubstr("hunter")));

    const auto store = open();
    const auto first = delta_from({}, 600);
    ASSERT_TRUE(store->apply(first));
    auto& server = testing::PostgresServer::instance();
    server.stop();
    const auto second = delta_from(first.after, 600);
    EXPECT_THAT(store->apply(second).error(), HasSubstr(postgres_name(database_.name())));
    EXPECT_THAT(store->apply(second).error(), HasSubstr("cannot connect"));
    EXPECT_FALSE(store->fold_point());
    server.start();
    ASSERT_TRUE(store->apply(second)) << store->apply(second).error();
    (void)store->fold_point();  // may still have to learn that its connection is gone
    EXPECT_EQ(**store->fold_point(), second.after);
    EXPECT_EQ(store->pool_work_since(0)->shares, 8u);
}

}  // namespace
}  // namespace adit::store
