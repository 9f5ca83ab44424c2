#include "ledger/book_comparison.h"

#include "ledger/row_text.h"

#include <limits>

namespace adit::ledger {
namespace {

constexpr std::int64_t kPieceMs = 7 * 86'400'000LL;  // of transfers read at once
constexpr auto kEarliest = std::numeric_limits<std::int64_t>::min();
constexpr auto kLatest = std::numeric_limits<std::int64_t>::max();

std::string text_of_total(const Balance& total) {
    return fmt::format("posted {} sat, pending {} sat, reserved {} sat", total.posted.sat(),
                       total.pending.sat(), total.reserved.sat());
}

}  // namespace

std::string AuditDifference::text() const {
    return fmt::format("position {}: {}: expected {}, found {}", position, what, expected, found);
}

BookComparison::BookComparison(Report report, share::LogPosition at, std::int64_t first_ms,
                               std::int64_t last_ms)
    : report_(std::move(report)), at_(at), first_ms_(first_ms), last_ms_(last_ms) {}

Stored<std::uint64_t> BookComparison::compare(LedgerReader& expected, LedgerReader& found) {
    using Step = Stored<void> (BookComparison::*)(LedgerReader&, LedgerReader&);
    // Causes before what follows from them, so that the first difference is the telling one.
    for (const Step step : {&BookComparison::compare_rules, &BookComparison::compare_blocks,
                            &BookComparison::compare_payouts, &BookComparison::compare_transfers,
                            &BookComparison::compare_balances, &BookComparison::compare_notes}) {
        if (const auto done = (this->*step)(expected, found); !done) {
            return std::unexpected(done.error());
        }
    }
    return rows_;
}

template <class Row, class Key>
Stored<void> BookComparison::lists(std::string_view what, Stored<std::vector<Row>> expected,
                                   Stored<std::vector<Row>> found, Key key) {
    if (!expected) return std::unexpected(expected.error());
    if (!found) return std::unexpected(found.error());
    rows_ += found->size();
    compare_lists(
        what, at_, *expected, *found, key, [](const Row& row) { return text_of(row); }, report_);
    return {};
}

Stored<void> BookComparison::compare_rules(LedgerReader& expected, LedgerReader& found) {
    const auto rules = lists("reward rules in the ledger", expected.rules_rows(),
                             found.rules_rows(), [](const RulesRow& row) { return row.id; });
    if (!rules) return rules;
    return lists("account settings in the ledger", expected.all_settings(), found.all_settings(),
                 [](const share::SettingsRecord& row) { return row.account; });
}

Stored<void> BookComparison::compare_blocks(LedgerReader& expected, LedgerReader& found) {
    const auto blocks = expected.block_rows();
    if (!blocks) return std::unexpected(blocks.error());
    auto done = lists("block in the ledger", Stored<std::vector<BlockRow>>(*blocks),
                      found.block_rows(), [](const BlockRow& row) { return row.found.block.hash; });
    for (const auto& block : *blocks) {
        if (!done) return done;
        const auto& hash = block.found.block.hash;
        done = lists(fmt::format("split of block {} in the ledger", hash.rpc_hex()),
                     expected.split_of(hash), found.split_of(hash),
                     [](const SplitRow& row) { return row.account; });
    }
    return done;
}

Stored<void> BookComparison::compare_payouts(LedgerReader& expected, LedgerReader& found) {
    const auto payouts = expected.payout_rows();
    if (!payouts) return std::unexpected(payouts.error());
    auto done = lists("payout in the ledger", Stored<std::vector<PayoutRow>>(*payouts),
                      found.payout_rows(), [](const PayoutRow& row) { return row.id; });
    for (const auto& payout : *payouts) {
        if (!done) return done;
        done = lists(fmt::format("payee of payout {} in the ledger", payout.id),
                     expected.payees_of(payout.id), found.payees_of(payout.id),
                     [](const share::Payee& row) { return row.account; });
        if (!done) return done;
        done = lists(fmt::format("transaction of payout {} in the ledger", payout.id),
                     expected.attempts_of(payout.id), found.attempts_of(payout.id),
                     [](const share::PayoutSignedRecord& row) { return row.attempt; });
    }
    return done;
}

Stored<void> BookComparison::compare_transfers(LedgerReader& expected, LedgerReader& found) {
    for (auto from = kEarliest; from != kLatest;) {
        const auto begin = from == kEarliest ? first_ms_ : from;
        const auto to = begin > last_ms_ ? kLatest : begin + kPieceMs;
        const auto done = lists("transfer in the ledger", expected.transfers({}, from, to),
                                found.transfers({}, from, to),
                                [](const Transfer& row) { return std::tie(row.id); });
        if (!done) return done;
        from = to;
    }
    return {};
}

Stored<void> BookComparison::compare_balances(LedgerReader& expected, LedgerReader& found) {
    // An account without money says the same with a row and without one.
    const auto with_money = [](Stored<std::vector<BalanceRow>> rows) {
        if (rows) std::erase_if(*rows, [](const auto& row) { return row.balance == Balance{}; });
        return rows;
    };
    const auto done =
        lists("balance in the ledger", with_money(expected.balances()),
              with_money(found.balances()), [](const BalanceRow& row) { return row.account; });
    if (!done) return done;
    for (auto* side : {&expected, &found}) {
        const auto total = side->total_of_all();
        if (!total) return std::unexpected(total.error());
        if (*total == Balance{}) continue;
        report_({at_,
                 side == &found ? "sum of all balances in the ledger"
                                : "sum of all balances by the log",
                 text_of_total({}), text_of_total(*total)});
    }
    return {};
}

Stored<void> BookComparison::compare_notes(LedgerReader& expected, LedgerReader& found) {
    auto done =
        lists("explained spend in the ledger", expected.explained(), found.explained(),
              [](const share::ExplainRecord& row) { return std::tie(row.txid, row.account); });
    if (!done) return done;
    done = lists("refused fact in the ledger", expected.refused(), found.refused(),
                 [](const RefusedFact& row) { return std::tie(row.position, row.what); });
    if (!done) return done;
    return lists("snapshot in the ledger", expected.snapshots(), found.snapshots(),
                 [](const share::SnapshotRecord& row) { return row.id; });
}

}  // namespace adit::ledger
