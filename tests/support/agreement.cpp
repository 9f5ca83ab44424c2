#include "tests/support/agreement.h"

#include "store/sql_ledger.h"

#include <gtest/gtest.h>

namespace adit::tests {

bool expect_every_true_once(const LogContents& log, const ShareBook& book) {
    const auto counted = log.counted();
    bool good = true;
    for (const auto& [hash, times] : book.answered_true()) {
        const auto at = counted.find(hash);
        const int logged = at == counted.end() ? 0 : at->second;
        EXPECT_EQ(logged, 1) << "answered true: " << hash.rpc_hex();
        EXPECT_EQ(times, 1) << "answered true more than once: " << hash.rpc_hex();
        good = good && logged == 1 && times == 1;
    }
    for (const auto& [hash, times] : counted) {
        EXPECT_EQ(times, 1) << "counts more than once: " << hash.rpc_hex();
        good = good && times == 1;
    }
    return good;
}

void expect_ledger_equals_log(const std::filesystem::path& data_dir, const LogContents& log) {
    store::SqlLedgerSettings settings;
    settings.database = (data_dir / "ledger.sqlite").string();
    const auto ledger = store::SqlLedger::open(settings);
    ASSERT_TRUE(ledger.has_value()) << ledger.error();
    const auto totals = (*ledger)->worker_totals();
    ASSERT_TRUE(totals.has_value()) << totals.error();
    // Shares that are worth something, and records that are worth nothing.
    using Sums = std::pair<std::uint64_t, std::uint64_t>;
    std::map<share::WorkerId, Sums> expected;
    Sums expected_all;
    for (const auto& share : log.shares) {
        const bool credited = !share.record.stale && !share.record.uncredited;
        for (auto* sums : {&expected[share.record.worker], &expected_all})
            ++(credited ? sums->first : sums->second);
    }
    std::map<share::WorkerId, Sums> found;
    for (const auto& row : *totals)
        found[row.id] = {row.sum.shares, row.sum.uncredited};
    EXPECT_EQ(found, expected);
    const auto all = (*ledger)->pool_work_since(0);
    ASSERT_TRUE(all.has_value()) << all.error();
    EXPECT_EQ(Sums(all->shares, all->uncredited), expected_all);
    const auto blocks = (*ledger)->blocks();
    ASSERT_TRUE(blocks.has_value()) << blocks.error();
    ASSERT_EQ(blocks->size(), log.blocks.size());
    for (std::size_t i = 0; i < log.blocks.size(); ++i)
        EXPECT_EQ((*blocks)[i].block, log.blocks[i]);
}

LogContents expect_agreement(const std::filesystem::path& data_dir, const ShareBook& book) {
    auto log = read_log(data_dir);
    expect_every_true_once(log, book);
    EXPECT_EQ(log.counted_shares(), book.accepted());
    EXPECT_EQ(book.counts().lost, 0U);
    expect_ledger_equals_log(data_dir, log);
    return log;
}

}  // namespace adit::tests
