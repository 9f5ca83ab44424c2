// Random histories of everything that a journal can be told, with transactions that fail among
// them: all databases answer every question with the same rows.
#include "store/all_rows_testing.h"
#include "store/sql_journal.h"
#include "store/sql_ledger_testing.h"

#include <random>

namespace adit::store {
namespace {

using chain::Amount;
using testing::all_rows;
using testing::hash_of;

// Tells a journal the same things for the same seed.
class Historian {
 public:
    explicit Historian(std::uint64_t seed) : random_(seed) {}

    // One transaction's worth.
    void tell(ledger::Journal& journal) {
        for (auto steps = 1 + pick(12); steps > 0; --steps)
            tell_one(journal);
    }

 private:
    std::uint64_t pick(std::uint64_t limit) { return random_() % limit; }
    std::string miner() {
        const auto number = pick(30);
        return number == 0 ? std::string("odd\0\xff", 5) : fmt::format("miner {}", number);
    }
    std::string words() {
        std::string words(pick(20), 'w');
        for (auto& letter : words)
            letter = static_cast<char>(pick(256));
        return words;
    }
    Amount amount() { return Amount::of(1 + static_cast<std::int64_t>(pick(1'000'000))); }
    chain::Work work() { return chain::Work{random_()} << 64 | random_(); }
    std::int64_t time_ms() { return static_cast<std::int64_t>(pick(1'000)); }
    chain::Hash256 fresh_hash() { return hash_of(++hashes_); }
    chain::Hash256 known_hash() {
        return hash_of(1 + static_cast<std::uint32_t>(pick(hashes_ + 1)));
    }

    void tell_one(ledger::Journal& journal) {
        switch (pick(8)) {
            case 0:
                return post(journal);
            case 1:
                return find_block(journal);
            case 2:
                return change_block(journal);
            case 3:
                return pay(journal);
            case 4:
                return sign(journal);
            case 5:
                journal.put_settings({miner(), time_ms(), 7, time_ms()});
                journal.add_refused({random_() >> 1, time_ms(),
                                     static_cast<ledger::FactRefusal>(pick(15)), words()});
                return;
            case 6:
                journal.add_rules({static_cast<share::RewardScheme>(pick(3)),
                                   share::PayoutMode::none, 1, 2, miner(), time_ms()},
                                  random_() >> 1);
                return;
            default:
                return explain_and_snapshot(journal);
        }
    }
    void post(ledger::Journal& journal) {
        std::vector<ledger::Transfer> transfers;
        const auto reference = fresh_hash();
        for (std::uint32_t i = 0; i <= pick(6); ++i) {
            ledger::Transfer transfer;
            transfer.id = {static_cast<ledger::Purpose>(1 + pick(8)), reference, i, miner()};
            transfer.debit = ledger::kRewardAccount;
            transfer.credit = transfer.id.account;
            transfer.amount = amount();
            transfer.phase = static_cast<ledger::Phase>(1 + pick(9));
            transfer.position = pick(50);
            transfer.time_ms = time_ms();
            transfers.push_back(std::move(transfer));
        }
        journal.post(transfers);
        EXPECT_EQ(journal.total(), ledger::Balance{});
        balance_seen_ = journal.balance(miner());
    }
    void find_block(ledger::Journal& journal) {
        ledger::BlockRow block;
        block.found = testing::found_block(1, {}, {600, ++sequence_});
        block.found.block.hash = fresh_hash();
        block.found.position = random_() >> 1;
        block.found.time_ms = time_ms();
        block.finder = miner();
        journal.put_block(block);
        std::vector<ledger::SplitRow> split;
        for (auto parts = pick(5); parts > 0; --parts)
            split.push_back({miner(), work(), amount(), amount(), amount()});
        journal.put_split(block.found.block.hash, split);
    }
    void change_block(ledger::Journal& journal) {
        auto block = journal.block(known_hash());
        if (!block) return;
        block->state = static_cast<ledger::BlockState>(pick(5));
        block->transition += 1;
        block->reward = amount();
        block->evidence = words();
        block->settlement.counted = work();
        if (const auto before = journal.block_before(*block)) {
            block->round_moved_to = before->found.block.hash;
            block->confirmations =
                static_cast<std::int32_t>(journal.rounds_moved_to(block->round_moved_to).size());
            block->changed_ms = static_cast<std::int64_t>(journal.blocks_after(*before).size());
        }
        journal.put_block(*block);
    }
    void pay(ledger::Journal& journal) {
        ledger::PayoutRow payout;
        payout.id = ++payouts_;
        payout.anchor = {fresh_hash(), 3};
        payout.debits = amount();
        std::vector<share::Payee> payees;
        for (auto left = 1 + pick(4); left > 0; --left)
            payees.push_back({miner(), {1, 2, 0}, amount().sat(), amount().sat()});
        journal.put_payout(payout);
        journal.put_payees(payout.id, payees);
    }
    void sign(ledger::Journal& journal) {
        const auto id = 1 + pick(payouts_ + 1);
        auto payout = journal.payout(id);
        if (!payout) return;
        payout->attempts = static_cast<std::uint32_t>(journal.attempts(id).size()) + 1;
        payout->txid = fresh_hash();
        payout->evidence = words();
        journal.add_attempt({id, payout->attempts, payout->txid, 5, time_ms(), {0, 0xff}});
        EXPECT_EQ(journal.payout_of(payout->txid), id);
        journal.put_payout(*payout);
    }
    void explain_and_snapshot(ledger::Journal& journal) {
        const auto txid = known_hash();
        const auto account = miner();
        if (!journal.is_explained(txid, account)) {
            journal.add_explained({txid, account, amount().sat(), time_ms(), words()});
        }
        share::SnapshotRecord snapshot;
        snapshot.id = journal.last_snapshot(journal.instance()) + 1;
        snapshot.previous = known_hash();
        snapshot.entries = {{1, work(), -amount().sat()}};
        journal.put_snapshot(snapshot);
    }

    std::mt19937_64 random_;
    std::uint32_t hashes_ = 0;
    std::uint32_t sequence_ = 0;
    std::uint64_t payouts_ = 0;
    ledger::Balance balance_seen_;
};

// The query by which docs/ledger.md lets an operator compare balances with transfers.
std::string documented_query() {
    PosixFileSystem files;
    const auto page = read_file(files, ADIT_SOURCE_DIR "/docs/ledger.md", 1 << 20);
    if (!page) return {};
    const auto text = base::as_text(*page);
    constexpr std::string_view kBegin = "```sql\n";
    const auto begin = text.find(kBegin) + kBegin.size();
    return std::string(text.substr(begin, text.find(";\n```", begin) - begin));
}

// A database with a writer of its own; some transactions end without a commit and are told again.
class ToldDatabase {
 public:
    ToldDatabase(SqlDialect dialect, std::uint64_t seed) : database_(dialect), historian_(seed) {
        SqlLedgerSettings settings;
        settings.database = database_.name();
        ledger_ = std::move(*SqlLedger::open(settings));
        connection_ = database_.connect();
    }
    void tell(bool fail_first) {
        if (fail_first) {
            auto forgotten = historian_;
            write(forgotten, false);
        }
        write(historian_, true);
    }
    SqlLedger& ledger() { return *ledger_; }
    // Balances that are the sum of their transfers, by the documented query.
    int right_balances() {
        int right = 0;
        auto row = connection_->prepare(documented_query());
        while (row.step())
            right += row.row().integer(1) == row.row().integer(2) ? 1 : 0;
        return right;
    }

 private:
    void write(Historian& historian, bool commit) {
        SqlTransaction transaction(*connection_);
        SqlJournal journal(*connection_, 0, 600);
        historian.tell(journal);
        journal.finish();
        if (commit) transaction.commit();
    }
    testing::EmptyDatabase database_;
    Historian historian_;
    std::unique_ptr<SqlLedger> ledger_;
    std::unique_ptr<SqlConnection> connection_;
};

constexpr int kHistories = testing::kSanitized ? 3 : 12;

TEST(SqlHistory, GivesTheSameRowsInEveryDatabase) {
    for (std::uint64_t seed = 1; seed <= kHistories; ++seed) {
        ToldDatabase sqlite(SqlDialect::sqlite, seed);
        ToldDatabase postgres(SqlDialect::postgres, seed);
        std::mt19937_64 failures(seed);
        for (int i = 0; i < 30; ++i) {
            const bool fail_first = failures() % 3 == 0;
            sqlite.tell(fail_first);
            postgres.tell(fail_first);
        }
        const auto all = all_rows(sqlite.ledger());
        ASSERT_FALSE(all.transfers.empty());
        ASSERT_FALSE(all.blocks.empty());
        ASSERT_EQ(testing::difference(all, all_rows(postgres.ledger())), "") << "seed " << seed;
        EXPECT_EQ(sqlite.right_balances(), static_cast<int>(all.balances.size()));
        EXPECT_EQ(postgres.right_balances(), static_cast<int>(all.balances.size()));
        EXPECT_EQ(*sqlite.ledger().total_of_all(), ledger::Balance{});
        EXPECT_EQ(*postgres.ledger().total_of_all(), ledger::Balance{});
    }
}

}  // namespace
}  // namespace adit::store
