// Payout snapshots taken from a real ledger with a real node's chain: when, of what, and when not.
#include "manager/snapshot_desk.h"

#include "tests/support/pool_setup.h"
#include "tests/support/sim_host.h"
#include "tests/support/temp_dir.h"
#include "tests/support/wait.h"

#include <gmock/gmock.h>

namespace adit::tests {
namespace {

using share::BlockFact;
using ::testing::SizeIs;

constexpr std::int64_t kStart = 1'700'000'400;
constexpr std::int64_t kValue = 100'000;

// Folds what it is given into the ledger at once, as log and tally would.
class Folder final : public ledger::FactSink {
 public:
    explicit Folder(store::SqlLedger& ledger) : ledger_(ledger) {}

    ledger::Stored<void> caught_up() override { return {}; }
    ledger::Stored<void> record(share::Record record) override {
        if (is_down) return std::unexpected("the disk is full");
        return std::visit(
            [&]<class T>(T& what) -> ledger::Stored<void> {
                if constexpr (std::is_constructible_v<decltype(ledger::Fact::what), T>) {
                    return fold({}, std::move(what));
                } else {
                    return std::unexpected("no fact");
                }
            },
            record);
    }
    // One slice each time: a block closes it.
    template <class T>
    ledger::Stored<void> fold(ledger::TallyDelta delta, T what) {
        const std::lock_guard lock(mutex_);
        delta.before = at_;
        at_.log.position += 100;
        at_.slice = {kStart, sequence_};
        at_.time_ms = kStart * 1'000 + at_.slice.sequence;
        delta.after = at_;
        if constexpr (!std::is_same_v<T, std::monostate>) {
            if constexpr (std::is_same_v<T, ledger::FoundBlock>) {
                what.slice = {kStart, sequence_++};
                what.time_ms = at_.time_ms;
                what.position = at_.log.position;
            }
            delta.facts.push_back({std::move(what), at_.log.position, at_.time_ms});
        }
        return ledger_.apply(delta);
    }
    std::uint32_t sequence() const { return sequence_; }

    std::atomic<bool> is_down = false;

 private:
    store::SqlLedger& ledger_;
    std::mutex mutex_;
    ledger::FoldPoint at_;
    std::uint32_t sequence_ = 0;
};

class SnapshotDeskTest : public ::testing::Test {
 protected:
    void SetUp() override {
        store::SqlLedgerSettings settings;
        settings.database = (dir_.path() / "ledger.sqlite").string();
        ledger_ = std::move(*store::SqlLedger::open(settings));
        folder_.emplace(*ledger_);
        node_->generate(3, other_script());
        ledger::TallyDelta names;
        names.accounts = {{1, miner_address("a")}, {2, miner_address("b")}};
        ASSERT_TRUE(folder_->fold(names, std::monostate{}));
        share::RulesRecord rules;
        rules.mode = share::PayoutMode::coinbase;
        ASSERT_TRUE(folder_->record(rules));
        manager::SnapshotSettings desk;
        desk.network = chain::Network::regtest;
        const auto login = login_of(*node_);
        desk.nodes = {{.name = login.name,
                       .rpc = login.url,
                       .cookie_file = {},
                       .user = login.user,
                       .password = login.password,
                       .zmq_hashblock = {}}};
        desk.dust = chain::Amount::of(100);
        desk.retry_ms = 20;
        desk.empty_ms = 20;
        desk_.emplace(
            desk,
            manager::SnapshotDesk::Parts{*ledger_, *folder_, [this] { return is_folded_.load(); },
                                         [this](const chain::Hash256& hash) {
                                             const std::lock_guard lock(mutex_);
                                             return own_.contains(hash);
                                         },
                                         [this] { ++hurries_; },
                                         [this](job::PayoutSnapshotRef snapshot) {
                                             const std::lock_guard lock(mutex_);
                                             taken_.push_back(std::move(snapshot));
                                         }},
            registry_, clock_, logger_);
        desk_->start();
    }
    void TearDown() override { desk_->stop(); }

    chain::Hash256 tip() { return node_.block(node_->height())->header.hash(); }
    void work(share::AccountId account, chain::Work amount) {
        ledger::TallyDelta delta;
        delta.slices[{{kStart, folder_->sequence()}, account}] = {amount, 1, 0};
        ASSERT_TRUE(folder_->fold(delta, std::monostate{}));
    }
    // The next template of the node.
    void offer() {
        job::BlockTemplate source;
        source.network = chain::Network::regtest;
        source.previous = tip();
        source.height = node_->height() + 1;
        source.bits = 0x207fffff;
        desk_->on_template(source);
    }
    // A block of the pool's own on the tip, which the pool knows; not in the ledger yet.
    chain::Hash256 own_block() {
        const auto hash = node_->generate(1, pool_script()).at(0);
        const std::lock_guard lock(mutex_);
        own_.insert(hash);
        return hash;
    }
    void record(const chain::Hash256& hash) {
        ledger::FoundBlock found;
        found.block.hash = hash;
        found.block.height = node_->height();
        found.block.bits = 0x207fffff;
        found.block.job = 1;
        found.block.account = 1;
        found.block.coinbase_value_sat = kValue;
        ASSERT_TRUE(folder_->fold({}, found));
    }
    void say(const chain::Hash256& hash, std::uint32_t transition, BlockFact fact) {
        share::BlockFactRecord record;
        record.hash = hash;
        record.transition = transition;
        record.fact = fact;
        record.coinbase_value_sat = fact == BlockFact::confirmed ? kValue : 0;
        ASSERT_TRUE(folder_->record(record));
    }
    std::vector<job::PayoutSnapshotRef> taken() {
        const std::lock_guard lock(mutex_);
        return taken_;
    }
    // The newest snapshot, once there are so many.
    job::PayoutSnapshotRef await(std::size_t count) {
        EXPECT_TRUE(eventually([&] { return taken().size() >= count; }));
        return taken().size() < count ? nullptr : taken().at(count - 1);
    }
    // The desk has tried again in vain: twice, so that one try began after what was before.
    void expect_none(std::size_t count) {
        auto& waits = registry_.counter("adit_payout_snapshot_waits_total", "");
        const auto before = waits.value();
        EXPECT_TRUE(eventually([&] { return waits.value() >= before + 2; }));
        EXPECT_THAT(taken(), SizeIs(count));
    }

