#include "ledger/payout_snapshots.h"

#include "chain/address.h"
#include "job/job_maker.h"
#include "job/sample_template.h"
#include "ledger/books_testing.h"

#include <gmock/gmock.h>

#include <random>

namespace adit::ledger {
namespace {

using share::BlockFact;
using testing::Books;
using ::testing::ElementsAre;
using testing::hash_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kEasyBits;
using testing::kStart;

constexpr std::optional<FactRefusal> kApplied;
constexpr SliceKey kFirst{kStart, 0};

// Addresses whose order is that of their numbers.
std::string address_number(std::uint8_t number) {
    std::vector<std::string> all;
    for (std::uint8_t i = 0; i < 8; ++i) {
        base::Bytes script{0x00, 0x14};
        script.resize(22, i);
        all.push_back(*chain::address_of_script(script, chain::params(chain::Network::regtest)));
    }
    std::ranges::sort(all);
    return all.at(number);
}

struct PartRow {
    std::size_t account = 0;
    std::int64_t part = 0, paid = 0, donation = 0;
    friend bool operator==(const PartRow&, const PartRow&) = default;
};
std::ostream& operator<<(std::ostream& out, const PartRow& row) {
    return out << row.account << ": " << row.part << " paid " << row.paid << " donation "
               << row.donation;
}

// Accounts 1 to 3 have addresses, 4 is a name that no coinbase can pay.
class CoinbasePayouts : public ::testing::Test {
 protected:
    CoinbasePayouts() {
        names_ = {address_number(0), address_number(1), address_number(2), "team"};
        std::ranges::sort(names_);
        books_ = std::make_unique<Books>(names_);
    }
    void snapshot(std::uint64_t id, std::vector<share::SnapshotEntry> entries) {
        share::SnapshotRecord record;
        record.id = id;
        record.fee_ppm = 10'000;
        record.max_outputs = 2;
        record.dust_sat = 100;
        record.entries = std::move(entries);
        ASSERT_EQ(books_->apply(record), kApplied);
    }
    void found(std::uint32_t number, std::uint64_t snapshot, bool pays_dues,
               std::int64_t value_sat = 100'000) {
        auto block = books_->found(number, {kStart + 600 * number, 0}, 1);
        block.block.snapshot = snapshot;
        block.block.pays_dues = pays_dues;
        block.block.coinbase_value_sat = value_sat;
        ASSERT_EQ(books_->apply(block), kApplied);
    }
    std::vector<PartRow> split(std::uint32_t number) {
        std::vector<PartRow> rows;
        for (const auto& row : books_->journal.split(hash_of(number))) {
            const auto at = std::ranges::find(names_, row.account);
            rows.push_back({static_cast<std::size_t>(at - names_.begin()) + 1, row.part.sat(),
                            row.paid.sat(), row.donation.sat()});
        }
        return rows;
    }
    std::int64_t pending(std::size_t account) { return books_->pending(names_[account - 1]); }
    std::int64_t posted(std::size_t account) { return books_->posted(names_[account - 1]); }

