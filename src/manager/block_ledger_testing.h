// A ledger of nothing but found blocks, rules and settings, for tests of whoever writes facts about
// them: it folds what it is given in the order and with the refusals of ledger::Bookkeeper, credits
// the whole reward of each block to one account, and fails on order before or after a fact has
// reached it. Safe from any thread.
#pragma once

#include "ledger/journal.h"

#include <gtest/gtest.h>

#include <mutex>

namespace adit::manager::testing {

class BlockLedger final : public ledger::LedgerReader, public ledger::FactSink {
 public:
    template <class T>
    using Stored = ledger::Stored<T>;
    using BlockState = ledger::BlockState;
    using BlockFact = share::BlockFact;

    // What happens to a fact: it never reaches the log; it does, but nobody is told; it does later
    // (fold_late()); the ledger refuses it.
    enum class Fault { none, lost, unsaid, late, refused };

    // ---- for the test
    void add(const chain::Hash256& hash, std::int32_t height) {
        const std::lock_guard lock(mutex_);
        auto& row = blocks_.emplace_back();
        row.found.block.hash = hash;
        row.found.block.height = height;
    }
    void change(const chain::Hash256& hash, BlockState state, std::int64_t reward_sat) {
        const std::lock_guard lock(mutex_);
        find(hash)->state = state;
        find(hash)->reward = chain::Amount::of(reward_sat);
    }
    void set_next_fault(Fault fault) {
        const std::lock_guard lock(mutex_);
        fault_ = fault;
    }
    void set_unreadable(bool unreadable) {
        const std::lock_guard lock(mutex_);
        unreadable_ = unreadable;
    }
    void set_balances(std::vector<ledger::BalanceRow> rows, ledger::Balance total) {
        const std::lock_guard lock(mutex_);
        balances_ = std::move(rows);
        total_ = total;
    }
    void fold_late() {
        const std::lock_guard lock(mutex_);
        for (const auto& fact : std::exchange(late_, {}))
            fold(fact);
    }
    ledger::BlockRow row(const chain::Hash256& hash) {
        const std::lock_guard lock(mutex_);
        const auto* row = find(hash);
        return row == nullptr ? ledger::BlockRow{} : *row;
    }
    // What was offered so far, folded or not.
    std::vector<share::BlockFactRecord> facts() {
        const std::lock_guard lock(mutex_);
        return facts_;
    }
    // The facts' names, such as "confirmed contested".
    std::string story() {
        std::string text;
        for (const auto& fact : facts()) {
            if (!text.empty()) text += ' ';
            text += share::name_of(fact.fact);
        }
        return text;
    }
    std::vector<ledger::RulesRow> rules() {
        const std::lock_guard lock(mutex_);
        return rules_;
    }
    int refused_facts() {
        const std::lock_guard lock(mutex_);
        return refused_;
    }
    ledger::Balance balance() {
        const std::lock_guard lock(mutex_);
        return balance_;
    }

    // ---- FactSink
    Stored<void> caught_up() override { return {}; }
    Stored<void> record(share::Record fact) override {
        const std::lock_guard lock(mutex_);
        if (const auto* block = std::get_if<share::BlockFactRecord>(&fact)) {
            facts_.push_back(*block);
        }
        switch (std::exchange(fault_, Fault::none)) {
            case Fault::lost:
                return std::unexpected("storage unavailable");
            case Fault::late:
                late_.push_back(std::move(fact));
                return std::unexpected("the ledger has not folded it in time");
            case Fault::refused:
                return {};
            case Fault::unsaid:
                fold(fact);
                return std::unexpected("nobody knows");
            case Fault::none:
                fold(fact);
        }
        return {};
    }

    // ---- LedgerReader
    Stored<std::vector<ledger::BalanceRow>> balances() override { return answer(balances_); }
    Stored<ledger::Balance> total_of_all() override { return answer(total_); }
    Stored<std::vector<ledger::BlockRow>> block_rows() override { return answer(blocks_); }
    Stored<std::optional<ledger::BlockRow>> block_row(const chain::Hash256& hash) override {
        const std::lock_guard lock(mutex_);
        if (unreadable_) return std::unexpected("the ledger cannot be read");
        const auto* row = find(hash);
        return row == nullptr ? std::nullopt : std::optional(*row);
    }
    Stored<std::vector<ledger::RulesRow>> rules_rows() override { return answer(rules_); }

    Stored<ledger::Balance> balance_of(std::string_view account) override {
        const std::lock_guard lock(mutex_);
        if (unreadable_) return std::unexpected("the ledger cannot be read");
        for (const auto& row : balances_) {
            if (row.account == account) return row.balance;
        }
        return ledger::Balance{};
    }
    Stored<std::optional<share::SettingsRecord>> settings_of(std::string_view account) override {
        const std::lock_guard lock(mutex_);
        if (unreadable_) return std::unexpected("the ledger cannot be read");
        const auto found = settings_.find(account);
        if (found == settings_.end()) return std::nullopt;
        return found->second;
    }

