#include "manager/settler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::manager {
namespace {

using ledger::BlockState;
using ledger::Stored;
using share::BlockFact;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Keeps rows of blocks and rules as the ledger would after folding the facts it is given. Fails on
// order, before or after a fact has reached the log.
class Books final : public ledger::LedgerReader, public ledger::FactSink {
 public:
    enum class Fault { none, lost, recorded_but_unsaid, late, refused };

    Stored<void> record(share::Record fact) override {
        offered.push_back(fact);
        const auto now = std::exchange(fault, Fault::none);
        if (now == Fault::lost) return std::unexpected("storage unavailable");
        if (now == Fault::late) {
            late_fact = fact;
            return std::unexpected("the ledger has not folded it in time");
        }
        if (now == Fault::refused) return {};
        fold(fact);
        if (now == Fault::recorded_but_unsaid) return std::unexpected("nobody knows");
        return {};
    }
    void fold(const share::Record& fact) {
        if (const auto* changed = std::get_if<share::RulesRecord>(&fact)) {
            rules.push_back({static_cast<std::uint32_t>(rules.size() + 1), *changed, 0});
        }
        const auto* block = std::get_if<share::BlockFactRecord>(&fact);
        if (block == nullptr) return;
        auto& row = *find(block->hash);
        if (block->transition != row.transition + 1) {
            ++out_of_order;
            return;
        }
        row.transition = block->transition;
        switch (block->fact) {
            case BlockFact::confirmed:
                row.state = BlockState::confirmed;
                row.reward = chain::Amount::of(block->coinbase_value_sat);
                row.credited = true;
                break;
            case BlockFact::contested:
                row.state = BlockState::contested;
                break;
            case BlockFact::mature:
                row.state = BlockState::mature;
                row.posted = true;
                break;
            case BlockFact::orphaned:
                row.state = BlockState::orphaned;
                row.credited = row.posted = false;
                break;
        }
    }
    ledger::BlockRow* find(const chain::Hash256& hash) {
        for (auto& row : blocks) {
            if (row.found.block.hash == hash) return &row;
        }
        return nullptr;
    }
    ledger::BlockRow& add(std::uint8_t tag, std::int32_t height) {
        auto& row = blocks.emplace_back();
        row.found.block.hash.bytes.fill(tag);
        row.found.block.height = height;
        return row;
    }
    std::vector<share::BlockFactRecord> facts() const {
        std::vector<share::BlockFactRecord> facts;
        for (const auto& one : offered) {
            if (const auto* fact = std::get_if<share::BlockFactRecord>(&one)) {
                facts.push_back(*fact);
            }
        }
        return facts;
    }

    template <class T>
    Stored<T> answer(T value) const {
        if (unreadable) return std::unexpected("the ledger cannot be read");
        return value;
    }
    Stored<std::vector<ledger::BalanceRow>> balances() override { return answer(balance_rows); }
    Stored<ledger::Balance> total_of_all() override { return answer(total); }
    Stored<std::vector<ledger::BlockRow>> block_rows() override { return answer(blocks); }
    Stored<std::optional<ledger::BlockRow>> block_row(const chain::Hash256& hash) override {
        const auto* row = find(hash);
        return answer(row == nullptr ? std::nullopt : std::optional(*row));
    }
    Stored<std::vector<ledger::RulesRow>> rules_rows() override { return answer(rules); }

