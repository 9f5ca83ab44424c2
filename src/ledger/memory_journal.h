// A ledger in memory, for one log: what an audit computes from the log alone and compares with the
// ledger that the pool keeps. Shares no code with the databases' journals. It holds every row,
// slices packed. Not thread-safe.
#pragma once

#include "ledger/journal.h"
#include "ledger/slice_book.h"

#include <map>
#include <set>
#include <unordered_map>

namespace adit::ledger {

class MemoryJournal final : public Journal, public LedgerReader {
 public:
    MemoryJournal(InstanceId instance, std::uint32_t slice_s)
        : instance_(instance), slice_s_(slice_s) {}

    // Names and work of a piece of the log; its facts go through a Bookkeeper afterwards.
    void add(const TallyDelta& delta);
    const SliceBook& slices() const { return slices_; }

    // Journal.
    InstanceId instance() override { return instance_; }
    std::uint32_t slice_s() override { return slice_s_; }
    RulesRow current_rules() override;
    RulesRow rules(std::uint32_t id) override;
    void add_rules(const share::RulesRecord& rules, share::LogPosition position) override;
    std::optional<share::SettingsRecord> settings(std::string_view account) override;
    void put_settings(const share::SettingsRecord& settings) override;
    std::optional<std::string> account_name(InstanceId instance, share::AccountId id) override;
    std::optional<BlockRow> block(const chain::Hash256& hash) override;
    void put_block(const BlockRow& block) override;
    std::optional<BlockRow> block_before(const BlockRow& block) override;
    std::vector<BlockRow> blocks_after(const BlockRow& block) override;
    std::vector<BlockRow> rounds_moved_to(const chain::Hash256& hash) override;
    std::optional<std::int64_t> closed_ms(const SliceRef& ref) override;
    void slices_down(const SliceRef& from,
                     const std::function<bool(const SliceGroup&)>& visit) override;
    Balance balance(std::string_view account) override;
    void post(std::span<const Transfer> transfers) override;
    Balance total() override;
    std::vector<SplitRow> split(const chain::Hash256& block) override;
    void put_split(const chain::Hash256& block, std::span<const SplitRow> split) override;
    std::optional<share::SnapshotRecord> snapshot(InstanceId instance, std::uint64_t id) override;
    std::uint64_t last_snapshot(InstanceId instance) override;
    void put_snapshot(const share::SnapshotRecord& snapshot) override;
    void forget_snapshots(std::uint64_t after, std::uint64_t upto) override;
    std::optional<PayoutRow> payout(share::PayoutId id) override;
    void put_payout(const PayoutRow& payout) override;
    std::vector<share::Payee> payees(share::PayoutId id) override;
    void put_payees(share::PayoutId id, std::span<const share::Payee> payees) override;
    std::vector<share::PayoutSignedRecord> attempts(share::PayoutId id) override;
    void add_attempt(const share::PayoutSignedRecord& attempt) override;
    std::optional<share::PayoutId> payout_of(const chain::Hash256& txid) override;
    bool is_explained(const chain::Hash256& txid, std::string_view account) override;
    void add_explained(const share::ExplainRecord& explained) override;
    void add_refused(const RefusedFact& refused) override;

    // LedgerReader. Never fails.
    Stored<Balance> balance_of(std::string_view account) override;
    Stored<std::vector<BalanceRow>> balances() override;
    Stored<Balance> total_of_all() override;
    Stored<std::vector<Transfer>> transfers(std::string_view account, std::int64_t from_ms,
                                            std::int64_t to_ms) override;
    Stored<std::vector<BlockRow>> block_rows() override;
    Stored<std::optional<BlockRow>> block_row(const chain::Hash256& hash) override;
    Stored<std::vector<SplitRow>> split_of(const chain::Hash256& block) override;
    Stored<std::vector<RulesRow>> rules_rows() override;
    Stored<std::optional<share::SettingsRecord>> settings_of(std::string_view account) override;
    Stored<std::vector<share::SettingsRecord>> all_settings() override;
    Stored<std::vector<PayoutRow>> payout_rows() override;
    Stored<std::vector<PayoutRow>> open_payouts() override;
    Stored<std::vector<PayoutRow>> payouts_after(std::int64_t created_ms) override;
    Stored<PayoutTotals> payout_totals() override;
    Stored<std::optional<PayoutRow>> payout_row(share::PayoutId id) override;
    Stored<std::vector<share::Payee>> payees_of(share::PayoutId id) override;
    Stored<std::vector<share::PayoutSignedRecord>> attempts_of(share::PayoutId id) override;
    Stored<std::optional<share::PayoutId>> payout_of_txid(const chain::Hash256& txid) override;
    Stored<std::vector<share::ExplainRecord>> explained() override;
    Stored<std::vector<RefusedFact>> refused() override;
    Stored<std::vector<share::SnapshotRecord>> snapshots() override;

 private:
    // The order in which blocks were found.
    using BlockPlace = std::tuple<std::int64_t, InstanceId, SliceKey>;
    static BlockPlace place_of(const BlockRow& block);

    const InstanceId instance_;
    const std::uint32_t slice_s_;
    std::unordered_map<share::AccountId, std::string> names_;
    SliceBook slices_;
    std::vector<RulesRow> rules_;  // by id - 1
    std::map<std::string, share::SettingsRecord, std::less<>> settings_;
    std::unordered_map<chain::Hash256, BlockRow, chain::Hash256Hasher> blocks_;
    std::map<BlockPlace, chain::Hash256> found_;
    std::map<SliceRef, std::int64_t> closed_;
    std::unordered_map<chain::Hash256, std::vector<SplitRow>, chain::Hash256Hasher> splits_;
    std::map<std::string, Balance, std::less<>> balances_;
    std::vector<Transfer> transfers_;  // by position
    std::set<TransferId> transfer_ids_;
    std::map<std::pair<InstanceId, std::uint64_t>, share::SnapshotRecord> snapshots_;
    std::set<std::pair<InstanceId, std::uint64_t>> snapshots_of_blocks_;
    std::map<share::PayoutId, PayoutRow> payouts_;
    std::map<share::PayoutId, std::vector<share::Payee>> payees_;
    std::map<share::PayoutId, std::vector<share::PayoutSignedRecord>> attempts_;
    std::unordered_map<chain::Hash256, share::PayoutId, chain::Hash256Hasher> payout_of_;
    std::vector<share::ExplainRecord> explained_;
    std::vector<RefusedFact> refused_;
};

}  // namespace adit::ledger
