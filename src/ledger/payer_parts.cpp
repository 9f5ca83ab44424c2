#include "ledger/payer_parts.h"

#include "ledger/payout_transaction.h"

#include <algorithm>

namespace adit::ledger {
namespace {

PayoutHold hold_of(WalletFault fault) {
    switch (fault) {
        case WalletFault::unreachable:
            return PayoutHold::wallet_unreachable;
        case WalletFault::not_ready:
        case WalletFault::no_wallet:
        case WalletFault::malformed:
            return PayoutHold::wallet_not_ready;
        case WalletFault::locked:
            return PayoutHold::wallet_locked;
        case WalletFault::refused:
            return PayoutHold::refused;
    }
    return PayoutHold::refused;
}

}  // namespace

std::unexpected<Held> held_by(const WalletError& error) {
    return std::unexpected(Held{hold_of(error.fault), error.message});
}

std::unexpected<Held> held_by_ledger(const std::string& error) {
    return std::unexpected(Held{PayoutHold::ledger_unreachable, error});
}

std::unexpected<Held> held_as(PayoutHold hold, std::string text) {
    return std::unexpected(Held{hold, std::move(text)});
}

PayerMetrics::PayerMetrics(metrics::Registry& registry)
    : intents(registry.counter("adit_payout_intents_total", "Payouts that were decided on.")),
      broadcasts(registry.counter("adit_payout_broadcasts_total",
                                  "Times that a payout's transaction was sent to the network.")),
      bumps(registry.counter("adit_payout_bumps_total",
                             "Payouts that were signed again with a higher fee.")),
      failures(registry.counter("adit_payout_failures_total",
                                "Steps of payouts that wallet or ledger held up.")),
      alerts(registry.gauge("adit_payout_alerts", "Payouts that a person should look at.")),
      unknown_spends(registry.gauge("adit_payout_unknown_spends",
                                    "Spends of the wallet that the ledger does not know; no "
                                    "payout begins before they are explained.")) {
    for (std::size_t i = 0; i < holds.size(); ++i) {
        holds[i] = &registry.gauge("adit_payout_hold", "1 for the reason why no payout begins now.",
                                   {{"reason", std::string(name_of(static_cast<PayoutHold>(i)))}});
    }
    for (std::size_t i = 0; i < states.size(); ++i) {
        states[i] = &registry.gauge("adit_payouts_by_state", "Payouts by state.",
                                    {{"state", std::string(name_of(static_cast<PayoutState>(i)))}});
    }
}

bool is_attempt(const OpenPayout& payout, const chain::Hash256& txid) {
    return std::ranges::any_of(payout.attempts,
                               [&](const Attempt& attempt) { return attempt.record.txid == txid; });
}

OrHeld<OpenPayout> load(LedgerReader& reader, const PayoutRow& row) {
    OpenPayout payout{row, {}, {}};
    auto payees = reader.payees_of(row.id);
    if (!payees) return held_by_ledger(payees.error());
    payout.payees = std::move(*payees);
    auto attempts = reader.attempts_of(row.id);
    if (!attempts) return held_by_ledger(attempts.error());
    for (auto& record : *attempts) {
        auto transaction = chain::parse_transaction(record.raw);
        if (!transaction || transaction->txid() != record.txid) {
            return held_as(PayoutHold::ledger_broken,
                           fmt::format("the ledger's transaction {} of payout {} is damaged; run "
                                       "adit audit",
                                       record.txid.rpc_hex(), row.id));
        }
        payout.attempts.push_back({std::move(record), std::move(*transaction)});
    }
    return payout;
}

OrHeld<PayoutRow> load_row(LedgerReader& reader, share::PayoutId id) {
    auto row = reader.payout_row(id);
    if (!row) return held_by_ledger(row.error());
    if (!*row) return held_as(PayoutHold::refused, fmt::format("there is no payout {}", id));
    return std::move(**row);
}

OrHeld<std::vector<OpenPayout>> load_open(LedgerReader& reader) {
    const auto rows = reader.open_payouts();
    if (!rows) return held_by_ledger(rows.error());
    std::vector<OpenPayout> open;
    for (const auto& row : *rows) {
        auto payout = load(reader, row);
        if (!payout) return std::unexpected(std::move(payout.error()));
        open.push_back(std::move(*payout));
    }
    return open;
}

void add_outpoints(OutPoints& outpoints, const OpenPayout& payout) {
    outpoints.insert(payout.row.anchor);
    for (const auto& attempt : payout.attempts) {
        for (const auto& input : attempt.transaction.inputs)
            outpoints.insert(input.previous);
    }
}

OutPoints outpoints_of(std::span<const OpenPayout> payouts) {
    OutPoints outpoints;
    for (const auto& payout : payouts)
        add_outpoints(outpoints, payout);
    return outpoints;
}

OrHeld<std::vector<Coin>> free_coins(const PayerParts& parts, const OutPoints& taken) {
    // As deep as a payout that counts as paid: what is spent here must not vanish again.
    auto coins = parts.wallet.coins(parts.settings.confirmations);
    if (!coins) return held_by(coins.error());
    std::erase_if(*coins, [&](const Coin& coin) {
        return taken.contains(coin.outpoint) || !is_payable_coin(coin.script);
    });
    return std::move(*coins);
}

OrHeld<std::int64_t> current_fee_rate(const PayerParts& parts) {
    const auto estimate = parts.wallet.fee_rate(kFeeTarget);
    if (!estimate) return held_by(estimate.error());
    return fee_rate_of(parts.settings, *estimate);
}

OrHeld<AnchorState> anchor_state(Wallet& wallet, const chain::OutPoint& anchor) {
    // From the anchor to the transactions that it came from, as far as they have left the chain.
    constexpr std::size_t kMostAncestors = 100;
    std::vector<chain::OutPoint> wanted{anchor};
    OutPoints seen;
    while (!wanted.empty() && seen.size() < kMostAncestors) {
        const auto outpoint = wanted.back();
        wanted.pop_back();
        if (!seen.insert(outpoint).second) continue;
        const auto state = wallet.output_state(outpoint);
        if (!state) return held_by(state.error());
        if (state->unspent) {
            if (outpoint == anchor) return AnchorState{true, {}};
            continue;
        }
        if (state->created) {
            return AnchorState{false, Rival{outpoint, state->spender.value_or(chain::Hash256{}),
                                            state->spender_block, state->spender_confirmations}};
        }
        const auto parent = wallet.transaction(outpoint.txid);
        if (!parent) return held_by(parent.error());
        if (!*parent) continue;
        for (const auto& input : (*parent)->inputs)
            wanted.push_back(input.previous);
    }
    return AnchorState{};
}

OrHeld<PayoutRow> record_fact(const PayerParts& parts, const PayoutRow& row,
                              share::PayoutFactRecord fact) {
    fact.payout = row.id;
    fact.transition = row.transition + 1;
    fact.at_wall_ms = parts.clock.wall_ms();
    fact.evidence.resize(std::min(fact.evidence.size(), share::kEvidenceLimit));
    if (const auto recorded = parts.sink.record(fact); !recorded) {
        return held_by_ledger(recorded.error());
    }
    auto after = load_row(parts.reader, row.id);
    if (!after) return after;
    // Another fact with this number may have been on its way to the log before.
    const bool is_this =
        after->transition == fact.transition && after->state == state_after(fact.fact) &&
        (fact.fact != share::PayoutFact::reanchored || after->anchor == fact.anchor) &&
        (fact.fact != share::PayoutFact::confirmed || after->txid == fact.txid);
    if (!is_this) {
        return held_as(PayoutHold::refused,
                       fmt::format("the ledger refused that payout {} is {} now; it is {}", row.id,
                                   share::name_of(fact.fact), name_of(after->state)));
    }
    return after;
}

}  // namespace adit::ledger
