#include "ledger/payout_rounds.h"

#include "ledger/payout_transaction.h"

#include <algorithm>

namespace adit::ledger {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;

// The largest payees whose outputs fit into one transaction.
std::vector<DuePayee> take_batch(std::vector<DuePayee>& due) {
    std::int64_t size = 0;
    std::size_t count = 0;
    while (count < due.size() && count < share::kPayeeLimit) {
        size += output_size(due[count].script);
        if (size > kMaxOutputsSize) break;
        ++count;
    }
    const auto end = due.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<DuePayee> batch(std::make_move_iterator(due.begin()), std::make_move_iterator(end));
    due.erase(due.begin(), end);
    return batch;
}

// Payees whose outputs bear `fee_part` each. Those whose output would be dust are left out.
std::vector<share::Payee> payees_of(const std::vector<DuePayee>& batch, Amount fee_part,
                                    std::vector<std::string>& notes) {
    std::vector<share::Payee> payees;
    for (const auto& due : batch) {
        const auto output = due.debit - fee_part;
        if (output < dust_limit(due.script)) {
            notes.push_back(
                fmt::format("{} is not paid: {} BTC less its part of the fee would be "
                            "dust",
                            due.account, due.debit.btc()));
            continue;
        }
        payees.push_back({due.account, due.script, due.debit.sat(), output.sat()});
    }
    return payees;
}

}  // namespace

OrHeld<void> PayoutRounds::look_for_unknown_spends() {
    const auto spends = parts_.wallet.spends_since(seen_upto_);
    if (!spends) return held_by(spends.error());
    const auto explained = parts_.reader.explained();
    if (!explained) return held_by_ledger(explained.error());
    std::set<chain::Hash256> accounted;
    for (const auto& record : *explained) {
        if (record.account.empty()) accounted.insert(record.txid);
    }
    std::vector<chain::Hash256> unknown;
    for (const auto& spend : spends->spends) {
        // What a conflicting transaction has overtaken has spent nothing.
        if (spend.abandoned || spend.confirmations < 0 || accounted.contains(spend.txid)) continue;
        const auto payout = parts_.reader.payout_of_txid(spend.txid);
        if (!payout) return held_by_ledger(payout.error());
        if (!*payout) unknown.push_back(spend.txid);
    }
    if (unknown.empty()) seen_upto_ = spends->upto;
    unknown_ = std::move(unknown);
    return {};
}

OrHeld<void> PayoutRounds::check_books() {
    const auto total = parts_.reader.total_of_all();
    if (!total) return held_by_ledger(total.error());
    if (!total->is_zero()) {
        return held_as(PayoutHold::ledger_broken,
                       "the ledger's accounts do not sum to zero; run adit audit");
    }
    if (auto looked = look_for_unknown_spends(); !looked) return looked;
    if (unknown_.empty()) return {};
    return held_as(
        PayoutHold::unknown_spend,
        fmt::format("{} has made {} transaction(s) that the ledger does not know, the first is {}; "
                    "look at it and tell what it was with `adit payout explain` (--payees when it "
                    "is a payout that a restored ledger has lost)",
                    parts_.wallet.name(), unknown_.size(), unknown_.front().rpc_hex()));
}

OrHeld<PayoutPlan> PayoutRounds::plan(PayoutRound& round) {
    const auto balances = parts_.reader.balances();
    if (!balances) return held_by_ledger(balances.error());
    const auto settings = parts_.reader.all_settings();
    if (!settings) return held_by_ledger(settings.error());
    const auto since_ms = parts_.clock.wall_ms() - kDayMs;
    const auto recent = parts_.reader.payouts_after(since_ms);
    if (!recent) return held_by_ledger(recent.error());
    PayoutRules rules;
    rules.network = parts_.settings.network;
    rules.threshold = parts_.settings.threshold;
    rules.approve_above = parts_.settings.approve_above;
    rules.daily_cap = parts_.settings.daily_cap;
    auto plan = plan_payouts(rules, *balances, *settings, debits_since(*recent, since_ms));
    for (const auto& payee : plan.over_cap) {
        round.notes.push_back(
            payee.debit > rules.daily_cap
                ? fmt::format("{} is due {} BTC, more than payout.daily_cap_sat alone; raise it",
                              payee.account, payee.debit.btc())
                : fmt::format("{} waits: the payouts of 24 hours would pass payout.daily_cap_sat",
                              payee.account));
    }
    if (!plan.over_cap.empty()) {
        round.hold = PayoutHold::daily_cap;
        round.hold_text = fmt::format("payout.daily_cap_sat is reached; {} account(s) wait",
                                      plan.over_cap.size());
    }
    return plan;
}

