// What the parts of the payer share: whom they ask, what they measure, and payouts with everything
// that the ledger holds about them. Internal to the payer.
#pragma once

#include "ledger/payer.h"

#include <expected>
#include <set>

namespace adit::ledger {

// Why something could not be done now.
struct Held {
    PayoutHold hold = PayoutHold::none;
    std::string text;  // a sentence
};
template <class T>
using OrHeld = std::expected<T, Held>;

std::unexpected<Held> held_by(const WalletError& error);
std::unexpected<Held> held_by_ledger(const std::string& error);
std::unexpected<Held> held_as(PayoutHold hold, std::string text);

struct PayerMetrics {
    explicit PayerMetrics(metrics::Registry& registry);
    metrics::Counter& intents;
    metrics::Counter& broadcasts;  // of transactions that were not known to the node before
    metrics::Counter& bumps;
    metrics::Counter& failures;  // rounds and steps that were held up
    metrics::Gauge& alerts;
    metrics::Gauge& unknown_spends;
    std::array<metrics::Gauge*, kPayoutHolds> holds{};    // 1 for the one that holds now
    std::array<metrics::Gauge*, kPayoutStates> states{};  // payouts by state
};

struct PayerParts {
    const PayerSettings& settings;
    LedgerReader& reader;
    FactSink& sink;
    Wallet& wallet;
    SpendWitness& witness;
    const base::Clock& clock;
    base::Logger& logger;
    PayerMetrics& metrics;
};

struct Attempt {
    share::PayoutSignedRecord record;
    chain::Transaction transaction;
};

// A payout that is not final, with what was decided and signed for it.
struct OpenPayout {
    PayoutRow row;
    std::vector<share::Payee> payees;
    std::vector<Attempt> attempts;  // oldest first
};

// One of its transactions has this id.
bool is_attempt(const OpenPayout& payout, const chain::Hash256& txid);
OrHeld<OpenPayout> load(LedgerReader& reader, const PayoutRow& row);
OrHeld<PayoutRow> load_row(LedgerReader& reader, share::PayoutId id);
OrHeld<std::vector<OpenPayout>> load_open(LedgerReader& reader);

using OutPoints = std::set<chain::OutPoint>;
// The anchor and all that its transactions spend.
void add_outpoints(OutPoints& outpoints, const OpenPayout& payout);
OutPoints outpoints_of(std::span<const OpenPayout> payouts);
// Coins that no open payout needs.
OrHeld<std::vector<Coin>> free_coins(const PayerParts& parts, const OutPoints& taken);
OrHeld<std::int64_t> current_fee_rate(const PayerParts& parts);

// Why an anchor cannot be spent by its payout: something else in the chain has spent it, or has
// spent what the transaction that made it was to spend.
struct Rival {
    chain::OutPoint outpoint;  // that the rival spent
    chain::Hash256 txid;       // zero: the wallet does not know it
    chain::Hash256 block;
    std::int32_t confirmations = 0;
};
struct AnchorState {
    bool unspent = false;
    std::optional<Rival> rival;  // none of a spent one: it is not in the chain at the moment
};
OrHeld<AnchorState> anchor_state(Wallet& wallet, const chain::OutPoint& anchor);

// Takes a fact into the log and makes sure that it took effect: the row after it.
OrHeld<PayoutRow> record_fact(const PayerParts& parts, const PayoutRow& row,
                              share::PayoutFactRecord fact);

}  // namespace adit::ledger
