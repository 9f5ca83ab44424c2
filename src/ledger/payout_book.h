// What payouts do to the ledger: an intent reserves, a confirmed transaction settles. Internal to
// the bookkeeper.
#pragma once

#include "ledger/journal.h"

namespace adit::ledger {

class PayoutBook {
 public:
    explicit PayoutBook(Journal& journal) : journal_(journal) {}

    std::optional<FactRefusal> on(const share::PayoutIntentRecord& intent, const Fact& fact);
    std::optional<FactRefusal> on(const share::PayoutSignedRecord& attempt, const Fact& fact);
    std::optional<FactRefusal> on(const share::PayoutFactRecord& record, const Fact& fact);

 private:
    std::optional<FactRefusal> check(const share::PayoutIntentRecord& intent);
    std::optional<FactRefusal> check(const PayoutRow& payout,
                                     const share::PayoutFactRecord& record);
    // What the attempt with this id paid to the miners of blocks; nullopt: no attempt of this
    // payout has it.
    std::optional<Amount> fee_of(const PayoutRow& payout, const chain::Hash256& txid);

    Journal& journal_;
};

// What identifies a payout in the ids of its transfers: 8 bytes big-endian, then zeroes.
chain::Hash256 reference_of(share::PayoutId payout);

}  // namespace adit::ledger
