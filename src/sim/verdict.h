// What the embedded node says of a block or a transaction: one value per reason, with the words of
// Bitcoin Core (BIP22 results and validation reject reasons). Values; safe from any thread.
#pragma once

#include <string_view>

namespace adit::sim {

enum class Verdict {
    accepted,
    // Of a block, before or instead of checking it (BIP22).
    inconclusive,
    duplicate,
    duplicate_invalid,
    duplicate_inconclusive,
    inconclusive_not_best_prevblk,
    decode_failed,
    // Of a header.
    high_hash,
    prev_blk_not_found,
    bad_prevblk,
    bad_diffbits,
    time_too_old,
    time_too_new,
    bad_version,
    // Of a block by itself.
    bad_txnmrklroot,
    bad_txns_duplicate,
    bad_blk_length,
    bad_cb_missing,
    bad_cb_multiple,
    bad_blk_sigops,
    // Of a transaction by itself.
    bad_txns_vin_empty,
    bad_txns_vout_empty,
    bad_txns_oversize,
    bad_txns_vout_negative,
    bad_txns_vout_toolarge,
    bad_txns_txouttotal_toolarge,
    bad_txns_inputs_duplicate,
    bad_cb_length,
    bad_txns_prevout_null,
    // Of a block on top of its parent.
    bad_txns_nonfinal,
    bad_cb_height,
    bad_witness_nonce_size,
    bad_witness_merkle_match,
    unexpected_witness,
    bad_blk_weight,
    // Against the coins.
    bad_txns_bip30,
    bad_txns_inputs_missingorspent,
    bad_txns_premature_spend_of_coinbase,
    bad_txns_inputvalues_outofrange,
    bad_txns_in_belowout,
    bad_txns_accumulated_fee_outofrange,
    bad_cb_amount,
    script_failed,
    // Of the mempool alone.
    coinbase,
    non_final,
    non_bip68_final,
    already_in_mempool,
    already_in_chain,
    mempool_conflict,
    mempool_full,
    min_relay_fee_not_met,
    premature_witness,
    tx_size,
    dust,
    // Of a replacement (BIP125).
    bad_txns_spends_conflicting_tx,
    insufficient_fee,
    too_many_replacements,
    replacement_adds_unconfirmed,
};

// "high-hash", "bad-cb-amount", ...; empty for accepted.
std::string_view text_of(Verdict verdict);

// True when other bytes with the same header may be good, so the header must not be condemned
// (Bitcoin Core's BLOCK_MUTATED).
bool is_mutation(Verdict verdict);

}  // namespace adit::sim
