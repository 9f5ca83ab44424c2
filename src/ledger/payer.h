// Pays what is due from the node's wallet, so that nothing is ever paid twice. Every decision is a
// fact in the log before it takes effect, in this order: the intent (accounts, amounts and one
// anchor outpoint), the signed transaction, then what became of it. Every transaction of an intent
// spends its anchor and pays exactly its payees, so that consensus lets one of them confirm at
// most. The payer keeps nothing of its own that matters: whoever dies at any step is followed by a
// new payer that reads ledger and wallet and goes on.
//
// One caller at a time (manager::PayoutDesk sees to it); calls block on wallet and ledger.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "chain/network.h"
#include "ledger/payout_service.h"
#include "ledger/wallet.h"
#include "metrics/registry.h"

#include <memory>

namespace adit::ledger {

struct PayerSettings {
    chain::Network network = chain::Network::main;
    base::Bytes change_script;  // native segwit, of the wallet; what is left of the inputs

    Amount threshold = Amount::of(100'000);  // unless an account asks for more
    std::int64_t interval_ms = 3'600'000;    // between two rounds
    Amount approve_above;                    // debits above it wait for a person; 0: none does
    Amount daily_cap;                        // debits of 24 hours; 0: none
    std::int32_t confirmations = 6;          // that make a payout confirmed
    bool miners_bear_fee = false;            // each payee its part, fixed with the intent

    // Satoshis per 1,000 virtual bytes.
    std::int64_t min_fee_rate = 1'000;
    std::int64_t max_fee_rate = 100'000;
    std::int64_t fallback_fee_rate = 5'000;  // while the node has no estimate
    std::int32_t bump_after_blocks = 6;      // unconfirmed for so many: a higher fee
};

// How soon a payout should be mined, in blocks.
inline constexpr std::int32_t kFeeTarget = 6;
// The rate of a payout for the node's estimate (nullopt: it has none), within the bounds.
std::int64_t fee_rate_of(const PayerSettings& settings, std::optional<std::int64_t> estimate);

class Payer final : public PayoutService {
 public:
    // Everything handed in outlives the payer.
    Payer(PayerSettings settings, LedgerReader& reader, FactSink& sink, Wallet& wallet,
          SpendWitness& witness, metrics::Registry& registry, const base::Clock& clock,
          base::Logger& logger);
    ~Payer() override;

    PayoutStatus step() override;
    Stored<PayoutRound> run(bool dry) override;
    Stored<PayoutRow> approve(share::PayoutId id, std::string_view note) override;
    Stored<PayoutRow> cancel(share::PayoutId id, std::string_view note) override;
    Stored<PayoutRow> replace(share::PayoutId id, std::string_view note) override;
    Stored<std::vector<share::ExplainRecord>> explain(const SpendExplanation& explanation) override;
    PayoutStatus status() const override;

 private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace adit::ledger