    // Nothing that is asked here.
    Stored<std::vector<ledger::Transfer>> transfers(std::string_view, std::int64_t,
                                                    std::int64_t) override {
        return unasked();
    }
    Stored<std::vector<ledger::SplitRow>> split_of(const chain::Hash256&) override {
        return unasked();
    }
    Stored<std::vector<share::SettingsRecord>> all_settings() override { return unasked(); }
    Stored<std::vector<ledger::PayoutRow>> payout_rows() override { return unasked(); }
    Stored<std::vector<ledger::PayoutRow>> open_payouts() override { return unasked(); }
    Stored<std::vector<ledger::PayoutRow>> payouts_after(std::int64_t) override {
        return unasked();
    }
    Stored<ledger::PayoutTotals> payout_totals() override { return unasked(); }
    Stored<std::optional<ledger::PayoutRow>> payout_row(share::PayoutId) override {
        return unasked();
    }
    Stored<std::vector<share::Payee>> payees_of(share::PayoutId) override { return unasked(); }
    Stored<std::vector<share::PayoutSignedRecord>> attempts_of(share::PayoutId) override {
        return unasked();
    }
    Stored<std::optional<share::PayoutId>> payout_of_txid(const chain::Hash256&) override {
        return unasked();
    }
    Stored<std::vector<share::ExplainRecord>> explained() override { return unasked(); }
    Stored<std::vector<ledger::RefusedFact>> refused() override { return unasked(); }
    Stored<std::vector<share::SnapshotRecord>> snapshots() override { return unasked(); }

 private:
    template <class T>
    Stored<T> answer(const T& value) {
        const std::lock_guard lock(mutex_);
        if (unreadable_) return std::unexpected("the ledger cannot be read");
        return value;
    }
    static std::unexpected<std::string> unasked() {
        ADD_FAILURE() << "nobody in the manager needs this";
        return std::unexpected(std::string("unasked"));
    }
    ledger::BlockRow* find(const chain::Hash256& hash) {
        for (auto& row : blocks_) {
            if (row.found.block.hash == hash) return &row;
        }
        return nullptr;
    }

    static bool is_possible(BlockState from, BlockFact fact) {
        switch (fact) {
            case BlockFact::confirmed:
                return from != BlockState::confirmed && from != BlockState::mature;
            case BlockFact::contested:
                return from != BlockState::contested && from != BlockState::orphaned;
            case BlockFact::mature:
                return from == BlockState::confirmed;
            case BlockFact::orphaned:
                return from != BlockState::mature && from != BlockState::orphaned;
        }
        return false;
    }
    void fold(const share::Record& fact) {
        if (const auto* changed = std::get_if<share::RulesRecord>(&fact)) {
            rules_.push_back({static_cast<std::uint32_t>(rules_.size() + 1), *changed, 0});
        }
        if (const auto* chosen = std::get_if<share::SettingsRecord>(&fact)) {
            settings_[chosen->account] = *chosen;
        }
        const auto* block = std::get_if<share::BlockFactRecord>(&fact);
        if (block == nullptr) return;
        auto* row = find(block->hash);
        const bool in_order = row != nullptr && block->transition == row->transition + 1;
        if (!in_order || !is_possible(row->state, block->fact)) {
            ++refused_;
            return;
        }
        row->transition = block->transition;
        row->confirmations = block->confirmations;
        row->evidence = block->evidence;
        apply(*row, *block);
    }
    void apply(ledger::BlockRow& row, const share::BlockFactRecord& block) {
        switch (block.fact) {
            case BlockFact::confirmed:
                row.state = BlockState::confirmed;
                row.reward = chain::Amount::of(block.coinbase_value_sat);
                if (!row.credited) balance_.pending += row.reward;
                row.credited = true;
                return;
            case BlockFact::contested:
                row.state = BlockState::contested;
                return;
            case BlockFact::mature:
                row.state = BlockState::mature;
                if (!row.posted) {
                    balance_.pending -= row.reward;
                    balance_.posted += row.reward;
                }
                row.posted = true;
                return;
            case BlockFact::orphaned:
                row.state = BlockState::orphaned;
                if (row.credited) (row.posted ? balance_.posted : balance_.pending) -= row.reward;
                row.credited = row.posted = false;
                return;
        }
    }

    std::mutex mutex_;
    Fault fault_ = Fault::none;  // of the next fact
    bool unreadable_ = false;
    std::vector<share::BlockFactRecord> facts_;
    std::vector<share::Record> late_;
    int refused_ = 0;
    std::vector<ledger::BlockRow> blocks_;
    std::vector<ledger::RulesRow> rules_;
    std::map<std::string, share::SettingsRecord, std::less<>> settings_;
    ledger::Balance balance_;  // of the one account
    std::vector<ledger::BalanceRow> balances_;
    ledger::Balance total_;
};

}  // namespace adit::manager::testing
