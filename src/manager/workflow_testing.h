// A pool and a miner of nothing but answers, for tests of the workflow: everything goes well unless
// the test breaks it. Time passes by the manual clock, when the workflow pauses or mines. One
// thread.
#pragma once

#include "manager/workflow.h"

#include <gtest/gtest.h>

namespace adit::manager::testing {

inline constexpr char kMinerAccount[] = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

inline chain::Hash256 hash_number(std::uint64_t number) {
    chain::Hash256 hash;
    for (std::size_t i = 0; i < sizeof number; ++i)
        hash.bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
    return hash;
}

// What the test sets and reads.
struct WorkflowScript {
    base::ManualClock clock;
    std::string stuck;  // the step that uses up all time: "connect", "authorize", "work"

    // The miner.
    std::string connect_error;
    std::string authorize_error;
    std::string work_error;
    WorkAtHand work{"1", 1, 100, 1'000};
    double rate = 1'000;  // hashes a second
    std::string mine_problem;
    bool finds_nothing = false;
    bool block_is_share = false;  // shares are blocks as well
    std::uint32_t nonces = 0;
    std::uint64_t blocks_mined = 0;
    bool miner_stopped = false;

    // The pool.
    std::string closed;
    std::string ids_error;
    std::string log_error;
    std::string tally_error;
    std::string ledger_error;
    std::vector<LoggedShare> logged;
    chain::Difficulty log_difficulty;
    int copies = 1;  // of each share in the log
    chain::Work booked_too_much = 0;
    ledger::Balance balance{chain::Amount::of(50'000), {}, {}};
    ledger::Balance total;
    node::SubmitState submitted = node::SubmitState::accepted;
    bool submission_known = true;
    std::optional<ledger::BlockState> block_state = ledger::BlockState::confirmed;
    bool matures = true;
    bool has_part = true;
    std::string no_payouts;
    std::int64_t threshold_sat = 10'000;
    PayoutView payouts;
    std::optional<ledger::PayoutState> payout_state = ledger::PayoutState::confirmed;
    int kicks = 0;
};

class ScriptedMiner final : public WorkflowMiner {
 public:
    explicit ScriptedMiner(WorkflowScript& script) : script_(script) {}
    std::string listener() const override { return "127.0.0.1:3333"; }
    Stored<void> connect(const CallLimits& limits) override {
        return step("connect", script_.connect_error, limits);
    }
    Stored<void> authorize(const CallLimits& limits) override {
        return step("authorize", script_.authorize_error, limits);
    }
    Stored<WorkAtHand> work(const CallLimits& limits) override {
        if (const auto done = step("work", script_.work_error, limits); !done) {
            return std::unexpected(done.error());
        }
        return script_.work;
    }
    MineResult mine(const MineOrder& order, const CallLimits& limits) override {
        MineResult result;
        result.problem = script_.mine_problem;
        const auto each = order.blocks_only ? script_.work.block_hashes : script_.work.share_hashes;
        while (result.problem.empty() && !limits.stop.stop_requested()) {
            const auto left_ms = limits.deadline_ms - script_.clock.steady_ms();
            const auto each_ms = static_cast<std::int64_t>(each / script_.rate * 1'000);
            const auto spent_ms = script_.finds_nothing
                                      ? left_ms
                                      : std::min(left_ms, std::max<std::int64_t>(each_ms, 1));
            if (spent_ms <= 0) break;
            script_.clock.advance_ms(spent_ms);
            result.seconds += static_cast<double>(spent_ms) / 1'000;
            result.hashes +=
                static_cast<std::uint64_t>(static_cast<double>(spent_ms) / 1'000 * script_.rate);
            if (script_.finds_nothing || spent_ms < each_ms) break;
            add_share(result, order.blocks_only || script_.block_is_share);
            result.done = result.accepted.size() >= order.shares;
            if (result.done) break;
        }
        return result;
    }
    void stop() override { script_.miner_stopped = true; }

 private:
    Stored<void> step(std::string_view name, const std::string& error, const CallLimits& limits) {
        if (script_.stuck == name) {
            script_.clock.advance_ms(limits.deadline_ms - script_.clock.steady_ms());
            return std::unexpected(fmt::format("nothing came of {}", name));
        }
        script_.clock.advance_ms(1);
        if (!error.empty()) return std::unexpected(error);
        return {};
    }
    void add_share(MineResult& result, bool block) {
        MinedShare share;
        share.choice.nonce = ++script_.nonces;
        share.hash = hash_number(script_.nonces);
        share.block = block;
        script_.blocks_mined += block;
        for (int i = 0; i < script_.copies; ++i) {
            script_.logged.push_back(
                {share.choice, 1'000 + script_.nonces, script_.log_difficulty, true});
        }
        result.accepted.push_back(share);
    }

    WorkflowScript& script_;
};

// Only what the workflow asks.
class ScriptedLedger final : public ledger::LedgerReader {
 public:
    explicit ScriptedLedger(WorkflowScript& script) : script_(script) {}

    Stored<ledger::Balance> balance_of(std::string_view) override {
        return answer(script_.balance);
    }
    Stored<ledger::Balance> total_of_all() override { return answer(script_.total); }
    Stored<std::optional<ledger::BlockRow>> block_row(const chain::Hash256& hash) override {
        std::optional<ledger::BlockRow> found;
        if (script_.block_state) {
            auto& row = found.emplace();
            row.found.block.hash = hash;
            row.found.block.height = 7;
            row.evidence = "a: not in the best chain";
            const bool is_ripe = script_.matures && script_.blocks_mined >= 4;
            row.state = is_ripe ? ledger::BlockState::mature : *script_.block_state;
            row.credited = row.state == ledger::BlockState::confirmed ||
                           row.state == ledger::BlockState::mature;
            row.posted = row.state == ledger::BlockState::mature;
        }
        return answer(found);
    }
    Stored<std::vector<ledger::SplitRow>> split_of(const chain::Hash256&) override {
        std::vector<ledger::SplitRow> split(1);
        split[0].account = script_.has_part ? kMinerAccount : "somebody else";
        split[0].part = chain::Amount::of(49'000);
        return answer(split);
    }
    Stored<std::vector<ledger::PayoutRow>> payouts_after(std::int64_t) override {
        std::vector<ledger::PayoutRow> rows;
        if (script_.payout_state) {
            rows.resize(1);
            rows[0].id = 3;
            rows[0].state = *script_.payout_state;
        }
        return answer(rows);
    }
    Stored<std::vector<share::Payee>> payees_of(share::PayoutId) override {
        return answer(std::vector<share::Payee>{{kMinerAccount, {}, 50'000, 49'500}});
    }

    Stored<std::vector<ledger::BalanceRow>> balances() override { return unasked(); }
    Stored<std::vector<ledger::Transfer>> transfers(std::string_view, std::int64_t,
                                                    std::int64_t) override {
        return unasked();
    }
    Stored<std::vector<ledger::BlockRow>> block_rows() override { return unasked(); }
    Stored<std::vector<ledger::RulesRow>> rules_rows() override { return unasked(); }
    Stored<std::optional<share::SettingsRecord>> settings_of(std::string_view) override {
        return unasked();
    }
    Stored<std::vector<share::SettingsRecord>> all_settings() override { return unasked(); }
    Stored<std::vector<ledger::PayoutRow>> payout_rows() override { return unasked(); }
    Stored<std::vector<ledger::PayoutRow>> open_payouts() override { return unasked(); }
    Stored<ledger::PayoutTotals> payout_totals() override { return unasked(); }
    Stored<std::optional<ledger::PayoutRow>> payout_row(share::PayoutId) override {
        return unasked();
    }
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
        if (!script_.ledger_error.empty()) return std::unexpected(script_.ledger_error);
        return value;
    }
    static std::unexpected<std::string> unasked() {
        ADD_FAILURE() << "the workflow does not need this";
        return std::unexpected(std::string("unasked"));
    }

    WorkflowScript& script_;
};

class ScriptedPool final : public WorkflowPool {
 public:
    explicit ScriptedPool(WorkflowScript& script) : script_(script), ledger_(script) {}

    std::string why_closed() const override { return script_.closed; }
    share::LogPoint log_point() const override { return {1'000, {}}; }
    Stored<WorkerIds> ids(const std::string&, const std::string&) override {
        if (!script_.ids_error.empty()) return std::unexpected(script_.ids_error);
        return WorkerIds{4, 5};
    }
    Stored<std::vector<LoggedShare>> logged(const share::LogPoint&, share::WorkerId worker,
                                            const CallLimits&) override {
        EXPECT_EQ(worker, 5U);
        if (!script_.log_error.empty()) return std::unexpected(script_.log_error);
        return script_.logged;
    }
    Stored<void> wait_folded(share::LogPosition, const CallLimits&) override {
        if (!script_.tally_error.empty()) return std::unexpected(script_.tally_error);
        return {};
    }
    Stored<BookedWork> booked(const WorkerIds&, std::int64_t) override {
        if (!script_.ledger_error.empty()) return std::unexpected(script_.ledger_error);
        BookedWork booked;
        for (const auto& share : script_.logged) {
            ++booked.worker.shares;
            booked.worker.work += chain::work_of(share.difficulty.target());
        }
        if (!script_.logged.empty()) booked.worker.work += script_.booked_too_much;
        booked.account = booked.worker;
        return booked;
    }
    ledger::LedgerReader& ledger() override { return ledger_; }
    std::optional<node::SubmitReport> submission(const chain::Hash256&) const override {
        if (!script_.submission_known) return std::nullopt;
        node::SubmitReport report;
        report.state = script_.submitted;
        report.nodes.push_back({"a", node::NodeVerdict::refused, "high-hash"});
        return report;
    }
    std::int32_t tip_height() const override {
        return 6 + static_cast<std::int32_t>(script_.blocks_mined);
    }
    std::int32_t maturity() const override { return 4; }
    std::string why_no_payouts() const override { return script_.no_payouts; }
    std::int64_t threshold_sat(std::string_view) override { return script_.threshold_sat; }
    void kick_payouts() override { ++script_.kicks; }
    PayoutView payout_view() const override { return script_.payouts; }
    void pause(std::int64_t ms, const std::stop_token&) override { script_.clock.advance_ms(ms); }

 private:
    WorkflowScript& script_;
    ScriptedLedger ledger_;
};

}  // namespace adit::manager::testing
