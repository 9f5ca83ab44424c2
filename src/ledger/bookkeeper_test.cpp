#include "ledger/bookkeeper.h"

#include "ledger/books_testing.h"
#include "ledger/pplns.h"

#include <gmock/gmock.h>

namespace adit::ledger {
namespace {

using share::BlockFact;
using share::PayoutFact;
using testing::Books;
using ::testing::ElementsAre;
using testing::hash_of;
using ::testing::IsEmpty;
using testing::kEasyBits;
using testing::kStart;

constexpr SliceKey kFirst{kStart, 0}, kSecond{kStart + 600, 0}, kThird{kStart + 1'200, 0};
constexpr std::int64_t kReward = 1'000'000;
constexpr std::nullopt_t kApplied = std::nullopt;

share::RulesRecord rules(share::RewardScheme scheme, std::uint32_t fee_ppm = 0) {
    share::RulesRecord record;
    record.scheme = scheme;
    record.fee_ppm = fee_ppm;
    return record;
}

// "alice" and "bob" with one mature block: 600,000 and 400,000 satoshis posted.
Books paid_books() {
    Books books({"alice", "bob", "carol"});
    books.apply(rules(share::RewardScheme::pplns));
    books.work(kFirst, 1, 60'000);
    books.work(kFirst, 2, 40'000);
    EXPECT_EQ(books.apply(books.found(1, kFirst, 1)), kApplied);
    EXPECT_EQ(books.chain_says(1, 1, BlockFact::confirmed, kReward), kApplied);
    EXPECT_EQ(books.chain_says(1, 2, BlockFact::mature), kApplied);
    return books;
}

share::PayoutIntentRecord intent(share::PayoutId id, std::vector<share::Payee> payees,
                                 bool approval = false) {
    share::PayoutIntentRecord record;
    record.payout = id;
    record.needs_approval = approval;
    record.payees = std::move(payees);
    record.at_wall_ms = static_cast<std::int64_t>(id);
    return record;
}

share::Payee payee(std::string account, std::int64_t debit_sat, std::int64_t output_sat) {
    return {std::move(account), {0x51}, debit_sat, output_sat};
}

TEST(Bookkeeper, SplitsAWindowAndCutsItsOldestSlice) {
    Books books({"alice", "bob", "carol"});
    books.apply(rules(share::RewardScheme::pplns, 10'000));
    const auto wanted = window_length(kEasyBits, 2'000);
    // The newest slice fills three quarters of the window, the one before is cut to a quarter.
    books.work(kSecond, 1, wanted / 4);
    books.work(kSecond, 2, wanted / 2);
    books.work(kFirst, 2, wanted);
    books.work(kFirst, 3, wanted);
    books.apply(books.found(7, kSecond, 3));
    ASSERT_EQ(books.chain_says(7, 1, BlockFact::confirmed, kReward), kApplied);
    // 1 % of fee; then a quarter, five eighths and an eighth of 990,000.
    EXPECT_EQ(books.pending(":fee"), 10'000);
    EXPECT_EQ(books.pending("alice"), 247'500);
    EXPECT_EQ(books.pending("bob"), 618'750);
    EXPECT_EQ(books.pending("carol"), 123'750);
    EXPECT_EQ(books.pending(":reward"), -kReward);
    EXPECT_TRUE(books.journal.total().is_zero());
    const auto settled = books.journal.block(hash_of(7))->settlement;
    EXPECT_EQ(settled.counted, wanted);
    EXPECT_EQ(settled.oldest.slice, kFirst);
}

TEST(Bookkeeper, LeavesOutWhatCameAfterTheBlock) {
    Books books({"alice", "bob"});
    books.apply(rules(share::RewardScheme::pplns));
    books.work(kFirst, 1, 10);
    books.work({kStart, 1}, 2, 1'000);
    books.apply(books.found(1, kFirst, 1));
    books.chain_says(1, 1, BlockFact::confirmed, kReward);
    EXPECT_EQ(books.pending("alice"), kReward);
    EXPECT_EQ(books.pending("bob"), 0);
}

TEST(Bookkeeper, GivesARewardWithoutWorkToTheFinderOrElseToTheFeeAccount) {
    Books books({"alice"});
    books.apply(rules(share::RewardScheme::pplns));
    books.apply(books.found(1, kFirst, 1));
    books.apply(books.found(2, kSecond, 0));
    books.chain_says(1, 1, BlockFact::confirmed, kReward);
    books.chain_says(2, 1, BlockFact::confirmed, kReward);
    EXPECT_EQ(books.pending("alice"), kReward);
    EXPECT_EQ(books.pending(":fee"), kReward);
}

TEST(Bookkeeper, PostsWhatIsMatureAndTakesBackWhatIsOrphanedWhateverItsDepth) {
    auto books = paid_books();
    EXPECT_EQ(books.posted("alice"), 600'000);
    EXPECT_EQ(books.pending("alice"), 0);
    ASSERT_EQ(books.chain_says(1, 3, BlockFact::contested), kApplied);
    EXPECT_EQ(books.posted("alice"), 600'000);
    ASSERT_EQ(books.apply(intent(1, {payee("alice", 600'000, 600'000)})), kApplied);
    ASSERT_EQ(books.signs(1, 1, 50), kApplied);
    ASSERT_EQ(books.payout_is(1, 1, PayoutFact::confirmed, 50), kApplied);
    ASSERT_EQ(books.chain_says(1, 4, BlockFact::orphaned), kApplied);
    // Paid already: the debt shows.
    EXPECT_EQ(books.posted("alice"), -600'000);
    EXPECT_EQ(books.posted("bob"), 0);
    // The block comes back and is credited with the very same parts.
    books.work(kFirst, 3, 1'000'000);
    ASSERT_EQ(books.chain_says(1, 5, BlockFact::confirmed, kReward), kApplied);
    ASSERT_EQ(books.chain_says(1, 6, BlockFact::mature), kApplied);
    EXPECT_EQ(books.posted("alice"), 0);
    EXPECT_EQ(books.posted("bob"), 400'000);
    EXPECT_TRUE(books.journal.total().is_zero());
}

TEST(Bookkeeper, VoidsPendingCredits) {
    Books books({"alice"});
    books.work(kFirst, 1, 5);
    books.apply(books.found(1, kFirst, 1));
    books.chain_says(1, 1, BlockFact::confirmed, kReward);
    EXPECT_EQ(books.pending("alice"), 990'000);  // without rules the defaults hold
    books.chain_says(1, 2, BlockFact::orphaned);
    EXPECT_EQ(books.balance("alice"), Balance{});
    EXPECT_EQ(books.balance(":fee"), Balance{});
}

TEST(Bookkeeper, TakesDonationsFromTheAccountsPart) {
    Books books({"alice"});
    books.apply(rules(share::RewardScheme::pplns));
    books.apply(share::SettingsRecord{"alice", 0, 25'000, 1});
    books.work(kFirst, 1, 5);
    books.apply(books.found(1, kFirst, 1));
    books.chain_says(1, 1, BlockFact::confirmed, kReward);
    books.chain_says(1, 2, BlockFact::mature);
    EXPECT_EQ(books.posted("alice"), 975'000);
    EXPECT_EQ(books.posted(":donation"), 25'000);
}

TEST(Bookkeeper, RulesHoldFromTheNextBlockRecordOn) {
    Books books({"alice"});
    books.apply(rules(share::RewardScheme::pplns, 0));
    books.work(kFirst, 1, 5);
    books.apply(books.found(1, kFirst, 1));
    books.apply(rules(share::RewardScheme::solo, 500'000));
    books.apply(books.found(2, kSecond, 1));
    books.chain_says(1, 1, BlockFact::confirmed, kReward);
    books.chain_says(2, 1, BlockFact::confirmed, kReward);
    EXPECT_EQ(books.pending(":fee"), kReward / 2);
    EXPECT_EQ(books.pending("alice"), kReward + kReward / 2);
}

TEST(Bookkeeper, ProportionalRoundsBeginBehindThePreviousBlockAndMoveOnWhenItIsOrphaned) {
    Books books({"alice", "bob", "carol"});
    books.apply(rules(share::RewardScheme::prop));
    books.work(kFirst, 1, 30);
    books.apply(books.found(1, kFirst, 1));
    books.work(kSecond, 2, 10);
    books.apply(books.found(2, kSecond, 2));
    books.work(kThird, 3, 5);
    books.apply(books.found(3, kThird, 3));
    books.chain_says(3, 1, BlockFact::confirmed, kReward);
    EXPECT_EQ(books.pending("carol"), kReward);
    // The first is lost before the second is settled, which takes its work over.
    books.chain_says(1, 1, BlockFact::orphaned);
    books.chain_says(2, 1, BlockFact::confirmed, kReward);
    EXPECT_EQ(books.pending("alice"), 750'000);
    EXPECT_EQ(books.pending("bob"), 250'000);
    // No later one is unsettled now: the next that is found takes the second's round.
    books.chain_says(2, 2, BlockFact::orphaned);
    EXPECT_EQ(books.pending("alice"), 0);
    books.apply(books.found(4, {kStart + 1'800, 0}, 3));
    books.chain_says(4, 1, BlockFact::confirmed, kReward);
    EXPECT_EQ(books.pending("alice"), 750'000);
    EXPECT_EQ(books.pending("bob"), 250'000);
    EXPECT_TRUE(books.journal.total().is_zero());
}

TEST(Bookkeeper, PayoutsReserveThenSettleAndComeBack) {
    auto books = paid_books();
    ASSERT_EQ(books.apply(intent(1, {payee("alice", 100, 95), payee("bob", 50, 50)}, true)),
              kApplied);
    EXPECT_EQ(books.reserved("alice"), -100);
    EXPECT_EQ(books.balance("alice").available().sat(), 599'900);
    EXPECT_EQ(books.signs(1, 1, 50), FactRefusal::impossible) << "it waits for approval";
    ASSERT_EQ(books.payout_is(1, 1, PayoutFact::approved), kApplied);
    ASSERT_EQ(books.signs(1, 1, 50, 12), kApplied);
    ASSERT_EQ(books.signs(1, 2, 51, 20), kApplied);
    ASSERT_EQ(books.payout_is(1, 2, PayoutFact::confirmed, 51), kApplied);
    EXPECT_EQ(books.posted("alice"), 599'900);
    EXPECT_EQ(books.reserved("alice"), 0);
    EXPECT_EQ(books.posted(":sent"), 145);
    EXPECT_EQ(books.posted(":network-fee"), 5 - 20);
    EXPECT_EQ(books.posted(":miners-fee"), 20);
    ASSERT_EQ(books.payout_is(1, 3, PayoutFact::unconfirmed, 51), kApplied);
    EXPECT_EQ(books.reserved("alice"), -100);
    EXPECT_EQ(books.posted(":miners-fee"), 0);
    ASSERT_EQ(books.payout_is(1, 4, PayoutFact::confirmed, 50), kApplied);
    EXPECT_EQ(books.posted(":miners-fee"), 12);
    ASSERT_EQ(books.payout_is(1, 5, PayoutFact::buried, 50), kApplied);
    EXPECT_EQ(books.payout_is(1, 6, PayoutFact::unconfirmed, 50), FactRefusal::impossible);
    EXPECT_TRUE(books.journal.total().is_zero());
}

TEST(Bookkeeper, ACancelledPayoutReleasesWhatItReserved) {
    auto books = paid_books();
    books.apply(intent(1, {payee("alice", 100, 95)}));
    ASSERT_EQ(books.payout_is(1, 1, PayoutFact::cancelled), kApplied);
    EXPECT_EQ(books.balance("alice").available().sat(), 600'000);
    EXPECT_EQ(books.balance(":network-fee"), Balance{});
}

TEST(Bookkeeper, RepetitionsChangeNothingAndAreNoFault) {
    auto books = paid_books();
    const auto before = *books.journal.transfers("", 0, std::int64_t{1} << 60);
    EXPECT_EQ(books.chain_says(1, 2, BlockFact::mature), FactRefusal::repeated);
    EXPECT_EQ(books.apply(rules(share::RewardScheme::pplns)), FactRefusal::repeated);
    books.apply(intent(1, {payee("alice", 100, 95)}));
    EXPECT_EQ(books.apply(intent(1, {payee("alice", 100, 95)})), FactRefusal::repeated);
    books.signs(1, 1, 50);
    EXPECT_EQ(books.signs(1, 1, 50), FactRefusal::repeated);
    EXPECT_EQ(books.journal.transfers("", 0, std::int64_t{1} << 60)->size(), before.size() + 2);
    EXPECT_THAT(*books.journal.refused(), IsEmpty());
}

// One row for every reason.
TEST(Bookkeeper, RefusesForEveryReasonAndNotesIt) {
    auto books = paid_books();
    const auto twice = books.found(1, kSecond, 2);
    share::SnapshotRecord snapshot;
    snapshot.id = 3;
    snapshot.entries = {{1, 1, 0}};
    auto older = snapshot;
    older.id = 2;
    auto stranger = snapshot;
    stranger.id = 4;
    stranger.entries = {{99, 1, 0}};
    auto doubled = stranger;
    doubled.entries = {{1, 1, 0}, {1, 2, 0}};
    auto idle = stranger;
    idle.entries = {{1, 0, 500}};
    ASSERT_EQ(books.apply(snapshot), kApplied);
    ASSERT_EQ(books.apply(intent(1, {payee("alice", 100, 100)})), kApplied);
    ASSERT_EQ(books.signs(1, 1, 50), kApplied);
    ASSERT_EQ(books.apply(share::ExplainRecord{hash_of(60), "bob", 10, 0, ""}), kApplied);
    ASSERT_EQ(books.apply(books.found(2, kSecond, 1)), kApplied);
    const std::pair<FactRefusal, std::function<std::optional<FactRefusal>()>> cases[] = {
        {FactRefusal::unknown_block, [&] { return books.chain_says(9, 1, BlockFact::confirmed); }},
        {FactRefusal::duplicate_block, [&] { return books.apply(twice); }},
        {FactRefusal::out_of_order, [&] { return books.chain_says(1, 9, BlockFact::contested); }},
        {FactRefusal::impossible, [&] { return books.chain_says(1, 3, BlockFact::orphaned); }},
        {FactRefusal::reward_missing, [&] { return books.chain_says(2, 1, BlockFact::confirmed); }},
        {FactRefusal::unknown_payout, [&] { return books.signs(8, 1, 51); }},
        {FactRefusal::duplicate_payout,
         [&] { return books.apply(intent(1, {payee("bob", 1, 1)})); }},
        {FactRefusal::overdraft,
         [&] { return books.apply(intent(2, {payee("alice", 599'901, 1)})); }},
        {FactRefusal::duplicate_payee,
         [&] { return books.apply(intent(2, {payee("bob", 1, 1), payee("bob", 1, 1)})); }},
        {FactRefusal::bad_amounts, [&] { return books.apply(intent(2, {payee("bob", 1, 2)})); }},
        {FactRefusal::duplicate_transaction, [&] { return books.signs(1, 2, 50); }},
        {FactRefusal::stale_snapshot, [&] { return books.apply(older); }},
        {FactRefusal::unknown_account, [&] { return books.apply(stranger); }},
        {FactRefusal::duplicate_payee, [&] { return books.apply(doubled); }},
        {FactRefusal::bad_amounts, [&] { return books.apply(idle); }},
        {FactRefusal::already_explained,
         [&] { return books.apply(share::ExplainRecord{hash_of(60), "bob", 10, 0, ""}); }},
    };
    const auto balances = *books.journal.balances();
    std::vector<FactRefusal> noted;
    for (const auto& [refusal, attempt] : cases) {
        EXPECT_EQ(attempt(), refusal) << describe(refusal);
        noted.push_back(refusal);
    }
    EXPECT_EQ(*books.journal.balances(), balances);
    std::vector<FactRefusal> kept;
    const auto rows = books.journal.refused();
    for (const auto& row : *rows) {
        kept.push_back(row.refusal);
        EXPECT_NE(row.what, "");
    }
    EXPECT_EQ(kept, noted);
}

// Every fact from every state of a block: the states that it may lead to.
TEST(Bookkeeper, AllowsTheTransitionsOfBlocksAndNoOthers) {
    using enum BlockState;
    const BlockFact facts[] = {BlockFact::confirmed, BlockFact::contested, BlockFact::mature,
                               BlockFact::orphaned};
    struct Row {
        std::vector<BlockFact> path;
        BlockState state;
        bool confirmed, contested, mature, orphaned;
    };
    const Row rows[] = {
        {{}, found, true, true, false, true},
        {{BlockFact::confirmed}, confirmed, false, true, true, true},
        {{BlockFact::contested}, contested, true, false, false, true},
        {{BlockFact::confirmed, BlockFact::contested}, contested, true, false, false, true},
        {{BlockFact::confirmed, BlockFact::mature}, mature, false, true, false, false},
        {{BlockFact::orphaned}, orphaned, true, false, false, false},
        {{BlockFact::confirmed, BlockFact::orphaned}, orphaned, true, false, false, false},
    };
    for (const auto& row : rows) {
        for (const auto fact : facts) {
            Books books({"alice"});
            books.work(kFirst, 1, 5);
            books.apply(books.found(1, kFirst, 1));
            std::uint32_t transition = 0;
            for (const auto step : row.path)
                ASSERT_EQ(books.chain_says(1, ++transition, step, kReward), kApplied);
            ASSERT_EQ(books.state(1), row.state);
            const bool allowed = fact == BlockFact::confirmed   ? row.confirmed
                                 : fact == BlockFact::contested ? row.contested
                                 : fact == BlockFact::mature    ? row.mature
                                                                : row.orphaned;
            const auto refusal = books.chain_says(1, ++transition, fact, kReward);
            EXPECT_EQ(refusal, allowed ? kApplied : std::optional(FactRefusal::impossible))
                << name_of(row.state) << " -> " << name_of(fact);
            EXPECT_TRUE(books.journal.total().is_zero());
        }
    }
}

}  // namespace
}  // namespace adit::ledger
