// Every primitive of the journal and every question about the ledger, on SQLite and PostgreSQL.
#include "store/sql_journal.h"

#include "store/sql_ledger_testing.h"
#include "store/sql_rows.h"
#include "store/sql_schema.h"

namespace adit::store {
namespace {

using chain::Amount;
using ledger::Balance;
using ledger::BlockRow;
using ledger::Phase;
using ledger::Purpose;
using ledger::SliceKey;
using ledger::SliceRef;
using ledger::Transfer;
using ::testing::ElementsAre;
using testing::hash_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class SqlJournalTest : public testing::SqlLedgerTest {
 protected:
    SqlJournalTest() : ledger_(open()), connection_(database_.connect()) {}
    // One transaction.
    void write(const std::function<void(SqlJournal&)>& work, ledger::InstanceId instance = 0) {
        SqlTransaction transaction(*connection_);
        SqlJournal journal(*connection_, instance, 600);
        work(journal);
        journal.finish();
        transaction.commit();
    }
    static BlockRow block(std::uint32_t number, std::int64_t time_ms,
                          ledger::InstanceId instance = 0, std::uint32_t sequence = 0) {
        BlockRow row;
        row.found = testing::found_block(number, {}, {600, sequence});
        row.found.time_ms = time_ms;
        row.instance = instance;
        return row;
    }
    static Transfer transfer(std::string account, std::int64_t sat, Phase phase,
                             std::uint32_t transition = 1) {
        Transfer transfer;
        transfer.id = {Purpose::block_part, hash_of(1), transition, account};
        transfer.debit = ":reward";
        transfer.credit = std::move(account);
        transfer.amount = Amount::of(sat);
        transfer.phase = phase;
        transfer.position = 1'000 + transition;
        transfer.time_ms = 5'000 + transition;
        return transfer;
    }
    static Balance sats(std::int64_t posted, std::int64_t pending, std::int64_t reserved) {
        return {Amount::of(posted), Amount::of(pending), Amount::of(reserved)};
    }

    std::unique_ptr<SqlLedger> ledger_;
    std::unique_ptr<SqlConnection> connection_;
};
INSTANTIATE_TEST_SUITE_P(On, SqlJournalTest,
                         ::testing::Values(SqlDialect::sqlite, SqlDialect::postgres),
                         testing::dialect_name);

TEST_P(SqlJournalTest, MovesBalancesByPhase) {
    struct Case {
        Phase phase;
        Balance expected;  // of the credited account after 10 more
    };
    const std::vector<Case> cases{
        {Phase::pend, sats(0, 10, 0)},       {Phase::post, sats(10, -10, 0)},
        {Phase::void_, sats(0, -10, 0)},     {Phase::reverse, sats(-10, 0, 0)},
        {Phase::direct, sats(10, 0, 0)},     {Phase::reserve, sats(0, 0, 10)},
        {Phase::release, sats(0, 0, -10)},   {Phase::settle, sats(10, 0, -10)},
        {Phase::unsettle, sats(-10, 0, 10)},
    };
    for (const auto& row : cases) {
        const auto account = fmt::format("account {}", static_cast<int>(row.phase));
        write([&](SqlJournal& journal) {
            const std::vector<Transfer> posted{transfer(account, 10, row.phase)};
            journal.post(posted);
            EXPECT_EQ(journal.balance(account), row.expected) << account;
            EXPECT_EQ(journal.total(), Balance{});
        });
        EXPECT_EQ(*ledger_->balance_of(account), row.expected) << account;
    }
    EXPECT_EQ(*ledger_->total_of_all(), Balance{});
    EXPECT_EQ(*ledger_->balance_of("nobody"), Balance{});
    EXPECT_EQ(*ledger_->balance_of(":reward"), sats(-10, 10, 0));
}

TEST_P(SqlJournalTest, GivesTransfersBackInTheOrderOfPositionsAndIds) {
    auto fee = transfer("alice", 3, Phase::pend, 2);
    fee.id.purpose = Purpose::donation;
    fee.debit = "alice";
    fee.credit = ":donation";
    const std::vector<Transfer> first{transfer("bob", 7, Phase::pend, 2),
                                      transfer("alice", 20, Phase::pend, 2), fee};
    const std::vector<Transfer> second{transfer("Zoe", 1, Phase::pend, 1),
                                       transfer("alice", 20, Phase::post, 3)};
    write([&](SqlJournal& journal) { journal.post(first); });
    write([&](SqlJournal& journal) {
        EXPECT_EQ(journal.balance("alice"), sats(0, 17, 0));
        journal.post(second);
    });
    EXPECT_THAT(*ledger_->transfers("", 0, 9'000),
                ElementsAre(second[0], first[1], first[0], first[2], second[1]));
    EXPECT_THAT(*ledger_->transfers("alice", 0, 9'000), ElementsAre(first[1], first[2], second[1]));
    EXPECT_THAT(*ledger_->transfers(":donation", 0, 9'000), ElementsAre(first[2]));
    EXPECT_THAT(*ledger_->transfers("alice", 5'003, 9'000), ElementsAre(second[1]));
    EXPECT_THAT(*ledger_->transfers("alice", 0, 5'002), IsEmpty());
    EXPECT_THAT(*ledger_->transfers("nobody", 0, 9'000), IsEmpty());
    std::vector<std::string> names;
    const auto balances = *ledger_->balances();
    for (const auto& row : balances)
        names.push_back(row.account);
    EXPECT_THAT(names, ElementsAre(":donation", ":reward", "Zoe", "alice", "bob"));
    EXPECT_EQ(balances.at(3).balance, sats(20, -3, 0));
    EXPECT_EQ(*ledger_->total_of_all(), Balance{});
}

TEST_P(SqlJournalTest, NeverPostsOneIdTwice) {
    const std::vector<Transfer> posted{transfer("alice", 20, Phase::pend)};
    write([&](SqlJournal& journal) { journal.post(posted); });
    EXPECT_THROW(write([&](SqlJournal& journal) {
                     const std::vector<Transfer> both{transfer("bob", 5, Phase::pend),
                                                      transfer("alice", 1, Phase::direct)};
                     journal.post(both);
                 }),
                 SqlError);
    EXPECT_EQ(*ledger_->balance_of("alice"), sats(0, 20, 0));
    EXPECT_EQ(*ledger_->balance_of("bob"), Balance{});
    EXPECT_THAT(*ledger_->transfers("", 0, 9'000), SizeIs(1));
    // The connection is as good as new.
    write([&](SqlJournal& journal) {
        const std::vector<Transfer> more{transfer("alice", 20, Phase::post, 2)};
        journal.post(more);
    });
    EXPECT_EQ(*ledger_->balance_of("alice"), sats(20, 0, 0));
}

TEST_P(SqlJournalTest, KeepsEveryFieldOfABlock) {
    auto row = block(1, 600'000, 65'535, 4'000'000'000u);
    auto& record = row.found.block;
    record.height = 840'000;
    record.job = ~job::JobId{0};
    record.account = record.worker = 0xffff'ffff;
    record.snapshot = ~std::uint64_t{0};
    record.pays_dues = record.pays_finder = record.stale = true;
    record.coinbase_value_sat = Amount::kMaxSat;
    record.file = "a\xff.block";
    row.found.position = ~std::uint64_t{0} - 9;
    row.found.slice.start_s = 1'700'000'400;
    row.finder = "alice";
    row.rules = 3;
    write([&](SqlJournal& journal) {
        EXPECT_EQ(journal.block(record.hash), std::nullopt);
        journal.put_block(row);
        EXPECT_EQ(journal.block(record.hash), row);
    });
    row.state = ledger::BlockState::orphaned;
    row.credited = row.posted = true;
    row.transition = 7;
    row.reward = Amount::of(-5);
    row.confirmations = -1;
    row.changed_ms = 99;
    row.evidence = "node a: \xf0";
    row.settlement = {~chain::Work{0}, chain::Work{1} << 77, {{600, 2}, 9}, Amount::of(31)};
    row.round_moved_to = hash_of(8);
    write([&](SqlJournal& journal) { journal.put_block(row); });
    EXPECT_EQ(*ledger_->block_row(record.hash), row);
    EXPECT_EQ(*ledger_->block_row(hash_of(2)), std::nullopt);
    EXPECT_THAT(*ledger_->block_rows(), ElementsAre(row));
}

TEST_P(SqlJournalTest, KnowsTheOrderOfBlocksAndTheirRounds) {
    // Two of one batch, one of another instance at the same time, one later.
    std::vector<BlockRow> rows{block(4, 600'000, 0, 0), block(3, 600'000, 0, 1),
                               block(2, 600'000, 1, 0), block(1, 700'000, 0, 2)};
    rows[0].round_moved_to = rows[1].round_moved_to = rows[3].found.block.hash;
    write([&](SqlJournal& journal) {
        for (const auto i : {2u, 0u, 3u, 1u})
            journal.put_block(rows[i]);
        EXPECT_EQ(journal.block_before(rows[0]), std::nullopt);
        EXPECT_EQ(journal.block_before(rows[1]), rows[0]);
        EXPECT_EQ(journal.block_before(rows[2]), rows[1]);
        EXPECT_EQ(journal.block_before(rows[3]), rows[2]);
        EXPECT_THAT(journal.blocks_after(rows[0]), ElementsAre(rows[1], rows[2], rows[3]));
        EXPECT_THAT(journal.blocks_after(rows[3]), IsEmpty());
        EXPECT_THAT(journal.rounds_moved_to(rows[3].found.block.hash),
                    ElementsAre(rows[0], rows[1]));
        EXPECT_THAT(journal.rounds_moved_to(hash_of(99)), IsEmpty());
        EXPECT_EQ(journal.closed_ms({{600, 2}, 0}), 700'000);
        EXPECT_EQ(journal.closed_ms({{600, 0}, 1}), 600'000);
        EXPECT_EQ(journal.closed_ms({{600, 2}, 1}), std::nullopt);
    });
    EXPECT_EQ(*ledger_->block_rows(), rows);
}

TEST_P(SqlJournalTest, ShowsSlicesFromTheNewestDown) {
    const auto other = open(settings(1));
    ledger::TallyDelta delta;
    delta.after.log.position = 1;
    // More than two pages of one slice, then small ones.
    for (share::AccountId account = 1; account <= 40'000; ++account)
        delta.slices[{{600, 1}, account}] = {account, 1, 0};
    delta.slices[{{600, 0}, 7}] = {70, 1, 0};
    delta.slices[{{1'200, 0}, 1}] = {5, 1, 0};
    ASSERT_TRUE(ledger_->apply(delta));
    ledger::TallyDelta theirs;
    theirs.after.log.position = 1;
    theirs.slices[{{600, 0}, 9}] = {90, 1, 0};
    ASSERT_TRUE(other->apply(theirs));
    std::vector<SliceRef> seen;
    std::map<SliceRef, chain::Work> work;
    write([&](SqlJournal& journal) {
        journal.slices_down({{600, 1}, 0}, [&](const ledger::SliceGroup& group) {
            seen.push_back(group.ref);
            for (const auto& [account, done] : group.work)
                work[group.ref] += done;
            // The journal can be asked while it shows.
            EXPECT_EQ(journal.closed_ms(group.ref), std::nullopt);
            return true;
        });
    });
    EXPECT_THAT(seen,
                ElementsAre(SliceRef{{600, 1}, 0}, SliceRef{{600, 0}, 1}, SliceRef{{600, 0}, 0}));
    EXPECT_EQ((work[{{600, 1}, 0}]), chain::Work{40'000} * 40'001 / 2);
    EXPECT_EQ((work[{{600, 0}, 1}]), 90u);
    EXPECT_EQ((work[{{600, 0}, 0}]), 70u);
    int visits = 0;
    write([&](SqlJournal& journal) {
        journal.slices_down({{9'000, 0}, 5},
                            [&](const ledger::SliceGroup&) { return ++visits < 2; });
        journal.slices_down({{599, 9}, 9}, [&](const ledger::SliceGroup&) {
            ADD_FAILURE() << "there are no such slices";
            return true;
        });
    });
    EXPECT_EQ(visits, 2);
}

TEST_P(SqlJournalTest, KeepsSplitsAsTheyWerePut) {
    const std::vector<ledger::SplitRow> split{
        {"zoe", ~chain::Work{0}, Amount::of(30), Amount::of(1), Amount::of(2)},
        {"alice", 5, Amount::of(0), Amount::of(0), Amount::of(0)}};
    write([&](SqlJournal& journal) {
        EXPECT_THAT(journal.split(hash_of(1)), IsEmpty());
        journal.put_split(hash_of(1), split);
        EXPECT_EQ(journal.split(hash_of(1)), split);
    });
    EXPECT_EQ(*ledger_->split_of(hash_of(1)), split);
    EXPECT_THAT(*ledger_->split_of(hash_of(2)), IsEmpty());
    EXPECT_THROW(write([&](SqlJournal& journal) { journal.put_split(hash_of(1), split); }),
                 SqlError);
}

TEST_P(SqlJournalTest, CountsRulesAndKeepsTheLatestSettings) {
    const share::RulesRecord first{
        share::RewardScheme::prop, share::PayoutMode::coinbase, 1, 1'000'000, "fee:\xff", 5};
    const share::SettingsRecord alice{"alice", 70'000, 1'000, 9};
    const share::SettingsRecord again{"alice", 1, 0, 10};
    const share::SettingsRecord bob{"Bob", 2, 3, 4};
    write([&](SqlJournal& journal) {
        EXPECT_EQ(journal.current_rules(), ledger::RulesRow{});
        EXPECT_EQ(journal.rules(0), ledger::RulesRow{});
        journal.add_rules(first, 77);
        journal.add_rules({}, 78);
        EXPECT_EQ(journal.current_rules(), (ledger::RulesRow{2, {}, 78}));
        EXPECT_EQ(journal.rules(1), (ledger::RulesRow{1, first, 77}));
        EXPECT_EQ(journal.settings("alice"), std::nullopt);
        journal.put_settings(alice);
        EXPECT_EQ(journal.settings("alice"), alice);
        journal.put_settings(again);
        journal.put_settings(bob);
    });
    write([&](SqlJournal& journal) { EXPECT_EQ(journal.settings("alice"), again); });
    EXPECT_THAT(*ledger_->rules_rows(),
                ElementsAre(ledger::RulesRow{1, first, 77}, ledger::RulesRow{2, {}, 78}));
    EXPECT_THAT(*ledger_->all_settings(), ElementsAre(bob, again));
    EXPECT_EQ(*ledger_->settings_of("alice"), again);
    EXPECT_EQ(*ledger_->settings_of("nobody"), std::nullopt);
    EXPECT_THROW(write([&](SqlJournal& journal) { journal.rules(3); }), SqlError);
}

TEST_P(SqlJournalTest, KnowsTheNamesOfEveryInstance) {
    const auto other = open(settings(1));
    ledger::TallyDelta delta;
    delta.after.log.position = 1;
    for (share::AccountId id = 1; id <= 100; ++id)
        delta.accounts.push_back({id, fmt::format("miner {}", id)});
    ASSERT_TRUE(ledger_->apply(delta));
    delta.accounts = {{1, "carol"}};
    ASSERT_TRUE(other->apply(delta));
    write([&](SqlJournal& journal) {
        EXPECT_EQ(journal.account_name(1, 1), "carol");
        EXPECT_EQ(journal.account_name(1, 2), std::nullopt);
        EXPECT_EQ(journal.account_name(7, 1), std::nullopt);
        for (share::AccountId id = 1; id <= 100; ++id)
            EXPECT_EQ(journal.account_name(0, id), fmt::format("miner {}", id));
        EXPECT_EQ(journal.account_name(0, 101), std::nullopt);
        EXPECT_EQ(journal.account_name(1, 1), "carol");
        EXPECT_EQ(journal.account_name(1, 3), std::nullopt);
    });
}

TEST_P(SqlJournalTest, KeepsPayoutsTheirPayeesAndTransactions) {
    EXPECT_EQ(*ledger_->payout_totals(), ledger::PayoutTotals{});
    ledger::PayoutRow row;
    row.id = 1;
    row.state = ledger::PayoutState::waiting_approval;
    row.anchor = {hash_of(1), 0xffff'ffff};
    row.anchor_value = Amount::of(Amount::kMaxSat);
    row.debits = Amount::of(50);
    row.outputs = Amount::of(40);
    row.payees = 2;
    row.created_ms = 5;
    auto second = row;
    second.id = 2;
    const std::vector<share::Payee> payees{{"zoe", {0x00, 0xff}, 30, 25}, {"al", {0x51}, 20, 15}};
    const share::PayoutSignedRecord signed_once{1, 1, hash_of(5), 10, 6, base::Bytes(9'000, 0xab)};
    const share::PayoutSignedRecord bumped{1, 2, hash_of(4), 12, 7, {0}};
    write([&](SqlJournal& journal) {
        EXPECT_EQ(journal.payout(1), std::nullopt);
        journal.put_payout(second);
        journal.put_payout(row);
        EXPECT_EQ(journal.payout(1), row);
        EXPECT_THAT(journal.payees(1), IsEmpty());
        journal.put_payees(1, payees);
        EXPECT_EQ(journal.payees(1), payees);
        journal.add_attempt(signed_once);
        journal.add_attempt(bumped);
        EXPECT_THAT(journal.attempts(1), ElementsAre(signed_once, bumped));
        EXPECT_THAT(journal.attempts(2), IsEmpty());
        EXPECT_EQ(journal.payout_of(hash_of(4)), 1u);
        EXPECT_EQ(journal.payout_of(hash_of(6)), std::nullopt);
    });
    row.state = ledger::PayoutState::buried;
    row.transition = 4;
    row.attempts = 2;
    row.txid = hash_of(4);
    row.block = hash_of(9);
    row.height = 840'100;
    row.changed_ms = 8;
    row.evidence = "node a";
    write([&](SqlJournal& journal) { journal.put_payout(row); });
    EXPECT_THAT(*ledger_->payout_rows(), ElementsAre(row, second));
    EXPECT_THAT(*ledger_->open_payouts(), ElementsAre(second));
    EXPECT_THAT(*ledger_->payouts_after(4), ElementsAre(row, second));
    EXPECT_THAT(*ledger_->payouts_after(5), IsEmpty());
    ledger::PayoutTotals totals;
    totals.by_state[static_cast<std::size_t>(ledger::PayoutState::waiting_approval)] = 1;
    totals.by_state[static_cast<std::size_t>(ledger::PayoutState::buried)] = 1;
    totals.last = 2;
    totals.last_created_ms = 5;
    EXPECT_EQ(*ledger_->payout_totals(), totals);
    EXPECT_EQ(*ledger_->payout_row(1), row);
    EXPECT_EQ(*ledger_->payout_row(3), std::nullopt);
    EXPECT_EQ(*ledger_->payees_of(1), payees);
    EXPECT_THAT(*ledger_->attempts_of(1), ElementsAre(signed_once, bumped));
    EXPECT_EQ(*ledger_->payout_of_txid(hash_of(5)), 1u);
    EXPECT_EQ(*ledger_->payout_of_txid(hash_of(6)), std::nullopt);
    auto twice = signed_once;
    twice.payout = 2;
    EXPECT_THROW(write([&](SqlJournal& journal) { journal.add_attempt(twice); }), SqlError);
}

TEST_P(SqlJournalTest, ForgetsSnapshotsThatNoBlockRefersTo) {
    share::SnapshotRecord snapshot;
    snapshot.entries = {{1, 5, 0}};
    auto found = block(1, 600'000);
    found.found.block.snapshot = 3;
    auto of_another = block(2, 600'000, 1);
    of_another.found.block.snapshot = 4;
    write([&](SqlJournal& journal) {
        for (snapshot.id = 1; snapshot.id <= 6; ++snapshot.id)
            journal.put_snapshot(snapshot);
        journal.put_block(found);
        journal.put_block(of_another);
        journal.forget_snapshots(1, 5);
    });
    std::vector<std::uint64_t> ids;
    const auto kept = *ledger_->snapshots();
    for (const auto& record : kept)
        ids.push_back(record.id);
    EXPECT_THAT(ids, ElementsAre(1u, 3u, 6u));
}

TEST_P(SqlJournalTest, KeepsSnapshotsExplanationsAndRefusals) {
    share::SnapshotRecord snapshot;
    snapshot.id = 8;
    snapshot.previous = hash_of(3);
    snapshot.fee_ppm = 5;
    snapshot.entries = {{1, ~chain::Work{0}, -5}, {2, 7, 70}};
    auto newer = snapshot;
    newer.id = 300;
    const share::ExplainRecord explained{hash_of(9), "alice", 5, 6, "lost \xff"};
    const share::ExplainRecord later{hash_of(1), "", 0, 7, ""};
    const ledger::RefusedFact refused{9, 10, ledger::FactRefusal::already_explained, "what"};
    const ledger::RefusedFact same{9, 10, ledger::FactRefusal::unknown_block, "why"};
    write([&](SqlJournal& journal) {
        EXPECT_EQ(journal.last_snapshot(0), 0u);
        journal.put_snapshot(newer);
        journal.put_snapshot(snapshot);
        EXPECT_EQ(journal.last_snapshot(0), 300u);
        EXPECT_EQ(journal.last_snapshot(1), 0u);
        EXPECT_EQ(journal.snapshot(0, 8), snapshot);
        EXPECT_EQ(journal.snapshot(0, 9), std::nullopt);
        EXPECT_EQ(journal.snapshot(1, 8), std::nullopt);
        EXPECT_FALSE(journal.is_explained(hash_of(9), "alice"));
        journal.add_explained(explained);
        journal.add_explained(later);
        EXPECT_TRUE(journal.is_explained(hash_of(9), "alice"));
        EXPECT_FALSE(journal.is_explained(hash_of(9), "bob"));
        EXPECT_TRUE(journal.is_explained(hash_of(1), ""));
        journal.add_refused(refused);
        journal.add_refused(same);
    });
    ASSERT_TRUE(ledger_->look([&](ledger::Journal& journal) {
        EXPECT_EQ(journal.last_snapshot(0), 300u);
        EXPECT_EQ(journal.snapshot(0, 8), snapshot);
    }));
    EXPECT_THAT(*ledger_->snapshots(), ElementsAre(snapshot, newer));
    EXPECT_THAT(*ledger_->explained(), ElementsAre(explained, later));
    EXPECT_THAT(*ledger_->refused(), ElementsAre(refused, same));
}

TEST_P(SqlJournalTest, ForgetsATransactionThatIsNotCommitted) {
    {
        SqlTransaction transaction(*connection_);
        SqlJournal journal(*connection_, 0, 600);
        journal.put_block(block(1, 600'000));
        const std::vector<Transfer> posted{transfer("alice", 20, Phase::pend)};
        journal.post(posted);
        journal.finish();
        EXPECT_EQ(journal.balance("alice"), sats(0, 20, 0));
    }
    EXPECT_THAT(*ledger_->block_rows(), IsEmpty());
    EXPECT_THAT(*ledger_->transfers("", 0, 9'000), IsEmpty());
    EXPECT_THAT(*ledger_->balances(), IsEmpty());
}

TEST_P(SqlJournalTest, CallsRowsThatCannotBeAnError) {
    write([&](SqlJournal& journal) { journal.put_block(block(1, 600'000)); });
    connection_->run("UPDATE blocks SET state = 9");
    EXPECT_THAT(ledger_->block_rows().error(), HasSubstr("means nothing to this program"));
    connection_->run("UPDATE blocks SET state = 0, instance = 70000");
    EXPECT_THAT(ledger_->block_rows().error(), HasSubstr("out of its range"));
    connection_->run("UPDATE blocks SET instance = 0, reward_sat = 2100000000000001");
    EXPECT_THAT(ledger_->block_rows().error(), HasSubstr("exceeds all coins"));
    connection_->run("UPDATE blocks SET reward_sat = 0, round_moved_to = finder");
    EXPECT_THAT(ledger_->block_rows().error(), HasSubstr("another size"));
}

}  // namespace
}  // namespace adit::store
