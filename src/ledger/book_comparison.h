// Compares all that two ledgers hold about money, row by row: one that was computed from the log
// and one that is asked whether it agrees. Not thread-safe.
#pragma once

#include "ledger/journal.h"

#include <functional>
#include <string>

namespace adit::ledger {

// One thing that is not as it must be.
struct AuditDifference {
    share::LogPosition position = 0;  // of the batch (or of the ledger's fold point)
    std::string what;                 // "share 3 of the batch: block flag"
    std::string expected;             // by the log's own rules
    std::string found;
    std::string text() const;
};

class BookComparison {
 public:
    using Report = std::function<void(AuditDifference)>;

    // `report` is called for every row that differs, is missing or is too much. Differences get
    // the position `at`. Transfers are read in pieces between these times (ms), so that they need
    // not be in memory twice.
    BookComparison(Report report, share::LogPosition at, std::int64_t first_ms,
                   std::int64_t last_ms);

    // Rows compared; an error when one of the two cannot be read.
    Stored<std::uint64_t> compare(LedgerReader& expected, LedgerReader& found);

 private:
    Stored<void> compare_rules(LedgerReader& expected, LedgerReader& found);
    Stored<void> compare_blocks(LedgerReader& expected, LedgerReader& found);
    Stored<void> compare_transfers(LedgerReader& expected, LedgerReader& found);
    Stored<void> compare_balances(LedgerReader& expected, LedgerReader& found);
    Stored<void> compare_payouts(LedgerReader& expected, LedgerReader& found);
    Stored<void> compare_notes(LedgerReader& expected, LedgerReader& found);
    template <class Row, class Key>
    Stored<void> lists(std::string_view what, Stored<std::vector<Row>> expected,
                       Stored<std::vector<Row>> found, Key key);

    Report report_;
    share::LogPosition at_;
    std::int64_t first_ms_;
    std::int64_t last_ms_;
    std::uint64_t rows_ = 0;
};

// Compares two lists whose rows have unique keys, whatever their order. `key` gives something
// ordered, `text` words for people.
template <class Row, class Key, class Text, class Report>
void compare_lists(std::string_view what, share::LogPosition at, std::vector<Row>& expected,
                   std::vector<Row>& found, Key key, Text text, const Report& report) {
    const auto by_key = [&](const Row& a, const Row& b) { return key(a) < key(b); };
    std::ranges::stable_sort(expected, by_key);
    std::ranges::stable_sort(found, by_key);
    constexpr std::string_view kNone = "no such row";
    auto wanted = expected.begin();
    auto there = found.begin();
    while (wanted != expected.end() || there != found.end()) {
        const bool missing =
            there == found.end() || (wanted != expected.end() && by_key(*wanted, *there));
        const bool extra = !missing && (wanted == expected.end() || by_key(*there, *wanted));
        if (missing) {
            report(AuditDifference{at, std::string(what), text(*wanted), std::string(kNone)});
        } else if (extra) {
            report(AuditDifference{at, std::string(what), std::string(kNone), text(*there)});
        } else if (!(*wanted == *there)) {
            report(AuditDifference{at, std::string(what), text(*wanted), text(*there)});
        }
        if (!extra) ++wanted;
        if (!missing) ++there;
    }
}

}  // namespace adit::ledger
