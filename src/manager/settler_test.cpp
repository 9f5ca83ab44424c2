#include "manager/settler.h"

#include "manager/block_ledger_testing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::manager {
namespace {

using ledger::BlockState;
using share::BlockFact;
using testing::BlockLedger;
using ::testing::IsEmpty;
using ::testing::SizeIs;

node::SeenFact decided(BlockFact fact, std::int32_t confirmations = 0, std::int64_t sat = 0) {
    return {{fact, confirmations, "a: said so"}, chain::Amount::of(sat)};
}

// Plays the block watch: no node is asked here (tests/e2e/settlement_test.cpp has real ones).
class SettlerTest : public ::testing::Test {
 protected:
    chain::Hash256 add(std::uint8_t tag, std::int32_t height) {
        chain::Hash256 hash;
        hash.bytes.fill(tag);
        books.add(hash, height);
        return hash;
    }
    // As the watch knows it from the last time it asked.
    node::WatchedBlock seen(const chain::Hash256& hash) {
        const auto row = books.row(hash);
        return {hash, row.found.block.height, row.state, row.reward};
    }
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
    BlockLedger books;
    Settler settler{{}, books, books, registry, clock, log};
    node::BlockBooks& watch_side = settler;
};

TEST_F(SettlerTest, WritesEachFactWithTheTransitionThatComesNext) {
    const auto row = add(1, 50);
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::confirmed, 1, 5'000)),
              BlockState::confirmed);
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::contested)), BlockState::contested);
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::confirmed, 2, 5'000)),
              BlockState::confirmed);
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::mature, 101)), BlockState::mature);
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::contested)), BlockState::contested);
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::orphaned)), BlockState::orphaned);
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::confirmed, 3, 5'000)),
              BlockState::confirmed);
    const auto facts = books.facts();
    ASSERT_THAT(facts, SizeIs(7));
    for (std::size_t i = 0; i < facts.size(); ++i) {
        EXPECT_EQ(facts[i].transition, i + 1);
        EXPECT_EQ(facts[i].hash, row);
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
    const auto never = add(1, 50);
    watch_side.take(seen(never), decided(BlockFact::orphaned));
    EXPECT_TRUE(said("block orphaned: nothing was credited"));
    const auto pending = add(2, 51);
    watch_side.take(seen(pending), decided(BlockFact::confirmed, 1, 5'000));
    watch_side.take(seen(pending), decided(BlockFact::contested));
    watch_side.take(seen(pending), decided(BlockFact::orphaned));
    EXPECT_TRUE(said("block orphaned: what it credited is taken back"));
}

TEST_F(SettlerTest, OffersTheSameBytesAgainWhenNobodyKnowsWhetherTheyAreInTheLog) {
    const auto row = add(1, 50);
    books.set_next_fault(BlockLedger::Fault::lost);
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::confirmed, 1, 5'000)), std::nullopt);
    EXPECT_EQ(counter("adit_settler_failures_total"), 1u);
    clock.advance_ms(30'000);
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::confirmed, 4, 5'000)),
              BlockState::confirmed);
    const auto facts = books.facts();
    ASSERT_THAT(facts, SizeIs(2));
    EXPECT_EQ(facts[0], facts[1]) << "a repetition changes nothing if the first came through";
}

TEST_F(SettlerTest, WritesNothingTwiceWhenTheFactHadComeThrough) {
    const auto row = add(1, 50);
    const auto before = seen(row);
    books.set_next_fault(BlockLedger::Fault::unsaid);
    EXPECT_EQ(watch_side.take(before, decided(BlockFact::confirmed, 1, 5'000)), std::nullopt);
    EXPECT_EQ(watch_side.take(before, decided(BlockFact::confirmed, 1, 5'000)), std::nullopt)
        << "the ledger has moved on: decide anew";
    EXPECT_THAT(books.facts(), SizeIs(1));
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::mature, 101)), BlockState::mature);
    EXPECT_EQ(books.facts().back().transition, 2u);
}

TEST_F(SettlerTest, AFactThatIsFoldedLateTakesEffectOnce) {
    const auto row = add(1, 50);
    const auto before = seen(row);
    books.set_next_fault(BlockLedger::Fault::late);
    EXPECT_EQ(watch_side.take(before, decided(BlockFact::confirmed, 1, 5'000)), std::nullopt);
    // The nodes say something else by now, but the first fact is ahead in the log.
    books.set_next_fault(BlockLedger::Fault::late);
    EXPECT_EQ(watch_side.take(before, decided(BlockFact::orphaned)), std::nullopt);
    books.fold_late();
    EXPECT_EQ(books.row(row).state, BlockState::confirmed);
    EXPECT_EQ(books.row(row).transition, 1u);
    EXPECT_EQ(books.refused_facts(), 1) << "the same transition, so it changes nothing";
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::contested)), BlockState::contested);
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::orphaned)), BlockState::orphaned);
}

TEST_F(SettlerTest, DoesNotRepeatWhatTheLedgerRefuses) {
    const auto row = add(1, 50);
    books.set_next_fault(BlockLedger::Fault::refused);
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::confirmed, 1, 5'000)), std::nullopt);
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::confirmed, 2, 5'000)), std::nullopt);
    EXPECT_THAT(books.facts(), SizeIs(1));
    EXPECT_EQ(counter("adit_block_facts_refused_total"), 1u);
    EXPECT_TRUE(said("the ledger refused what became of a found block"));
    EXPECT_EQ(watch_side.take(seen(row), decided(BlockFact::orphaned)), BlockState::orphaned)
        << "another fact is another matter";
}

TEST_F(SettlerTest, WaitsWhileTheLedgerCannotBeRead) {
    const auto row = add(1, 50);
    const auto before = seen(row);
    books.set_unreadable(true);
    EXPECT_FALSE(watch_side.watched_blocks());
    EXPECT_EQ(watch_side.take(before, decided(BlockFact::confirmed, 1, 5'000)), std::nullopt);
    watch_side.round_over();
    EXPECT_THAT(books.facts(), IsEmpty());
    EXPECT_GE(counter("adit_settler_failures_total"), 2u);
    books.set_unreadable(false);
    ASSERT_TRUE(watch_side.watched_blocks());
    EXPECT_EQ(watch_side.take(before, decided(BlockFact::confirmed, 1, 5'000)),
              BlockState::confirmed);
}

TEST_F(SettlerTest, GivesTheWatchEveryBlockWithWhatIsKnownOfIt) {
    add(1, 50);
    const auto other = add(2, 51);
    books.change(other, BlockState::orphaned, 7);
    const auto blocks = watch_side.watched_blocks();
    ASSERT_TRUE(blocks);
    ASSERT_THAT(*blocks, SizeIs(2));
    EXPECT_EQ((*blocks)[0].state, BlockState::found);
    EXPECT_EQ((*blocks)[1].hash, other);
    EXPECT_EQ((*blocks)[1].height, 51);
    EXPECT_EQ((*blocks)[1].state, BlockState::orphaned);
    EXPECT_EQ((*blocks)[1].reward.sat(), 7);
}

TEST_F(SettlerTest, CountsBlocksAndSumsBalances) {
    std::uint8_t tag = 0;
    for (const auto state :
         {BlockState::found, BlockState::contested, BlockState::contested, BlockState::mature})
        books.change(add(++tag, 50), state, 1);
    const auto amounts = [](std::int64_t posted, std::int64_t pending, std::int64_t reserved) {
        return ledger::Balance{chain::Amount::of(posted), chain::Amount::of(pending),
                               chain::Amount::of(reserved)};
    };
    const std::vector<ledger::BalanceRow> rows{{":reward", amounts(-900, -500, 0)},
                                               {":fee", amounts(50, 0, 0)},
                                               {"alice", amounts(1'000, 300, -100)},
                                               {"bob", amounts(-150, 200, 0)}};
    books.set_balances(rows, {});
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
    books.set_balances(rows, amounts(5, -5, 0));
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
    ASSERT_THAT(books.rules(), SizeIs(1)) << "the defaults are written too";
    EXPECT_EQ(books.rules()[0].rules.at_wall_ms, clock.wall_ms());
    EXPECT_TRUE(said("the reward rules are in force"));
    EXPECT_TRUE(said("scheme=pplns"));
    EXPECT_TRUE(said("pplns_factor=2.000"));
    EXPECT_TRUE(said("fee=1.0%"));
    clock.advance_ms(1'000);
    ASSERT_TRUE(settler.set_rules(rules));
    EXPECT_THAT(books.rules(), SizeIs(1)) << "only the time differs";

    const auto change = [&](auto&& set) {
        const auto before = books.rules().size();
        set(rules);
        ASSERT_TRUE(settler.set_rules(rules));
        ASSERT_THAT(books.rules(), SizeIs(before + 1));
        EXPECT_EQ(books.rules().back().rules.scheme, rules.scheme);
        EXPECT_EQ(books.rules().back().rules.fee_ppm, rules.fee_ppm);
    };
    change([](auto& r) { r.scheme = share::RewardScheme::prop; });
    change([](auto& r) { r.mode = share::PayoutMode::coinbase; });
    change([](auto& r) { r.pplns_factor_milli = 2'500; });
    change([](auto& r) { r.fee_ppm = 0; });
    change([](auto& r) { r.fee_account = "operator"; });
    EXPECT_TRUE(said("the reward rules change with the next found block"));
}

TEST_F(SettlerTest, TriesTheRulesAgainUntilTheyAreInForce) {
    books.set_next_fault(BlockLedger::Fault::lost);
    EXPECT_FALSE(settler.set_rules({}));
    EXPECT_THAT(books.rules(), IsEmpty());
    books.set_next_fault(BlockLedger::Fault::lost);
    ASSERT_TRUE(watch_side.watched_blocks());
    EXPECT_THAT(books.rules(), IsEmpty());
    ASSERT_TRUE(watch_side.watched_blocks());
    EXPECT_THAT(books.rules(), SizeIs(1));
    ASSERT_TRUE(watch_side.watched_blocks());
    EXPECT_THAT(books.rules(), SizeIs(1));
    // Had they come through unsaid, they are not written again.
    share::RulesRecord other;
    other.fee_ppm = 20'000;
    books.set_next_fault(BlockLedger::Fault::unsaid);
    EXPECT_FALSE(settler.set_rules(other));
    ASSERT_TRUE(watch_side.watched_blocks());
    EXPECT_THAT(books.rules(), SizeIs(2));
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
