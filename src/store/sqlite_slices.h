// Slices, totals, names and found blocks in one SQLite file (WAL, synchronous FULL). The point that
// the fold has reached is written in the same transaction as what it added. The schema has a
// version; a newer one is refused. Safe from any thread (one connection under a lock).
#pragma once

#include "ledger/slice_store.h"

#include <expected>
#include <filesystem>
#include <memory>
#include <mutex>

namespace adit::store {

struct SqliteSlicesSettings {
    std::filesystem::path file;
    // Worker sums per slice are kept this long; their totals for ever.
    std::int64_t keep_worker_slices_s = 7 * 86'400;
    // Test only: called before each step of apply(); false makes that step fail.
    std::function<bool(int step)> fail_point;
};

class SqliteSlices final : public ledger::SliceStore {
 public:
    static constexpr int kSchemaVersion = 2;

    static ledger::Stored<std::unique_ptr<SqliteSlices>> open(SqliteSlicesSettings settings);
    ~SqliteSlices() override;

    ledger::Stored<std::optional<ledger::FoldPoint>> fold_point() override;
    ledger::Stored<void> apply(const ledger::TallyDelta& delta) override;
    ledger::Stored<ledger::Sum> account_work_since(share::AccountId account,
                                                   std::int64_t start_s) override;
    ledger::Stored<ledger::Sum> worker_work_since(share::WorkerId worker,
                                                  std::int64_t start_s) override;
    ledger::Stored<ledger::Sum> pool_work_since(std::int64_t start_s) override;
    ledger::Stored<std::vector<ledger::SliceRow>> slices(std::int64_t from_s,
                                                         std::int64_t to_s) override;
    ledger::Stored<std::vector<ledger::TotalRow>> worker_totals() override;
    ledger::Stored<std::vector<ledger::FoundBlock>> blocks() override;
    ledger::Stored<std::vector<share::AccountRecord>> accounts() override;
    ledger::Stored<std::vector<share::WorkerRecord>> workers() override;

 private:
    class Database;
    explicit SqliteSlices(std::unique_ptr<Database> database, SqliteSlicesSettings settings);
    std::mutex mutex_;
    std::unique_ptr<Database> database_;
    SqliteSlicesSettings settings_;
};

}  // namespace adit::store
