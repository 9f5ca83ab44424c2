// What the ledger says, as tables for people, JSON for machines and CSV for accounting tools.
// Amounts are exact decimals. Pure: rows in, text out.
#pragma once

#include "ledger/journal.h"

#include <string>
#include <vector>

namespace adit::cli {

// A table with aligned columns; numbers to the right. Rows have as many cells as the head.
class TextTable {
 public:
    enum class Align { left, right };
    explicit TextTable(std::vector<std::pair<std::string, Align>> head) : head_(std::move(head)) {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    std::string text() const;

 private:
    std::vector<std::pair<std::string, Align>> head_;
    std::vector<std::vector<std::string>> rows_;
};

// "2026-11-25 10:11:12" (UTC); "-" for 0.
std::string utc_text(std::int64_t wall_ms);
// "2026-11-25" or "2026-11-25T10:11:12" (UTC) to milliseconds since 1970; nullopt for no such time.
std::optional<std::int64_t> parse_utc(std::string_view text);

std::string balances_text(const std::vector<ledger::BalanceRow>& rows);
// What the pool owes to all accounts together, posted and pending: a line below the table.
std::string custody_text(const std::vector<ledger::BalanceRow>& rows);
std::string balances_json(const std::vector<ledger::BalanceRow>& rows);

std::string blocks_text(const std::vector<ledger::BlockRow>& rows);
std::string blocks_json(const std::vector<ledger::BlockRow>& rows);

std::string payouts_text(const std::vector<ledger::PayoutRow>& rows);
std::string payouts_json(const std::vector<ledger::PayoutRow>& rows);

struct PayoutDetail {
    ledger::PayoutRow payout;
    std::vector<share::Payee> payees;
    std::vector<share::PayoutSignedRecord> attempts;
};
std::string payout_text(const PayoutDetail& detail);
std::string payout_json(const PayoutDetail& detail);

// Earnings: one line a credit, reversal or donation of an account. Payouts: one line a payment that
// is booked, or was taken back. Times are UTC, amounts BTC with eight decimals, negative where
// money goes back. RFC 4180 with a header line.
std::string earnings_csv(const std::vector<ledger::Transfer>& transfers);
std::string payouts_csv(const std::vector<ledger::Transfer>& transfers,
                        const std::vector<ledger::PayoutRow>& payouts);

}  // namespace adit::cli
