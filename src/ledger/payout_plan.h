// Who is paid next: the accounts whose available balance has reached their threshold and whose name
// is an address, largest first, within the daily cap. Pure.
#pragma once

#include "chain/network.h"
#include "ledger/journal.h"

#include <string>
#include <vector>

namespace adit::ledger {

struct PayoutRules {
    chain::Network network = chain::Network::main;
    Amount threshold;      // an account may ask for more, not for less
    Amount approve_above;  // debits above it wait for a person; 0: none does
    Amount daily_cap;      // debits of 24 hours; 0: none
};

struct DuePayee {
    std::string account;
    base::Bytes script;
    Amount debit;  // all that is available
    friend bool operator==(const DuePayee&, const DuePayee&) = default;
};

struct PayoutPlan {
    std::vector<DuePayee> at_once;
    std::vector<DuePayee> after_approval;
    std::vector<DuePayee> over_cap;  // wait until the cap has room
};

// `spent` is what intents of the last 24 hours debited.
PayoutPlan plan_payouts(const PayoutRules& rules, const std::vector<BalanceRow>& balances,
                        const std::vector<share::SettingsRecord>& settings, Amount spent);

// What the intents made after `since_ms` debit, without the cancelled ones.
Amount debits_since(const std::vector<PayoutRow>& payouts, std::int64_t since_ms);

// The smallest output of this script that nodes relay: three satoshis for each virtual byte of the
// output and of the input that spends it (Bitcoin Core's dust relay fee).
Amount dust_limit(base::ByteSpan script);

}  // namespace adit::ledger
