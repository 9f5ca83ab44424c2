#include "ledger/payout_book.h"

#include "ledger/posting.h"

#include <set>

namespace adit::ledger {
namespace {

using share::PayoutFact;

bool is_possible(const PayoutRow& payout, PayoutFact fact) {
    const auto from = payout.state;
    const bool is_signed = payout.attempts > 0;
    switch (fact) {
        case PayoutFact::approved:
            return from == PayoutState::waiting_approval;
        case PayoutFact::confirmed:  // also by a transaction that was given up
            return from == PayoutState::signed_ || from == PayoutState::conflicted ||
                   (from == PayoutState::ready && is_signed);
        case PayoutFact::unconfirmed:
        case PayoutFact::buried:
            return from == PayoutState::confirmed;
        case PayoutFact::conflicted:
            return from == PayoutState::waiting_approval || from == PayoutState::ready ||
                   from == PayoutState::signed_;
        case PayoutFact::reanchored:
            return from == PayoutState::conflicted;
        case PayoutFact::cancelled:
            return !is_signed && (from == PayoutState::waiting_approval ||
                                  from == PayoutState::ready || from == PayoutState::conflicted);
    }
    return false;
}

bool names_transaction(PayoutFact fact) {
    return fact == PayoutFact::confirmed || fact == PayoutFact::unconfirmed ||
           fact == PayoutFact::buried;
}

bool is_repeated(const PayoutRow& payout, const share::PayoutFactRecord& record) {
    if (record.transition != payout.transition) return false;
    // A payout that was signed after the fact is in another state than the fact led to.
    const bool is_signed_since =
        payout.state == PayoutState::signed_ && state_after(record.fact) == PayoutState::ready;
    if (!is_signed_since && state_after(record.fact) != payout.state) return false;
    if (names_transaction(record.fact) && record.txid != payout.txid) return false;
    return record.fact != PayoutFact::reanchored || record.anchor == payout.anchor;
}

void add_payees(Posting& posting, Phase phase, std::span<const share::Payee> payees) {
    for (const auto& payee : payees) {
        posting.add(Purpose::payout, phase, payee.account, payee.account, kSentAccount,
                    Amount::of(payee.output_sat));
        posting.add(Purpose::payout_fee, phase, payee.account, payee.account, kNetworkFeeAccount,
                    Amount::of(payee.debit_sat - payee.output_sat));
    }
}

void add_fee(Posting& posting, Phase phase, Amount fee) {
    posting.add(Purpose::network_fee, phase, kNetworkFeeAccount, kNetworkFeeAccount,
                kMinersFeeAccount, fee);
}

Posting posting_of(const share::PayoutFactRecord& record, std::span<const share::Payee> payees,
                   Amount fee, const Fact& fact) {
    Posting posting(fact, reference_of(record.payout), record.transition);
    switch (record.fact) {
        case PayoutFact::confirmed:
            add_payees(posting, Phase::settle, payees);
            add_fee(posting, Phase::direct, fee);
            break;
        case PayoutFact::unconfirmed:
            add_payees(posting, Phase::unsettle, payees);
            add_fee(posting, Phase::reverse, fee);
            break;
        case PayoutFact::cancelled:
            add_payees(posting, Phase::release, payees);
            break;
        case PayoutFact::approved:
        case PayoutFact::conflicted:
        case PayoutFact::reanchored:
        case PayoutFact::buried:
            break;  // no money moves
    }
    return posting;
}

PayoutRow row_of(const share::PayoutIntentRecord& intent, const Fact& fact) {
    PayoutRow row;
    row.id = intent.payout;
    row.state = intent.needs_approval ? PayoutState::waiting_approval : PayoutState::ready;
    row.anchor = intent.anchor;
    row.anchor_value = Amount::of(intent.anchor_value_sat);
    for (const auto& payee : intent.payees) {
        row.debits += Amount::of(payee.debit_sat);
        row.outputs += Amount::of(payee.output_sat);
    }
    row.payees = static_cast<std::uint32_t>(intent.payees.size());
    row.created_ms = intent.at_wall_ms;
    row.changed_ms = fact.time_ms;
    return row;
}

void note(PayoutRow& payout, const share::PayoutFactRecord& record, const Fact& fact) {
    payout.state = state_after(record.fact);
    payout.transition = record.transition;
    payout.changed_ms = fact.time_ms;
    payout.evidence = record.evidence;
    if (names_transaction(record.fact)) payout.txid = record.txid;
    if (record.fact == PayoutFact::confirmed || record.fact == PayoutFact::buried) {
        payout.block = record.block;
        payout.height = record.height;
    }
    if (record.fact == PayoutFact::unconfirmed) {
        payout.block = {};
        payout.height = 0;
    }
    if (record.fact == PayoutFact::reanchored) {
        payout.anchor = record.anchor;
        payout.anchor_value = Amount::of(record.anchor_value_sat);
    }
}

}  // namespace

chain::Hash256 reference_of(share::PayoutId payout) {
    chain::Hash256 reference;
    for (std::size_t i = 0; i < 8; ++i)
        reference.bytes[i] = static_cast<std::uint8_t>(payout >> (56 - 8 * i));
    return reference;
}

std::optional<FactRefusal> PayoutBook::check(const share::PayoutIntentRecord& intent) {
    if (intent.payees.empty() || !Amount::from_sat(intent.anchor_value_sat)) {
        return FactRefusal::bad_amounts;
    }
    std::set<std::string_view> accounts;
    std::int64_t debits_sat = 0;
    for (const auto& payee : intent.payees) {
        if (payee.output_sat <= 0 || payee.debit_sat < payee.output_sat ||
            payee.debit_sat > Amount::kMaxSat) {
            return FactRefusal::bad_amounts;
        }
        debits_sat += payee.debit_sat;
        if (debits_sat > Amount::kMaxSat) return FactRefusal::bad_amounts;
        if (!accounts.insert(payee.account).second) return FactRefusal::duplicate_payee;
        if (is_counter_account(payee.account)) return FactRefusal::unknown_account;
    }
    for (const auto& payee : intent.payees) {
        const auto balance = journal_.balance(payee.account);
        // Below zero: immature coinbases have paid more than they credit, from what is posted.
        const auto available = balance.available() + std::min(balance.pending, Amount{});
        if (Amount::of(payee.debit_sat) > available) return FactRefusal::overdraft;
    }
    return std::nullopt;
}

std::optional<FactRefusal> PayoutBook::on(const share::PayoutIntentRecord& intent,
                                          const Fact& fact) {
    if (const auto known = journal_.payout(intent.payout)) {
        return known->created_ms == intent.at_wall_ms &&
                       journal_.payees(intent.payout) == intent.payees
                   ? FactRefusal::repeated
                   : FactRefusal::duplicate_payout;
    }
    if (const auto refusal = check(intent)) return refusal;
    Posting posting(fact, reference_of(intent.payout), 0);
    add_payees(posting, Phase::reserve, intent.payees);
    if (!posting.fits(journal_)) return FactRefusal::bad_amounts;
    // Nothing can fail from here.
    journal_.put_payout(row_of(intent, fact));
    journal_.put_payees(intent.payout, intent.payees);
    posting.post(journal_);
    return std::nullopt;
}

std::optional<FactRefusal> PayoutBook::on(const share::PayoutSignedRecord& attempt,
                                          const Fact& fact) {
    auto payout = journal_.payout(attempt.payout);
    if (!payout) return FactRefusal::unknown_payout;
    if (journal_.payout_of(attempt.txid)) {
        const auto attempts = journal_.attempts(attempt.payout);
        return std::ranges::find(attempts, attempt) != attempts.end()
                   ? FactRefusal::repeated
                   : FactRefusal::duplicate_transaction;
    }
    if (attempt.attempt != payout->attempts + 1) return FactRefusal::out_of_order;
    if (payout->state != PayoutState::ready && payout->state != PayoutState::signed_) {
        return FactRefusal::impossible;
    }
    if (attempt.fee_sat < 0 || !Amount::from_sat(attempt.fee_sat)) return FactRefusal::bad_amounts;
    // Nothing can fail from here.
    journal_.add_attempt(attempt);
    payout->state = PayoutState::signed_;
    payout->attempts = attempt.attempt;
    payout->txid = attempt.txid;
    payout->changed_ms = fact.time_ms;
    journal_.put_payout(*payout);
    return std::nullopt;
}

std::optional<Amount> PayoutBook::fee_of(const PayoutRow& payout, const chain::Hash256& txid) {
    for (const auto& attempt : journal_.attempts(payout.id)) {
        if (attempt.txid == txid) return Amount::of(attempt.fee_sat);
    }
    return std::nullopt;
}

std::optional<FactRefusal> PayoutBook::check(const PayoutRow& payout,
                                             const share::PayoutFactRecord& record) {
    if (is_repeated(payout, record)) return FactRefusal::repeated;
    if (record.transition != payout.transition + 1) return FactRefusal::out_of_order;
    if (!is_possible(payout, record.fact)) return FactRefusal::impossible;
    switch (record.fact) {
        case PayoutFact::confirmed:
            return fee_of(payout, record.txid) ? std::nullopt
                                               : std::optional(FactRefusal::impossible);
        case PayoutFact::unconfirmed:
        case PayoutFact::buried:
            return record.txid == payout.txid ? std::nullopt
                                              : std::optional(FactRefusal::impossible);
        case PayoutFact::reanchored:
            if (record.anchor == payout.anchor) return FactRefusal::impossible;
            return Amount::from_sat(record.anchor_value_sat)
                       ? std::nullopt
                       : std::optional(FactRefusal::bad_amounts);
        case PayoutFact::approved:
        case PayoutFact::conflicted:
        case PayoutFact::cancelled:
            return std::nullopt;
    }
    return FactRefusal::impossible;
}

std::optional<FactRefusal> PayoutBook::on(const share::PayoutFactRecord& record, const Fact& fact) {
    auto payout = journal_.payout(record.payout);
    if (!payout) return FactRefusal::unknown_payout;
    if (const auto refusal = check(*payout, record)) return refusal;
    const auto payees = journal_.payees(record.payout);
    const auto fee = fee_of(*payout, record.txid).value_or(Amount{});
    auto posting = posting_of(record, payees, fee, fact);
    if (!posting.fits(journal_)) return FactRefusal::bad_amounts;
    // Nothing can fail from here.
    posting.post(journal_);
    note(*payout, record, fact);
    journal_.put_payout(*payout);
    return std::nullopt;
}

}  // namespace adit::ledger
