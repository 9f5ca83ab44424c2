#include "ledger/payout_plan.h"

#include "chain/address.h"
#include "chain/script.h"
#include "ledger/posting.h"

#include <algorithm>

namespace adit::ledger {
namespace {

bool is_larger(const DuePayee& a, const DuePayee& b) {
    return a.debit != b.debit ? a.debit > b.debit : a.account < b.account;
}

}  // namespace

PayoutPlan plan_payouts(const PayoutRules& rules, const std::vector<BalanceRow>& balances,
                        const std::vector<share::SettingsRecord>& settings, Amount spent) {
    std::map<std::string_view, Amount> thresholds;
    for (const auto& setting : settings)
        thresholds.emplace(setting.account, Amount::of(setting.threshold_sat));
    std::vector<DuePayee> due;
    for (const auto& row : balances) {
        const auto chosen = thresholds.find(row.account);
        const auto threshold = chosen == thresholds.end()
                                   ? rules.threshold
                                   : std::max(rules.threshold, chosen->second);
        // What coinbases that are not mature yet have paid is not paid again.
        const auto available = row.balance.available() + std::min(row.balance.pending, Amount{});
        if (available < threshold || available <= Amount{} || is_counter_account(row.account)) {
            continue;
        }
        auto script = chain::script_of_address(row.account, chain::params(rules.network));
        if (!script) continue;  // the pool's own, such as :fee
        due.push_back({row.account, std::move(*script), available});
    }
    std::ranges::sort(due, is_larger);

    PayoutPlan plan;
    for (auto& payee : due) {
        if (!rules.daily_cap.is_zero() && payee.debit > rules.daily_cap - spent) {
            plan.over_cap.push_back(std::move(payee));
            continue;
        }
        spent += payee.debit;
        const bool waits = !rules.approve_above.is_zero() && payee.debit > rules.approve_above;
        (waits ? plan.after_approval : plan.at_once).push_back(std::move(payee));
    }
    return plan;
}

Amount debits_since(const std::vector<PayoutRow>& payouts, std::int64_t since_ms) {
    Amount sum;
    for (const auto& payout : payouts) {
        if (payout.created_ms > since_ms && payout.state != PayoutState::cancelled) {
            sum += payout.debits;
        }
    }
    return sum;
}

Amount dust_limit(base::ByteSpan script) {
    constexpr std::int64_t kSatPerByte = 3;
    constexpr std::int64_t kValueAndLength = 9;
    const std::int64_t spending = chain::is_witness_program(script) ? 67 : 148;
    return Amount::of(kSatPerByte *
                      (kValueAndLength + static_cast<std::int64_t>(script.size()) + spending));
}

}  // namespace adit::ledger
