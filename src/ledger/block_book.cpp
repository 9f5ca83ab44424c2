#include "ledger/block_book.h"

#include "ledger/posting.h"
#include "ledger/rounds.h"
#include "ledger/split.h"

namespace adit::ledger {
namespace {

using share::BlockFact;

bool is_possible(BlockState from, BlockFact fact) {
    switch (fact) {
        case BlockFact::confirmed:
            return from == BlockState::found || from == BlockState::contested ||
                   from == BlockState::orphaned;
        case BlockFact::contested:
            return from == BlockState::found || from == BlockState::confirmed ||
                   from == BlockState::mature;
        case BlockFact::mature:
            return from == BlockState::confirmed;
        case BlockFact::orphaned:
            return from == BlockState::found || from == BlockState::confirmed ||
                   from == BlockState::contested;
    }
    return false;
}

bool is_repeated(const BlockRow& block, const share::BlockFactRecord& record) {
    return record.transition == block.transition && state_after(record.fact) == block.state &&
           (record.fact != BlockFact::confirmed || record.coinbase_value_sat == block.reward.sat());
}

void note(BlockRow& block, const share::BlockFactRecord& record, const Fact& fact) {
    block.state = state_after(record.fact);
    block.transition = record.transition;
    block.confirmations = record.confirmations;
    block.changed_ms = fact.time_ms;
    block.evidence = record.evidence;
}

Posting posting_of(const BlockRow& block, std::span<const SplitRow> rows, Phase phase,
                   std::string_view fee_account, const Fact& fact) {
    Posting posting(fact, block.found.block.hash, block.transition);
    posting.add(Purpose::block_fee, phase, fee_account, kRewardAccount, fee_account,
                block.settlement.fee);
    for (const auto& row : rows) {
        posting.add(Purpose::block_part, phase, row.account, kRewardAccount, row.account, row.part);
        posting.add(Purpose::donation, phase, row.account, row.account, kDonationAccount,
                    row.donation);
        posting.add(Purpose::coinbase_paid, phase, row.account, row.account, kSentAccount,
                    row.paid);
    }
    return posting;
}

}  // namespace

std::optional<FactRefusal> BlockBook::on(const FoundBlock& found, const Fact& fact) {
    if (const auto known = journal_.block(found.block.hash)) {
        return known->found == found ? FactRefusal::repeated : FactRefusal::duplicate_block;
    }
    // Nothing can fail from here.
    BlockRow block;
    block.found = found;
    block.instance = journal_.instance();
    block.finder = journal_.account_name(block.instance, found.block.account).value_or("");
    block.rules = journal_.current_rules().id;
    block.changed_ms = fact.time_ms;
    journal_.put_block(block);
    take_waiting_rounds(journal_, block);
    return std::nullopt;
}

std::optional<FactRefusal> BlockBook::on(const share::BlockFactRecord& record, const Fact& fact) {
    auto block = journal_.block(record.hash);
    if (!block) return FactRefusal::unknown_block;
    if (is_repeated(*block, record)) return FactRefusal::repeated;
    if (record.transition != block->transition + 1) return FactRefusal::out_of_order;
    if (!is_possible(block->state, record.fact)) return FactRefusal::impossible;
    switch (record.fact) {
        case BlockFact::confirmed:
            return confirm(std::move(*block), record, fact);
        case BlockFact::mature:
            return mature(std::move(*block), record, fact);
        case BlockFact::contested:
            note(*block, record, fact);
            journal_.put_block(*block);
            return std::nullopt;
        case BlockFact::orphaned:
            orphan(std::move(*block), record, fact);
            return std::nullopt;
    }
    return FactRefusal::impossible;
}

std::optional<FactRefusal> BlockBook::confirm(BlockRow block, const share::BlockFactRecord& record,
                                              const Fact& fact) {
    if (record.coinbase_value_sat == 0) return FactRefusal::reward_missing;
    const auto reward = Amount::from_sat(record.coinbase_value_sat);
    if (!reward) return FactRefusal::bad_amounts;
    const bool first = block.reward.is_zero();
    if (!first && block.reward != *reward) return FactRefusal::impossible;

    std::vector<SplitRow> rows;
    if (first) {
        auto split = split_reward(journal_, block, *reward);
        if (!split) return FactRefusal::impossible;
        block.reward = *reward;
        block.settlement = split->settlement;
        rows = std::move(split->rows);
    } else if (!block.credited) {
        rows = journal_.split(record.hash);
    }
    note(block, record, fact);
    const auto fee_account = journal_.rules(block.rules).rules.fee_account;
    auto posting = posting_of(block, rows, Phase::pend, fee_account, fact);
    if (!block.credited && !posting.fits(journal_)) return FactRefusal::bad_amounts;
    // Nothing can fail from here.
    if (first) journal_.put_split(record.hash, rows);
    if (!block.credited) {
        posting.post(journal_);
        block.credited = true;
    }
    return_round(journal_, block);
    journal_.put_block(block);
    return std::nullopt;
}

std::optional<FactRefusal> BlockBook::mature(BlockRow block, const share::BlockFactRecord& record,
                                             const Fact& fact) {
    note(block, record, fact);
    // A block that was contested after it had been posted is posted still.
    if (!block.posted) {
        const auto fee_account = journal_.rules(block.rules).rules.fee_account;
        const auto rows = journal_.split(record.hash);
        auto posting = posting_of(block, rows, Phase::post, fee_account, fact);
        if (!posting.fits(journal_)) return FactRefusal::bad_amounts;
        // Nothing can fail from here.
        posting.post(journal_);
        block.posted = true;
    }
    journal_.put_block(block);
    return std::nullopt;
}

void BlockBook::orphan(BlockRow block, const share::BlockFactRecord& record, const Fact& fact) {
    note(block, record, fact);
    if (block.credited) {
        const auto fee_account = journal_.rules(block.rules).rules.fee_account;
        const auto rows = journal_.split(record.hash);
        posting_of(block, rows, block.posted ? Phase::reverse : Phase::void_, fee_account, fact)
            .post(journal_);
    }
    block.credited = false;
    block.posted = false;
    move_round(journal_, block);
    journal_.put_block(block);
}

}  // namespace adit::ledger
