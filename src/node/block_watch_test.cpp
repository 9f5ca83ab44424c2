#include "node/block_watch.h"

#include "node/scripted_node_testing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

namespace adit::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::mine_block;
using testing::RawAnswer;
using testing::ScriptedNode;
using S = ledger::BlockState;
using F = share::BlockFact;

S state_after(F fact) {
    switch (fact) {
        case F::confirmed:
            return S::confirmed;
        case F::contested:
            return S::contested;
        case F::mature:
            return S::mature;
        case F::orphaned:
            return S::orphaned;
    }
    return S::found;
}

// Takes every decision down, unless told to fail.
class Books final : public BlockBooks {
 public:
    ledger::Stored<std::vector<WatchedBlock>> watched_blocks() override {
        const std::lock_guard lock(mutex_);
        if (unreadable_) return std::unexpected("the disk is on fire");
        return blocks_;
    }
    std::optional<S> take(const WatchedBlock& block, const SeenFact& fact) override {
        const std::lock_guard lock(mutex_);
        facts_.emplace_back(block.hash, fact);
        if (refusing_) return std::nullopt;
        for (auto& mine : blocks_) {
            if (mine.hash != block.hash) continue;
            EXPECT_EQ(mine.state, block.state);
            mine.state = state_after(fact.decision.fact);
            if (fact.decision.fact == F::confirmed) mine.reward = fact.reward;
        }
        return state_after(fact.decision.fact);
    }
    void round_over() override { ++rounds_over; }

    void add(const chain::Hash256& hash, std::int32_t height, S state = S::found,
             std::int64_t reward_sat = 0) {
        const std::lock_guard lock(mutex_);
        blocks_.push_back({hash, height, state, chain::Amount::of(reward_sat)});
    }
    void set_refusing(bool refusing) {
        const std::lock_guard lock(mutex_);
        refusing_ = refusing;
    }
    void set_unreadable(bool unreadable) {
        const std::lock_guard lock(mutex_);
        unreadable_ = unreadable;
    }
    S state(const chain::Hash256& hash) {
        const std::lock_guard lock(mutex_);
        for (const auto& block : blocks_) {
            if (block.hash == hash) return block.state;
        }
        return S::found;
    }
    // Facts since the last call, in order.
    std::vector<std::string> facts() {
        const std::lock_guard lock(mutex_);
        std::vector<std::string> names;
        for (const auto& [hash, fact] : facts_)
            names.emplace_back(share::name_of(fact.decision.fact));
        last_ = facts_.empty() ? SeenFact{} : facts_.back().second;
        facts_.clear();
        return names;
    }
    SeenFact last() {
        const std::lock_guard lock(mutex_);
        return last_;
    }
    std::atomic<int> rounds_over{0};

 private:
    std::mutex mutex_;
    std::vector<WatchedBlock> blocks_;
    std::vector<std::pair<chain::Hash256, SeenFact>> facts_;
    SeenFact last_;
    bool refusing_ = false;
    bool unreadable_ = false;
};

