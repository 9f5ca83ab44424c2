// Begins payouts: checks that the wallet was spent by nobody else, plans who is due, chooses
// anchors and writes the intents down. Internal to the payer.
#pragma once

#include "ledger/payer_parts.h"
#include "ledger/payout_plan.h"

namespace adit::ledger {

class PayoutRounds {
 public:
    explicit PayoutRounds(const PayerParts& parts) : parts_(parts) {}

    // With `dry` nothing is written. The round names what held it up itself, so that what was begun
    // before is told too.
    PayoutRound run(bool dry);

    // Spends of the wallet that, at the last round, neither a payout nor an explanation accounted
    // for.
    const std::vector<chain::Hash256>& unknown_spends() const { return unknown_; }

 private:
    OrHeld<void> check_books();
    OrHeld<void> look_for_unknown_spends();
    OrHeld<PayoutPlan> plan(PayoutRound& round);
    // One intent for the front of `due`, which is taken away from it.
    OrHeld<void> begin(std::vector<DuePayee>& due, bool needs_approval, std::vector<Coin>& coins,
                       share::PayoutId& last_id, PayoutRound& round);
    OrHeld<void> begin_all(PayoutPlan& plan, PayoutRound& round);
    OrHeld<void> record(share::PayoutIntentRecord& intent);

    PayerParts parts_;
    std::vector<chain::Hash256> unknown_;
    chain::Hash256 seen_upto_;  // all spends up to this block are accounted for
};

}  // namespace adit::ledger
