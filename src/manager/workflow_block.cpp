// The workflow's second half: a block and what becomes of it.
#include "manager/workflow.h"

namespace adit::manager {
namespace {

constexpr std::int64_t kLookMs = 50;  // between two looks at what others do
// A payer needs a moment between two blocks.
constexpr std::int64_t kPayerMs = 300;

}  // namespace

Workflow::Verdict Workflow::mine_block() {
    if (!block_) {
        if (auto verdict = carry_out({1, true}); verdict.state != StageState::ok) return verdict;
    }
    if (!block_) return failed("the pool accepted a share in place of a block");
    note("block_hash", block_->hash.rpc_hex());
    return ok();
}

Workflow::Verdict Workflow::follow_submission() {
    std::vector<std::string> nodes;
    while (true) {
        const auto report = pool_.submission(block_->hash);
        if (report) {
            nodes.clear();
            for (const auto& node : report->nodes) {
                nodes.push_back(fmt::format("{}: {}{}{}", node.node, name_of(node.verdict),
                                            node.reason.empty() ? "" : ", ", node.reason));
            }
        }
        if (report && report->state != node::SubmitState::pending) {
            note("block_hash", block_->hash.rpc_hex());
            note("height", std::int64_t{report->candidate ? report->candidate->height : 0});
            note("first_answer_ms", report->first_answer_ms == 0
                                        ? std::int64_t{-1}
                                        : report->first_answer_ms - report->submitted_ms);
            note("nodes", std::move(nodes));
            if (report->state == node::SubmitState::accepted) return ok();
            return failed(
                fmt::format("the nodes did not take the block: it is {}", name_of(report->state)));
        }
        if (is_over()) {
            note("nodes", std::move(nodes));
            return failed(over(report ? "a node to have the block in its best chain"
                                      : "the block to reach the nodes' side"));
        }
        pool_.pause(kLookMs, limits_.stop);
    }
}

Stored<std::optional<ledger::BlockRow>> Workflow::block_in_ledger() {
    auto row = pool_.ledger().block_row(block_->hash);
    if (row && *row && (*row)->state == ledger::BlockState::orphaned) {
        return std::unexpected(fmt::format("the block was orphaned: {}", (*row)->evidence));
    }
    return row;
}

Workflow::Verdict Workflow::note_part(const ledger::BlockRow& row) {
    const auto split = pool_.ledger().split_of(row.found.block.hash);
    if (!split) return failed(split.error());
    const auto part = std::ranges::find(*split, report_.account, &ledger::SplitRow::account);
    if (part == split->end()) {
        return failed("the account has no part in the block that it found");
    }
    note("accounts", static_cast<std::int64_t>(split->size()));
    note("part_sat", part->part.sat());
    note("donation_sat", part->donation.sat());
    note("paid_by_coinbase_sat", part->paid.sat());
    return ok();
}

Workflow::Verdict Workflow::follow_confirmation() {
    while (true) {
        const auto row = block_in_ledger();
        if (!row) return failed(row.error());
        if (*row && (*row)->credited) {
            block_height_ = (*row)->found.block.height;
            note("height", std::int64_t{block_height_});
            note("state", std::string(name_of((*row)->state)));
            note("log_position", static_cast<std::int64_t>((*row)->found.position));
            note("reward_sat", (*row)->reward.sat());
            note("evidence", (*row)->evidence);
            return note_part(**row);
        }
        if (is_over()) {
            return failed(over(*row ? fmt::format("the block, {} in the ledger, to be credited",
                                                  name_of((*row)->state))
                                    : std::string("the block to be in the ledger")));
        }
        pool_.pause(kLookMs, limits_.stop);
    }
}

std::optional<Workflow::Verdict> Workflow::grow_chain(std::int64_t blocks) {
    if (auto hopeless =
            expectation(static_cast<double>(blocks), work_.block_hashes, "more block")) {
        return hopeless;
    }
    const auto block = block_;  // that is followed, whatever comes after
    auto result = miner_->mine({1, true}, limits_);
    const bool done = result.done;
    const auto problem = result.problem;
    take(std::move(result));
    block_ = block;
    if (done) return std::nullopt;
    return failed(problem.empty() ? over("more blocks") : problem);
}

Workflow::Verdict Workflow::follow_maturity() {
    std::int64_t mined = 0;
    while (true) {
        const auto row = block_in_ledger();
        if (!row) return failed(row.error());
        if (*row && (*row)->state == ledger::BlockState::mature && (*row)->posted) {
            note("confirmations", std::int64_t{(*row)->confirmations});
            note("blocks_mined", mined);
            const auto balance = pool_.ledger().balance_of(report_.account);
            if (!balance) return failed(balance.error());
            note("posted_sat", balance->posted.sat());
            return ok();
        }
        if (is_over()) return failed(over("the block to be mature and posted"));
        const auto missing = pool_.maturity() - (pool_.tip_height() - block_height_ + 1);
        if (missing > 0) {
            if (auto verdict = grow_chain(missing)) {
                note("confirmations_missing", std::int64_t{missing});
                note("blocks_mined", mined);
                // What was begun has been tried.
                if (mined != 0) verdict->state = StageState::failed;
                return *verdict;
            }
            ++mined;
        } else {
            pool_.pause(kLookMs, limits_.stop);
        }
    }
}

Stored<std::optional<ledger::PayoutRow>> Workflow::own_payout() {
    const auto rows = pool_.ledger().payouts_after(report_.at_ms - 1);
    if (!rows) return std::unexpected(rows.error());
    for (const auto& row : *rows) {
        if (row.state == ledger::PayoutState::cancelled) continue;
        const auto payees = pool_.ledger().payees_of(row.id);
        if (!payees) return std::unexpected(payees.error());
        const bool is_paid = std::ranges::any_of(
            *payees, [&](const share::Payee& payee) { return payee.account == report_.account; });
        if (is_paid) return row;
    }
    return std::nullopt;
}

std::optional<Workflow::Verdict> Workflow::no_payout_yet() {
    const auto balance = pool_.ledger().balance_of(report_.account);
    if (!balance) return failed(balance.error());
    const auto threshold_sat = pool_.threshold_sat(report_.account);
    const auto available_sat = balance->available().sat();
    if (available_sat < threshold_sat) {
        return not_tried(fmt::format("{} satoshis are available, below the threshold of {}",
                                     available_sat, threshold_sat));
    }
    const auto next_ms = pool_.payout_view().status.next_round_ms;
    const auto wait_ms = next_ms - clock_.wall_ms();
    if (wait_ms > left_ms()) {
        return not_tried(fmt::format("the next payouts are due in {} s, and {} s were left",
                                     wait_ms / 1'000, left_ms() / 1'000));
    }
    return std::nullopt;
}

std::optional<Workflow::Verdict> Workflow::judge_payout(const ledger::PayoutRow& row) {
    using enum ledger::PayoutState;
    const bool is_done = row.state == confirmed || row.state == buried;
    if (!is_done && row.state != waiting_approval && row.state != conflicted && !is_over()) {
        return std::nullopt;
    }
    note("payout_id", static_cast<std::int64_t>(row.id));
    note("state", std::string(name_of(row.state)));
    if (row.attempts != 0) note("txid", row.txid.rpc_hex());
    if (is_done) note("block_hash", row.block.rpc_hex());
    if (const auto payees = pool_.ledger().payees_of(row.id)) {
        const auto own = std::ranges::find(*payees, report_.account, &share::Payee::account);
        if (own != payees->end()) {
            note("debit_sat", own->debit_sat);
            note("output_sat", own->output_sat);
        }
    }
    if (is_done) return ok();
    if (row.state == waiting_approval) {
        return not_tried(
            fmt::format("payout {} waits for approval: adit payout approve {}", row.id, row.id));
    }
    if (row.state == conflicted)
        return failed(
            fmt::format("the payout's coin was spent by something else: {}", row.evidence));
    return failed(
        over(fmt::format("payout {}, which is {}, to be confirmed", row.id, name_of(row.state))));
}

Workflow::Verdict Workflow::follow_payout() {
    if (const auto why = pool_.why_no_payouts(); !why.empty()) return not_tried(why, false);
    std::int64_t mined = 0;
    bool can_mine = true;
    while (true) {
        pool_.kick_payouts();
        const auto row = own_payout();
        if (!row) return failed(row.error());
        if (*row) {
            if (auto verdict = judge_payout(**row)) return *verdict;
        } else if (auto verdict = no_payout_yet()) {
            return *verdict;
        }
        if (is_over()) {
            const auto hold = pool_.payout_view().status.hold_text;
            return failed(
                over(hold.empty() ? "the payout" : "the payout; payouts are held: " + hold));
        }
        // Coins ripen and payouts are confirmed by blocks, perhaps by others' too.
        if (can_mine) {
            if (auto verdict = grow_chain(1)) {
                if (mined == 0 || verdict->state == StageState::failed) return *verdict;
                can_mine = false;
            } else {
                ++mined;
            }
        }
        pool_.pause(std::min(kPayerMs, std::max<std::int64_t>(left_ms(), 1)), limits_.stop);
    }
}

}  // namespace adit::manager
