#include "sim/verdict.h"

namespace adit::sim {

std::string_view text_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::accepted:
            return "";
        case Verdict::inconclusive:
            return "inconclusive";
        case Verdict::duplicate:
            return "duplicate";
        case Verdict::duplicate_invalid:
            return "duplicate-invalid";
        case Verdict::duplicate_inconclusive:
            return "duplicate-inconclusive";
        case Verdict::inconclusive_not_best_prevblk:
            return "inconclusive-not-best-prevblk";
        case Verdict::decode_failed:
            return "Block decode failed";
        case Verdict::high_hash:
            return "high-hash";
        case Verdict::prev_blk_not_found:
            return "prev-blk-not-found";
        case Verdict::bad_prevblk:
            return "bad-prevblk";
        case Verdict::bad_diffbits:
            return "bad-diffbits";
        case Verdict::time_too_old:
            return "time-too-old";
        case Verdict::time_too_new:
            return "time-too-new";
        case Verdict::bad_version:
            return "bad-version";
        case Verdict::bad_txnmrklroot:
            return "bad-txnmrklroot";
        case Verdict::bad_txns_duplicate:
            return "bad-txns-duplicate";
        case Verdict::bad_blk_length:
            return "bad-blk-length";
        case Verdict::bad_cb_missing:
            return "bad-cb-missing";
        case Verdict::bad_cb_multiple:
            return "bad-cb-multiple";
        case Verdict::bad_blk_sigops:
            return "bad-blk-sigops";
        case Verdict::bad_txns_vin_empty:
            return "bad-txns-vin-empty";
        case Verdict::bad_txns_vout_empty:
            return "bad-txns-vout-empty";
        case Verdict::bad_txns_oversize:
            return "bad-txns-oversize";
        case Verdict::bad_txns_vout_negative:
            return "bad-txns-vout-negative";
        case Verdict::bad_txns_vout_toolarge:
            return "bad-txns-vout-toolarge";
        case Verdict::bad_txns_txouttotal_toolarge:
            return "bad-txns-txouttotal-toolarge";
        case Verdict::bad_txns_inputs_duplicate:
            return "bad-txns-inputs-duplicate";
        case Verdict::bad_cb_length:
            return "bad-cb-length";
        case Verdict::bad_txns_prevout_null:
            return "bad-txns-prevout-null";
        case Verdict::bad_txns_nonfinal:
            return "bad-txns-nonfinal";
        case Verdict::bad_cb_height:
            return "bad-cb-height";
        case Verdict::bad_witness_nonce_size:
            return "bad-witness-nonce-size";
        case Verdict::bad_witness_merkle_match:
            return "bad-witness-merkle-match";
        case Verdict::unexpected_witness:
            return "unexpected-witness";
        case Verdict::bad_blk_weight:
            return "bad-blk-weight";
        case Verdict::bad_txns_bip30:
            return "bad-txns-BIP30";
        case Verdict::bad_txns_inputs_missingorspent:
            return "bad-txns-inputs-missingorspent";
        case Verdict::bad_txns_premature_spend_of_coinbase:
            return "bad-txns-premature-spend-of-coinbase";
        case Verdict::bad_txns_inputvalues_outofrange:
            return "bad-txns-inputvalues-outofrange";
        case Verdict::bad_txns_in_belowout:
            return "bad-txns-in-belowout";
        case Verdict::bad_txns_accumulated_fee_outofrange:
            return "bad-txns-accumulated-fee-outofrange";
        case Verdict::bad_cb_amount:
            return "bad-cb-amount";
        case Verdict::script_failed:
            return "mandatory-script-verify-flag-failed";
        case Verdict::coinbase:
            return "coinbase";
        case Verdict::non_final:
            return "non-final";
        case Verdict::non_bip68_final:
            return "non-BIP68-final";
        case Verdict::already_in_mempool:
            return "txn-already-in-mempool";
        case Verdict::already_in_chain:
            return "txn-already-known";
        case Verdict::mempool_conflict:
            return "txn-mempool-conflict";
        case Verdict::mempool_full:
            return "mempool full";
        case Verdict::min_relay_fee_not_met:
            return "min relay fee not met";
        case Verdict::premature_witness:
            return "no-witness-yet";
    }
    return "";
}

bool is_mutation(Verdict verdict) {
    return verdict == Verdict::bad_txnmrklroot || verdict == Verdict::bad_txns_duplicate ||
           verdict == Verdict::bad_witness_nonce_size ||
           verdict == Verdict::bad_witness_merkle_match || verdict == Verdict::unexpected_witness ||
           verdict == Verdict::time_too_new;
}

}  // namespace adit::sim
