#include "ledger/payout_follower.h"

#include <algorithm>
#include <ranges>

namespace adit::ledger {
namespace {

using share::PayoutFact;

constexpr std::int32_t kBuriedDepth = 100;
// So many transactions are signed for one payout at most.
constexpr std::uint32_t kMaxAttempts = 20;
// One step leads to the next; more than these in one go would be a loop.
constexpr int kMaxSteps = 6;

share::PayoutFactRecord fact_of(PayoutFact what, const chain::Hash256& txid, std::string evidence) {
    share::PayoutFactRecord fact;
    fact.fact = what;
    fact.txid = txid;
    fact.evidence = std::move(evidence);
    return fact;
}

// The newest transaction that spends the payout's present anchor; null: none does.
const Attempt* newest_of(const OpenPayout& payout) {
    for (const auto& attempt : payout.attempts | std::views::reverse) {
        if (spends(attempt.transaction, payout.row.anchor)) return &attempt;
    }
    return nullptr;
}

}  // namespace

OrHeld<bool> PayoutFollower::follow(OpenPayout payout, OutPoints& taken, const WalletTip& tip) {
    for (int i = 0; i < kMaxSteps; ++i) {
        const auto moved = step(payout, taken, tip);
        if (moved && !*moved) return i > 0;
        // Also a step that ended in the middle may have signed something.
        const auto reloaded = reload(payout, taken);
        if (!moved) return std::unexpected(moved.error());
        if (!reloaded) return std::unexpected(reloaded.error());
    }
    return true;
}

OrHeld<void> PayoutFollower::reload(OpenPayout& payout, OutPoints& taken) {
    const auto row = load_row(parts_.reader, payout.row.id);
    if (!row) return std::unexpected(row.error());
    auto loaded = load(parts_.reader, *row);
    if (!loaded) return std::unexpected(loaded.error());
    payout = std::move(*loaded);
    add_outpoints(taken, payout);
    return {};
}

void PayoutFollower::forget(share::PayoutId id) {
    alerts_.erase(id);
    waiting_.erase(id);
}

void PayoutFollower::keep_only(const std::set<share::PayoutId>& open) {
    const auto is_gone = [&](const auto& entry) { return !open.contains(entry.first); };
    std::erase_if(alerts_, is_gone);
    std::erase_if(waiting_, is_gone);
}

OrHeld<bool> PayoutFollower::step(const OpenPayout& payout, const OutPoints& taken,
                                  const WalletTip& tip) {
    switch (payout.row.state) {
        case PayoutState::waiting_approval:
        case PayoutState::ready:
        case PayoutState::signed_:
        case PayoutState::conflicted: {
            const auto confirmed = note_confirmation(payout);
            if (!confirmed) return std::unexpected(confirmed.error());
            if (*confirmed) return **confirmed;
            const auto conflict = note_conflict(payout);
            if (!conflict) return std::unexpected(conflict.error());
            if (*conflict) return **conflict;
            return follow_unspent(payout, taken, tip);
        }
        case PayoutState::confirmed:
            return follow_confirmed(payout);
        case PayoutState::cancelled:
        case PayoutState::buried:
            return false;
    }
    return false;
}

OrHeld<std::optional<bool>> PayoutFollower::note_confirmation(const OpenPayout& payout) {
    for (const auto& attempt : payout.attempts) {
        const auto& txid = attempt.record.txid;
        const auto status = parts_.wallet.status(txid);
        if (!status) return held_by(status.error());
        if (!*status || (*status)->confirmations < 1) continue;
        alerts_.erase(payout.row.id);
        const auto& in = **status;
        if (in.confirmations < parts_.settings.confirmations) return false;
        auto fact =
            fact_of(PayoutFact::confirmed, txid,
                    fmt::format("{}: in block {} at height {}, {} deep", parts_.wallet.name(),
                                in.block.rpc_hex(), in.height, in.confirmations));
        fact.block = in.block;
        fact.height = in.height;
        const auto row = record_fact(parts_, payout.row, fact);
        if (!row) return std::unexpected(row.error());
        parts_.logger.info("payout", "payout confirmed",
                           {{"payout", row->id},
                            {"txid", txid.rpc_hex()},
                            {"height", in.height},
                            {"payees", row->payees},
                            {"paid_btc", row->outputs.btc()}});
        return true;
    }
    return std::optional<bool>();
}

OrHeld<std::optional<bool>> PayoutFollower::note_conflict(const OpenPayout& payout) {
    const auto& row = payout.row;
    const auto state = anchor_state(parts_.wallet, row.anchor);
    if (!state) return std::unexpected(state.error());
    if (state->unspent) {
        clear_alert(row.id, AlertKind::anchor);
        return std::optional<bool>();
    }
    const auto anchor = fmt::format("{}:{}", row.anchor.txid.rpc_hex(), row.anchor.index);
    if (!state->rival) {
        alert(row.id, AlertKind::anchor,
              fmt::format("the output {} that payout {} spends is not in the chain at the moment; "
                          "it goes on when it is back",
                          anchor, row.id));
        return false;
    }
    const auto& rival = *state->rival;
    // A block came between the two questions.
    if (is_attempt(payout, rival.txid)) return false;
    if (row.state == PayoutState::waiting_approval) {
        alert(row.id, AlertKind::anchor,
              fmt::format("the coin that payout {} was to spend is gone; cancel it (`adit payout "
                          "cancel {}`), and it is decided anew",
                          row.id, row.id));
        return false;
    }
    if (row.state != PayoutState::conflicted) {
        const auto adopted = adopt(payout, rival.txid);
        if (!adopted) return std::unexpected(adopted.error());
        if (*adopted) return true;
    }
    const auto by = rival.txid.is_zero() ? std::string("one that the wallet does not know")
                                         : rival.txid.rpc_hex();
    alert(row.id, AlertKind::anchor,
          fmt::format("the anchor of payout {} is gone: spent by another transaction, {}; when "
                      "that is 100 deep, `adit payout replace {}` pays from another coin, if the "
                      "miners were not paid by it",
                      row.id, by, row.id));
    if (row.state == PayoutState::conflicted) return false;
    const auto after = record_fact(
        parts_, row,
        fact_of(PayoutFact::conflicted, rival.txid,
                fmt::format("{}: {} cannot be spent any more, {}:{} is spent by {}, {} deep",
                            parts_.wallet.name(), anchor, rival.outpoint.txid.rpc_hex(),
                            rival.outpoint.index, by, rival.confirmations)));
    if (!after) return std::unexpected(after.error());
    return true;
}

OrHeld<bool> PayoutFollower::follow_unspent(const OpenPayout& payout, const OutPoints& taken,
                                            const WalletTip& tip) {
    switch (payout.row.state) {
        case PayoutState::waiting_approval:
            return false;
        case PayoutState::ready:
            return sign_first(payout, taken);
        case PayoutState::conflicted:
            return send_after_conflict(payout);
        case PayoutState::signed_:
            return keep_waiting(payout, taken, tip);
        case PayoutState::confirmed:
        case PayoutState::cancelled:
        case PayoutState::buried:
            return false;
    }
    return false;
}

OrHeld<bool> PayoutFollower::send_after_conflict(const OpenPayout& payout) {
    const auto id = payout.row.id;
    const auto* newest = newest_of(payout);
    if (newest == nullptr) {
        alert(id, AlertKind::transaction,
              fmt::format("the coin of payout {} had been spent and is back; nothing was signed, "
                          "so cancel it (`adit payout cancel {}`), and it is decided anew",
                          id, id));
        return false;
    }
    const auto status = parts_.wallet.status(newest->record.txid);
    if (!status) return held_by(status.error());
    if (*status && (*status)->in_mempool) return false;
    const auto sent = send(payout, *newest);
    if (!sent) return sent;
    return false;
}

OrHeld<bool> PayoutFollower::adopt(const OpenPayout& payout, const chain::Hash256& rival) {
    if (rival.is_zero()) return false;
    const auto transaction = parts_.wallet.transaction(rival);
    if (!transaction) return held_by(transaction.error());
    if (!*transaction || !spends(**transaction, payout.row.anchor) ||
        !pays_all(**transaction, payout.payees)) {
        return false;
    }
    Amount fee;
    for (const auto& input : (*transaction)->inputs) {
        const auto parent = parts_.wallet.transaction(input.previous.txid);
        if (!parent) return held_by(parent.error());
        // The fee of a transaction with foreign inputs cannot be told.
        if (!*parent || input.previous.index >= (*parent)->outputs.size()) return false;
        fee += Amount::of((*parent)->outputs[input.previous.index].value_sat);
    }
    for (const auto& output : (*transaction)->outputs)
        fee -= Amount::of(output.value_sat);
    if (fee < Amount{}) return false;
    share::PayoutSignedRecord record;
    record.payout = payout.row.id;
    record.attempt = payout.row.attempts + 1;
    record.txid = rival;
    record.fee_sat = fee.sat();
    record.at_wall_ms = parts_.clock.wall_ms();
    record.raw = (*transaction)->serialize();
    const auto logged = log_attempt(record);
    if (!logged) return std::unexpected(logged.error());
    parts_.logger.warning("payout", "somebody else has replaced a payout by one that pays the same",
                          {{"payout", payout.row.id}, {"txid", rival.rpc_hex()}});
    return true;
}

OrHeld<void> PayoutFollower::log_attempt(const share::PayoutSignedRecord& record) {
    if (const auto recorded = parts_.sink.record(record); !recorded) {
        return held_by_ledger(recorded.error());
    }
    const auto after = load_row(parts_.reader, record.payout);
    if (!after) return std::unexpected(after.error());
    if (after->attempts != record.attempt || after->txid != record.txid) {
        return held_as(PayoutHold::refused,
                       fmt::format("the ledger refused transaction {} of payout {}",
                                   record.txid.rpc_hex(), record.payout));
    }
    return {};
}

OrHeld<bool> PayoutFollower::sign_first(const OpenPayout& payout, const OutPoints& taken) {
    const auto anchor = parts_.wallet.coin(payout.row.anchor);
    if (!anchor) return held_by(anchor.error());
    if (!*anchor) return false;  // the next step sees why
    const auto rate = current_fee_rate(parts_);
    if (!rate) return std::unexpected(rate.error());
    auto coins = free_coins(parts_, taken);
    if (!coins) return std::unexpected(coins.error());
    FundingRequest request;
    request.first = {**anchor};
    request.more = std::move(*coins);
    request.fee_rate = *rate;
    return sign(payout, std::move(request));
}

OrHeld<bool> PayoutFollower::sign(const OpenPayout& payout, FundingRequest request) {
    const auto& row = payout.row;
    request.outputs = outputs_of(payout.payees);
    request.change_script = parts_.settings.change_script;
    const auto funding = fund(request);
    if (!funding) {
        return held_as(PayoutHold::wallet_short,
                       fmt::format("{} cannot pay payout {}: {}", parts_.wallet.name(), row.id,
                                   funding.error().text()));
    }
    const auto unsigned_tx = build_payout(*funding, request.outputs, request.change_script);
    const auto transaction = parts_.wallet.sign(unsigned_tx, funding->coins);
    if (!transaction) return held_by(transaction.error());
    if (const auto fault = fault_of(*transaction, row.anchor, payout.payees, request.change_script);
        fault || transaction->txid() != unsigned_tx.txid()) {
        return held_as(
            PayoutHold::refused,
            fmt::format("{} signed something else than payout {}: {}", parts_.wallet.name(), row.id,
                        fault.value_or("it has another id")));
    }
    share::PayoutSignedRecord record;
    record.payout = row.id;
    record.attempt = row.attempts + 1;
    record.txid = transaction->txid();
    record.fee_sat = funding->fee.sat();
    record.at_wall_ms = parts_.clock.wall_ms();
    record.raw = transaction->serialize();
    if (const auto taken = parts_.wallet.test(record.raw); !taken) return held_by(taken.error());

    const auto logged = log_attempt(record);
    if (!logged) return std::unexpected(logged.error());
    parts_.logger.info("payout", record.attempt == 1 ? "payout signed" : "payout signed again",
                       {{"payout", row.id},
                        {"txid", record.txid.rpc_hex()},
                        {"payees", row.payees},
                        {"paid_btc", row.outputs.btc()},
                        {"fee_btc", funding->fee.btc()},
                        {"size_vb", virtual_size(*transaction)}});
    waiting_.erase(row.id);
    const auto sent = send(payout, {record, *transaction});
    if (!sent) return std::unexpected(sent.error());
    return true;
}

OrHeld<bool> PayoutFollower::send(const OpenPayout& payout, const Attempt& attempt) {
    // The coins are the payout's own before anybody hears of it.
    std::vector<chain::OutPoint> outpoints;
    for (const auto& input : attempt.transaction.inputs)
        outpoints.push_back(input.previous);
    if (const auto locked = parts_.wallet.lock(outpoints); !locked) return held_by(locked.error());
    if (const auto sent = parts_.wallet.broadcast(attempt.record.raw); !sent) {
        if (sent.error().fault != WalletFault::refused) return held_by(sent.error());
        alert(payout.row.id, AlertKind::transaction,
              fmt::format("the node does not take transaction {} of payout {}: {}",
                          attempt.record.txid.rpc_hex(), payout.row.id, sent.error().message));
        return false;
    }
    parts_.metrics.broadcasts.add();
    clear_alert(payout.row.id, AlertKind::transaction);
    return true;
}

OrHeld<bool> PayoutFollower::keep_waiting(const OpenPayout& payout, const OutPoints& taken,
                                          const WalletTip& tip) {
    const auto* newest = newest_of(payout);
    if (newest == nullptr) return sign_first(payout, taken);
    const auto status = parts_.wallet.status(newest->record.txid);
    if (!status) return held_by(status.error());
    if (*status && (*status)->in_mempool) {
        clear_alert(payout.row.id, AlertKind::transaction);
    } else {
        const auto sent = send(payout, *newest);
        if (!sent) return sent;
        if (!*sent) {
            const auto lost = has_lost_coins(*newest);
            if (!lost) return lost;
            if (*lost) {
                const auto rate = current_fee_rate(parts_);
                if (!rate) return std::unexpected(rate.error());
                return sign_again(payout, *newest, taken, {*rate, Amount{}});
            }
        }
    }
    auto& waiting = waiting_[payout.row.id];
    if (waiting.attempt != newest->record.attempt) {
        waiting = {newest->record.attempt, tip.height};
    }
    if (tip.height - waiting.since_height < parts_.settings.bump_after_blocks) return false;
    waiting.since_height = tip.height;  // tried once; again after as many blocks
    return raise_fee(payout, *newest, taken);
}

OrHeld<bool> PayoutFollower::raise_fee(const OpenPayout& payout, const Attempt& last,
                                       const OutPoints& taken) {
    const auto id = payout.row.id;
    const auto rate = current_fee_rate(parts_);
    if (!rate) return std::unexpected(rate.error());
    const auto bumped = bump(Amount::of(last.record.fee_sat), virtual_size(last.transaction), *rate,
                             parts_.settings.max_fee_rate);
    if (!bumped || payout.attempts.size() >= kMaxAttempts) {
        alert(id, AlertKind::fee,
              fmt::format("payout {} has waited for {} blocks and its fee is as high as it may be; "
                          "raise payout.max_fee_rate or wait",
                          id, parts_.settings.bump_after_blocks));
        return false;
    }
    const auto raised = sign_again(payout, last, taken, *bumped);
    if (raised && *raised) parts_.metrics.bumps.add();
    return raised;
}

OrHeld<bool> PayoutFollower::has_lost_coins(const Attempt& attempt) {
    for (const auto& input : attempt.transaction.inputs) {
        const auto coin = parts_.wallet.coin(input.previous);
        if (!coin) return held_by(coin.error());
        if (!*coin) return true;
    }
    return false;
}

OrHeld<bool> PayoutFollower::sign_again(const OpenPayout& payout, const Attempt& last,
                                        const OutPoints& taken, const BumpedFee& fee) {
    FundingRequest request;
    request.fee_rate = fee.fee_rate;
    request.min_fee = fee.min_fee;
    for (const auto& input : last.transaction.inputs) {
        const auto coin = parts_.wallet.coin(input.previous);
        if (!coin) return held_by(coin.error());
        if (*coin) request.first.push_back(**coin);
    }
    const auto is_anchor = [&](const Coin& coin) { return coin.outpoint == payout.row.anchor; };
    if (std::ranges::none_of(request.first, is_anchor)) return false;  // gone just now
    auto coins = free_coins(parts_, taken);
    if (!coins) return std::unexpected(coins.error());
    request.more = std::move(*coins);
    return sign(payout, std::move(request));
}

OrHeld<bool> PayoutFollower::follow_confirmed(const OpenPayout& payout) {
    const auto& row = payout.row;
    const auto status = parts_.wallet.status(row.txid);
    if (!status) return held_by(status.error());
    if (!*status) {
        alert(row.id, AlertKind::transaction,
              fmt::format("{} does not know transaction {} of payout {} any more; is it the wallet "
                          "that paid?",
                          parts_.wallet.name(), row.txid.rpc_hex(), row.id));
        return false;
    }
    const auto& in = **status;
    if (in.confirmations < 1 || in.block != row.block) {
        const auto now = in.confirmations < 1 ? std::string("in no block")
                                              : fmt::format("in block {}", in.block.rpc_hex());
        parts_.logger.warning("payout", "the block of a payout has left the chain",
                              {{"payout", row.id},
                               {"txid", row.txid.rpc_hex()},
                               {"block", row.block.rpc_hex()},
                               {"now", now}});
        const auto after =
            record_fact(parts_, row,
                        fact_of(PayoutFact::unconfirmed, row.txid,
                                fmt::format("{}: not in block {} any more, now {}",
                                            parts_.wallet.name(), row.block.rpc_hex(), now)));
        if (!after) return std::unexpected(after.error());
        return true;
    }
    alerts_.erase(row.id);
    if (in.confirmations < kBuriedDepth) return false;
    auto fact = fact_of(PayoutFact::buried, row.txid,
                        fmt::format("{}: {} deep", parts_.wallet.name(), in.confirmations));
    fact.block = in.block;
    fact.height = in.height;
    const auto after = record_fact(parts_, row, fact);
    if (!after) return std::unexpected(after.error());
    return true;
}

std::vector<std::string> PayoutFollower::alerts() const {
    std::vector<std::string> texts;
    for (const auto& [id, alert] : alerts_)
        texts.push_back(alert.text);
    return texts;
}

void PayoutFollower::alert(share::PayoutId id, AlertKind kind, std::string text) {
    auto& last = alerts_[id];
    if (last.text == text) return;
    last = {kind, std::move(text)};
    parts_.logger.error("payout", last.text, {{"payout", id}});
}

void PayoutFollower::clear_alert(share::PayoutId id, AlertKind kind) {
    const auto found = alerts_.find(id);
    if (found != alerts_.end() && found->second.kind == kind) alerts_.erase(found);
}

}  // namespace adit::ledger