    std::vector<std::string> names_;
    std::unique_ptr<Books> books_;
};

TEST_F(CoinbasePayouts, ABlockIsSplitByTheSnapshotOfItsJobAndNotByTheWorkBeforeIt) {
    books_->work(kFirst, 3, 1'000'000);
    snapshot(1, {{1, 1, 0}, {2, 3, 500}});
    found(1, 1, true);
    ASSERT_EQ(books_->chain_says(1, 1, BlockFact::confirmed, 100'000), kApplied);
    EXPECT_THAT(split(1),
                ElementsAre(PartRow{1, 24'750, 24'750, 0}, PartRow{2, 74'250, 74'750, 0}));
    EXPECT_EQ(books_->pending(":fee"), 1'000);
    EXPECT_EQ(books_->pending(":sent"), 99'500);
    EXPECT_EQ(books_->pending(":reward"), -100'000);
    EXPECT_EQ(pending(1), 0);
    EXPECT_EQ(pending(2), -500);
}

TEST_F(CoinbasePayouts, CreditAndDebitArePostedAndTakenBackTogether) {
    snapshot(1, {{1, 1, 0}, {2, 1, 500}, {3, 1, 0}, {4, 1, 0}});
    found(1, 1, true);
    const std::pair<BlockFact, int> steps[] = {{BlockFact::confirmed, 1}, {BlockFact::orphaned, 0},
                                               {BlockFact::confirmed, 1}, {BlockFact::mature, 2},
                                               {BlockFact::contested, 2}, {BlockFact::orphaned, 0},
                                               {BlockFact::confirmed, 1}, {BlockFact::mature, 2}};
    std::uint32_t transition = 0;
    for (const auto& [fact, phase] : steps) {
        ASSERT_EQ(books_->chain_says(1, ++transition, fact, 100'000), kApplied);
        const auto all = [&](const auto& of) { return std::array{of(1), of(2), of(3), of(4)}; };
        const std::array<std::int64_t, 4> none{};
        const std::array<std::int64_t, 4> credited{0, -500, 24'750, 24'750};
        EXPECT_EQ(all([&](std::size_t i) { return pending(i); }), phase == 1 ? credited : none);
        EXPECT_EQ(all([&](std::size_t i) { return posted(i); }), phase == 2 ? credited : none);
        EXPECT_EQ(books_->pending(":sent"), phase == 1 ? 50'000 : 0);
        EXPECT_EQ(books_->posted(":sent"), phase == 2 ? 50'000 : 0);
        EXPECT_TRUE(books_->journal.total().is_zero());
    }
}

TEST_F(CoinbasePayouts, NobodyGivesAwayWhatTheCoinbaseHasPaid) {
    for (const auto& name : names_)
        ASSERT_EQ(books_->apply(share::SettingsRecord{name, 0, 500'000, 0}), kApplied);
    // Two outputs: 1 and 2 are paid; 2 only what is left after its overdraft; 3 stays owed.
    snapshot(1, {{1, 2, 0}, {2, 2, -9'000}, {3, 1, 0}});
    found(1, 1, true);
    ASSERT_EQ(books_->chain_says(1, 1, BlockFact::confirmed, 100'000), kApplied);
    EXPECT_THAT(split(1),
                ElementsAre(PartRow{1, 39'600, 39'600, 0}, PartRow{2, 39'600, 30'600, 9'000},
                            PartRow{3, 19'800, 0, 9'900}));
}

TEST_F(CoinbasePayouts, IsNotCreditedByASnapshotOrAValueThatTheLedgerDoesNotKnow) {
    snapshot(1, {{1, 1, 0}});
    found(1, 2, true);
    found(2, 1, true);
    EXPECT_EQ(books_->chain_says(1, 1, BlockFact::confirmed, 100'000), FactRefusal::impossible);
    EXPECT_EQ(books_->chain_says(2, 1, BlockFact::confirmed, 99'999), FactRefusal::impossible);
    EXPECT_EQ(books_->chain_says(2, 1, BlockFact::confirmed, 100'000), kApplied);
}

TEST_F(CoinbasePayouts, WhatAWalletMayPayIsLessWhatACoinbaseHasPaid) {
    found(1, 0, false);
    ASSERT_EQ(books_->chain_says(1, 1, BlockFact::confirmed, 100'000), kApplied);
    ASSERT_EQ(books_->chain_says(1, 2, BlockFact::mature), kApplied);
    ASSERT_EQ(posted(1), 99'000);
    snapshot(1, {{1, 0, 99'000}, {2, 1, 0}});
    found(2, 1, true);
    ASSERT_EQ(books_->chain_says(2, 1, BlockFact::confirmed, 100'000), kApplied);
    EXPECT_EQ(posted(1) + pending(1), 0);
    share::PayoutIntentRecord intent;
    intent.payout = 1;
    intent.payees = {{names_[0], {0x51}, 1, 1}};
    EXPECT_EQ(books_->apply(intent), FactRefusal::overdraft);
}

TEST_F(CoinbasePayouts, OldSnapshotsAreKeptForTheirBlocksOnly) {
    for (std::uint64_t id = 1; id <= 4; ++id)
        snapshot(id, {{1, 1, 0}});
    found(1, 2, true);
    // 1 to 3 are forgotten, but for the block's; 4 may still be a job's.
    snapshot(3 + kKeptSnapshots, {{1, 1, 0}});
    found(2, 3, true);
    found(3, 4, true);
    std::vector<std::uint64_t> ids;
    const auto kept = *books_->journal.snapshots();
    for (const auto& record : kept)
        ids.push_back(record.id);
    EXPECT_THAT(ids, ElementsAre(2u, 4u, 3 + kKeptSnapshots));
    EXPECT_EQ(books_->chain_says(1, 1, BlockFact::confirmed, 100'000), kApplied);
    EXPECT_EQ(books_->chain_says(2, 1, BlockFact::confirmed, 100'000), FactRefusal::impossible);
    EXPECT_EQ(books_->chain_says(3, 1, BlockFact::confirmed, 100'000), kApplied);
    snapshot(4 + kKeptSnapshots, {{1, 1, 0}});
    EXPECT_TRUE(books_->journal.snapshot(0, 4));
}

// --- snapshots from the ledger ------------------------------------------------------------------

TEST_F(CoinbasePayouts, ASnapshotHoldsTheWorkAndWhatIsOwedToWhoeverACoinbaseCanPay) {
    const std::vector<BalanceRow> balances{
        {names_[0], {Amount::of(500), Amount::of(40), Amount::of(-30)}},
        {names_[1], {Amount::of(-700), {}, {}}},
        {names_[2], {Amount::of(900), {}, {}}},
        {"team", {Amount::of(800), {}, {}}},
        {":fee", {Amount::of(100), {}, {}}},
        {address_number(7), {Amount::of(600), {}, {}}},
    };
    Window window;
    window.accounts = {{names_[1], 7}, {"team", 5}};
    const std::vector<share::AccountRecord> accounts{
        {1, names_[0]}, {2, names_[1]}, {3, names_[2]}, {4, "team"}};
    OffBranch off;
    BlockRow orphan;
    orphan.settlement.fee = Amount::of(3);
    const SplitRow moved[] = {{names_[2], 1, Amount::of(1'000), Amount::of(50), Amount::of(150)}};
    off.add(orphan, moved, ":fee");
    const auto record = build_snapshot({9, hash_of(5), 20, Amount::of(546), 77}, 10'000, window,
                                       balances, off, accounts);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->id, 9U);
    EXPECT_EQ(record->previous, hash_of(5));
    EXPECT_EQ(record->fee_ppm, 10'000U);
    EXPECT_EQ(record->max_outputs, 20U);
    EXPECT_EQ(record->dust_sat, 546);
    EXPECT_EQ(record->at_wall_ms, 77);
    // 3 by name: 900 of which 800 are off the branch. What "team" has cannot be paid.
    EXPECT_THAT(record->entries,
                ElementsAre(share::SnapshotEntry{1, 0, 510}, share::SnapshotEntry{2, 7, -700},
                            share::SnapshotEntry{3, 0, 100}, share::SnapshotEntry{4, 5, 0}));
    window.accounts.push_back({address_number(7), 1});
    const auto stranger = build_snapshot({9, {}, 20, {}, 0}, 0, window, balances, {}, accounts);
    ASSERT_FALSE(stranger);
    EXPECT_THAT(stranger.error(), HasSubstr("not in this log"));
}

TEST_F(CoinbasePayouts, OfTooManyAccountsTheSmallestDuesAreLeftOut) {
    std::vector<BalanceRow> balances;
    std::vector<share::AccountRecord> accounts;
    const auto params = chain::params(chain::Network::regtest);
    for (std::uint32_t i = 0; i < share::kSnapshotLimit + 50; ++i) {
        base::Bytes script{0x00, 0x14};
        script.resize(22);
        base::store_le(script.data() + 2, i);
        const auto name = *chain::address_of_script(script, params);
        balances.push_back({name, {Amount::of(1'000 + i), {}, {}}});
        accounts.push_back({i + 1, name});
    }
    Window window;
    window.accounts = {{accounts[3].name, 5}};
    const auto record = build_snapshot({1, {}, 20, {}, 0}, 0, window, balances, {}, accounts);
    ASSERT_TRUE(record);
    ASSERT_EQ(record->entries.size(), share::kSnapshotLimit);
    std::int64_t smallest = Amount::kMaxSat;
    for (const auto& entry : record->entries) {
        if (entry.work == 0) smallest = std::min(smallest, entry.due_sat);
    }
    EXPECT_EQ(smallest, 1'051);
}

TEST_F(CoinbasePayouts, AJobsCoinbaseIsComparedWithItsSnapshotOutputByOutput) {
    const auto source = job::sample_template_ref({});
    share::SnapshotRecord record;
    record.id = 4;
    record.previous = source->previous;
    record.fee_ppm = 10'000;
    record.max_outputs = 2;
    record.entries = {{1, 1, 0}, {2, 2, 7'000}, {3, 3, 0}, {4, 4, 0}};
    const auto names = [&](share::AccountId id) { return std::optional(names_[id - 1]); };
    job::JobMaker maker({.payout_script = base::Bytes(22, 0x77), .signature = "/Adit/"}, 1);
    maker.set_snapshot(
        std::make_shared<const job::PayoutSnapshot>(named_snapshot(record, names).payout));
    const auto made = **maker.make(source, 0);
    EXPECT_EQ(coinbase_fault(made, named_snapshot(record, names)), "");
    struct Row {
        std::function<void(job::Job&, share::SnapshotRecord&)> change;
        const char* fault;
    };
    const Row rows[] = {
        {[](job::Job& job, auto&) { job.pays_dues = false; }, "no dues"},
        {[](job::Job&, auto& snapshot) { snapshot.previous = hash_of(9); },
         "dues on another block"},
        {[](job::Job&, auto& snapshot) { snapshot.entries[1].due_sat += 1; }, "output 1 does not"},
        {[](job::Job&, auto& snapshot) { snapshot.entries[2].account = 1; }, "output 0 does not"},
        {[](job::Job&, auto& snapshot) { snapshot.max_outputs = 1; }, "2 outputs besides"},
        {[](auto&, auto& snapshot) { snapshot.entries[0].work = 0; }, "does not pay"},
        {[](job::Job& job, auto&) { job.coinbase_tail.pop_back(); }, "cannot be read"},
    };
    for (const auto& row : rows) {
        auto job = made;
        auto snapshot = record;
        row.change(job, snapshot);
        EXPECT_THAT(coinbase_fault(job, named_snapshot(snapshot, names)), HasSubstr(row.fault));
    }
}

// --- histories ----------------------------------------------------------------------------------

// A chain with branches, blocks of the pool and of others on it, and a watch that is late. What the
// coinbases really pay is kept apart from the ledger, per block.
class ChainHistory {
 public:
    explicit ChainHistory(std::uint64_t seed) : random_(seed), books_(names()) {}

    static std::vector<std::string> names() {
        std::vector<std::string> names{"team"};
        for (std::uint8_t i = 0; i < 5; ++i)
            names.push_back(address_number(i));
        std::ranges::sort(names);
        return names;
    }

    void step() {
        switch (below(10)) {
            case 0:
                return extend(false);
            case 1:
            case 2:
                return extend(true);
            case 3:
                return reorganise();
            case 4:
            case 5:
                return take_snapshot();
            case 6:
            case 7:
                return watch(false);
            default:
                return work();
        }
    }
    // After the watch has seen everything: balances are what this branch has credited and not paid.
    void settle_and_check() {
        for (int round = 0; round < 4; ++round)
            watch(true);
        const auto owed = owed_on(tip_);
        for (const auto& name : names()) {
            const auto balance = books_.balance(name);
            const auto at = owed.find(name);
            ASSERT_EQ((balance.posted + balance.pending).sat(), at == owed.end() ? 0 : at->second);
            ASSERT_GE((balance.posted + balance.pending).sat(), 0);
        }
        ASSERT_TRUE(books_.journal.total().is_zero());
        // Custody: what the pool's address got on this branch is what is owed.
        std::int64_t carried = 0;
        for (auto at = tip_; at != 0; at = nodes_[at].parent)
            carried += nodes_[at].carried;
        std::int64_t all =
            books_.balance(":fee").posted.sat() + books_.balance(":fee").pending.sat();
        for (const auto& [name, sat] : owed)
            all += sat;
        ASSERT_EQ(carried, all);
    }
    void expect_eventful() const {
        EXPECT_GT(with_dues_, 10);
        EXPECT_GT(without_dues_, 3);
        EXPECT_GT(dues_paid_sat_, 0);
        EXPECT_GT(orphaned_, 3);
        EXPECT_GT(refused_snapshots_, 3);
    }

 private:
    struct Node {
        std::uint32_t parent = 0;
        bool own = false;
        std::int64_t value = 0, carried = 0;
        std::map<std::string, std::int64_t> parts, paid;
    };

    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    bool is_on(std::uint32_t number, std::uint32_t tip) const {
        for (auto at = tip; at != 0; at = nodes_[at].parent) {
            if (at == number) return true;
        }
        return false;
    }
    std::map<std::string, std::int64_t> owed_on(std::uint32_t tip) const {
        std::map<std::string, std::int64_t> owed;
        for (auto at = tip; at != 0; at = nodes_[at].parent) {
            for (const auto& [name, part] : nodes_[at].parts)
                owed[name] += part;
            for (const auto& [name, paid] : nodes_[at].paid)
                owed[name] -= paid;
        }
        return owed;
    }
    void work() {
        books_.work({kStart + 600 * static_cast<std::int64_t>(nodes_.size()), 0},
                    static_cast<share::AccountId>(1 + below(names().size())), 1 + below(60'000));
    }
    void take_snapshot() {
        const auto blocks = books_.journal.block_rows();
        const auto off = off_branch(books_.journal, *blocks, [&](const BlockRow& row) {
            const auto number = static_cast<std::uint32_t>(row.found.block.height);
            return is_on(number, tip_) ? Standing::on_branch : Standing::off_branch;
        });
        if (!off) {
            ++refused_snapshots_;
            return;
        }
        const Moment now{0, {kStart + 600 * static_cast<std::int64_t>(nodes_.size()), 0}, 0};
        const auto window = pplns_window(books_.journal, now, window_length(kEasyBits, 3'000), "");
        std::vector<share::AccountRecord> accounts;
        for (const auto& name : names())
            accounts.push_back({static_cast<share::AccountId>(accounts.size() + 1), name});
        const SnapshotWish wish{books_.journal.last_snapshot(0) + 1, hash_of(tip_),
                                static_cast<std::uint32_t>(1 + below(4)),
                                Amount::of(static_cast<std::int64_t>(below(5'000))), 0};
        const auto balances = books_.journal.balances();
        const auto record = build_snapshot(wish, 20'000, window, *balances, *off, accounts);
        ASSERT_TRUE(record);
        if (books_.apply(*record)) return;  // no work yet
        snapshot_ = *record;
    }
    void extend(bool own) {
        const auto number = static_cast<std::uint32_t>(nodes_.size());
        Node node{tip_, own, 0, 0, {}, {}};
        if (own) mine(number, node);
        nodes_.push_back(node);
        tip_ = number;
        if (!own) return;
        for (const auto& [name, sat] : owed_on(tip_))
            ASSERT_GE(sat, 0) << "more was paid than was ever credited on this branch";
    }
    void mine(std::uint32_t number, Node& node) {
        node.value = static_cast<std::int64_t>(1 + below(1'000'000));
        auto block = books_.found(number, {kStart + 600 * number, 0}, 1);
        block.block.coinbase_value_sat = node.value;
        CoinbasePlanFor plan = plan_for(node);
        block.block.snapshot = plan.snapshot;
        block.block.pays_dues = plan.pays_dues;
        ASSERT_EQ(books_.apply(block), kApplied);
        (plan.pays_dues ? with_dues_ : without_dues_) += plan.snapshot != 0;
    }
    struct CoinbasePlanFor {
        std::uint64_t snapshot = 0;
        bool pays_dues = false;
    };
    // As a job would: outputs by the plan, and what each account has a claim to.
    CoinbasePlanFor plan_for(Node& node) {
        node.carried = node.value;
        if (!snapshot_ || below(12) == 0) return {};
        const auto named = named_snapshot(
            *snapshot_, [&](share::AccountId id) { return books_.journal.account_name(0, id); });
        const bool pays_dues = snapshot_->previous == hash_of(tip_);
        const auto plan = job::plan_coinbase(named.payout, Amount::of(node.value), pays_dues);
        for (std::size_t i = 0; i < named.accounts.size(); ++i)
            node.parts[named.accounts[i]] = plan.parts[i].sat();
        for (const auto& output : plan.outputs) {
            const auto& name = named.accounts[output.entry];
            node.paid[name] = output.amount.sat();
            node.carried -= output.amount.sat();
            dues_paid_sat_ += std::max<std::int64_t>(0, node.paid[name] - node.parts[name]);
        }
        EXPECT_EQ(node.carried, plan.carried.sat());
        return {snapshot_->id, pays_dues};
    }
    void reorganise() {
        const auto depth = 1 + below(3);
        auto base = tip_;
        for (std::uint64_t i = 0; i < depth && base != 0; ++i)
            base = nodes_[base].parent;
        if (below(4) == 0 && old_tip_ != 0) base = old_tip_;  // back to a branch that was left
        old_tip_ = tip_;
        tip_ = base;
        extend(false);
    }
    // Tells the ledger what the chain says of own blocks, of some or of all of them.
    void watch(bool all) {
        const auto rows = books_.journal.block_rows();
        for (const auto& row : *rows) {
            if (!all && below(3) == 0) continue;
            const auto number = static_cast<std::uint32_t>(row.found.block.height);
            if (const auto fact = fact_for(row, is_on(number, tip_))) {
                ASSERT_EQ(
                    books_.chain_says(number, row.transition + 1, *fact, nodes_[number].value),
                    kApplied);
                orphaned_ += *fact == BlockFact::orphaned;
                if (*fact == BlockFact::confirmed) adopt_parts(number);
            }
        }
    }
    // A block without a snapshot is split when it is confirmed; nobody was paid.
    void adopt_parts(std::uint32_t number) {
        auto& node = nodes_[number];
        if (!node.parts.empty()) return;
        for (const auto& row : books_.journal.split(hash_of(number)))
            node.parts[row.account] = row.part.sat();
    }
    std::optional<BlockFact> fact_for(const BlockRow& row, bool on) {
        switch (row.state) {
            case BlockState::found:
            case BlockState::orphaned:
            case BlockState::contested:
                if (on) return BlockFact::confirmed;
                if (row.state == BlockState::orphaned) return std::nullopt;
                return row.state == BlockState::contested ? BlockFact::orphaned
                                                          : BlockFact::contested;
            case BlockState::confirmed:
                if (on && below(3) == 0) return BlockFact::mature;
                return on ? std::nullopt : std::optional(BlockFact::contested);
            case BlockState::mature:
                return on ? std::nullopt : std::optional(BlockFact::contested);
        }
        return std::nullopt;
    }

    std::mt19937_64 random_;
    Books books_;
    std::vector<Node> nodes_{{}};  // by block number; 0 is before everything
    std::uint32_t tip_ = 0, old_tip_ = 0;
    std::optional<share::SnapshotRecord> snapshot_;
    int with_dues_ = 0, without_dues_ = 0, orphaned_ = 0, refused_snapshots_ = 0;
    std::int64_t dues_paid_sat_ = 0;
};

class CoinbaseHistories : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(CoinbaseHistories, WhatWasPaidIsDebitedOnceAndNobodyIsPaidMoreThanIsOwed) {
    ChainHistory history(GetParam());
    for (int step = 0; step < 600; ++step) {
        history.step();
        if (HasFatalFailure()) FAIL() << "step " << step;
        if (step % 20 == 0) history.settle_and_check();
        if (HasFatalFailure()) FAIL() << "step " << step;
    }
    history.expect_eventful();
}

INSTANTIATE_TEST_SUITE_P(Seeds, CoinbaseHistories, ::testing::Range<std::uint64_t>(1, 25));

}  // namespace
}  // namespace adit::ledger
