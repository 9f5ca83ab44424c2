// The ledger in a database: one SQLite file (WAL, synchronous FULL) or PostgreSQL. What a piece of
// the log adds, what follows from its facts and the point that the fold has reached are written in
// one transaction. Safe from any thread: one connection writes, another answers questions, so that
// nobody who asks waits for a transaction. A lost connection fails the call under way and is opened
// again by the next one. Errors are sentences that name the database, never its password.
#pragma once

#include "ledger/journal.h"
#include "store/slice_cache.h"

#include <expected>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

namespace adit::store {

class SqlConnection;

struct SqlLedgerSettings {
    // A SQLite file, or "postgresql://user@host/database".
    std::string database;
    ledger::InstanceId instance = 0;  // whose log is folded
    std::uint32_t slice_s = 600;      // of that log
    // Worker sums per slice are kept this long; their totals for ever.
    std::int64_t keep_worker_slices_s = 7 * 86'400;
    // For looking into the ledger of a running pool: creates and changes nothing.
    bool read_only = false;
    // Test only: called before each step of apply(); false makes that step fail.
    std::function<bool(int step)> fail_point = {};
    // Test only: called before each statement of a connection that writes; false makes it fail.
    std::function<bool()> fail_statement = {};
};

// The database that `store.ledger` of the configuration names: a URL as it is, or for "sqlite" the
// file in the data directory.
std::string ledger_database(const std::string& configured, const std::filesystem::path& data_dir);

// "postgresql:" or "postgres:" URLs; everything else is a file.
bool is_postgres_url(std::string_view database);

class SqlLedger final : public ledger::SliceStore, public ledger::LedgerReader {
 public:
    template <class T>
    using Stored = ledger::Stored<T>;

    // Creates the tables in an empty database and migrates older ones.
    static Stored<std::unique_ptr<SqlLedger>> open(SqlLedgerSettings settings);
    ~SqlLedger() override;

    // The ledger as it is at this moment, for as long as the snapshot lives, on a connection of its
    // own; apply() refuses. It keeps SQLite from shortening its write-ahead log: let go of it soon.
    Stored<std::unique_ptr<SqlLedger>> snapshot();

    // Shows the ledger as the bookkeeper sees it, for reading only: writing throws or is lost. In a
    // snapshot() all of it is of one moment.
    Stored<void> look(const std::function<void(ledger::Journal&)>& at);

    // The file, or the URL without its password.
    const std::string& name() const { return name_; }

    // SliceStore: all of it is of the settings' instance.
    Stored<std::optional<ledger::FoldPoint>> fold_point() override;
    Stored<void> apply(const ledger::TallyDelta& delta) override;
    Stored<void> tidy_up() override;
    Stored<void> warm_up() override;
    Stored<ledger::Sum> account_work_since(share::AccountId account, std::int64_t start_s) override;
    Stored<ledger::Sum> worker_work_since(share::WorkerId worker, std::int64_t start_s) override;
    Stored<ledger::Sum> pool_work_since(std::int64_t start_s) override;
    Stored<std::vector<ledger::SliceRow>> slices(std::int64_t from_s, std::int64_t to_s) override;
    Stored<std::vector<ledger::TotalRow>> worker_totals() override;
    Stored<std::vector<ledger::FoundBlock>> blocks() override;
    Stored<std::vector<share::AccountRecord>> accounts() override;
    Stored<std::vector<share::WorkerRecord>> workers() override;

    // LedgerReader: the whole ledger.
    Stored<ledger::Balance> balance_of(std::string_view account) override;
    Stored<std::vector<ledger::BalanceRow>> balances() override;
    Stored<ledger::Balance> total_of_all() override;
    Stored<std::vector<ledger::Transfer>> transfers(std::string_view account, std::int64_t from_ms,
                                                    std::int64_t to_ms) override;
    Stored<std::vector<ledger::BlockRow>> block_rows() override;
    Stored<std::optional<ledger::BlockRow>> block_row(const chain::Hash256& hash) override;
    Stored<std::vector<ledger::SplitRow>> split_of(const chain::Hash256& block) override;
    Stored<std::vector<ledger::RulesRow>> rules_rows() override;
    Stored<std::optional<share::SettingsRecord>> settings_of(std::string_view account) override;
    Stored<std::vector<share::SettingsRecord>> all_settings() override;
    Stored<std::vector<ledger::PayoutRow>> payout_rows() override;
    Stored<std::vector<ledger::PayoutRow>> open_payouts() override;
    Stored<std::vector<ledger::PayoutRow>> payouts_after(std::int64_t created_ms) override;
    Stored<ledger::PayoutTotals> payout_totals() override;
    Stored<std::optional<ledger::PayoutRow>> payout_row(share::PayoutId id) override;
    Stored<std::vector<share::Payee>> payees_of(share::PayoutId id) override;
    Stored<std::vector<share::PayoutSignedRecord>> attempts_of(share::PayoutId id) override;
    Stored<std::optional<share::PayoutId>> payout_of_txid(const chain::Hash256& txid) override;
    Stored<std::vector<share::ExplainRecord>> explained() override;
    Stored<std::vector<ledger::RefusedFact>> refused() override;
    Stored<std::vector<share::SnapshotRecord>> snapshots() override;

 private:
    // A connection and whoever is using it.
    struct Session {
        std::mutex mutex;
        std::unique_ptr<SqlConnection> connection;
    };

    explicit SqlLedger(SqlLedgerSettings settings);
    std::unique_ptr<SqlConnection> connect(bool to_write) const;
    // The session's connection, opened (again) when it is not there or lost.
    SqlConnection& ready(Session& session, bool to_write);
    // Runs what may throw on a connection; the error names the database.
    template <class Work>
    auto with(Session& session, bool to_write, Work work)
        -> Stored<decltype(work(std::declval<SqlConnection&>()))>;
    template <class Work>
    auto ask(Work work) {
        return with(reader_, false, std::move(work));
    }
    void apply_delta(SqlConnection& connection, const ledger::TallyDelta& delta, SliceCache& slices,
                     const std::function<void()>& step) const;

    SqlLedgerSettings settings_;
    std::string name_;
    bool is_snapshot_ = false;
    Session writer_;
    SliceCache slice_cache_;  // the writer's, under its mutex
    Session reader_;
};

}  // namespace adit::store
