#include "ledger/posting.h"

namespace adit::ledger {
namespace {

struct Change {
    std::int64_t posted = 0;
    std::int64_t pending = 0;
    std::int64_t reserved = 0;
};

bool fits_into(Amount amount, std::int64_t change) {
    std::int64_t sum = 0;
    return !__builtin_add_overflow(amount.sat(), change, &sum) && Amount::from_sat(sum);
}

bool add_to(std::int64_t& sum, Amount amount, bool credit) {
    return !__builtin_add_overflow(sum, credit ? amount.sat() : -amount.sat(), &sum);
}

bool add_to(Change& change, const Balance& moved, bool credit) {
    return add_to(change.posted, moved.posted, credit) &&
           add_to(change.pending, moved.pending, credit) &&
           add_to(change.reserved, moved.reserved, credit);
}

}  // namespace

void Posting::add(Purpose purpose, Phase phase, std::string_view account, std::string_view debit,
                  std::string_view credit, Amount amount) {
    if (amount.is_zero()) return;
    transfers_.push_back({{purpose, reference_, transition_, std::string(account)},
                          std::string(debit),
                          std::string(credit),
                          amount,
                          phase,
                          position_,
                          time_ms_});
}

bool Posting::fits(Journal& journal, std::string_view also) const {
    std::map<std::string_view, Change> changes;
    const auto is_watched = [&](std::string_view account) {
        return account.starts_with(':') || (!also.empty() && account == also);
    };
    for (const auto& transfer : transfers_) {
        const auto moved = moved_by(transfer.phase, transfer.amount);
        if (is_watched(transfer.debit) && !add_to(changes[transfer.debit], moved, false)) {
            return false;
        }
        if (is_watched(transfer.credit) && !add_to(changes[transfer.credit], moved, true)) {
            return false;
        }
    }
    return std::ranges::all_of(changes, [&](const auto& entry) {
        const auto balance = journal.balance(entry.first);
        const auto& change = entry.second;
        return fits_into(balance.posted, change.posted) &&
               fits_into(balance.pending, change.pending) &&
               fits_into(balance.reserved, change.reserved);
    });
}

void Posting::post(Journal& journal) {
    if (transfers_.empty()) return;
    journal.post(transfers_);
    ADIT_CHECK(journal.total().is_zero(), "double entry: all accounts sum to zero");
}

bool is_counter_account(std::string_view account) {
    return account == kRewardAccount || account == kSentAccount || account == kMinersFeeAccount ||
           account == kWithdrawnAccount;
}

}  // namespace adit::ledger
