#include "ledger/payer.h"

#include "chain/address.h"
#include "ledger/payout_follower.h"
#include "ledger/payout_rounds.h"
#include "ledger/payout_transaction.h"
#include "ledger/posting.h"

#include <algorithm>

namespace adit::ledger {

std::string_view name_of(PayoutHold hold) {
    switch (hold) {
        case PayoutHold::none:
            return "none";
        case PayoutHold::wallet_unreachable:
            return "wallet_unreachable";
        case PayoutHold::wallet_not_ready:
            return "wallet_not_ready";
        case PayoutHold::wallet_locked:
            return "wallet_locked";
        case PayoutHold::wallet_short:
            return "wallet_short";
        case PayoutHold::unknown_spend:
            return "unknown_spend";
        case PayoutHold::daily_cap:
            return "daily_cap";
        case PayoutHold::ledger_unreachable:
            return "ledger_unreachable";
        case PayoutHold::ledger_broken:
            return "ledger_broken";
        case PayoutHold::refused:
            return "refused";
    }
    return "none";
}

namespace {

constexpr std::int32_t kReplaceDepth = 100;
// How soon a round that was held up is tried again, at most.
constexpr std::int64_t kRetryMs = 60'000;

std::unexpected<std::string> refuse(std::string why) {
    return std::unexpected(std::move(why));
}

}  // namespace

class Payer::Core {
 public:
    Core(PayerSettings settings, LedgerReader& reader, FactSink& sink, Wallet& wallet,
         SpendWitness& witness, metrics::Registry& registry, const base::Clock& clock,
         base::Logger& logger)
        : settings_(std::move(settings)),
          metrics_(registry),
          parts_{settings_, reader, sink, wallet, witness, clock, logger, metrics_},
          follower_(parts_),
          rounds_(parts_) {}

    PayoutStatus step();
    Stored<PayoutRound> run(bool dry);
    Stored<PayoutRow> approve(share::PayoutId id, std::string_view note);
    Stored<PayoutRow> cancel(share::PayoutId id, std::string_view note);
    Stored<PayoutRow> replace(share::PayoutId id, std::string_view note);
    Stored<std::vector<share::ExplainRecord>> explain(const SpendExplanation& explanation);
    const PayoutStatus& status() const { return status_; }

 private:
    OrHeld<void> follow_all();
    OrHeld<void> lock_again(const std::vector<OpenPayout>& open);
    PayoutRound round(bool dry);
    Stored<PayoutRow> decide(share::PayoutId id, PayoutState from, share::PayoutFact what,
                             std::string_view note);
    OrHeld<share::PayoutFactRecord> new_anchor(const OpenPayout& payout);
    OrHeld<OutPoints> taken_by_open();
    Stored<std::map<std::string, Amount>> unexplained_payees(const chain::Hash256& txid);
    std::vector<share::ExplainRecord> records_of(const SpendExplanation& explanation,
                                                 const std::map<std::string, Amount>& debits,
                                                 bool is_done) const;
    Stored<void> record_explanation(const share::ExplainRecord& record);
    void plan_first_round();
    OrHeld<WalletTip> ready();
    OrHeld<void> count();
    void clear_hold();
    void hold(const Held& held);
    void tell();