// Two nodes with equal chains of ten blocks. Rounds happen only when the test asks for one.
struct BlockWatchTest : ::testing::Test {
    void SetUp() override {
        for (auto* node : {&a, &b})
            node->start();
        settings.network = chain::Network::regtest;
        settings.nodes = {a.settings("a"), b.settings("b")};
        settings.rules = {.maturity = 5, .void_depth = 3, .void_depth_alone = 8};
        settings.interval_ms = 1'000'000'000;
        settings.retry_ms = 10;
    }
    void TearDown() override {
        if (watch) watch->stop();
    }
    bool wait(const std::function<bool()>& holds) {
        const auto end = clock.steady_ms() + 20'000;
        while (!holds()) {
            if (clock.steady_ms() > end) return false;
            std::this_thread::yield();
        }
        return true;
    }
    // One whole round that began after this call.
    void round() {
        const auto before = watch ? watch->rounds() : 0;
        if (!watch) {
            watch.emplace(settings, books, registry, clock, log);
            watch->start();
        } else {
            watch->kick();
        }
        ASSERT_TRUE(wait([&] { return watch->rounds() > before; }));
    }
    // A block of the same height, hash and all, on both nodes.
    chain::Hash256 add_everywhere(std::string_view tag) {
        b.add_block(tag);
        return a.add_block(tag);
    }
    void grow_everywhere(int count, std::string_view tag = "test") {
        for (int i = 0; i < count; ++i)
            add_everywhere(tag);
    }
    // The chain goes on without its last `depth` blocks, by one block more.
    static void reorganise(ScriptedNode& node, int depth, std::string_view tag) {
        for (int i = 0; i < depth; ++i)
            node.invalidate_tip();
        for (int i = 0; i <= depth; ++i)
            node.add_block(tag);
    }
    std::uint64_t calls(const std::string& method) { return a.calls(method) + b.calls(method); }

    base::SystemClock clock;
    std::mutex log_mutex;
    std::vector<std::string> lines;
    base::Logger log{base::LogLevel::debug, base::LogFormat::text, [this](std::string_view line) {
                         const std::lock_guard lock(log_mutex);
                         lines.emplace_back(line);
                     }};
    metrics::Registry registry;
    ScriptedNode a, b;
    Books books;
    BlockWatchSettings settings;
    std::optional<BlockWatch> watch;
};

