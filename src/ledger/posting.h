// The transfers of one fact, gathered and posted together. Internal to the bookkeeper.
#pragma once

#include "ledger/journal.h"

#include <vector>

namespace adit::ledger {

class Posting {
 public:
    // All transfers carry the fact's place, this reference and this transition.
    Posting(const Fact& fact, const chain::Hash256& reference, std::uint32_t transition)
        : position_(fact.position),
          time_ms_(fact.time_ms),
          reference_(reference),
          transition_(transition) {}

    // Nothing is transferred for an amount of zero.
    void add(Purpose purpose, Phase phase, std::string_view account, std::string_view debit,
             std::string_view credit, Amount amount);
    // False when a sum of one of the ledger's own accounts, or of `also`, would leave the range of
    // an amount. (What the other accounts have came through these.)
    bool fits(Journal& journal, std::string_view also = {}) const;
    // Posts all of it and checks that the ledger still sums to zero.
    void post(Journal& journal);

 private:
    share::LogPosition position_;
    std::int64_t time_ms_;
    chain::Hash256 reference_;
    std::uint32_t transition_;
    std::vector<Transfer> transfers_;
};

// True for accounts that stand for something else than money which is owed to somebody.
bool is_counter_account(std::string_view account);

}  // namespace adit::ledger
