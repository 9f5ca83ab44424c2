// What a pool manager, an operator's command or a page can ask of payouts. Implemented by
// ledger::Payer. One caller at a time; calls may block for as long as wallet and ledger take.
// Errors are sentences for the operator.
#pragma once

#include "ledger/journal.h"

#include <string>
#include <string_view>
#include <vector>

namespace adit::ledger {

// Why nothing (more) is paid at the moment.
enum class PayoutHold : std::uint8_t {
    none = 0,
    wallet_unreachable = 1,
    wallet_not_ready = 2,
    wallet_locked = 3,
    wallet_short = 4,   // its confirmed segwit coins do not cover what is due
    unknown_spend = 5,  // the wallet was spent from by something the ledger does not know
    daily_cap = 6,      // the rest waits for tomorrow
    ledger_unreachable = 7,
    ledger_broken = 8,  // its accounts do not sum to zero
    refused = 9,        // the node or the ledger refused what was decided; see the text
};
inline constexpr std::size_t kPayoutHolds = 10;
std::string_view name_of(PayoutHold hold);

// One account that would be, or is being, paid.
struct PlannedPayee {
    std::string account;
    Amount debit;
    Amount output;  // reaches the account's address
    bool needs_approval = false;
};

// What one round did, or would do (dry).
struct PayoutRound {
    bool dry = false;
    std::vector<share::PayoutId> started;  // intents that were recorded
    std::vector<PlannedPayee> payees;      // of them, or of the plan
    std::int64_t fee_rate = 0;             // satoshis per 1,000 virtual bytes
    PayoutHold hold = PayoutHold::none;
    std::string hold_text;           // a sentence; empty: none
    std::vector<std::string> notes;  // what was left out, and why
};

// Where payouts stand.
struct PayoutStatus {
    PayoutHold hold = PayoutHold::none;
    std::string hold_text;
    std::int64_t last_round_ms = 0;  // wall clock; 0: none yet
    std::int64_t next_round_ms = 0;
    std::vector<chain::Hash256> unknown_spends;
    std::vector<std::string> alerts;  // what a person should look at, per payout
};

// How an unknown spend of the wallet is accounted for.
struct SpendExplanation {
    chain::Hash256 txid;
    // True: what its outputs pay to addresses of accounts is taken from these accounts (a payout
    // that a restored log does not know). Account and amount are not looked at then.
    bool debit_payees = false;
    std::string account;  // empty: none of the ledger's money
    Amount amount;        // taken from the account
    // A person says so although its outputs pay addresses of accounts that have a balance.
    bool owed_to_none = false;
    std::string note;
};

class PayoutService {
 public:
    virtual ~PayoutService() = default;

    // Looks after every payout under way and, when the interval has passed, starts new ones. To be
    // called steadily. Returns what holds payouts up, as status() does.
    virtual PayoutStatus step() = 0;
    // Starts payouts now; dry: only says which.
    virtual Stored<PayoutRound> run(bool dry) = 0;
    virtual Stored<PayoutRow> approve(share::PayoutId id, std::string_view note) = 0;
    // Before anything was signed for it: the accounts have their money back.
    virtual Stored<PayoutRow> cancel(share::PayoutId id, std::string_view note) = 0;
    // A new anchor, once every configured node has something else spending the old one, 100 deep.
    virtual Stored<PayoutRow> replace(share::PayoutId id, std::string_view note) = 0;
    // A person says what an unknown spend was: what is taken from whom. A last record without an
    // account says that the spend is accounted for; it comes when no account is left whose address
    // the spend pays, and before that payouts stay held.
    virtual Stored<std::vector<share::ExplainRecord>> explain(
        const SpendExplanation& explanation) = 0;
    virtual PayoutStatus status() const = 0;
};

}  // namespace adit::ledger
