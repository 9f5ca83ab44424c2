#include "sim/verdict.h"

#include <array>
#include <utility>

namespace adit::sim {
namespace {

using enum Verdict;

// In the order of the enumeration.
constexpr auto kTexts = std::to_array<std::pair<Verdict, std::string_view>>({
    {accepted, ""},
    {inconclusive, "inconclusive"},
    {duplicate, "duplicate"},
    {duplicate_invalid, "duplicate-invalid"},
    {duplicate_inconclusive, "duplicate-inconclusive"},
    {inconclusive_not_best_prevblk, "inconclusive-not-best-prevblk"},
    {decode_failed, "Block decode failed"},
    {high_hash, "high-hash"},
    {prev_blk_not_found, "prev-blk-not-found"},
    {bad_prevblk, "bad-prevblk"},
    {bad_diffbits, "bad-diffbits"},
    {time_too_old, "time-too-old"},
    {time_too_new, "time-too-new"},
    {bad_version, "bad-version"},
    {bad_txnmrklroot, "bad-txnmrklroot"},
    {bad_txns_duplicate, "bad-txns-duplicate"},
    {bad_blk_length, "bad-blk-length"},
    {bad_cb_missing, "bad-cb-missing"},
    {bad_cb_multiple, "bad-cb-multiple"},
    {bad_blk_sigops, "bad-blk-sigops"},
    {bad_txns_vin_empty, "bad-txns-vin-empty"},
    {bad_txns_vout_empty, "bad-txns-vout-empty"},
    {bad_txns_oversize, "bad-txns-oversize"},
    {bad_txns_vout_negative, "bad-txns-vout-negative"},
    {bad_txns_vout_toolarge, "bad-txns-vout-toolarge"},
    {bad_txns_txouttotal_toolarge, "bad-txns-txouttotal-toolarge"},
    {bad_txns_inputs_duplicate, "bad-txns-inputs-duplicate"},
    {bad_cb_length, "bad-cb-length"},
    {bad_txns_prevout_null, "bad-txns-prevout-null"},
    {bad_txns_nonfinal, "bad-txns-nonfinal"},
    {bad_cb_height, "bad-cb-height"},
    {bad_witness_nonce_size, "bad-witness-nonce-size"},
    {bad_witness_merkle_match, "bad-witness-merkle-match"},
    {unexpected_witness, "unexpected-witness"},
    {bad_blk_weight, "bad-blk-weight"},
    {bad_txns_bip30, "bad-txns-BIP30"},
    {bad_txns_inputs_missingorspent, "bad-txns-inputs-missingorspent"},
    {bad_txns_premature_spend_of_coinbase, "bad-txns-premature-spend-of-coinbase"},
    {bad_txns_inputvalues_outofrange, "bad-txns-inputvalues-outofrange"},
    {bad_txns_in_belowout, "bad-txns-in-belowout"},
    {bad_txns_accumulated_fee_outofrange, "bad-txns-accumulated-fee-outofrange"},
    {bad_cb_amount, "bad-cb-amount"},
    {script_failed, "mandatory-script-verify-flag-failed"},
    {coinbase, "coinbase"},
    {non_final, "non-final"},
    {non_bip68_final, "non-BIP68-final"},
    {already_in_mempool, "txn-already-in-mempool"},
    {already_in_chain, "txn-already-known"},
    {mempool_conflict, "txn-mempool-conflict"},
    {mempool_full, "mempool full"},
    {min_relay_fee_not_met, "min relay fee not met"},
    {premature_witness, "no-witness-yet"},
    {tx_size, "tx-size"},
    {dust, "dust"},
    {bad_txns_spends_conflicting_tx, "bad-txns-spends-conflicting-tx"},
    {insufficient_fee, "insufficient fee"},
    {too_many_replacements, "too many potential replacements"},
    {replacement_adds_unconfirmed, "replacement-adds-unconfirmed"},
});

constexpr bool every_verdict_in_its_place() {
    for (std::size_t i = 0; i < kTexts.size(); ++i) {
        if (static_cast<std::size_t>(kTexts[i].first) != i) return false;
    }
    return static_cast<std::size_t>(replacement_adds_unconfirmed) + 1 == kTexts.size();
}
static_assert(every_verdict_in_its_place());

}  // namespace

std::string_view text_of(Verdict verdict) {
    return kTexts[static_cast<std::size_t>(verdict)].second;
}

bool is_mutation(Verdict verdict) {
    return verdict == Verdict::bad_txnmrklroot || verdict == Verdict::bad_txns_duplicate ||
           verdict == Verdict::bad_witness_nonce_size ||
           verdict == Verdict::bad_witness_merkle_match || verdict == Verdict::unexpected_witness ||
           verdict == Verdict::time_too_new;
}

}  // namespace adit::sim
