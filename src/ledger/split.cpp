#include "ledger/split.h"

#include "job/allotment.h"
#include "ledger/payout_snapshots.h"
#include "ledger/rounds.h"

namespace adit::ledger {
namespace {

// Who gets what no account's work lays claim to.
std::string claimant_of(const BlockRow& block, const share::RulesRecord& rules) {
    return block.finder.empty() ? rules.fee_account : block.finder;
}

Window window_of(Journal& journal, const BlockRow& block, const share::RulesRecord& rules,
                 std::string_view claimant) {
    switch (rules.scheme) {
        case share::RewardScheme::pplns:
            return pplns_window(journal, moment_of(block),
                                window_length(block.found.block.bits, rules.pplns_factor_milli),
                                claimant);
        case share::RewardScheme::prop:
            return round_of(journal, block, claimant);
        case share::RewardScheme::solo:
            return {};  // the finder's alone
    }
    return {};
}

void divide(Amount whole, Window window, std::string_view claimant, std::vector<SplitRow>& rows) {
    if (window.accounts.empty()) {
        rows.push_back({std::string(claimant), 0, whole, {}, {}});
        return;
    }
    std::vector<chain::Work> weights;
    weights.reserve(window.accounts.size());
    for (const auto& account : window.accounts)
        weights.push_back(account.work);
    const auto parts = job::allot(whole, weights);
    rows.reserve(parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
        rows.push_back(
            {std::move(window.accounts[i].account), window.accounts[i].work, parts[i], {}, {}});
    }
}

// What the coinbase has paid cannot be given away any more.
void donate(Journal& journal, std::vector<SplitRow>& rows) {
    for (auto& row : rows) {
        if (row.paid >= row.part) continue;
        const auto settings = journal.settings(row.account);
        if (!settings) continue;
        row.donation =
            std::min(job::fraction_of(row.part, settings->donation_ppm), row.part - row.paid);
    }
}

std::optional<RewardSplit> split_by_snapshot(Journal& journal, const BlockRow& block,
                                             Amount reward) {
    const auto& found = block.found.block;
    const auto record = journal.snapshot(block.instance, found.snapshot);
    if (!record || reward.sat() != found.coinbase_value_sat) return std::nullopt;
    auto snapshot = named_snapshot(
        *record, [&](share::AccountId id) { return journal.account_name(block.instance, id); });
    const auto plan = job::plan_coinbase(snapshot.payout, reward, found.pays_dues);
    RewardSplit split;
    split.settlement.fee = plan.fee;
    const auto& entries = snapshot.payout.entries;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        split.settlement.counted += entries[i].weight;
        split.rows.push_back(
            {std::move(snapshot.accounts[i]), entries[i].weight, plan.parts[i], {}, {}});
    }
    for (const auto& output : plan.outputs)
        split.rows[output.entry].paid = output.amount;
    std::erase_if(split.rows,
                  [](const SplitRow& row) { return row.work == 0 && row.paid.is_zero(); });
    std::ranges::sort(split.rows, {}, &SplitRow::account);
    donate(journal, split.rows);
    return split;
}

// Its coinbase has paid the finder, whatever the scheme is by now.
bool is_finders(const BlockRow& block) {
    return block.found.block.pays_finder && !block.finder.empty();
}

RewardSplit split_by_work(Journal& journal, const BlockRow& block, Amount reward) {
    const auto rules = journal.rules(block.rules).rules;
    const auto claimant = claimant_of(block, rules);
    RewardSplit split;
    split.settlement.fee = job::fraction_of(reward, rules.fee_ppm);
    Window window;
    if (!is_finders(block)) window = window_of(journal, block, rules, claimant);
    split.settlement.wanted = window.wanted;
    split.settlement.counted = window.counted;
    split.settlement.oldest = window.oldest;
    divide(reward - split.settlement.fee, std::move(window), claimant, split.rows);
    // A coinbase that pays its finder has paid all of the part.
    if (is_finders(block)) {
        split.rows.front().paid = split.rows.front().part;
    }
    donate(journal, split.rows);
    return split;
}

}  // namespace

std::optional<RewardSplit> split_reward(Journal& journal, const BlockRow& block, Amount reward) {
    if (block.found.block.snapshot != 0) return split_by_snapshot(journal, block, reward);
    return split_by_work(journal, block, reward);
}

}  // namespace adit::ledger