    SimHost node_{sim::SimParams::regtest(), false};
    TempDir dir_;
    base::SystemClock clock_;
    base::Logger logger_{base::LogLevel::error, base::LogFormat::text, [](std::string_view) {}};
    metrics::Registry registry_;
    std::unique_ptr<store::SqlLedger> ledger_;
    std::optional<Folder> folder_;
    std::atomic<bool> is_folded_ = true;
    std::atomic<int> hurries_ = 0;
    std::mutex mutex_;
    std::set<chain::Hash256> own_;
    std::vector<job::PayoutSnapshotRef> taken_;
    std::optional<manager::SnapshotDesk> desk_;
};

TEST_F(SnapshotDeskTest, IsInTheLedgerBeforeJobsHaveItAndIsBoundToTheTip) {
    work(1, 30'000);
    work(2, 10'000);
    offer();
    const auto snapshot = await(1);
    ASSERT_NE(snapshot, nullptr);
    EXPECT_EQ(snapshot->id, 1U);
    EXPECT_EQ(snapshot->previous, tip());
    ASSERT_EQ(snapshot->entries.size(), 2U);
    const auto kept = ledger_->snapshots();
    ASSERT_TRUE(kept);
    ASSERT_EQ(kept->size(), 1U);
    EXPECT_EQ(kept->at(0).previous, tip());
    node_->generate(1, other_script());
    offer();
    EXPECT_EQ(await(2)->id, 2U);
    EXPECT_EQ(await(2)->previous, tip());
}

TEST_F(SnapshotDeskTest, WaitsForAnOwnBlockOfTheBranchUntilItIsCreditedAndOwesItsCredit) {
    work(1, 30'000);
    const auto own = own_block();
    offer();
    expect_none(0);
    EXPECT_GT(hurries_, 0);
    record(own);
    expect_none(0);
    say(own, 1, BlockFact::confirmed);
    const auto snapshot = await(1);
    ASSERT_NE(snapshot, nullptr);
    ASSERT_EQ(snapshot->entries.size(), 1U);
    EXPECT_EQ(snapshot->entries[0].due.sat(), kValue - kValue / 100);
}

TEST_F(SnapshotDeskTest, OwesNothingOfABlockOnAnotherBranch) {
    work(1, 30'000);
    const auto own = own_block();
    record(own);
    say(own, 1, BlockFact::confirmed);
    ASSERT_EQ(node_->mine_branch(1, 2, other_script()).size(), 2U);
    ASSERT_FALSE(node_.in_best_chain(own));
    offer();
    const auto snapshot = await(1);
    ASSERT_NE(snapshot, nullptr);
    EXPECT_EQ(snapshot->previous, tip());
    EXPECT_TRUE(snapshot->entries[0].due.is_zero());
    EXPECT_GT(ledger_->balance_of(miner_address("a"))->pending.sat(), 0);
}

TEST_F(SnapshotDeskTest, WaitsForTheLedgerTheLogAndANodeWithTheTip) {
    work(1, 30'000);
    is_folded_ = false;
    offer();
    expect_none(0);
    is_folded_ = true;
    EXPECT_NE(await(1), nullptr);
    folder_->is_down = true;
    node_->generate(1, other_script());
    offer();
    expect_none(1);
    folder_->is_down = false;
    EXPECT_NE(await(2), nullptr);
    // A template of a block that the node has left again.
    job::BlockTemplate source;
    source.previous = chain::Hash256{{7}};
    source.height = node_->height() + 1;
    desk_->on_template(source);
    expect_none(2);
}

TEST_F(SnapshotDeskTest, TakesNoneWithoutWorkAndEndsThemWhenTheRulesDo) {
    offer();
    work(1, 30'000);
    EXPECT_NE(await(1), nullptr);
    share::RulesRecord rules;
    rules.mode = share::PayoutMode::none;
    ASSERT_TRUE(folder_->record(rules));
    node_->generate(1, other_script());
    offer();
    EXPECT_TRUE(eventually([&] { return taken().size() == 2; }));
    EXPECT_EQ(taken().back(), nullptr);
}

}  // namespace
}  // namespace adit::tests
