#include "ledger/journal.h"

namespace adit::ledger {

Balance& Balance::operator+=(const Balance& other) {
    posted += other.posted;
    pending += other.pending;
    reserved += other.reserved;
    return *this;
}

Balance& Balance::operator-=(const Balance& other) {
    posted -= other.posted;
    pending -= other.pending;
    reserved -= other.reserved;
    return *this;
}

Balance moved_by(Phase phase, Amount amount) {
    switch (phase) {
        case Phase::pend:
            return {.posted = {}, .pending = amount, .reserved = {}};
        case Phase::post:
            return {.posted = amount, .pending = -amount, .reserved = {}};
        case Phase::void_:
            return {.posted = {}, .pending = -amount, .reserved = {}};
        case Phase::reverse:
            return {.posted = -amount, .pending = {}, .reserved = {}};
        case Phase::direct:
            return {.posted = amount, .pending = {}, .reserved = {}};
        case Phase::reserve:
            return {.posted = {}, .pending = {}, .reserved = amount};
        case Phase::release:
            return {.posted = {}, .pending = {}, .reserved = -amount};
        case Phase::settle:
            return {.posted = amount, .pending = {}, .reserved = -amount};
        case Phase::unsettle:
            return {.posted = -amount, .pending = {}, .reserved = amount};
    }
    return {};
}

std::string_view name_of(Phase phase) {
    switch (phase) {
        case Phase::pend:
            return "pend";
        case Phase::post:
            return "post";
        case Phase::void_:
            return "void";
        case Phase::reverse:
            return "reverse";
        case Phase::direct:
            return "direct";
        case Phase::reserve:
            return "reserve";
        case Phase::release:
            return "release";
        case Phase::settle:
            return "settle";
        case Phase::unsettle:
            return "unsettle";
    }
    return "unknown";
}

std::string_view name_of(Purpose purpose) {
    switch (purpose) {
        case Purpose::block_part:
            return "block_part";
        case Purpose::block_fee:
            return "block_fee";
        case Purpose::donation:
            return "donation";
        case Purpose::coinbase_paid:
            return "coinbase_paid";
        case Purpose::payout:
            return "payout";
        case Purpose::payout_fee:
            return "payout_fee";
        case Purpose::network_fee:
            return "network_fee";
        case Purpose::explained:
            return "explained";
    }
    return "unknown";
}

PayoutState state_after(share::PayoutFact fact) {
    switch (fact) {
        case share::PayoutFact::approved:
        case share::PayoutFact::reanchored:
            return PayoutState::ready;
        case share::PayoutFact::confirmed:
            return PayoutState::confirmed;
        case share::PayoutFact::unconfirmed:
            return PayoutState::signed_;
        case share::PayoutFact::conflicted:
            return PayoutState::conflicted;
        case share::PayoutFact::cancelled:
            return PayoutState::cancelled;
        case share::PayoutFact::buried:
            return PayoutState::buried;
    }
    return PayoutState::conflicted;
}

BlockState state_after(share::BlockFact fact) {
    switch (fact) {
        case share::BlockFact::confirmed:
            return BlockState::confirmed;
        case share::BlockFact::contested:
            return BlockState::contested;
        case share::BlockFact::mature:
            return BlockState::mature;
        case share::BlockFact::orphaned:
            return BlockState::orphaned;
    }
    return BlockState::found;
}

std::string_view name_of(BlockState state) {
    switch (state) {
        case BlockState::found:
            return "found";
        case BlockState::confirmed:
            return "confirmed";
        case BlockState::contested:
            return "contested";
        case BlockState::mature:
            return "mature";
        case BlockState::orphaned:
            return "orphaned";
    }
    return "unknown";
}

bool is_final(PayoutState state) {
    return state == PayoutState::cancelled || state == PayoutState::buried;
}

std::string_view name_of(PayoutState state) {
    switch (state) {
        case PayoutState::waiting_approval:
            return "waiting_approval";
        case PayoutState::ready:
            return "ready";
        case PayoutState::signed_:
            return "signed";
        case PayoutState::confirmed:
            return "confirmed";
        case PayoutState::conflicted:
            return "conflicted";
        case PayoutState::cancelled:
            return "cancelled";
        case PayoutState::buried:
            return "buried";
    }
    return "unknown";
}

std::string_view describe(FactRefusal refusal) {
    switch (refusal) {
        case FactRefusal::repeated:
            return "the very same fact was applied before";
        case FactRefusal::unknown_block:
            return "no such block was recorded";
        case FactRefusal::duplicate_block:
            return "another record has this block already";
        case FactRefusal::out_of_order:
            return "not the transition or attempt that comes next";
        case FactRefusal::impossible:
            return "no such change from this state";
        case FactRefusal::reward_missing:
            return "a confirmed block without its coinbase value";
        case FactRefusal::unknown_payout:
            return "no such payout was recorded";
        case FactRefusal::duplicate_payout:
            return "another payout has this number already";
        case FactRefusal::overdraft:
            return "more than the account has available";
        case FactRefusal::duplicate_payee:
            return "an account is paid twice in one payout";
        case FactRefusal::bad_amounts:
            return "amounts beyond all coins, or an output above its debit";
        case FactRefusal::duplicate_transaction:
            return "the transaction was signed before";
        case FactRefusal::stale_snapshot:
            return "a snapshot whose number is not above the last one";
        case FactRefusal::unknown_account:
            return "no such account, or one that holds no miner's money";
        case FactRefusal::already_explained:
            return "the spend was explained before";
    }
    return "unknown";
}

}  // namespace adit::ledger
