#include "ledger/block_rules.h"

#include <gtest/gtest.h>

namespace adit::ledger {
namespace {

using share::BlockFact;
using S = BlockState;

constexpr std::int32_t kHeight = 1'000;  // of the block

chain::Hash256 hash_of(std::uint8_t tag) {
    chain::Hash256 hash;
    hash.bytes.fill(tag);
    return hash;
}

NodeView healthy(std::int32_t height) {
    NodeView view;
    view.node = "n";
    view.answered = view.right_chain = view.synced = true;
    view.height = height;
    return view;
}
// In the best chain, this deep.
NodeView in(std::int32_t confirmations) {
    auto view = healthy(kHeight + confirmations - 1);
    view.place = BlockPlace::in_chain;
    view.confirmations = confirmations;
    return view;
}
// Another block is there, this deep; ours is known.
NodeView out(std::int32_t depth, std::uint8_t rival = 7) {
    auto view = healthy(kHeight + depth - 1);
    view.place = BlockPlace::beside;
    view.rival = hash_of(rival);
    view.rival_depth = depth;
    return view;
}
// The same, and ours was never heard of.
NodeView never(std::int32_t depth, std::uint8_t rival = 7) {
    auto view = out(depth, rival);
    view.place = BlockPlace::unknown;
    return view;
}
// Healthy, but its chain does not reach the height and it does not know the block.
NodeView behind() {
    return healthy(kHeight - 1);
}
// Knows the block and has a chain that does not reach its height, as after an invalidation.
NodeView shorter() {
    auto view = healthy(kHeight - 1);
    view.place = BlockPlace::beside;
    return view;
}
NodeView gone() {
    NodeView view;
    view.node = "g";
    view.trouble = "time-out";
    return view;
}
NodeView syncing(NodeView view) {
    view.synced = false;
    return view;
}
NodeView foreign(NodeView view) {
    view.right_chain = false;
    return view;
}
// What was said before it stopped answering must not count.
NodeView broken(NodeView view) {
    view.answered = false;
    return view;
}

// What follows in each of the five states; "-": nothing.
struct Case {
    const char* name;
    std::vector<NodeView> nodes;
    const char* found;
    const char* confirmed;
    const char* contested;
    const char* mature;
    const char* orphaned;
};

std::string outcome(S state, const std::vector<NodeView>& nodes) {
    const auto made = decide_block(state, nodes, BlockRules{});
    return made ? std::string(share::name_of(made->fact)) : "-";
}

TEST(BlockRules, DecideInEveryState) {
    const auto* const conf = "confirmed";
    const auto* const cont = "contested";
    const auto* const orph = "orphaned";
    const Case cases[] = {
        // nodes                                   found confirmed contested mature orphaned
        {"no nodes", {}, "-", "-", "-", "-", "-"},
        {"one, gone", {gone()}, "-", "-", "-", "-", "-"},
        {"one, behind", {behind()}, "-", "-", "-", "-", "-"},
        {"one, at the tip", {in(1)}, conf, "-", conf, "-", conf},
        {"one, 100 deep", {in(100)}, conf, "-", conf, "-", conf},
        {"one, 101 deep", {in(101)}, conf, "mature", conf, "-", conf},
        {"one, syncing", {syncing(in(101))}, "-", "-", "-", "-", "-"},
        {"one, other network", {foreign(in(101))}, "-", "-", "-", "-", "-"},
        {"one, broke off", {broken(in(101))}, "-", "-", "-", "-", "-"},
        {"one, rival 6 deep", {out(6)}, "-", cont, "-", cont, "-"},
        {"one, rival 99 deep", {out(99)}, "-", cont, "-", cont, "-"},
        {"one, rival 100 deep", {out(100)}, orph, cont, orph, cont, "-"},
        {"one, never heard of, 99", {never(99)}, "-", cont, "-", cont, "-"},
        {"one, never heard of, 100", {never(100)}, orph, cont, orph, cont, "-"},
        {"one, shorter chain", {shorter()}, "-", cont, "-", cont, "-"},
        {"one, rival 100, syncing", {syncing(out(100))}, "-", "-", "-", "-", "-"},
        {"one, rival 100, other network", {foreign(out(100))}, "-", "-", "-", "-", "-"},
        {"one, rival 100, broke off", {broken(out(100))}, "-", "-", "-", "-", "-"},
        {"both have it", {in(5), in(4)}, conf, "-", conf, "-", conf},
        {"both have it, deep", {in(101), in(101)}, conf, "mature", conf, "-", conf},
        {"deep on one", {in(100), in(101)}, conf, "mature", conf, "-", conf},
        {"first gone", {gone(), in(3)}, conf, "-", conf, "-", conf},
        {"first gone, deep", {gone(), in(101)}, conf, "mature", conf, "-", conf},
        {"second gone, deep", {in(101), gone()}, conf, "mature", conf, "-", conf},
        {"first behind", {behind(), in(2)}, conf, "-", conf, "-", conf},
        {"second behind, deep", {in(101), behind()}, conf, "mature", conf, "-", conf},
        {"first denies", {out(2), in(1)}, "-", cont, "-", cont, "-"},
        {"second denies", {in(1), out(2)}, conf, "-", "-", cont, "-"},
        {"second denies at maturity", {in(101), out(2)}, conf, cont, "-", cont, "-"},
        {"third denies at maturity", {in(101), in(101), never(2)}, conf, cont, "-", cont, "-"},
        {"a syncing one denies", {in(101), syncing(out(2))}, conf, "mature", conf, "-", conf},
        {"a foreign one denies", {in(101), foreign(out(9))}, conf, "mature", conf, "-", conf},
        {"second has a shorter chain", {in(101), shorter()}, conf, cont, "-", cont, "-"},
        {"both deny, 5 deep", {out(5), out(5)}, "-", cont, "-", cont, "-"},
        {"both deny, 5 and 6", {out(5), out(6)}, "-", cont, "-", cont, "-"},
        {"both deny, 6 deep", {out(6), out(6)}, orph, cont, orph, cont, "-"},
        {"both deny, one never heard", {never(6), out(7)}, orph, cont, orph, cont, "-"},
        {"different rivals", {out(9, 7), out(9, 8)}, "-", cont, "-", cont, "-"},
        {"one has it still", {out(50), in(50)}, "-", cont, "-", cont, "-"},
        {"other denies, first gone", {gone(), out(500)}, "-", cont, "-", cont, "-"},
        {"first denies, other gone", {out(500), gone()}, "-", cont, "-", cont, "-"},
        {"other syncing", {out(500), syncing(out(500))}, "-", cont, "-", cont, "-"},
        {"other foreign", {out(500), foreign(out(500))}, "-", cont, "-", cont, "-"},
        {"other behind", {out(500), behind()}, "-", cont, "-", cont, "-"},
        {"other has a shorter chain", {out(500), shorter()}, "-", cont, "-", cont, "-"},
        {"three deny", {out(6), never(6), out(8)}, orph, cont, orph, cont, "-"},
        {"three, one gone", {out(6), never(6), gone()}, "-", cont, "-", cont, "-"},
    };
    for (const auto& one : cases) {
        EXPECT_EQ(outcome(S::found, one.nodes), one.found) << one.name;
        EXPECT_EQ(outcome(S::confirmed, one.nodes), one.confirmed) << one.name;
        EXPECT_EQ(outcome(S::contested, one.nodes), one.contested) << one.name;
        EXPECT_EQ(outcome(S::mature, one.nodes), one.mature) << one.name;
        EXPECT_EQ(outcome(S::orphaned, one.nodes), one.orphaned) << one.name;
    }
}

TEST(BlockRules, FollowTheSettings) {
    const BlockRules rules{.maturity = 3, .void_depth = 2, .void_depth_alone = 4};
    const auto decide = [&](S state, const std::vector<NodeView>& nodes) {
        const auto made = decide_block(state, nodes, rules);
        return made ? std::string(share::name_of(made->fact)) : "-";
    };
    EXPECT_EQ(decide(S::confirmed, {in(2)}), "-");
    EXPECT_EQ(decide(S::confirmed, {in(3)}), "mature");
    EXPECT_EQ(decide(S::contested, {out(3)}), "-");
    EXPECT_EQ(decide(S::contested, {out(4)}), "orphaned");
    EXPECT_EQ(decide(S::contested, {out(1), out(1)}), "-");
    EXPECT_EQ(decide(S::contested, {out(2), out(2)}), "orphaned");
}

// However the nodes' views change, a block that goes on in one chain ends up mature, and one that
// every node has given up ends up orphaned; no view makes it go round in circles.
TEST(BlockRules, ComeToRest) {
    const std::vector<NodeView> views{in(1),    in(101),          out(1),           out(200),
                                      gone(),   behind(),         shorter(),        never(200),
                                      never(2), syncing(in(101)), foreign(out(200))};
    const auto state_after = [](BlockFact fact) {
        switch (fact) {
            case BlockFact::confirmed:
                return S::confirmed;
            case BlockFact::contested:
                return S::contested;
            case BlockFact::mature:
                return S::mature;
            case BlockFact::orphaned:
                return S::orphaned;
        }
        return S::found;
    };
    for (const auto& first : views) {
        for (const auto& second : views) {
            for (const auto start :
                 {S::found, S::confirmed, S::contested, S::mature, S::orphaned}) {
                auto state = start;
                int facts = 0;
                const std::vector<NodeView> nodes{first, second};
                while (const auto made = decide_block(state, nodes, BlockRules{})) {
                    state = state_after(made->fact);
                    ASSERT_LT(++facts, 4) << first.words() << "; " << second.words();
                }
                const bool denied = first.denies() || second.denies();
                if (denied) {
                    EXPECT_NE(state, S::mature) << first.words() << "; " << second.words();
                }
            }
        }
    }
}

TEST(BlockRules, SayWhichNodeSaidWhat) {
    auto a = in(1);
    a.node = "a";
    auto b = out(7);
    b.node = "b";
    auto c = gone();
    c.node = "c";
    const auto made = decide_block(S::found, std::vector{a, b, c}, BlockRules{});
    ASSERT_TRUE(made);
    EXPECT_EQ(made->confirmations, 1);
    EXPECT_EQ(made->evidence,
              "a: in the best chain, 1 confirmation; b: known but not in the best "
              "chain, " +
                  hash_of(7).rpc_hex() + " is there, 7 deep; c: no answer (time-out)");
    EXPECT_EQ(syncing(b).words(), "b: not synchronised, at height 1006");
    EXPECT_EQ(foreign(b).words(), "b: on another network");
    EXPECT_EQ(shorter().words(), "n: known but not in the best chain, best height 999");
    EXPECT_EQ(behind().words(), "n: unknown, best height 999");
    EXPECT_EQ(in(2).words(), "n: in the best chain, 2 confirmations");
    // Words have a bound however many nodes there are.
    const std::vector<NodeView> many(100, in(101));
    EXPECT_EQ(decide_block(S::found, many, BlockRules{})->evidence.size(), share::kEvidenceLimit);
    const auto contested = decide_block(S::mature, std::vector{out(3)}, BlockRules{});
    EXPECT_EQ(contested->confirmations, 0);
}

}  // namespace
}  // namespace adit::ledger
