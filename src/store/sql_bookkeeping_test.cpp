// Logs that a seed makes up, folded into a database and into memory: two ledgers that share no code
// below the bookkeeper and have the same rows after every piece of the log.
#include "ledger/random_history_testing.h"
#include "store/all_rows_testing.h"
#include "store/sql_ledger_testing.h"

namespace adit::store {
namespace {

using ledger::MemoryJournal;
using ledger::testing::fold_into;
using ledger::testing::kSliceSeconds;
using ledger::testing::kStart;
using ledger::testing::RandomLog;
using testing::all_rows;
using testing::rows_of;

// All slices of a ledger that holds one log, as its audit sees them.
std::vector<ledger::SliceRow> slices_of(const MemoryJournal& journal) {
    std::vector<ledger::SliceRow> rows;
    for (const auto& [slice, packed] : journal.slices().packed()) {
        for (const auto& [account, sum] : ledger::SliceBook::unpack(packed))
            rows.push_back({slice, account, sum});
    }
    return rows;
}

// The rows in which a database differs from memory; empty: none.
std::string difference(SqlLedger& sql, MemoryJournal& memory) {
    const auto from_ms = kStart * 1'000 + 2'000'000;
    const auto to_ms = kStart * 1'000 + 6'000'000;
    auto out = testing::difference(all_rows(sql, "alf", from_ms, to_ms),
                                   all_rows(memory, "alf", from_ms, to_ms));
    const auto slices = sql.slices(0, std::numeric_limits<std::int64_t>::max()).value();
    testing::note_difference(out, "slices", slices, slices_of(memory));
    for (const auto& row : rows_of(memory.balances())) {
        if (sql.balance_of(row.account).value() != row.balance) out += "a single balance differs; ";
    }
    for (const auto& payout : rows_of(memory.payout_rows())) {
        if (sql.payout_row(payout.id).value() != payout) out += "a single payout differs; ";
        if (payout.attempts == 0) continue;
        const auto txid = memory.attempts_of(payout.id)->back().txid;
        if (sql.payout_of_txid(txid).value() != payout.id) out += "a transaction is lost; ";
    }
    return out;
}

// How often everything happened that can happen, over all histories.
struct Events {
    int posted = 0, orphaned = 0, returned = 0, moved = 0, paid = 0, unpaid = 0, cancelled = 0;
    std::set<ledger::FactRefusal> refusals;

    void add(MemoryJournal& journal) {
        for (const auto& block : rows_of(journal.block_rows())) {
            posted += block.posted;
            orphaned += block.state == ledger::BlockState::orphaned && !block.reward.is_zero();
            moved += !block.round_moved_to.is_zero();
        }
        const auto transfers = *journal.transfers("", 0, std::numeric_limits<std::int64_t>::max());
        for (const auto& transfer : transfers) {
            using ledger::Phase;
            using ledger::Purpose;
            const bool part = transfer.id.purpose == Purpose::block_part;
            returned += part && transfer.phase == Phase::pend && transfer.id.transition > 1;
            paid += transfer.phase == Phase::settle;
            unpaid += transfer.phase == Phase::unsettle;
        }
        for (const auto& payout : rows_of(journal.payout_rows()))
            cancelled += payout.state == ledger::PayoutState::cancelled;
        for (const auto& refused : rows_of(journal.refused()))
            refusals.insert(refused.refusal);
    }
    // Histories in which little happened would prove little.
    void expect_many() const {
        for (const int count : {posted, orphaned, returned, moved, paid, unpaid, cancelled})
            EXPECT_GE(count, 3);
        EXPECT_GE(refusals.size(), 12u);
    }
};

class SqlBookkeepingTest : public testing::SqlLedgerTest {};
INSTANTIATE_TEST_SUITE_P(On, SqlBookkeepingTest,
                         ::testing::Values(SqlDialect::sqlite, SqlDialect::postgres),
                         testing::dialect_name);

TEST_P(SqlBookkeepingTest, HasTheRowsOfMemoryAfterEveryPieceOfARandomLog) {
    Events events;
    constexpr std::uint64_t kHistories = testing::kSanitized ? 1 : 5;
    for (std::uint64_t seed = 1; seed <= kHistories; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        const testing::EmptyDatabase database(GetParam());
        auto settings = this->settings();
        settings.database = database.name();
        auto sql = open(settings);
        RandomLog log(seed);
        auto stands = log.start();
        for (int piece = 0; piece < 50; ++piece) {
            for (auto batches = 1 + log.below(5); batches > 0; --batches)
                log.grow();
            const auto delta = log.piece(stands, log.batches());
            const auto applied = sql->apply(delta);
            ASSERT_TRUE(applied) << applied.error();
            stands = delta.after;
            if (log.below(4) == 0) {
                sql.reset();
                sql = open(settings);
            }
            if (piece % 5 != 0) continue;
            ASSERT_EQ(difference(*sql, log.expected()), "") << "piece " << piece;
            ASSERT_EQ(sql->total_of_all().value(), ledger::Balance{});
        }
        ASSERT_EQ(difference(*sql, log.expected()), "");
        EXPECT_EQ(sql->fold_point().value(), log.end());
        events.add(log.expected());
    }
    if (!testing::kSanitized) events.expect_many();
}

// Whichever statement fails, and however often: what is folded again from the log is what had been
// folded without any failure.
TEST_P(SqlBookkeepingTest, EndsWithTheSameRowsHoweverOftenAnyStatementFails) {
    constexpr int kFailures = testing::kSanitized ? 60 : 1'000;
    int failures = 0, after_commit = 0;
    std::mt19937_64 random(7);
    for (std::uint64_t seed = 100; failures < kFailures; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        const testing::EmptyDatabase database(GetParam());
        auto settings = this->settings();
        settings.database = database.name();
        RandomLog log(seed);
        while (log.batches() < 30)
            log.grow();
        (void)open(settings);  // creates the tables
        settings.read_only = true;
        const auto reader = open(settings);
        settings.read_only = false;
        std::uint64_t step = 0, fail_at = 0;
        settings.fail_statement = [&] { return step++ != fail_at; };
        settings.fail_point = [&](int) { return step++ != fail_at; };
        std::unique_ptr<SqlLedger> failing;
        MemoryJournal reference(0, kSliceSeconds);
        auto stands = log.start();
        auto until = std::size_t{1};
        std::uint64_t reach = 40;  // statements and steps of a transaction, about
        while (stands != log.end()) {
            const auto delta = log.piece(stands, until);
            fail_at = random() % reach;
            step = 0;
            // The same object goes on after a failure, or another one does.
            if (!failing || random() % 3 == 0) failing = open(settings);
            const bool applied = failing->apply(delta).has_value();
            failures += applied ? 0 : 1;
            // Others find all or nothing, and so does what is tried next.
            const auto found = reader->fold_point().value().value_or(log.start());
            ASSERT_TRUE(found == delta.after || (found == stands && !applied)) << failures;
            reach += reach / 4;
            if (found == delta.after) {
                after_commit += applied ? 0 : 1;
                fold_into(reference, delta);
                stands = delta.after;
                until = std::min(log.batches(), until + 1 + log.below(3));
                reach = std::max<std::uint64_t>(step, 40);
            }
            if (random() % 32 == 0) {
                ASSERT_EQ(difference(*reader, reference), "") << "failure " << failures;
            }
        }
        ASSERT_EQ(difference(*reader, log.expected()), "");
    }
    // Too rare for the few failures that sanitizers leave time for.
    if (!testing::kSanitized) {
        EXPECT_GE(after_commit, 1) << "failed after the commit";
    }
}

}  // namespace
}  // namespace adit::store