TEST_F(BlockWatchTest, FollowsABlockFromFoundToMature) {
    const auto own = add_everywhere("own");
    books.add(own, 11);
    round();
    EXPECT_THAT(books.facts(), ElementsAre("confirmed"));
    EXPECT_EQ(books.last().reward.sat(), 5'000) << "what the coinbase really pays";
    EXPECT_EQ(books.last().decision.confirmations, 1);
    EXPECT_EQ(books.last().decision.evidence,
              "a: in the best chain, 1 confirmation; b: in the best chain, 1 confirmation");
    grow_everywhere(3);
    round();
    EXPECT_THAT(books.facts(), IsEmpty()) << "nothing is new";
    grow_everywhere(1);
    round();
    EXPECT_THAT(books.facts(), ElementsAre("mature"));
    EXPECT_EQ(books.last().decision.confirmations, 5);
    EXPECT_EQ(calls("getrawtransaction"), 1u) << "the coinbase is read once, from one node";
    EXPECT_EQ(books.rounds_over, 3);
}

TEST_F(BlockWatchTest, ABlockThatWasAwayForLongIsCreditedAndPostedInOneRound) {
    const auto own = add_everywhere("own");
    grow_everywhere(20);
    books.add(own, 11);
    round();
    EXPECT_THAT(books.facts(), ElementsAre("confirmed", "mature"));
}

TEST_F(BlockWatchTest, OrphansOnlyWhenBothNodesHaveTheSameRivalDeepEnough) {
    const auto own = add_everywhere("own");
    books.add(own, 11);
    round();
    EXPECT_THAT(books.facts(), ElementsAre("confirmed"));
    reorganise(a, 1, "rival");
    round();
    EXPECT_THAT(books.facts(), ElementsAre("contested"));
    for (int i = 0; i < 5; ++i)
        a.add_block("rival");
    round();
    EXPECT_THAT(books.facts(), IsEmpty()) << "the other node has it still";
    reorganise(b, 1, "rival");
    round();
    EXPECT_THAT(books.facts(), IsEmpty()) << "two deep on the other node";
    b.add_block("rival");
    round();
    EXPECT_THAT(books.facts(), ElementsAre("orphaned"));
    EXPECT_THAT(books.last().decision.evidence, HasSubstr("3 deep"));
    round();
    EXPECT_THAT(books.facts(), IsEmpty());
}

TEST_F(BlockWatchTest, TwoDifferentRivalsAreNoAgreement) {
    const auto own = add_everywhere("own");
    books.add(own, 11, S::confirmed, 5'000);
    reorganise(a, 1, "rival");
    reorganise(b, 1, "another");
    for (int i = 0; i < 9; ++i) {
        a.add_block("rival");
        b.add_block("another");
    }
    round();
    EXPECT_THAT(books.facts(), ElementsAre("contested"));
}

TEST_F(BlockWatchTest, AMatureBlockThatLeavesTheChainIsTakenBackAndCreditedAgainWhenItReturns) {
    const auto own = add_everywhere("own");
    grow_everywhere(1, "on top");
    books.add(own, 11, S::mature, 5'000);
    for (auto* node : {&a, &b}) {
        reorganise(*node, 2, "rival");
        node->add_block("rival");
    }
    round();
    EXPECT_THAT(books.facts(), ElementsAre("contested", "orphaned"));
    for (auto* node : {&a, &b}) {
        for (int i = 0; i < 4; ++i)
            node->invalidate_tip();
        node->add_block("own");
        for (int i = 0; i < 6; ++i)
            node->add_block("again");
    }
    round();
    EXPECT_THAT(books.facts(), ElementsAre("confirmed", "mature"));
    EXPECT_EQ(calls("getrawtransaction"), 0u) << "the value is known from before";
}

TEST_F(BlockWatchTest, ABlockThatNoNodeEverHeardOfStaysFoundUntilItIsBuried) {
    const auto lost = mine_block(a.tip(), 11, "lost").header.hash();
    books.add(lost, 11);
    round();
    grow_everywhere(2);
    round();
    EXPECT_THAT(books.facts(), IsEmpty());
    grow_everywhere(1);
    round();
    EXPECT_THAT(books.facts(), ElementsAre("orphaned"));
    EXPECT_THAT(books.last().decision.evidence, HasSubstr("a: unknown, "));
}

TEST_F(BlockWatchTest, ASilentNodeKeepsABuriedBlockContested) {
    const auto own = add_everywhere("own");
    books.add(own, 11, S::confirmed, 5'000);
    for (auto* node : {&a, &b}) {
        reorganise(*node, 1, "rival");
        for (int i = 0; i < 5; ++i)
            node->add_block("rival");
    }
    b.stop();
    round();
    EXPECT_THAT(books.facts(), ElementsAre("contested"));
    EXPECT_THAT(books.last().decision.evidence, HasSubstr("b: no answer (no connection"));
    b.start();
    b.set_headers_ahead(50);
    round();
    EXPECT_THAT(books.facts(), IsEmpty()) << "not synchronised";
    b.set_headers_ahead(0);
    b.set_chain("main");
    round();
    EXPECT_THAT(books.facts(), IsEmpty()) << "another network";
    b.set_chain("regtest");
    b.set_error("getblockheader", -1, "the index is broken");
    round();
    EXPECT_THAT(books.facts(), IsEmpty()) << "no answer about the block";
    b.clear("getblockheader");
    round();
    EXPECT_THAT(books.facts(), ElementsAre("orphaned"));
}

TEST_F(BlockWatchTest, AHangingNodeCostsOneTimeOutARound) {
    settings.timeout_ms = 50;
    for (int i = 0; i < 5; ++i)
        books.add(add_everywhere(fmt::format("own {}", i)), 11 + i);
    b.set_hook([](std::string_view) { return RawAnswer{.body = "", .hang = true}; });
    round();
    EXPECT_EQ(books.facts().size(), 6u) << "five confirmed, the oldest of them mature";
    EXPECT_EQ(b.calls("getblockchaininfo"), 1u);
    EXPECT_EQ(b.calls("getblockheader"), 0u);
}

TEST_F(BlockWatchTest, ConfirmationsTakeMoreThanANodesHeightOrItsNumber) {
    const auto own = add_everywhere("own");
    books.add(own, 11, S::confirmed, 5'000);
    settings.nodes = {a.settings("a")};
    a.set_claimed_extra_height(100);
    round();
    EXPECT_THAT(books.facts(), IsEmpty()) << "blocks that are not there do not count";
    a.set_claimed_extra_height(0);
    // bcoin's way: confirmations counted from the height, whatever the branch.
    a.set_result("getblockheader", R"({"confirmations":1000,"height":11})");
    round();
    EXPECT_THAT(books.facts(), IsEmpty()) << "no more than the chain has";
    reorganise(a, 1, "rival");
    round();
    EXPECT_THAT(books.facts(), ElementsAre("contested"));
    EXPECT_THAT(books.last().decision.evidence, HasSubstr("2 deep"));
}

TEST_F(BlockWatchTest, ANodeThatContradictsItselfHasNotAnswered) {
    const auto own = add_everywhere("own");
    books.add(own, 11);
    settings.nodes = {a.settings("a")};
    const char* const answers[] = {
        R"({"confirmations":-1,"height":11})",  // though it is in its chain
        R"({"confirmations":1,"height":12})",   // another height than its hash commits to
        R"({"height":11})",
        "7",
    };
    for (const auto* answer : answers) {
        a.set_result("getblockheader", answer);
        round();
        EXPECT_THAT(books.facts(), IsEmpty()) << answer;
    }
    a.clear("getblockheader");
    round();
    EXPECT_THAT(books.facts(), ElementsAre("confirmed"));
}

TEST_F(BlockWatchTest, BelievesNoCoinbaseThatIsNotInTheBlock) {
    const auto own = add_everywhere("own");
    books.add(own, 11);
    const auto other = mine_block(own, 12, "other").transactions[0];
    const auto other_hex = base::to_hex(other.serialize());
    const auto ids = [](const chain::Hash256& id) {
        return fmt::format(R"({{"tx":["{}"]}})", id.rpc_hex());
    };
    for (auto* node : {&a, &b}) {
        node->set_result("getrawtransaction", fmt::format("\"{}\"", other_hex));
        node->set_result("getblock", ids(other.txid()));
    }
    round();
    EXPECT_THAT(books.facts(), IsEmpty()) << "ids that are not the block's";
    for (auto* node : {&a, &b})
        node->clear("getblock");
    round();
    EXPECT_THAT(books.facts(), IsEmpty()) << "a transaction that is not the first id's";
    EXPECT_EQ(std::ranges::count_if(lines,
                                    [](const std::string& line) {
                                        return line.find("coinbase cannot be read") !=
                                               std::string::npos;
                                    }),
              1)
        << "said once, not at every round";
    b.clear("getrawtransaction");
    round();
    EXPECT_THAT(books.facts(), ElementsAre("confirmed")) << "the second node's will do";
    EXPECT_EQ(books.last().reward.sat(), 5'000);
}

TEST_F(BlockWatchTest, ReadsTheWholeBlockWhereACoinbaseCannotBeAskedFor) {
    for (auto* node : {&a, &b})
        node->set_error("getrawtransaction", -5, "no transaction index");
    books.add(add_everywhere("own"), 11);
    round();
    EXPECT_THAT(books.facts(), ElementsAre("confirmed"));
    EXPECT_EQ(books.last().reward.sat(), 5'000);
}

TEST_F(BlockWatchTest, OneMatureBlockVouchesForTheOlderOnes) {
    for (int i = 0; i < 6; ++i)
        books.add(add_everywhere(fmt::format("own {}", i)), 11 + i, S::mature, 5'000);
    const auto stale = mine_block(a.tip(), 12, "stale").header.hash();
    books.add(stale, 12, S::orphaned);
    const auto open = mine_block(a.tip(), 13, "open").header.hash();
    books.add(open, 13, S::contested);
    round();
    EXPECT_EQ(a.calls("getblockheader"), 3u)
        << "the newest mature block, and the contested one with its rival";
    EXPECT_THAT(books.facts(), ElementsAre("orphaned"));
    // A node that is behind vouches for nothing.
    for (int i = 0; i < 6; ++i)
        b.invalidate_tip();
    const auto before = a.calls("getblockheader");
    round();
    EXPECT_GT(a.calls("getblockheader"), before + 6) << "all of them were asked about";
}

TEST_F(BlockWatchTest, LooksDownToWhereTheChainParted) {
    std::vector<chain::Hash256> own;
    for (int i = 0; i < 6; ++i) {
        own.push_back(add_everywhere(fmt::format("own {}", i)));
        books.add(own.back(), 11 + i, S::mature, 5'000);
    }
    for (auto* node : {&a, &b})
        reorganise(*node, 3, "rival");
    round();
    EXPECT_EQ(books.state(own[5]), S::contested) << "its rival is two deep";
    EXPECT_EQ(books.state(own[4]), S::orphaned);
    EXPECT_EQ(books.state(own[3]), S::orphaned);
    EXPECT_EQ(books.state(own[2]), S::mature);
    EXPECT_EQ(books.state(own[0]), S::mature);
}

TEST_F(BlockWatchTest, ManyBlocksAreAskedAboutInChunks) {
    settings.chunk_blocks = 4;
    for (int i = 0; i < 10; ++i)
        books.add(add_everywhere(fmt::format("own {}", i)), 11 + i, S::confirmed, 5'000);
    settings.rules.maturity = 100;
    round();
    EXPECT_EQ(a.calls("getblockchaininfo"), 3u);
    EXPECT_EQ(a.calls("getblockheader"), 10u) << "each once a round";
    round();
    EXPECT_EQ(a.calls("getblockheader"), 20u);
    EXPECT_EQ(books.rounds_over, 2);
    EXPECT_EQ(a.connections(), 1u) << "one connection a node, kept";
}

TEST_F(BlockWatchTest, AsksNobodyWhenThereIsNoBlock) {
    round();
    EXPECT_EQ(calls("getblockchaininfo"), 0u);
}

TEST_F(BlockWatchTest, TriesAgainWhatCouldNotBeTaken) {
    books.add(add_everywhere("own"), 11);
    books.set_refusing(true);
    round();
    EXPECT_THAT(books.facts(), ElementsAre("confirmed"));
    books.set_refusing(false);
    round();
    EXPECT_THAT(books.facts(), ElementsAre("confirmed"));
}

TEST_F(BlockWatchTest, ComesBackWhenTheBooksCanBeReadAgain) {
    books.add(add_everywhere("own"), 11);
    books.set_unreadable(true);
    watch.emplace(settings, books, registry, clock, log);
    watch->start();
    auto& failures = registry.counter("adit_block_watch_failures_total", "");
    ASSERT_TRUE(wait([&] { return failures.value() >= 2; })) << "tried again, nobody kicked";
    EXPECT_EQ(watch->rounds(), 0u);
    books.set_unreadable(false);
    ASSERT_TRUE(wait([&] { return watch->rounds() >= 1; }));
    EXPECT_THAT(books.facts(), ElementsAre("confirmed"));
}

TEST_F(BlockWatchTest, StopsWhileANodeHangs) {
    books.add(add_everywhere("own"), 11);
    std::atomic<bool> asked = false;
    a.set_hook([&](std::string_view) {
        asked = true;
        return RawAnswer{.body = "", .hang = true};
    });
    settings.timeout_ms = 1'000'000;
    watch.emplace(settings, books, registry, clock, log);
    watch->start();
    ASSERT_TRUE(wait([&] { return asked.load(); }));
    watch->stop();
    EXPECT_THAT(books.facts(), IsEmpty());
    // It can be started again.
    a.set_hook(nullptr);
    watch->start();
    ASSERT_TRUE(wait([&] { return watch->rounds() >= 1; }));
    EXPECT_THAT(books.facts(), ElementsAre("confirmed"));
}

}  // namespace
}  // namespace adit::node
