// A PayoutService of nothing but answers, for tests of whoever calls one: writes down what it was
// asked, lets a test hold a step or command up, and fails when two callers are in it at once.
#pragma once

#include "manager/payout_desk.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace adit::manager::testing {

// What happened, shared with the test: the desk owns the service itself.
class PayoutScript {
 public:
    // ---- for the test
    // Calls of this name stay in the service until let_go().
    void hold(std::string call) {
        const std::lock_guard lock(mutex_);
        held_ = std::move(call);
    }
    void let_go() {
        const std::lock_guard lock(mutex_);
        held_.clear();
        changed_.notify_all();
    }
    // Until that many calls have begun.
    bool wait_for_calls(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience, [&] { return calls_.size() >= count; });
    }
    // Until one of this name has.
    bool wait_for(const std::string& call) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience,
                                 [&] { return std::ranges::count(calls_, call) != 0; });
    }
    std::vector<std::string> calls() {
        const std::lock_guard lock(mutex_);
        return calls_;
    }
    void refuse_with(std::string sentence) {
        const std::lock_guard lock(mutex_);
        refusal_ = std::move(sentence);
    }

    bool was_cut_short() const { return cut_short_; }

    // ---- for the service
    void cut_short() { cut_short_ = true; }
    void enter(std::string call) {
        EXPECT_FALSE(inside_.exchange(true)) << "two callers at once";
        std::unique_lock lock(mutex_);
        calls_.push_back(call);
        changed_.notify_all();
        EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return held_ != call; }));
        inside_ = false;
    }
    std::string refusal() {
        const std::lock_guard lock(mutex_);
        return refusal_;
    }

 private:
    static constexpr std::chrono::seconds kPatience{30};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::atomic<bool> inside_{false};
    std::atomic<bool> cut_short_{false};
    std::string held_;
    std::vector<std::string> calls_;
    std::string refusal_;
};

class ScriptedPayouts final : public StoppablePayouts {
 public:
    template <class T>
    using Stored = ledger::Stored<T>;

    explicit ScriptedPayouts(PayoutScript& script, std::string name = "")
        : script_(script), name_(std::move(name)) {}

    void cut_short() override { script_.cut_short(); }
    ledger::PayoutStatus step() override {
        script_.enter(name_ + "step");
        return status();
    }
    Stored<ledger::PayoutRound> run(bool dry) override {
        script_.enter(name_ + (dry ? "dry run" : "run"));
        ledger::PayoutRound round;
        round.dry = dry;
        round.fee_rate = 2'500;
        round.payees = {{"bob", ledger::Amount::of(71'000), ledger::Amount::of(70'000), true}};
        if (!dry) round.started = {3};
        return answer(std::move(round));
    }
    Stored<ledger::PayoutRow> approve(share::PayoutId id, std::string_view note) override {
        return decided("approve", id, note);
    }
    Stored<ledger::PayoutRow> cancel(share::PayoutId id, std::string_view note) override {
        return decided("cancel", id, note);
    }
    Stored<ledger::PayoutRow> replace(share::PayoutId id, std::string_view note) override {
        return decided("replace", id, note);
    }
    Stored<std::vector<share::ExplainRecord>> explain(
        const ledger::SpendExplanation& explanation) override {
        script_.enter(fmt::format("{}explain {} payees={} account={} amount={} note={}", name_,
                                  explanation.txid.rpc_hex().substr(60), explanation.debit_payees,
                                  explanation.account, explanation.amount.sat(), explanation.note));
        return answer(std::vector{share::ExplainRecord{
            explanation.txid, explanation.account, explanation.amount.sat(), 0, explanation.note}});
    }
    ledger::PayoutStatus status() const override {
        ledger::PayoutStatus status;
        status.hold_text = name_ + "status";
        return status;
    }

 private:
    Stored<ledger::PayoutRow> decided(std::string_view what, share::PayoutId id,
                                      std::string_view note) {
        script_.enter(fmt::format("{}{} {} {}", name_, what, id, note));
        ledger::PayoutRow row;
        row.id = id;
        return answer(std::move(row));
    }
    template <class T>
    Stored<T> answer(T value) {
        if (auto refusal = script_.refusal(); !refusal.empty()) return std::unexpected(refusal);
        return value;
    }

    PayoutScript& script_;
    const std::string name_;
};

}  // namespace adit::manager::testing
