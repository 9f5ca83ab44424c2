#include "ledger/pplns.h"

#include "ledger/memory_journal.h"

#include <gmock/gmock.h>

namespace adit::ledger {
namespace {

using ::testing::ElementsAre;

TEST(WorkByAccount, AddsIdsOfEverySizeAndGivesThoseWithoutANameToOneAccount) {
    MemoryJournal journal(0, 600);
    TallyDelta delta;
    delta.accounts = {{1, "zoe"}, {2, "alice"}, {3'000'000'000, "bob"}};
    delta.after.log.position = 1;
    journal.add(delta);
    const std::vector<std::pair<share::AccountId, chain::Work>> work{{2, 5},
                                                                     {1, chain::Work{1} << 100},
                                                                     {3'000'000'000, 7},
                                                                     {9, 1},
                                                                     {4'294'967'295, 2},
                                                                     {(1 << 20) - 1, 4},
                                                                     {11, 0},
                                                                     {1 << 20, 8}};
    WorkByAccount sums;
    sums.add(0, work);
    sums.add(0, work);
    sums.add({"alice", 100});
    EXPECT_THAT(sums.by_name(journal, "finder"),
                ElementsAre(AccountWork{"alice", 110}, AccountWork{"bob", 14},
                            AccountWork{"finder", 30}, AccountWork{"zoe", chain::Work{1} << 101}));
}

}  // namespace
}  // namespace adit::ledger
