// Draws the consequences of the facts in the log: which block credits whom and when, what a payout
// debits. It is the only code that moves money in the ledger, and it decides by nothing but the
// facts and what the journal holds, so that the same log gives the same ledger everywhere. Works
// inside one transaction of a journal; whoever opened it commits. Not thread-safe.
#pragma once

#include "ledger/journal.h"

namespace adit::ledger {

// How many snapshots of a log are kept for jobs and for blocks that are still to be told of; older
// ones only if a block refers to them. One is taken for each new tip and every ten minutes: this is
// a day or more.
inline constexpr std::uint64_t kKeptSnapshots = 300;

class Bookkeeper {
 public:
    explicit Bookkeeper(Journal& journal) : journal_(journal) {}

    // The slices of everything before the fact must be in the journal, and the fact one that the
    // log's decoder lets pass. A fact that must not take effect changes nothing and is noted in the
    // journal with its reason (a mere repetition is not); the reason is returned as well.
    std::optional<FactRefusal> apply(const Fact& fact);

 private:
    std::optional<FactRefusal> on(const share::RulesRecord& rules, const Fact& fact);
    std::optional<FactRefusal> on(const share::SettingsRecord& settings);
    std::optional<FactRefusal> on(const share::ExplainRecord& explained, const Fact& fact);
    std::optional<FactRefusal> on(const share::SnapshotRecord& snapshot);

    Journal& journal_;
};

}  // namespace adit::ledger
