// The ledger's journal over an open transaction of a SqlConnection. What many facts of one
// transaction ask for again and again (names, settings, balances) is read once and kept for as long
// as the transaction; changed balances are written by finish(). Internal to SqlLedger, on its
// thread; throws SqlError.
#pragma once

#include "ledger/journal.h"
#include "store/slice_cache.h"
#include "store/sql_connection.h"

#include <unordered_map>

namespace adit::store {

class SqlJournal final : public ledger::Journal {
 public:
    // The cache, if there is one, outlives the journal. What the present transaction adds to the
    // slices and to the fold points must be written before slices_down().
    SqlJournal(SqlConnection& connection, ledger::InstanceId instance, std::uint32_t slice_s,
               SliceCache* cache = nullptr)
        : connection_(connection), instance_(instance), slice_s_(slice_s), cache_(cache) {}

    // Brings the cache up to date, so that the next block's window reads little. The window of the
    // last block says how far down.
    void keep_slices();
    // Writes what is still kept back. Before the commit.
    void finish();

    ledger::InstanceId instance() override { return instance_; }
    std::uint32_t slice_s() override { return slice_s_; }
    ledger::RulesRow current_rules() override;
    ledger::RulesRow rules(std::uint32_t id) override;
    void add_rules(const share::RulesRecord& rules, share::LogPosition position) override;
    std::optional<share::SettingsRecord> settings(std::string_view account) override;
    void put_settings(const share::SettingsRecord& settings) override;
    std::optional<std::string> account_name(ledger::InstanceId instance,
                                            share::AccountId id) override;

    std::optional<ledger::BlockRow> block(const chain::Hash256& hash) override;
    void put_block(const ledger::BlockRow& block) override;
    std::optional<ledger::BlockRow> block_before(const ledger::BlockRow& block) override;
    std::vector<ledger::BlockRow> blocks_after(const ledger::BlockRow& block) override;
    std::vector<ledger::BlockRow> rounds_moved_to(const chain::Hash256& hash) override;
    std::optional<std::int64_t> closed_ms(const ledger::SliceRef& ref) override;
    void slices_down(const ledger::SliceRef& from,
                     const std::function<bool(const ledger::SliceGroup&)>& visit) override;

    ledger::Balance balance(std::string_view account) override;
    void post(std::span<const ledger::Transfer> transfers) override;
    ledger::Balance total() override;
    std::vector<ledger::SplitRow> split(const chain::Hash256& block) override;
    void put_split(const chain::Hash256& block, std::span<const ledger::SplitRow> split) override;

    std::optional<share::SnapshotRecord> snapshot(ledger::InstanceId instance,
                                                  std::uint64_t id) override;
    std::uint64_t last_snapshot(ledger::InstanceId instance) override;
    void put_snapshot(const share::SnapshotRecord& snapshot) override;
    void forget_snapshots(std::uint64_t after, std::uint64_t upto) override;

    std::optional<ledger::PayoutRow> payout(share::PayoutId id) override;
    void put_payout(const ledger::PayoutRow& payout) override;
    std::vector<share::Payee> payees(share::PayoutId id) override;
    void put_payees(share::PayoutId id, std::span<const share::Payee> payees) override;
    std::vector<share::PayoutSignedRecord> attempts(share::PayoutId id) override;
    void add_attempt(const share::PayoutSignedRecord& attempt) override;
    std::optional<share::PayoutId> payout_of(const chain::Hash256& txid) override;

    bool is_explained(const chain::Hash256& txid, std::string_view account) override;
    void add_explained(const share::ExplainRecord& explained) override;
    void add_refused(const ledger::RefusedFact& refused) override;

 private:
    // An account of the ledger: its row number in this database, and what it has.
    struct Account {
        std::int64_t id = 0;
        ledger::Balance balance;
        bool changed = false;
        bool is_stored = false;
    };
    using Names = std::unordered_map<share::AccountId, std::string>;

    std::optional<ledger::SliceRef> oldest_needed();
    bool read_slices(const ledger::SliceRef& below, const ledger::SliceRef& floor,
                     const SliceCache::Visit& visit);
    void load_balances();
    Account& account(std::string_view name);
    std::vector<ledger::BlockRow> read_blocks(SqlStatement& row);
    void insert_transfer(SqlStatement& add, const ledger::Transfer& transfer);
    void insert_postings(std::span<const ledger::Transfer> transfers);

    SqlConnection& connection_;
    ledger::InstanceId instance_;
    std::uint32_t slice_s_;
    SliceCache* cache_;
    std::map<std::string, Account, std::less<>> accounts_;
    bool balances_loaded_ = false;
    std::int64_t last_account_id_ = 0;
    std::optional<std::map<std::string, share::SettingsRecord, std::less<>>> settings_;
    std::map<ledger::InstanceId, Names> names_;
    int name_queries_ = 0;
};

}  // namespace adit::store
