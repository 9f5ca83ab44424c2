#include "ledger/payout_snapshots.h"

#include <unordered_map>

namespace adit::ledger {
namespace {

struct Draft {
    std::string_view account;
    share::SnapshotEntry entry;
};

using Ids = std::unordered_map<std::string_view, share::AccountId>;

// Only what is owed, or overdrawn.
Amount due_of(const BalanceRow& row, const OffBranch& off) {
    if (job::script_of_account(row.account).empty()) return {};
    const auto& balance = row.balance;
    const auto sat = balance.posted.sat() + balance.pending.sat() + balance.reserved.sat() -
                     off.of(row.account).sat();
    return Amount::of(std::clamp(sat, -Amount::kMaxSat, Amount::kMaxSat));
}

// By name.
std::map<std::string_view, Amount> dues_of(std::span<const BalanceRow> balances,
                                           const OffBranch& off) {
    std::map<std::string_view, Amount> dues;
    for (const auto& row : balances) {
        const auto due = due_of(row, off);
        if (!due.is_zero()) dues.emplace(row.account, due);
    }
    return dues;
}

// Keeps the largest dues of those that are only owed.
void fit(std::vector<Draft>& drafts) {
    if (drafts.size() <= share::kSnapshotLimit) return;
    std::ranges::stable_sort(drafts, [](const Draft& a, const Draft& b) {
        const bool a_works = a.entry.work != 0;
        const bool b_works = b.entry.work != 0;
        return a_works != b_works ? a_works : a.entry.due_sat > b.entry.due_sat;
    });
    drafts.resize(share::kSnapshotLimit);
}

}  // namespace

NamedSnapshot named_snapshot(const share::SnapshotRecord& record, const AccountNames& names) {
    NamedSnapshot named;
    named.payout.id = record.id;
    named.payout.previous = record.previous;
    named.payout.fee_ppm = record.fee_ppm;
    named.payout.max_outputs = record.max_outputs;
    named.payout.dust = Amount::of(record.dust_sat);
    named.payout.entries.reserve(record.entries.size());
    named.accounts.reserve(record.entries.size());
    for (const auto& entry : record.entries) {
        auto name = names(entry.account).value_or("");
        named.payout.entries.push_back(
            {job::script_of_account(name), entry.work, Amount::of(entry.due_sat)});
        named.accounts.push_back(std::move(name));
    }
    return named;
}

std::string coinbase_fault(const job::Job& job, const NamedSnapshot& snapshot) {
    const auto& payout = snapshot.payout;
    const auto value = Amount::from_sat(job.source->coinbase_value_sat);
    const auto coinbase = chain::parse_transaction(job::coinbase_of(job, {}));
    if (!value || value->sat() < 0 || !coinbase) return "a coinbase that cannot be read";
    if (job.pays_dues != (job.source->previous == payout.previous)) {
        return job.pays_dues ? "dues on another block than the snapshot's" : "no dues";
    }
    const auto plan = job::plan_coinbase(payout, *value, job.pays_dues);
    const auto& outputs = coinbase->outputs;
    for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
        const auto& planned = plan.outputs[i];
        if (i >= outputs.size() || outputs[i].value_sat != planned.amount.sat() ||
            outputs[i].script != payout.entries[planned.entry].script) {
            return fmt::format("output {} does not pay {} sat to {}", i, planned.amount.sat(),
                               snapshot.accounts[planned.entry]);
        }
    }
    // What is carried is one output; others, such as the witness commitment, have no value.
    std::vector<std::int64_t> rest;
    for (std::size_t i = plan.outputs.size(); i < outputs.size(); ++i) {
        if (outputs[i].value_sat != 0) rest.push_back(outputs[i].value_sat);
    }
    if (rest.size() > 1) return fmt::format("{} outputs besides those that it says", rest.size());
    const auto carried_sat = rest.empty() ? 0 : rest[0];
    if (carried_sat == plan.carried.sat()) return {};
    return fmt::format("{} sat are carried instead of {}", carried_sat, plan.carried.sat());
}

void OffBranch::add(const BlockRow& block, std::span<const SplitRow> split,
                    std::string_view fee_account) {
    for (const auto& row : split)
        moved_[row.account] += row.part - row.donation - row.paid;
    moved_[std::string(fee_account)] += block.settlement.fee;
}

Amount OffBranch::of(std::string_view account) const {
    const auto at = moved_.find(account);
    return at == moved_.end() ? Amount{} : at->second;
}

Stored<OffBranch> off_branch(LedgerReader& reader, std::span<const BlockRow> blocks,
                             const std::function<Standing(const BlockRow&)>& standing) {
    const auto rules = reader.rules_rows();
    if (!rules) return std::unexpected(rules.error());
    OffBranch off;
    for (const auto& block : blocks) {
        const auto where = standing(block);
        if (where == Standing::on_branch && !block.credited) {
            return std::unexpected(
                fmt::format("block {} is not credited yet", block.found.block.hash.rpc_hex()));
        }
        if (where == Standing::on_branch || !block.credited) continue;
        const auto split = reader.split_of(block.found.block.hash);
        if (!split) return std::unexpected(split.error());
        const auto rule = std::ranges::find(*rules, block.rules, &RulesRow::id);
        off.add(block, *split,
                rule == rules->end() ? share::RulesRecord{}.fee_account : rule->rules.fee_account);
    }
    return off;
}

Stored<share::SnapshotRecord> build_snapshot(const SnapshotWish& wish, std::uint32_t fee_ppm,
                                             const Window& window,
                                             std::span<const BalanceRow> balances,
                                             const OffBranch& off,
                                             std::span<const share::AccountRecord> accounts) {
    Ids ids;
    for (const auto& account : accounts)
        ids.emplace(account.name, account.id);
    auto dues = dues_of(balances, off);
    std::vector<Draft> drafts;
    for (const auto& worked : window.accounts) {
        const auto id = ids.find(worked.account);
        if (id == ids.end()) {
            return std::unexpected(
                fmt::format("the account \"{}\" is not in this log", worked.account));
        }
        auto due = dues.extract(worked.account);
        drafts.push_back({worked.account, {id->second, worked.work, due ? due.mapped().sat() : 0}});
    }
    if (drafts.size() > share::kSnapshotLimit) {
        return std::unexpected(fmt::format("{} accounts share the reward, a snapshot holds {}",
                                           drafts.size(), share::kSnapshotLimit));
    }
    for (const auto& [account, due] : dues) {
        const auto id = ids.find(account);
        // An overdraft without work takes nothing from anybody.
        if (id != ids.end() && due.sat() > 0)
            drafts.push_back({account, {id->second, 0, due.sat()}});
    }
    fit(drafts);
    std::ranges::sort(drafts, {}, &Draft::account);
    share::SnapshotRecord record;
    record.id = wish.id;
    record.previous = wish.previous;
    record.fee_ppm = fee_ppm;
    record.max_outputs = wish.max_outputs;
    record.dust_sat = wish.dust.sat();
    record.at_wall_ms = wish.at_wall_ms;
    for (const auto& draft : drafts)
        record.entries.push_back(draft.entry);
    return record;
}

}  // namespace adit::ledger