    // The settler asks nothing of this.
    Stored<ledger::Balance> balance_of(std::string_view) override { return unasked(); }
    Stored<std::vector<ledger::Transfer>> transfers(std::string_view, std::int64_t,
                                                    std::int64_t) override {
        return unasked();
    }
    Stored<std::vector<ledger::SplitRow>> split_of(const chain::Hash256&) override {
        return unasked();
    }
    Stored<std::optional<share::SettingsRecord>> settings_of(std::string_view) override {
        return unasked();
    }
    Stored<std::vector<share::SettingsRecord>> all_settings() override { return unasked(); }
    Stored<std::vector<ledger::PayoutRow>> payout_rows() override { return unasked(); }
    Stored<std::optional<ledger::PayoutRow>> payout_row(share::PayoutId) override {
        return unasked();
    }
    Stored<std::vector<share::Payee>> payees_of(share::PayoutId) override { return unasked(); }
    Stored<std::vector<share::PayoutSignedRecord>> attempts_of(share::PayoutId) override {
        return unasked();
    }
    Stored<std::optional<share::PayoutId>> payout_of_txid(const chain::Hash256&) override {
        return unasked();
    }
    Stored<std::vector<share::ExplainRecord>> explained() override { return unasked(); }
    Stored<std::vector<ledger::RefusedFact>> refused() override { return unasked(); }
    Stored<std::vector<share::SnapshotRecord>> snapshots() override { return unasked(); }

    Fault fault = Fault::none;  // of the next record
    bool unreadable = false;
    std::vector<share::Record> offered;
    std::optional<share::Record> late_fact;
    int out_of_order = 0;
    std::vector<ledger::BlockRow> blocks;
    std::vector<ledger::RulesRow> rules;
    std::vector<ledger::BalanceRow> balance_rows;
    ledger::Balance total;

 private:
    static std::unexpected<std::string> unasked() {
        ADD_FAILURE() << "the settler asks for what it does not need";
        return std::unexpected(std::string("unasked"));
    }
};

node::WatchedBlock seen_of(const ledger::BlockRow& row) {
    return {row.found.block.hash, row.found.block.height, row.state, row.reward};
}

node::SeenFact decided(BlockFact fact, std::int32_t confirmations = 0, std::int64_t sat = 0) {
    return {{fact, confirmations, "a: said so"}, chain::Amount::of(sat)};
}

// Plays the block watch: no node is asked here (tests/e2e/settlement_test.cpp has real ones).
class SettlerTest : public ::testing::Test {
 protected:
    double gauge(std::string_view name, metrics::Labels labels = {}) {
        return registry.gauge(name, "", std::move(labels)).value();
    }
    std::uint64_t counter(std::string_view name) { return registry.counter(name, "").value(); }
    bool said(std::string_view words) const {
        return std::ranges::any_of(
            lines, [&](const std::string& line) { return line.find(words) != std::string::npos; });
    }

    base::ManualClock clock;
    std::vector<std::string> lines;
    base::Logger log{base::LogLevel::info, base::LogFormat::text,
                     [this](std::string_view line) { lines.emplace_back(line); }};
    metrics::Registry registry;
    Books books;
    Settler settler{{}, books, books, registry, clock, log};
    node::BlockBooks& watch_side = settler;
};

TEST_F(SettlerTest, WritesEachFactWithTheTransitionThatComesNext) {
    auto& row = books.add(1, 50);
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::confirmed, 1, 5'000)),
              BlockState::confirmed);
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::contested)), BlockState::contested);
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::confirmed, 2, 5'000)),
              BlockState::confirmed);
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::mature, 101)), BlockState::mature);
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::contested)), BlockState::contested);
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::orphaned)), BlockState::orphaned);
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::confirmed, 3, 5'000)),
              BlockState::confirmed);
    const auto facts = books.facts();
    ASSERT_THAT(facts, SizeIs(7));
    for (std::size_t i = 0; i < facts.size(); ++i) {
        EXPECT_EQ(facts[i].transition, i + 1);
        EXPECT_EQ(facts[i].hash, row.found.block.hash);
        EXPECT_EQ(facts[i].evidence, "a: said so");
        EXPECT_EQ(facts[i].at_wall_ms, clock.wall_ms());
        EXPECT_EQ(facts[i].coinbase_value_sat, facts[i].fact == BlockFact::confirmed ? 5'000 : 0);
    }
    EXPECT_EQ(facts[3].confirmations, 101);
    EXPECT_TRUE(said("block confirmed: its reward is split and pending"));
    EXPECT_TRUE(said("reward_btc=0.00005000"));
    EXPECT_TRUE(said("block confirmed again"));
    EXPECT_TRUE(said("block mature: its reward is posted"));
    EXPECT_TRUE(said("block contested"));
    EXPECT_TRUE(said("block orphaned after it was posted: what it credited is reversed"));
    EXPECT_EQ(registry.counter("adit_block_facts_total", "", {{"fact", "confirmed"}}).value(), 3u);
}

