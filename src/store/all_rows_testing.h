// All that a ledger can be asked, so that a test can compare two of them. Tests only.
#pragma once

#include "ledger/journal.h"

#include <limits>
#include <string>
#include <vector>

namespace adit::store::testing {

// Sanitizers make everything many times slower: histories are fewer there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

// A value for a range-for, which would not keep the expected around a reference alive.
template <class T>
T rows_of(ledger::Stored<T> stored) {
    return std::move(stored).value();
}

struct AllRows {
    std::vector<ledger::BalanceRow> balances;
    std::vector<ledger::Transfer> transfers;
    std::vector<ledger::Transfer> transfers_of_one;
    std::vector<ledger::BlockRow> blocks;
    std::vector<std::vector<ledger::SplitRow>> splits;
    std::vector<ledger::RulesRow> rules;
    std::vector<share::SettingsRecord> settings;
    std::vector<ledger::PayoutRow> payouts;
    std::vector<ledger::PayoutRow> open_payouts;
    std::vector<ledger::PayoutRow> recent_payouts;
    std::vector<ledger::PayoutTotals> payout_totals;  // one
    std::vector<std::vector<share::Payee>> payees;
    std::vector<std::vector<share::PayoutSignedRecord>> attempts;
    std::vector<share::ExplainRecord> explained;
    std::vector<ledger::RefusedFact> refused;
    std::vector<share::SnapshotRecord> snapshots;
};

// Throws std::bad_expected_access when the ledger cannot be read.
inline AllRows all_rows(ledger::LedgerReader& ledger, std::string_view one = "miner 1",
                        std::int64_t from_ms = 200, std::int64_t to_ms = 700) {
    AllRows all;
    all.balances = ledger.balances().value();
    all.transfers = ledger.transfers("", 0, std::numeric_limits<std::int64_t>::max()).value();
    all.transfers_of_one = ledger.transfers(one, from_ms, to_ms).value();
    all.blocks = ledger.block_rows().value();
    for (const auto& block : all.blocks)
        all.splits.push_back(ledger.split_of(block.found.block.hash).value());
    all.rules = ledger.rules_rows().value();
    all.settings = ledger.all_settings().value();
    all.payouts = ledger.payout_rows().value();
    all.open_payouts = ledger.open_payouts().value();
    all.recent_payouts = ledger.payouts_after(from_ms).value();
    all.payout_totals.push_back(ledger.payout_totals().value());
    for (const auto& payout : all.payouts) {
        all.payees.push_back(ledger.payees_of(payout.id).value());
        all.attempts.push_back(ledger.attempts_of(payout.id).value());
    }
    all.explained = ledger.explained().value();
    all.refused = ledger.refused().value();
    all.snapshots = ledger.snapshots().value();
    return all;
}

template <class Rows>
void note_difference(std::string& out, std::string_view name, const Rows& a, const Rows& b) {
    if (a == b) return;
    std::size_t first = 0;
    while (first < a.size() && first < b.size() && a[first] == b[first])
        ++first;
    out +=
        fmt::format("{} differ from row {} on ({} and {} rows); ", name, first, a.size(), b.size());
}

// Which rows differ, in words; empty: none.
inline std::string difference(const AllRows& a, const AllRows& b) {
    std::string out;
    note_difference(out, "balances", a.balances, b.balances);
    note_difference(out, "transfers", a.transfers, b.transfers);
    note_difference(out, "transfers of one", a.transfers_of_one, b.transfers_of_one);
    note_difference(out, "blocks", a.blocks, b.blocks);
    note_difference(out, "splits", a.splits, b.splits);
    note_difference(out, "rules", a.rules, b.rules);
    note_difference(out, "settings", a.settings, b.settings);
    note_difference(out, "payouts", a.payouts, b.payouts);
    note_difference(out, "open payouts", a.open_payouts, b.open_payouts);
    note_difference(out, "recent payouts", a.recent_payouts, b.recent_payouts);
    note_difference(out, "totals of payouts", a.payout_totals, b.payout_totals);
    note_difference(out, "payees", a.payees, b.payees);
    note_difference(out, "attempts", a.attempts, b.attempts);
    note_difference(out, "explained", a.explained, b.explained);
    note_difference(out, "refused", a.refused, b.refused);
    note_difference(out, "snapshots", a.snapshots, b.snapshots);
    return out;
}

}  // namespace adit::store::testing