OrHeld<void> PayoutRounds::record(share::PayoutIntentRecord& intent) {
    intent.at_wall_ms = parts_.clock.wall_ms();
    if (const auto recorded = parts_.sink.record(intent); !recorded) {
        return held_by_ledger(recorded.error());
    }
    const auto row = parts_.reader.payout_row(intent.payout);
    if (!row) return held_by_ledger(row.error());
    const auto payees = parts_.reader.payees_of(intent.payout);
    if (!payees) return held_by_ledger(payees.error());
    if (!*row || (*row)->created_ms != intent.at_wall_ms || (*row)->anchor != intent.anchor ||
        *payees != intent.payees) {
        return held_as(PayoutHold::refused,
                       fmt::format("the ledger refused payout {}; it is decided anew in the next "
                                   "round",
                                   intent.payout));
    }
    parts_.metrics.intents.add();
    parts_.logger.info("payout", "payout decided",
                       {{"payout", intent.payout},
                        {"payees", intent.payees.size()},
                        {"debits_btc", (*row)->debits.btc()},
                        {"needs_approval", intent.needs_approval}});
    if (const auto locked = parts_.wallet.lock({&intent.anchor, 1}); !locked) {
        return held_by(locked.error());
    }
    return {};
}

OrHeld<void> PayoutRounds::begin(std::vector<DuePayee>& due, bool needs_approval,
                                 std::vector<Coin>& coins, share::PayoutId& last_id,
                                 PayoutRound& round) {
    const auto batch = take_batch(due);
    auto notes = round.notes;
    auto payees = payees_of(batch, Amount{}, notes);
    FundingRequest request;
    request.more = coins;
    request.change_script = parts_.settings.change_script;
    request.fee_rate = round.fee_rate;
    request.outputs = outputs_of(payees);
    const auto short_of = [&](const Shortage& shortage) {
        return held_as(PayoutHold::wallet_short,
                       fmt::format("{} has too few confirmed segwit coins for {} payee(s): {}",
                                   parts_.wallet.name(), payees.size(), shortage.text()));
    };
    auto funding = fund(request);
    if (!funding) return short_of(funding.error());
    if (parts_.settings.miners_bear_fee) {
        const auto count = static_cast<std::int64_t>(payees.size());
        const auto part = Amount::of((funding->fee.sat() + count - 1) / count);
        payees = payees_of(batch, part, notes);
        if (payees.empty()) {
            round.notes = std::move(notes);
            return {};
        }
        request.outputs = outputs_of(payees);
        funding = fund(request);
        if (!funding) return short_of(funding.error());
    }
    round.notes = std::move(notes);
    for (const auto& payee : payees) {
        round.payees.push_back({payee.account, Amount::of(payee.debit_sat),
                                Amount::of(payee.output_sat), needs_approval});
    }
    // What waits for a person should not keep the largest coin from the others.
    const auto anchor = needs_approval ? *std::ranges::min_element(coins, {}, &Coin::value)
                                       : funding->coins.front();
    std::erase_if(coins, [&](const Coin& coin) {
        const auto is_coin = [&](const Coin& used) { return used.outpoint == coin.outpoint; };
        return is_coin(anchor) || (!needs_approval && std::ranges::any_of(funding->coins, is_coin));
    });
    if (round.dry) return {};
    share::PayoutIntentRecord intent;
    intent.payout = last_id + 1;
    intent.anchor = anchor.outpoint;
    intent.anchor_value_sat = anchor.value.sat();
    intent.needs_approval = needs_approval;
    intent.payees = std::move(payees);
    auto recorded = record(intent);
    if (!recorded) return recorded;
    last_id = intent.payout;
    round.started.push_back(intent.payout);
    return {};
}

OrHeld<void> PayoutRounds::begin_all(PayoutPlan& plan, PayoutRound& round) {
    const auto totals = parts_.reader.payout_totals();
    if (!totals) return held_by_ledger(totals.error());
    const auto open = load_open(parts_.reader);
    if (!open) return std::unexpected(open.error());
    auto coins = free_coins(parts_, outpoints_of(*open));
    if (!coins) return std::unexpected(coins.error());
    const auto rate = current_fee_rate(parts_);
    if (!rate) return std::unexpected(rate.error());
    round.fee_rate = *rate;
    auto last_id = totals->last;
    for (auto* due : {&plan.at_once, &plan.after_approval}) {
        while (!due->empty()) {
            auto begun = begin(*due, due == &plan.after_approval, *coins, last_id, round);
            if (!begun) return begun;
        }
    }
    return {};
}

PayoutRound PayoutRounds::run(bool dry) {
    PayoutRound round;
    round.dry = dry;
    const auto hold = [&](const Held& held) {
        round.hold = held.hold;
        round.hold_text = held.text;
        return round;
    };
    if (const auto sound = check_books(); !sound) return hold(sound.error());
    auto due = plan(round);
    if (!due) return hold(due.error());
    if (due->at_once.empty() && due->after_approval.empty()) return round;
    if (const auto begun = begin_all(*due, round); !begun) return hold(begun.error());
    return round;
}

}  // namespace adit::ledger