    const PayerSettings settings_;
    PayerMetrics metrics_;
    PayerParts parts_;
    PayoutFollower follower_;
    PayoutRounds rounds_;
    PayoutStatus status_;
    PayoutHold told_ = PayoutHold::none;
    bool locked_again_ = false;
    std::optional<std::int64_t> next_steady_ms_;
    chain::Hash256 seen_tip_;  // up to which confirmed payouts were looked at
    Held round_hold_;          // of the last round, until the next
    PayoutTotals totals_;      // at the end of the last step
};

void Payer::Core::hold(const Held& held) {
    if (status_.hold != PayoutHold::none) return;
    status_.hold = held.hold;
    status_.hold_text = held.text;
    // The node may have come up without what it had locked.
    if (held.hold == PayoutHold::wallet_unreachable || held.hold == PayoutHold::wallet_not_ready ||
        held.hold == PayoutHold::refused) {
        locked_again_ = false;
    }
    if (held.hold != PayoutHold::daily_cap) metrics_.failures.add();
}

void Payer::Core::clear_hold() {
    status_.hold = PayoutHold::none;
    status_.hold_text.clear();
}

void Payer::Core::tell() {
    if (round_hold_.hold != PayoutHold::none) hold(round_hold_);
    for (std::size_t i = 0; i < metrics_.holds.size(); ++i)
        metrics_.holds[i]->set(static_cast<PayoutHold>(i) == status_.hold ? 1 : 0);
    status_.alerts = follower_.alerts();
    metrics_.alerts.set(static_cast<double>(status_.alerts.size()));
    metrics_.unknown_spends.set(static_cast<double>(status_.unknown_spends.size()));
    if (status_.hold == told_) return;
    told_ = status_.hold;
    if (told_ == PayoutHold::none)
        parts_.logger.info("payout", "payouts go on");
    else
        parts_.logger.error("payout", "payouts are held up",
                            {{"reason", name_of(told_)}, {"why", status_.hold_text}});
}

OrHeld<void> Payer::Core::lock_again(const std::vector<OpenPayout>& open) {
    if (locked_again_) return {};
    OutPoints needed;
    for (const auto& payout : open) {
        if (payout.row.state != PayoutState::confirmed) add_outpoints(needed, payout);
    }
    std::vector<chain::OutPoint> present;
    for (const auto& outpoint : needed) {
        const auto coin = parts_.wallet.coin(outpoint);
        if (!coin) return held_by(coin.error());
        if (*coin) present.push_back(outpoint);
    }
    if (!present.empty()) {
        if (const auto locked = parts_.wallet.lock(present); !locked) {
            return held_by(locked.error());
        }
    }
    locked_again_ = true;
    return {};
}

// The ledger says what is known, and the wallet can be asked.
OrHeld<WalletTip> Payer::Core::ready() {
    if (const auto known = parts_.sink.caught_up(); !known) return held_by_ledger(known.error());
    const auto tip = parts_.wallet.tip();
    if (!tip) return held_by(tip.error());
    return *tip;
}

OrHeld<void> Payer::Core::follow_all() {
    const auto tip = ready();
    if (!tip) return std::unexpected(tip.error());
    auto open = load_open(parts_.reader);
    if (!open) return std::unexpected(open.error());
    if (auto locked = lock_again(*open); !locked) return std::unexpected(locked.error());
    auto taken = outpoints_of(*open);
    std::optional<Held> first;
    for (auto& payout : *open) {
        // Nothing changes for what is deep enough before the next block.
        if (payout.row.state == PayoutState::confirmed && tip->block == seen_tip_) continue;
        const auto followed = follower_.follow(std::move(payout), taken, *tip);
        if (followed) continue;
        if (!first) first = followed.error();
        // Each of the others would wait as long.
        if (followed.error().hold == PayoutHold::wallet_unreachable ||
            followed.error().hold == PayoutHold::ledger_unreachable) {
            break;
        }
    }
    if (auto counted = count(); !counted) return counted;
    if (first) return std::unexpected(std::move(*first));
    seen_tip_ = tip->block;
    return {};
}

OrHeld<void> Payer::Core::count() {
    const auto totals = parts_.reader.payout_totals();
    if (!totals) return held_by_ledger(totals.error());
    const auto open = parts_.reader.open_payouts();
    if (!open) return held_by_ledger(open.error());
    std::set<share::PayoutId> ids;
    for (const auto& row : *open)
        ids.insert(row.id);
    follower_.keep_only(ids);
    totals_ = *totals;
    for (std::size_t i = 0; i < totals_.by_state.size(); ++i)
        metrics_.states[i]->set(static_cast<double>(totals_.by_state[i]));
    return {};
}

// Once ready() has said so.
PayoutRound Payer::Core::round(bool dry) {
    auto round = rounds_.run(dry);
    if (!dry) {
        round_hold_ = {round.hold, round.hold_text};
        const bool is_short = round.hold != PayoutHold::none && round.hold != PayoutHold::daily_cap;
        const auto wait_ms =
            is_short ? std::min(settings_.interval_ms, kRetryMs) : settings_.interval_ms;
        status_.last_round_ms = parts_.clock.wall_ms();
        status_.next_round_ms = status_.last_round_ms + wait_ms;
        next_steady_ms_ = parts_.clock.steady_ms() + wait_ms;
        status_.unknown_spends = rounds_.unknown_spends();
    }
    return round;
}

// So that a pool which is restarted often does not pay at each start.
void Payer::Core::plan_first_round() {
    const auto now = parts_.clock.wall_ms();
    const auto since = totals_.last == 0 ? settings_.interval_ms : now - totals_.last_created_ms;
    const auto wait_ms =
        std::clamp<std::int64_t>(settings_.interval_ms - since, 0, settings_.interval_ms);
    next_steady_ms_ = parts_.clock.steady_ms() + wait_ms;
    status_.next_round_ms = now + wait_ms;
}

PayoutStatus Payer::Core::step() {
    clear_hold();
    if (const auto followed = follow_all(); !followed)
        hold(followed.error());
    else if (!next_steady_ms_)
        plan_first_round();
    const bool due = next_steady_ms_ && parts_.clock.steady_ms() >= *next_steady_ms_;
    if (due && status_.hold == PayoutHold::none) {
        if (const auto begun = round(false); !begun.started.empty()) {
            if (const auto followed = follow_all(); !followed) hold(followed.error());
        }
    }
    tell();
    return status_;
}

Stored<PayoutRound> Payer::Core::run(bool dry) {
    if (dry) {
        if (const auto can = ready(); !can) return refuse(can.error().text);
    } else if (const auto followed = follow_all(); !followed) {
        return refuse(followed.error().text);
    }
    auto begun = round(dry);
    if (dry) return begun;
    clear_hold();
    if (const auto followed = follow_all(); !followed) {
        hold(followed.error());
        if (begun.hold == PayoutHold::none) {
            begun.hold = followed.error().hold;
            begun.hold_text = followed.error().text;
        }
    }
    tell();
    return begun;
}

Stored<PayoutRow> Payer::Core::decide(share::PayoutId id, PayoutState from, share::PayoutFact what,
                                      std::string_view note) {
    if (const auto known = parts_.sink.caught_up(); !known) return refuse(known.error());
    const auto row = load_row(parts_.reader, id);
    if (!row) return refuse(row.error().text);
    const bool cancels = what == share::PayoutFact::cancelled;
    if (cancels && row->attempts > 0) {
        return refuse(
            fmt::format("payout {} was signed already (transaction {}); it can only be "
                        "waited for",
                        id, row->txid.rpc_hex()));
    }
    if (cancels ? is_final(row->state) : row->state != from) {
        return refuse(fmt::format("payout {} is {}", id, name_of(row->state)));
    }
    share::PayoutFactRecord fact;
    fact.fact = what;
    fact.evidence = std::string(note);
    auto after = record_fact(parts_, *row, fact);
    if (!after) return refuse(after.error().text);
    parts_.logger.info("payout", cancels ? "payout cancelled" : "payout approved",
                       {{"payout", id}, {"note", note}});
    return std::move(*after);
}

Stored<PayoutRow> Payer::Core::approve(share::PayoutId id, std::string_view note) {
    return decide(id, PayoutState::waiting_approval, share::PayoutFact::approved, note);
}

Stored<PayoutRow> Payer::Core::cancel(share::PayoutId id, std::string_view note) {
    const auto before = load_row(parts_.reader, id);
    if (!before) return refuse(before.error().text);
    // Whoever cancels again wants the coin to be free.
    auto row = before->state == PayoutState::cancelled
                   ? Stored<PayoutRow>(*before)
                   : decide(id, PayoutState::ready, share::PayoutFact::cancelled, note);
    if (!row) return row;
    follower_.forget(id);
    const auto taken = taken_by_open();
    if (!taken || taken->contains(row->anchor)) return row;
    // Its anchor is free again, unless the node is away: then it stays locked until the payout is
    // cancelled once more, which the operator is told.
    if (const auto unlocked = parts_.wallet.unlock({&row->anchor, 1}); !unlocked) {
        parts_.logger.warning("payout", "the coin of a cancelled payout stays locked",
                              {{"payout", id},
                               {"txid", row->anchor.txid.rpc_hex()},
                               {"index", row->anchor.index},
                               {"why", unlocked.error().message}});
    }
    return row;
}

OrHeld<share::PayoutFactRecord> Payer::Core::new_anchor(const OpenPayout& payout) {
    const auto& row = payout.row;
    const auto state = anchor_state(parts_.wallet, row.anchor);
    if (!state) return std::unexpected(state.error());
    if (!state->rival || state->rival->txid.is_zero()) {
        return held_as(PayoutHold::refused,
                       fmt::format("nothing that {} knows has spent the anchor of payout {}",
                                   parts_.wallet.name(), row.id));
    }
    const auto& rival = *state->rival;
    if (is_attempt(payout, rival.txid)) {
        return held_as(PayoutHold::refused,
                       fmt::format("payout {} is paid by {}; it only has to become deep enough",
                                   row.id, rival.txid.rpc_hex()));
    }
    const auto paid = parts_.wallet.transaction(rival.txid);
    if (!paid) return held_by(paid.error());
    if (*paid && pays_all(**paid, payout.payees)) {
        return held_as(PayoutHold::refused,
                       fmt::format("{} has paid everybody whom payout {} pays; paying again would "
                                   "pay twice",
                                   rival.txid.rpc_hex(), row.id));
    }
    const auto seen =
        parts_.witness.all_have_seen(rival.outpoint, rival.txid, rival.block, kReplaceDepth);
    if (!seen) return held_as(PayoutHold::refused, seen.error());
    const auto taken = taken_by_open();
    if (!taken) return std::unexpected(taken.error());
    const auto coins = free_coins(parts_, *taken);
    if (!coins) return std::unexpected(coins.error());
    const auto largest = std::ranges::max_element(*coins, {}, &Coin::value);
    if (largest == coins->end()) {
        return held_as(PayoutHold::wallet_short,
                       fmt::format("{} has no free confirmed segwit coin", parts_.wallet.name()));
    }
    share::PayoutFactRecord fact;
    fact.fact = share::PayoutFact::reanchored;
    fact.anchor = largest->outpoint;
    fact.anchor_value_sat = largest->value.sat();
    fact.evidence = fmt::format("{} spent the anchor, {} deep on every node", rival.txid.rpc_hex(),
                                kReplaceDepth);
    return fact;
}

Stored<PayoutRow> Payer::Core::replace(share::PayoutId id, std::string_view note) {
    const auto row = load_row(parts_.reader, id);
    if (!row) return refuse(row.error().text);
    if (row->state != PayoutState::conflicted) {
        return refuse(fmt::format("payout {} is {}; only a conflicted one gets a new anchor", id,
                                  name_of(row->state)));
    }
    const auto payout = load(parts_.reader, *row);
    if (!payout) return refuse(payout.error().text);
    auto fact = new_anchor(*payout);
    if (!fact) return refuse(fact.error().text);
    if (!note.empty()) fact->evidence += fmt::format("; {}", note);
    auto after = record_fact(parts_, *row, *fact);
    if (!after) return refuse(after.error().text);
    if (const auto locked = parts_.wallet.lock({&after->anchor, 1}); !locked) {
        locked_again_ = false;  // the next step does it
    }
    follower_.forget(id);
    parts_.logger.warning("payout", "payout has a new anchor",
                          {{"payout", id}, {"evidence", fact->evidence}});
    return std::move(*after);
}

OrHeld<OutPoints> Payer::Core::taken_by_open() {
    const auto open = load_open(parts_.reader);
    if (!open) return std::unexpected(open.error());
    return outpoints_of(*open);
}

// What a transaction pays to addresses of accounts that have a balance, less what was explained of
// it already.
Stored<std::map<std::string, Amount>> Payer::Core::unexplained_payees(const chain::Hash256& txid) {
    const auto transaction = parts_.wallet.transaction(txid);
    if (!transaction) return refuse(transaction.error().message);
    if (!*transaction) {
        return refuse(
            fmt::format("{} does not know transaction {}", parts_.wallet.name(), txid.rpc_hex()));
    }
    const auto balances = parts_.reader.balances();
    if (!balances) return refuse(balances.error());
    const auto explained = parts_.reader.explained();
    if (!explained) return refuse(explained.error());
    std::map<std::string, Amount> paid;
    for (const auto& output : (*transaction)->outputs) {
        const auto address =
            chain::address_of_script(output.script, chain::params(settings_.network));
        if (!address || output.script == settings_.change_script) continue;
        const auto row = std::ranges::find(*balances, *address, &BalanceRow::account);
        if (row == balances->end() || row->balance.is_zero()) continue;
        paid[*address] += Amount::of(output.value_sat);
    }
    for (const auto& record : *explained) {
        if (record.txid == txid) paid.erase(record.account);
    }
    return paid;
}

Stored<void> Payer::Core::record_explanation(const share::ExplainRecord& record) {
    if (auto recorded = parts_.sink.record(record); !recorded) return recorded;
    const auto explained = parts_.reader.explained();
    if (!explained) return refuse(explained.error());
    if (std::ranges::find(*explained, record) == explained->end()) {
        return refuse(record.account.empty()
                          ? std::string("the transaction was explained already")
                          : fmt::format("the ledger refused it: \"{}\" has no balance, or this "
                                        "was explained already",
                                        record.account));
    }
    parts_.logger.warning("payout", "a spend of the wallet was explained",
                          {{"txid", record.txid.rpc_hex()},
                           {"account", record.account},
                           {"amount_btc", Amount::of(record.amount_sat).btc()},
                           {"note", record.note}});
    return {};
}

Stored<std::vector<share::ExplainRecord>> Payer::Core::explain(
    const SpendExplanation& explanation) {
    if (const auto known = parts_.sink.caught_up(); !known) return refuse(known.error());
    const auto& txid = explanation.txid;
    const auto payout = parts_.reader.payout_of_txid(txid);
    if (!payout) return refuse(payout.error());
    if (*payout) {
        return refuse(fmt::format("{} is the pool's own payout {}; it needs no explanation",
                                  txid.rpc_hex(), **payout));
    }
    if (explanation.account.empty() != explanation.amount.is_zero()) {
        return refuse("name an account together with an amount, or neither");
    }
    const auto paid = unexplained_payees(txid);
    if (!paid) return refuse(paid.error());
    std::map<std::string, Amount> debits;
    if (explanation.debit_payees)
        debits = *paid;
    else if (!explanation.account.empty())
        debits[explanation.account] = explanation.amount;
    std::string left;
    for (const auto& [account, amount] : *paid) {
        if (!debits.contains(account)) {
            left += fmt::format("{}{}", left.empty() ? "" : ", ", account);
        }
    }
    const bool is_done = left.empty() || explanation.owed_to_none;
    if (!is_done && debits.empty()) {
        return refuse(
            fmt::format("it pays accounts that have a balance ({}); take it from them "
                        "with --payees, or say --not-accounts if it has nothing to do "
                        "with what they are owed",
                        left));
    }
    const auto records = records_of(explanation, debits, is_done);
    for (const auto& each : records) {
        if (const auto recorded = record_explanation(each); !recorded) {
            return refuse(recorded.error());
        }
    }
    if (is_done) std::erase(status_.unknown_spends, txid);
    if (is_done && round_hold_.hold == PayoutHold::unknown_spend) {
        round_hold_ = {};
        next_steady_ms_ = parts_.clock.steady_ms();  // look again with the next step
    }
    return records;
}

std::vector<share::ExplainRecord> Payer::Core::records_of(
    const SpendExplanation& explanation, const std::map<std::string, Amount>& debits,
    bool is_done) const {
    std::vector<share::ExplainRecord> records;
    share::ExplainRecord record;
    record.txid = explanation.txid;
    record.at_wall_ms = parts_.clock.wall_ms();
    record.note = explanation.note.substr(0, share::kEvidenceLimit);
    for (const auto& [account, amount] : debits) {
        record.account = account;
        record.amount_sat = amount.sat();
        records.push_back(record);
    }
    record.account.clear();
    record.amount_sat = 0;
    if (is_done) records.push_back(record);
    return records;
}

std::int64_t fee_rate_of(const PayerSettings& settings, std::optional<std::int64_t> estimate) {
    return std::clamp(estimate.value_or(settings.fallback_fee_rate), settings.min_fee_rate,
                      settings.max_fee_rate);
}

Payer::Payer(PayerSettings settings, LedgerReader& reader, FactSink& sink, Wallet& wallet,
             SpendWitness& witness, metrics::Registry& registry, const base::Clock& clock,
             base::Logger& logger)
    : core_(std::make_unique<Core>(std::move(settings), reader, sink, wallet, witness, registry,
                                   clock, logger)) {}

Payer::~Payer() = default;

PayoutStatus Payer::step() {
    return core_->step();
}
Stored<PayoutRound> Payer::run(bool dry) {
    return core_->run(dry);
}
Stored<PayoutRow> Payer::approve(share::PayoutId id, std::string_view note) {
    return core_->approve(id, note);
}
Stored<PayoutRow> Payer::cancel(share::PayoutId id, std::string_view note) {
    return core_->cancel(id, note);
}
Stored<PayoutRow> Payer::replace(share::PayoutId id, std::string_view note) {
    return core_->replace(id, note);
}
Stored<std::vector<share::ExplainRecord>> Payer::explain(const SpendExplanation& explanation) {
    return core_->explain(explanation);
}
PayoutStatus Payer::status() const {
    return core_->status();
}

}  // namespace adit::ledger
