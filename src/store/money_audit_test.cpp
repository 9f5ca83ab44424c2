// The audit of a pool's money: a log with blocks and facts of every sort agrees with its ledger,
// every row that is changed behind the pool's back is found and named, and all of that while the
// pool goes on.
#include "base/wait.h"
#include "store/log_audit.h"
#include "store/log_fact_sink.h"
#include "store/log_scan.h"
#include "store/sqlite_connection.h"
#include "store/tally_test_support.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <thread>

namespace adit::store {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kPatienceMs = 60'000;
constexpr std::int64_t kReward = 5'000'000'000;

chain::Hash256 hash_of(std::uint8_t number) {
    chain::Hash256 hash;
    hash.bytes[0] = number;
    return hash;
}

// A pool without its front: log, tally and ledger, and a hand that writes what others would.
class MoneyAuditTest : public ::testing::Test {
 protected:
    MoneyAuditTest() {
        const auto opened = bench_.open();
        EXPECT_TRUE(opened) << opened.error().text();
        SqlLedgerSettings settings;
        settings.database = file().string();
        settings.slice_s = bench_.log->slice_s();
        auto ledger = SqlLedger::open(settings);
        EXPECT_TRUE(ledger) << ledger.error();
        ledger_ = std::move(*ledger);
        TallySettings tally;
        tally.log_dir = testing::kDir;
        tally.interval_ms = 0;
        tally_.emplace(files_, tally, *bench_.log, *ledger_, bench_.clock, bench_.registry,
                       bench_.logger);
        EXPECT_TRUE(tally_->start());
        sink_.emplace(*bench_.log, *tally_, bench_.clock, kPatienceMs);
    }

    std::filesystem::path file() const { return dir_.path() / "ledger.sqlite"; }

