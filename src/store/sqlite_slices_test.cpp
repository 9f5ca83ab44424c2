#include "store/sqlite_slices.h"

#include "store/sqlite.h"
#include "store/tally_test_support.h"

#include <gmock/gmock.h>

#include <sys/wait.h>
#include <unistd.h>

namespace adit::store {
namespace {

using ledger::SliceKey;
using ledger::SliceRow;
using ledger::Sum;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SqliteSlicesTest : public ::testing::Test {
 protected:
    SqliteSlicesTest() { reopen(); }
    void reopen() {
        store_.reset();
        auto opened = SqliteSlices::open(settings());
        ASSERT_TRUE(opened) << opened.error();
        store_ = std::move(*opened);
    }
    SqliteSlicesSettings settings() { return {dir_.path() / "ledger.sqlite", 7'200, {}}; }

    // A delta of two accounts, one worker each, and a block.
    static ledger::TallyDelta delta_from(const ledger::FoldPoint& before, std::int64_t start_s) {
        ledger::TallyDelta delta;
        delta.before = before;
        delta.after = before;
        delta.after.log_id[0] = 7;
        delta.after.log.position += 1'000;
        delta.after.log.chain.bytes[0] += 1;
        delta.after.slice = {start_s, 1};
        delta.after.time_ms = start_s * 1'000;
        // Above 64 bits.
        delta.slices[{SliceKey{start_s, 0}, 1}] = {chain::Work{1} << 100, 3, 1};
        delta.slices[{SliceKey{start_s, 0}, 2}] = {5, 1, 0};
        delta.workers[{start_s, 1}] = {chain::Work{1} << 100, 3, 1};
        delta.workers[{start_s, 2}] = {5, 1, 0};
        delta.accounts = {{1, "alice"}, {2, "bob"}};
        delta.worker_names = {{1, 1, "rig"}, {2, 2, ""}};
        ledger::FoundBlock found;
        found.block.hash.bytes[1] = 9;
        found.block.height = 5;
        found.block.job = 1;
        found.block.account = 1;
        found.block.worker = 1;
        found.block.coinbase_value_sat = 50;
        found.block.found_wall_ms = 77;
        found.block.file = "f";
        found.position = before.log.position;
        found.time_ms = delta.after.time_ms;
        found.slice = {start_s, 0};
        delta.blocks = {found};
        delta.shares = 4;
        return delta;
    }
    ledger::FoldPoint point() { return store_->fold_point()->value_or(ledger::FoldPoint{}); }

    testing::TemporaryDir dir_;
    std::unique_ptr<SqliteSlices> store_;
};

TEST_F(SqliteSlicesTest, AddsUpExactlyAndGivesBackWhatItHolds) {
    EXPECT_EQ(*store_->fold_point(), std::nullopt);
    const auto first = delta_from({}, 600);
    ASSERT_TRUE(store_->apply(first));
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
    EXPECT_THAT(*store_->blocks(), ElementsAre(first.blocks[0], second.blocks[0]));
    EXPECT_EQ(*store_->accounts(), first.accounts);
    EXPECT_EQ(*store_->workers(), first.worker_names);
}

TEST_F(SqliteSlicesTest, RefusesADeltaThatDoesNotBeginWhereItStands) {
    const auto first = delta_from({}, 600);
    ASSERT_TRUE(store_->apply(first));
    EXPECT_THAT(store_->apply(first).error(), HasSubstr("does not stand"));
    auto other = delta_from(first.after, 600);
    other.before.log.chain.bytes[9] ^= 1;
    EXPECT_FALSE(store_->apply(other));
    EXPECT_EQ(point(), first.after);
    EXPECT_EQ(store_->pool_work_since(0)->shares, 4u);
}

TEST_F(SqliteSlicesTest, RefusesAnOverflowAndStaysAsItWas) {
    auto first = delta_from({}, 600);
    first.slices.begin()->second.work = ~chain::Work{0};
    ASSERT_TRUE(store_->apply(first));
    EXPECT_THAT(store_->apply(delta_from(first.after, 600)).error(), HasSubstr("128 bits"));
    EXPECT_EQ(point(), first.after);
}

TEST_F(SqliteSlicesTest, ForgetsOldWorkerSlicesButNotTheirTotals) {
    const auto first = delta_from({}, 600);
    ASSERT_TRUE(store_->apply(first));
    ASSERT_TRUE(store_->apply(delta_from(first.after, 600 + 7'200 + 600)));
    EXPECT_EQ(store_->worker_work_since(2, 0)->shares, 1u);
    EXPECT_EQ(store_->worker_totals()->at(1).sum.shares, 2u);
    EXPECT_EQ(store_->account_work_since(2, 0)->shares, 2u);
}

// The process dies between any two steps of a transaction: either all of it is there or nothing.
TEST_F(SqliteSlicesTest, AppliesADeltaWhollyOrNotAtAllWhenKilledAtAnyStep) {
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
            const auto store = SqliteSlices::open(mine);
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
    EXPECT_GE(died, 9);
}

TEST_F(SqliteSlicesTest, StaysAsItWasWhenAStepFails) {
    for (int step = 0; step < 8; ++step) {
        store_.reset();
        auto failing = settings();
        failing.fail_point = [step](int at) { return at != step; };
        auto store = *SqliteSlices::open(failing);
        EXPECT_THAT(store->apply(delta_from({}, 600)).error(), HasSubstr("ledger.sqlite"));
        EXPECT_EQ(*store->fold_point(), std::nullopt);
        EXPECT_TRUE(store->slices(0, 1'000)->empty());
    }
}

TEST_F(SqliteSlicesTest, TakesOverAFileOfTheFirstSchema) {
    store_.reset();
    {
        SqliteDatabase database(settings().file);
        for (const auto* column : {"bits", "snapshot", "pays_dues", "pays_finder"}) {
            database.run(fmt::format("ALTER TABLE blocks DROP COLUMN {}", column));
        }
        database.run(
            "INSERT INTO blocks VALUES (1, zeroblob(32), 7, 5, 1, 2, 50, 9, 1, 'b', 3, 4, 600, 0)");
        database.run("PRAGMA user_version = 1");
    }
    for (int opening = 0; opening < 2; ++opening) {
        auto opened = SqliteSlices::open(settings());
        ASSERT_TRUE(opened) << opened.error();
        const auto blocks = *(*opened)->blocks();
        ASSERT_EQ(blocks.size(), 1u);
        EXPECT_EQ(blocks[0].block.height, 7);
        EXPECT_EQ(blocks[0].block.bits, 0u);
        EXPECT_EQ(blocks[0].block.file, "b");
        EXPECT_EQ(blocks[0].slice.start_s, 600);
    }
}

TEST_F(SqliteSlicesTest, RefusesANewerSchemaAndForeignFiles) {
    store_.reset();
    {
        SqliteDatabase database(settings().file);
        database.run("PRAGMA user_version = 99");
    }
    auto opened = SqliteSlices::open(settings());
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error(), HasSubstr("newer Adit (schema 99, this program knows 2)"));
    PosixFileSystem files;
    ASSERT_TRUE(replace_file(files, dir_.path() / "text", base::as_bytes(std::string(5'000, 'x'))));
    auto foreign = settings();
    foreign.file = dir_.path() / "text";
    EXPECT_THAT(SqliteSlices::open(foreign).error(), HasSubstr("not a database"));
    foreign.file = dir_.path() / "no" / "such" / "folder";
    EXPECT_THAT(SqliteSlices::open(foreign).error(), HasSubstr("cannot open"));
}

}  // namespace
}  // namespace adit::store