TEST_F(SettlerTest, SaysWhetherAnOrphanHadBeenCredited) {
    auto& never = books.add(1, 50);
    watch_side.take(seen_of(never), decided(BlockFact::orphaned));
    EXPECT_TRUE(said("block orphaned: nothing was credited"));
    auto& pending = books.add(2, 51);
    watch_side.take(seen_of(pending), decided(BlockFact::confirmed, 1, 5'000));
    watch_side.take(seen_of(pending), decided(BlockFact::contested));
    watch_side.take(seen_of(pending), decided(BlockFact::orphaned));
    EXPECT_TRUE(said("block orphaned: what it credited is taken back"));
}

TEST_F(SettlerTest, OffersTheSameBytesAgainWhenNobodyKnowsWhetherTheyAreInTheLog) {
    auto& row = books.add(1, 50);
    books.fault = Books::Fault::lost;
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::confirmed, 1, 5'000)), std::nullopt);
    EXPECT_EQ(counter("adit_settler_failures_total"), 1u);
    clock.advance_ms(30'000);
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::confirmed, 4, 5'000)),
              BlockState::confirmed);
    const auto facts = books.facts();
    ASSERT_THAT(facts, SizeIs(2));
    EXPECT_EQ(facts[0], facts[1]) << "a repetition changes nothing if the first came through";
}

TEST_F(SettlerTest, WritesNothingTwiceWhenTheFactHadComeThrough) {
    auto& row = books.add(1, 50);
    const auto before = seen_of(row);
    books.fault = Books::Fault::recorded_but_unsaid;
    EXPECT_EQ(watch_side.take(before, decided(BlockFact::confirmed, 1, 5'000)), std::nullopt);
    EXPECT_EQ(watch_side.take(before, decided(BlockFact::confirmed, 1, 5'000)), std::nullopt)
        << "the ledger has moved on: decide anew";
    EXPECT_THAT(books.facts(), SizeIs(1));
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::mature, 101)), BlockState::mature);
    EXPECT_EQ(books.facts().back().transition, 2u);
}

TEST_F(SettlerTest, AFactThatIsFoldedLateTakesEffectOnce) {
    auto& row = books.add(1, 50);
    const auto before = seen_of(row);
    books.fault = Books::Fault::late;
    EXPECT_EQ(watch_side.take(before, decided(BlockFact::confirmed, 1, 5'000)), std::nullopt);
    // The nodes say something else by now, but the first fact is ahead in the log.
    books.fault = Books::Fault::late;
    const auto first = *books.late_fact;
    EXPECT_EQ(watch_side.take(before, decided(BlockFact::orphaned)), std::nullopt);
    books.fold(first);
    books.fold(*books.late_fact);
    EXPECT_EQ(row.state, BlockState::confirmed);
    EXPECT_EQ(row.transition, 1u);
    EXPECT_EQ(books.out_of_order, 1) << "the same transition, so it changes nothing";
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::contested)), BlockState::contested);
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::orphaned)), BlockState::orphaned);
}

TEST_F(SettlerTest, DoesNotRepeatWhatTheLedgerRefuses) {
    auto& row = books.add(1, 50);
    books.fault = Books::Fault::refused;
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::confirmed, 1, 5'000)), std::nullopt);
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::confirmed, 2, 5'000)), std::nullopt);
    EXPECT_THAT(books.facts(), SizeIs(1));
    EXPECT_EQ(counter("adit_block_facts_refused_total"), 1u);
    EXPECT_TRUE(said("the ledger refused what became of a found block"));
    EXPECT_EQ(watch_side.take(seen_of(row), decided(BlockFact::orphaned)), BlockState::orphaned)
        << "another fact is another matter";
}

TEST_F(SettlerTest, WaitsWhileTheLedgerCannotBeRead) {
    auto& row = books.add(1, 50);
    const auto before = seen_of(row);
    books.unreadable = true;
    EXPECT_FALSE(watch_side.watched_blocks());
    EXPECT_EQ(watch_side.take(before, decided(BlockFact::confirmed, 1, 5'000)), std::nullopt);
    watch_side.round_over();
    EXPECT_THAT(books.offered, IsEmpty());
    EXPECT_GE(counter("adit_settler_failures_total"), 2u);
    books.unreadable = false;
    ASSERT_TRUE(watch_side.watched_blocks());
    EXPECT_EQ(watch_side.take(before, decided(BlockFact::confirmed, 1, 5'000)),
              BlockState::confirmed);
}

TEST_F(SettlerTest, GivesTheWatchEveryBlockWithWhatIsKnownOfIt) {
    books.add(1, 50);
    auto& other = books.add(2, 51);
    other.state = BlockState::orphaned;
    other.reward = chain::Amount::of(7);
    const auto blocks = watch_side.watched_blocks();
    ASSERT_TRUE(blocks);
    ASSERT_THAT(*blocks, SizeIs(2));
    EXPECT_EQ((*blocks)[0].state, BlockState::found);
    EXPECT_EQ((*blocks)[1].hash, other.found.block.hash);
    EXPECT_EQ((*blocks)[1].height, 51);
    EXPECT_EQ((*blocks)[1].state, BlockState::orphaned);
    EXPECT_EQ((*blocks)[1].reward.sat(), 7);
}

TEST_F(SettlerTest, CountsBlocksAndSumsBalances) {
    for (const auto state :
         {BlockState::found, BlockState::contested, BlockState::contested, BlockState::mature})
        books.add(static_cast<std::uint8_t>(books.blocks.size() + 1), 50).state = state;
    const auto amounts = [](std::int64_t posted, std::int64_t pending, std::int64_t reserved) {
        return ledger::Balance{chain::Amount::of(posted), chain::Amount::of(pending),
                               chain::Amount::of(reserved)};
    };
    books.balance_rows = {{":reward", amounts(-900, -500, 0)},
                          {":fee", amounts(50, 0, 0)},
                          {"alice", amounts(1'000, 300, -100)},
                          {"bob", amounts(-150, 200, 0)}};
    watch_side.round_over();
    EXPECT_EQ(gauge("adit_blocks_by_state", {{"state", "found"}}), 1);
    EXPECT_EQ(gauge("adit_blocks_by_state", {{"state", "contested"}}), 2);
    EXPECT_EQ(gauge("adit_blocks_by_state", {{"state", "mature"}}), 1);
    EXPECT_EQ(gauge("adit_blocks_by_state", {{"state", "orphaned"}}), 0);
    EXPECT_EQ(gauge("adit_ledger_posted_satoshis"), 850) << "the ledger's own accounts left out";
    EXPECT_EQ(gauge("adit_ledger_pending_satoshis"), 500);
    EXPECT_EQ(gauge("adit_ledger_reserved_satoshis"), -100);
    EXPECT_EQ(gauge("adit_ledger_overdrawn_satoshis"), -150);
    EXPECT_EQ(gauge("adit_ledger_imbalance_satoshis"), 0);
    EXPECT_FALSE(said("do not sum to zero"));
    // Two wrong sums do not hide each other.
    books.total = amounts(5, -5, 0);
    watch_side.round_over();
    watch_side.round_over();
    EXPECT_EQ(gauge("adit_ledger_imbalance_satoshis"), 10);
    EXPECT_EQ(std::ranges::count_if(lines,
                                    [](const std::string& line) {
                                        return line.find("do not sum to zero") != std::string::npos;
                                    }),
              1);
}

TEST_F(SettlerTest, WritesTheRulesAtTheFirstStartAndWhenTheyChange) {
    share::RulesRecord rules;
    ASSERT_TRUE(settler.set_rules(rules));
    ASSERT_THAT(books.rules, SizeIs(1)) << "the defaults are written too";
    EXPECT_EQ(books.rules[0].rules.at_wall_ms, clock.wall_ms());
    EXPECT_TRUE(said("the reward rules are in force"));
    EXPECT_TRUE(said("scheme=pplns"));
    EXPECT_TRUE(said("pplns_factor=2.000"));
    EXPECT_TRUE(said("fee=\"1.0000 %\"") || said("fee=1.0000 %"));
    clock.advance_ms(1'000);
    ASSERT_TRUE(settler.set_rules(rules));
    EXPECT_THAT(books.rules, SizeIs(1)) << "only the time differs";

    const auto change = [&](auto&& set) {
        const auto before = books.rules.size();
        set(rules);
        ASSERT_TRUE(settler.set_rules(rules));
        ASSERT_THAT(books.rules, SizeIs(before + 1));
        EXPECT_EQ(books.rules.back().rules.scheme, rules.scheme);
        EXPECT_EQ(books.rules.back().rules.fee_ppm, rules.fee_ppm);
    };
    change([](auto& r) { r.scheme = share::RewardScheme::prop; });
    change([](auto& r) { r.mode = share::PayoutMode::coinbase; });
    change([](auto& r) { r.pplns_factor_milli = 2'500; });
    change([](auto& r) { r.fee_ppm = 0; });
    change([](auto& r) { r.fee_account = "operator"; });
    EXPECT_TRUE(said("the reward rules change with the next found block"));
}

TEST_F(SettlerTest, TriesTheRulesAgainUntilTheyAreInForce) {
    books.fault = Books::Fault::lost;
    EXPECT_FALSE(settler.set_rules({}));
    EXPECT_THAT(books.rules, IsEmpty());
    books.fault = Books::Fault::lost;
    ASSERT_TRUE(watch_side.watched_blocks());
    EXPECT_THAT(books.rules, IsEmpty());
    ASSERT_TRUE(watch_side.watched_blocks());
    EXPECT_THAT(books.rules, SizeIs(1));
    ASSERT_TRUE(watch_side.watched_blocks());
    EXPECT_THAT(books.rules, SizeIs(1));
    // Had they come through unsaid, they are not written again.
    share::RulesRecord other;
    other.fee_ppm = 20'000;
    books.fault = Books::Fault::recorded_but_unsaid;
    EXPECT_FALSE(settler.set_rules(other));
    ASSERT_TRUE(watch_side.watched_blocks());
    EXPECT_THAT(books.rules, SizeIs(2));
}

TEST_F(SettlerTest, RunsItsWatchAndChangesNodes) {
    const auto rounds_reach = [&](std::uint64_t count) {
        const base::SystemClock real;
        const auto end = real.steady_ms() + 20'000;
        while (settler.rounds() < count) {
            if (real.steady_ms() > end) return false;
            std::this_thread::yield();
        }
        return true;
    };
    settler.start();
    ASSERT_TRUE(rounds_reach(1));
    settler.kick();
    ASSERT_TRUE(rounds_reach(2));
    settler.set_nodes({});
    ASSERT_TRUE(rounds_reach(1)) << "watched at once";
    settler.stop();
    settler.set_nodes({});
    EXPECT_EQ(settler.rounds(), 0u) << "a settler that does not run asks nobody";
}

}  // namespace
}  // namespace adit::manager