    void record(const share::Record& fact) {
        const auto recorded = sink_->record(fact);
        ASSERT_TRUE(recorded) << recorded.error();
    }
    // A new job and `count` mined shares of it.
    void mine(std::string_view account_name, int count) {
        job_ = testing::mining_job(++last_job_);
        bench_.log->record_job(job_);
        const auto account = bench_.log->account(account_name);
        const auto worker = bench_.log->worker(account, "rig");
        share::ShareBatch batch;
        for (int i = 0; i < count; ++i)
            batch.shares.push_back(testing::mine(job_, account, worker, nonce_));
        batch.listener = &bench_.answers;
        batch.ticket = last_job_;
        const base::SystemClock patience;
        ASSERT_TRUE(base::wait_until(patience, patience.steady_ms() + kPatienceMs,
                                     [&] { return bench_.log->submit(batch); }));
        ASSERT_EQ(bench_.answers.await(last_job_), share::CommitResult::committed);
        bench_.clock.advance_ms(250'000);
    }
    chain::Hash256 find_block(std::string_view account) {
        job::BlockCandidate block;
        block.hash = hash_of(++last_block_);
        block.height = job_->source->height;
        block.job = job_;
        block.account = account;
        block.worker = "rig";
        block.found_wall_ms = bench_.clock.wall_ms();
        // Shares that come while the block waits for a commit may stand before it.
        const auto before = bench_.log->durable_position();
        bench_.log->record_block(block, "block");
        EXPECT_TRUE(bench_.log->wait_past(before, {}, kPatienceMs));
        return block.hash;
    }
    void say(const chain::Hash256& block, std::uint32_t transition, share::BlockFact what) {
        share::BlockFactRecord fact;
        fact.hash = block;
        fact.transition = transition;
        fact.fact = what;
        fact.coinbase_value_sat = what == share::BlockFact::confirmed ? kReward : 0;
        fact.confirmations = 1;
        fact.evidence = "by a test";
        record(fact);
    }
    void record_payout() {
        share::PayoutIntentRecord intent;
        intent.payout = 1;
        intent.anchor.txid = hash_of(200);
        intent.anchor_value_sat = 10'000'000;
        intent.payees = {{"alice", {0x00, 0x14, 1}, 1'000'000, 999'900},
                         {"bob", {0x00, 0x14, 2}, 500'000, 499'900}};
        record(intent);
        share::PayoutSignedRecord signed_payout;
        signed_payout.payout = 1;
        signed_payout.attempt = 1;
        signed_payout.txid = hash_of(201);
        signed_payout.fee_sat = 200;
        signed_payout.raw = base::Bytes(100, 7);
        record(signed_payout);
        share::PayoutFactRecord confirmed;
        confirmed.payout = 1;
        confirmed.transition = 1;
        confirmed.fact = share::PayoutFact::confirmed;
        confirmed.txid = signed_payout.txid;
        confirmed.block = hash_of(202);
        confirmed.height = 20;
        record(confirmed);
    }
    void record_life() {
        record(share::RulesRecord{share::RewardScheme::pplns, share::PayoutMode::wallet, 2'000,
                                  15'000, ":fee", bench_.clock.wall_ms()});
        record(share::SettingsRecord{"alice", 250'000, 5'000, bench_.clock.wall_ms()});
        mine("alice", 20);
        mine("bob", 30);
        const auto first = find_block("alice");
        mine("alice", 10);
        say(first, 1, share::BlockFact::confirmed);
        mine("carol", 10);
        const auto second = find_block("carol");
        say(second, 1, share::BlockFact::confirmed);
        say(first, 2, share::BlockFact::mature);
        say(second, 2, share::BlockFact::contested);
        say(second, 3, share::BlockFact::orphaned);
        record_payout();
        share::ExplainRecord explained;
        explained.txid = hash_of(210);
        explained.account = "bob";
        explained.amount_sat = 1'000;
        explained.note = "rent";
        record(explained);
        share::SnapshotRecord snapshot;
        snapshot.id = 1;
        snapshot.entries = {{1, 77, 5}};
        record(snapshot);
        say(hash_of(250), 1, share::BlockFact::confirmed);  // refused: no such block
        mine("alice", 5);
        const auto third = find_block("bob");
        say(third, 1, share::BlockFact::confirmed);
    }
    void stop() {
        tally_->stop();
        ASSERT_EQ(tally_->error(), "");
        ledger_.reset();
    }
    // Of a copy of the ledger in which this was done.
    ledger::AuditReport audit_after(const std::string& sql) {
        const auto copy = dir_.path() / "copy.sqlite";
        for (const auto* end : {"", "-wal", "-shm"}) {
            std::filesystem::remove(copy.string() + end);
        }
        std::filesystem::copy_file(file(), copy);
        if (!sql.empty()) SqliteConnection(copy, SqliteMode::write).run(sql);
        SqlLedgerSettings settings;
        settings.database = copy.string();
        settings.read_only = true;
        const auto ledger = SqlLedger::open(settings);
        EXPECT_TRUE(ledger) << ledger.error();
        const auto report = audit_log(files_, testing::kDir, ledger->get());
        EXPECT_TRUE(report) << report.error();
        return *report;
    }

    FaultyFileSystem files_{1};
    testing::LogBench bench_{files_};
    testing::TemporaryDir dir_;
    std::unique_ptr<SqlLedger> ledger_;
    std::optional<TallyThread> tally_;
    std::optional<LogFactSink> sink_;
    job::JobRef job_;
    job::JobId last_job_ = 0;
    std::uint8_t last_block_ = 0;
    std::uint32_t nonce_ = 0;
};

TEST_F(MoneyAuditTest, AgreesWithTheLedgerOfALogWithFactsOfEverySort) {
    record_life();
    EXPECT_GT(ledger_->balance_of("bob")->posted.sat(), 0);
    EXPECT_GT(ledger_->balance_of("alice")->pending.sat(), 0);
    EXPECT_GT(ledger_->balance_of(":donation")->posted.sat(), 0);
    EXPECT_EQ(ledger_->refused()->size(), 1u);
    EXPECT_EQ(ledger_->payout_row(1)->value().state, ledger::PayoutState::confirmed);
    const auto transfers = ledger_->transfers({}, 0, 1LL << 60)->size();
    EXPECT_GT(transfers, 20u);
    stop();
    const auto report = audit_after("");
    EXPECT_TRUE(report.clean()) << report.first->text();
    EXPECT_EQ(report.shares, 75u);
    EXPECT_EQ(report.blocks, 3u);
    EXPECT_EQ(report.facts, 14u);
    EXPECT_GT(report.rows_compared, transfers + 20);
    EXPECT_EQ(report.compared_at, bench_.log->durable_position());
    EXPECT_EQ(report.end, bench_.log->durable_position());
}

struct Tampering {
    std::string name;  // of the test
    std::string sql;
    std::string what;  // of the first difference
    std::string expected;
    std::string found;
    std::uint64_t differences = 1;
};

constexpr auto kAlice = "(SELECT id FROM balances WHERE account = CAST('alice' AS TEXT))";

std::vector<Tampering> tamperings_with_money() {
    const std::string first = "hash = x'01" + std::string(62, '0') + "'";
    const std::string first_split = "block = x'01" + std::string(62, '0') + "'";
    return {
        {"BalanceRaised", "UPDATE balances SET posted_sat = posted_sat + 1 WHERE account = 'alice'",
         "balance in the ledger", "alice: posted ", "alice: posted ", 2},  // and the sum
        {"BalanceMoved",
         "UPDATE balances SET posted_sat = posted_sat + 1 WHERE account = 'alice';"
         "UPDATE balances SET posted_sat = posted_sat - 1 WHERE account = 'bob'",
         "balance in the ledger", "alice: posted ", "alice: posted ", 2},
        {"BalanceInvented", "INSERT INTO balances VALUES (99, 'mallory', 0, 5, 0)",
         "balance in the ledger", "no such row", "mallory: posted 0 sat, pending 5 sat", 2},
        {"TransferDeleted",
         fmt::format("DELETE FROM transfers WHERE account = {} AND purpose = 1 AND transition = 2",
                     kAlice),
         "transfer in the ledger", "block_part of ", "no such row"},
        {"TransferInvented",
         "INSERT INTO transfers SELECT reference, 8, 7, account, debit, credit, 1, 5, position, "
         "time_ms FROM transfers LIMIT 1",
         "transfer in the ledger", "no such row", "explained of "},
        {"TransferRedirected",
         "UPDATE transfers SET credit = debit WHERE purpose = 2 AND transition = 2",
         "transfer in the ledger", "to :fee", "to :reward"},
        {"TransferAmount", "UPDATE transfers SET amount_sat = amount_sat + 1 WHERE purpose = 8",
         "transfer in the ledger", "1000 sat", "1001 sat"},
        {"TransferEarlier", "UPDATE transfers SET time_ms = time_ms - 1 WHERE purpose = 8",
         "transfer in the ledger", "explained of ", "explained of "},
        {"TransferMuchLater",
         "UPDATE transfers SET time_ms = time_ms + 90000000000 WHERE purpose = 8",
         "transfer in the ledger", "explained of ", "no such row", 2},
        {"SplitAltered",
         fmt::format("UPDATE splits SET part_sat = part_sat + 1 WHERE {} AND place = 0",
                     first_split),
         "split of block ", "alice: ", "alice: "},
        {"SplitDeleted", fmt::format("DELETE FROM splits WHERE {} AND place = 0", first_split),
         "split of block ", "alice: ", "no such row"},
        {"BlockState", fmt::format("UPDATE blocks SET state = 4 WHERE {}", first),
         "block in the ledger", "mature", "orphaned"},
        {"BlockReward", fmt::format("UPDATE blocks SET reward_sat = 1 WHERE {}", first),
         "block in the ledger", "reward 5000000000 sat", "reward 1 sat"},
        {"BlockHeight", fmt::format("UPDATE blocks SET height = 8 WHERE {}", first),
         "block in the ledger", "height 7", "height 8"},
        {"BlockDeleted", fmt::format("DELETE FROM blocks WHERE {}", first), "block in the ledger",
         "mature", "no such row"},
    };
}

std::vector<Tampering> tamperings_with_other_rows() {
    return {
        {"RulesAltered", "UPDATE rules SET fee_ppm = 14999", "reward rules in the ledger",
         "15000 ppm", "14999 ppm"},
        {"SettingsAltered", "UPDATE settings SET threshold_sat = 1", "account settings",
         "250000 sat", "threshold 1 sat"},
        {"PayoutState", "UPDATE payouts SET state = 5", "payout in the ledger", "confirmed",
         "cancelled"},
        {"PayeeSwapped", "UPDATE payees SET account = 'mallory' WHERE account = 'alice'",
         "payee of payout 1", "alice: debit", "no such row", 2},
        {"PayeeScript", "UPDATE payees SET script = x'001409' WHERE account = 'bob'",
         "payee of payout 1", "script 001402", "script 001409"},
        {"AttemptRaw", "UPDATE attempts SET raw = x'00'", "transaction of payout 1", "100 bytes",
         "1 bytes"},
        {"ExplainedNote", "UPDATE explained SET note = 'a gift'", "explained spend", "rent",
         "a gift"},
        {"RefusedDeleted", "DELETE FROM refused", "refused fact", "no such block", "no such row"},
        {"SnapshotDeleted", "DELETE FROM snapshots", "snapshot in the ledger", "snapshot 1 on",
         "no such row"},
        {"SliceShares", "UPDATE slices SET shares = shares + 1 WHERE account = 2",
         "slice in the ledger", "30 shares", "31 shares"},
        {"SliceWork", "UPDATE slices SET work = zeroblob(16) WHERE account = 3",
         "slice in the ledger", "of account 3: work", "of account 3: work 0000000000000000"},
        {"SliceInvented",
         "INSERT INTO slices SELECT start + 600000, 0, 0, 1, work, 1, 0 FROM slices LIMIT 1",
         "slice in the ledger", "no such row", "of account 1"},
        {"WorkerTotal", "UPDATE worker_totals SET uncredited = 3 WHERE worker = 1",
         "worker total in the ledger", "0 uncredited", "3 uncredited"},
        {"AccountRenamed", "UPDATE accounts SET name = 'mallory' WHERE id = 1",
         "account in the ledger", "account 1 \"alice\"", "account 1 \"mallory\""},
        {"WorkerMoved", "UPDATE workers SET account = 2, name = 'rig2' WHERE id = 1",
         "worker in the ledger", "of account 1", "of account 2"},
    };
}

TEST_F(MoneyAuditTest, FindsAndNamesEverySortOfTampering) {
    record_life();
    stop();
    ASSERT_TRUE(audit_after("").clean());
    auto tamperings = tamperings_with_money();
    for (auto& other : tamperings_with_other_rows())
        tamperings.push_back(std::move(other));
    for (const auto& tampering : tamperings) {
        SCOPED_TRACE(tampering.name);
        const auto report = audit_after(tampering.sql);
        ASSERT_FALSE(report.clean());
        EXPECT_EQ(report.differences, tampering.differences) << report.first->text();
        EXPECT_THAT(report.first->what, HasSubstr(tampering.what));
        EXPECT_THAT(report.first->expected, HasSubstr(tampering.expected));
        EXPECT_THAT(report.first->found, HasSubstr(tampering.found));
        EXPECT_NE(report.first->expected, report.first->found);
    }
}

TEST_F(MoneyAuditTest, NoticesALedgerWhoseFoldPointWasMoved) {
    record_life();
    stop();
    const auto ahead = audit_after("UPDATE fold_points SET position = position + 1000000");
    EXPECT_THAT(ahead.first->text(), HasSubstr("point that the ledger was folded to"));
    EXPECT_EQ(ahead.shares, 75u) << "the log itself is checked to its end";
    const auto within = audit_after("UPDATE fold_points SET position = position - 1");
    EXPECT_THAT(within.first->text(), HasSubstr("between two batches"));
    const auto foreign = audit_after("UPDATE fold_points SET log_id = zeroblob(16)");
    EXPECT_THAT(foreign.first->text(), HasSubstr("log that the ledger was folded from"));
    // Rows without a fold point have come from nowhere.
    EXPECT_FALSE(audit_after("DELETE FROM fold_points").clean());
}

TEST_F(MoneyAuditTest, AuditsAPoolThatGoesOn) {
    record_life();
    std::atomic<bool> done{false};
    std::thread pool([&] {
        for (int round = 0; !done; ++round) {
            mine(round % 2 == 0 ? "alice" : "dave", 20);
            record(share::SettingsRecord{"dave", 200'000 + round, 0, bench_.clock.wall_ms()});
        }
    });
    std::uint64_t shares = 0;
    for (int i = 0; i < 20; ++i) {
        SqlLedgerSettings settings;
        settings.database = file().string();
        settings.read_only = true;
        const auto ledger = SqlLedger::open(settings);
        ASSERT_TRUE(ledger) << ledger.error();
        LogAuditSettings audit_settings;
        audit_settings.log_dir = testing::kDir;
        const auto at_start = bench_.log->durable_position();
        // The pool folds something between the first look and the snapshot.
        audit_settings.before_snapshot = [&] {
            const auto folded = tally_->folded_position();
            EXPECT_TRUE(tally_->wait_folded(folded + 1, kPatienceMs));
        };
        LogAudit audit(files_, audit_settings, ledger->get());
        const auto ran = audit.run();
        ASSERT_TRUE(ran) << ran.error();
        const auto& report = audit.report();
        ASSERT_TRUE(report.clean()) << report.first->text();
        EXPECT_GE(report.end, at_start);
        ASSERT_TRUE(report.compared_at);
        EXPECT_GE(report.shares, shares);
        shares = report.shares;
    }
    done = true;
    pool.join();
    EXPECT_GT(shares, 75u) << "the pool went on meanwhile";
}

TEST_F(MoneyAuditTest, LeavesOutABatchThatIsJustBeingWritten) {
    record_life();
    stop();
    const auto end = bench_.log->durable_position();
    bench_.log->close();
    const auto segments = list_segments(files_, testing::kDir);
    ASSERT_TRUE(segments);
    const auto name = testing::kDir / segment_name(segments->back());
    auto opened = open_segment(files_, testing::kDir, segments->back(), OpenMode::read);
    const auto offset = offset_of(opened->header, end);
    const auto whole = files_.contents(name);
    // Half of a frame, header first or body first.
    for (const bool header : {true, false}) {
        auto torn = whole;
        torn.resize(std::max<std::size_t>(torn.size(), offset + 4'096));
        const auto from = offset + (header ? 0 : kFrameHeaderSize);
        for (std::size_t i = 0; i < kFrameHeaderSize; ++i)
            torn[from + i] = static_cast<std::uint8_t>(i + 1);
        if (header) {
            base::store_le(torn.data() + offset + 4, std::uint32_t{200});
            base::store_le(torn.data() + offset + 8, end);
        }
        files_.overwrite(name, torn);
        const auto found = find_log_end(files_, testing::kDir);
        ASSERT_TRUE(found) << found.error().text();
        EXPECT_EQ(found->position, end);
        EXPECT_FALSE(found->damage);
        const auto report = audit_after("");
        EXPECT_TRUE(report.clean()) << report.first->text();
    }
    // An intact batch behind a bad one is damage.
    auto damaged = whole;
    damaged[offset - 1] ^= 1;  // of the last batch
    files_.overwrite(name, damaged);
    EXPECT_LT(find_log_end(files_, testing::kDir)->position, end);
    damaged = whole;
    damaged[kSegmentHeaderSize + 70] ^= 1;  // of the first
    files_.overwrite(name, damaged);
    const auto found = find_log_end(files_, testing::kDir);
    ASSERT_TRUE(found && found->damage);
    EXPECT_EQ(found->damage->kind, LogErrorKind::damaged);
    const auto report = audit_after("");
    EXPECT_THAT(report.first->text(), HasSubstr("a sound log"));
}

}  // namespace
}  // namespace adit::store
