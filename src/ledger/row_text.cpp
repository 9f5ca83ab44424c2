#include "ledger/row_text.h"

namespace adit::ledger {
namespace {

std::string hex(chain::Work work) {
    return fmt::format("{:016x}{:016x}", static_cast<std::uint64_t>(work >> 64),
                       static_cast<std::uint64_t>(work));
}

std::string text_of(const SliceRef& ref) {
    return fmt::format("{}.{} of instance {}", ref.slice.start_s, ref.slice.sequence, ref.instance);
}

// Long values by their hash: two texts are equal only when the values are.
std::string digest(base::ByteSpan bytes) {
    return fmt::format("{} bytes {:.16}", bytes.size(), base::to_hex(chain::sha256(bytes).bytes));
}

std::string text_of(const chain::OutPoint& outpoint) {
    return fmt::format("{}:{}", outpoint.txid.rpc_hex(), outpoint.index);
}

}  // namespace

std::string text_of(const Sum& sum) {
    return fmt::format("work {}, {} shares, {} uncredited", hex(sum.work), sum.shares,
                       sum.uncredited);
}

std::string text_of(const SliceRow& row) {
    return fmt::format("slice {}.{} of account {}: {}", row.slice.start_s, row.slice.sequence,
                       row.account, text_of(row.sum));
}

std::string text_of(const TotalRow& row) {
    return fmt::format("worker {}: {}", row.id, text_of(row.sum));
}

std::string text_of(const FoundBlock& found) {
    const auto& block = found.block;
    return fmt::format(
        "block {} of account {} at position {} in slice {}.{} ({} ms): height {}, bits {:08x}, job "
        "{}, worker {}, snapshot {}{}{}, {} sat, found {} ms{}, file \"{}\"",
        block.hash.rpc_hex(), block.account, found.position, found.slice.start_s,
        found.slice.sequence, found.time_ms, block.height, block.bits, block.job, block.worker,
        block.snapshot, block.pays_dues ? " with dues" : "",
        block.pays_finder ? " to its finder" : "", block.coinbase_value_sat, block.found_wall_ms,
        block.stale ? ", stale" : "", block.file);
}

std::string text_of(const share::AccountRecord& account) {
    return fmt::format("account {} \"{}\"", account.id, account.name);
}

std::string text_of(const share::WorkerRecord& worker) {
    return fmt::format("worker {} \"{}\" of account {}", worker.id, worker.name, worker.account);
}

std::string text_of(const RulesRow& row) {
    const auto& rules = row.rules;
    return fmt::format("rules {} at position {}: {}, {}, factor {}/1000, fee {} ppm to {}, {} ms",
                       row.id, row.position, name_of(rules.scheme), name_of(rules.mode),
                       rules.pplns_factor_milli, rules.fee_ppm, rules.fee_account,
                       rules.at_wall_ms);
}

std::string text_of(const share::SettingsRecord& settings) {
    return fmt::format("{}: threshold {} sat, donation {} ppm, {} ms", settings.account,
                       settings.threshold_sat, settings.donation_ppm, settings.at_wall_ms);
}

std::string text_of(const BlockRow& row) {
    return fmt::format(
        "{}; instance {}, finder \"{}\", rules {}, {}{}{}, transition {}, reward {} sat, {} "
        "confirmations, changed {} ms, \"{}\", window {} counted {} down to {}, fee {} sat{}",
        text_of(row.found), row.instance, row.finder, row.rules, name_of(row.state),
        row.credited ? ", credited" : "", row.posted ? ", posted" : "", row.transition,
        row.reward.sat(), row.confirmations, row.changed_ms, row.evidence,
        hex(row.settlement.wanted), hex(row.settlement.counted), text_of(row.settlement.oldest),
        row.settlement.fee.sat(),
        row.round_moved_to.is_zero()
            ? std::string{}
            : fmt::format(", round moved to {}", row.round_moved_to.rpc_hex()));
}

std::string text_of(const SplitRow& row) {
    return fmt::format("{}: work {}, part {} sat, donation {} sat, paid {} sat", row.account,
                       hex(row.work), row.part.sat(), row.donation.sat(), row.paid.sat());
}

std::string text_of(const Transfer& transfer) {
    const auto& id = transfer.id;
    return fmt::format("{} of {} #{} for {}: {} {} sat from {} to {}, position {}, {} ms",
                       name_of(id.purpose), id.reference.rpc_hex(), id.transition, id.account,
                       name_of(transfer.phase), transfer.amount.sat(), transfer.debit,
                       transfer.credit, transfer.position, transfer.time_ms);
}

std::string text_of(const BalanceRow& row) {
    return fmt::format("{}: posted {} sat, pending {} sat, reserved {} sat", row.account,
                       row.balance.posted.sat(), row.balance.pending.sat(),
                       row.balance.reserved.sat());
}

std::string text_of(const PayoutRow& row) {
    return fmt::format(
        "payout {}: {}, transition {}, anchor {} of {} sat, debits {} sat, outputs {} sat, {} "
        "payees, {} attempts, txid {}, block {} at height {}, made {} ms, changed {} ms, \"{}\"",
        row.id, name_of(row.state), row.transition, text_of(row.anchor), row.anchor_value.sat(),
        row.debits.sat(), row.outputs.sat(), row.payees, row.attempts, row.txid.rpc_hex(),
        row.block.rpc_hex(), row.height, row.created_ms, row.changed_ms, row.evidence);
}

std::string text_of(const share::Payee& payee) {
    return fmt::format("{}: debit {} sat, output {} sat, script {}", payee.account, payee.debit_sat,
                       payee.output_sat, base::to_hex(payee.script));
}

std::string text_of(const share::PayoutSignedRecord& attempt) {
    return fmt::format("attempt {} of payout {}: txid {}, fee {} sat, {} ms, {}", attempt.attempt,
                       attempt.payout, attempt.txid.rpc_hex(), attempt.fee_sat, attempt.at_wall_ms,
                       digest(attempt.raw));
}

std::string text_of(const share::ExplainRecord& explained) {
    return fmt::format("{}: {} sat of \"{}\", {} ms, \"{}\"", explained.txid.rpc_hex(),
                       explained.amount_sat, explained.account, explained.at_wall_ms,
                       explained.note);
}

std::string text_of(const RefusedFact& refused) {
    return fmt::format("position {}, {} ms: {} ({})", refused.position, refused.time_ms,
                       refused.what, describe(refused.refusal));
}

std::string text_of(const share::SnapshotRecord& snapshot) {
    base::Bytes bytes;
    append_record(bytes, snapshot);
    return fmt::format(
        "snapshot {} on {}: fee {} ppm, {} outputs at most, dust {} sat, {} ms, {} entries, {}",
        snapshot.id, snapshot.previous.rpc_hex(), snapshot.fee_ppm, snapshot.max_outputs,
        snapshot.dust_sat, snapshot.at_wall_ms, snapshot.entries.size(), digest(bytes));
}

}  // namespace adit::ledger
