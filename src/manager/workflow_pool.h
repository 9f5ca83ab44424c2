// The running pool as the workflow sees it: its log, its ledger, its nodes' side and its payouts.
// What is handed in outlives it. Used by one thread at a time.
#pragma once

#include "manager/workflow.h"
#include "store/file_share_log.h"
#include "store/file_system.h"
#include "store/sql_ledger.h"
#include "store/tally_thread.h"

#include <condition_variable>
#include <filesystem>
#include <mutex>

namespace adit::manager {

// All functions are safe from any thread.
struct WorkflowSources {
    store::FileSystem& files;
    std::filesystem::path log_dir;
    store::FileShareLog& log;
    store::SqlLedger& ledger;
    store::TallyThread& tally;
    PayoutDesk* payouts = nullptr;  // null: no wallet pays
    std::string why_no_payouts;     // then
    std::function<std::string()> why_closed;
    std::function<std::vector<node::SubmitReport>()> submissions;
    std::function<std::int32_t()> tip_height;
    std::int32_t maturity = 0;  // confirmations
    std::function<std::int64_t()> threshold_sat;
};

class LiveWorkflowPool final : public WorkflowPool {
 public:
    LiveWorkflowPool(WorkflowSources sources, const base::Clock& clock)
        : sources_(std::move(sources)), clock_(clock) {}

    std::string why_closed() const override { return sources_.why_closed(); }
    share::LogPoint log_point() const override { return sources_.log.durable_point(); }
    Stored<WorkerIds> ids(const std::string& account, const std::string& worker) override;
    Stored<std::vector<LoggedShare>> logged(const share::LogPoint& from, share::WorkerId worker,
                                            const CallLimits& limits) override;
    Stored<void> wait_folded(share::LogPosition position, const CallLimits& limits) override;
    Stored<BookedWork> booked(const WorkerIds& ids, std::int64_t since_s) override;
    ledger::LedgerReader& ledger() override { return sources_.ledger; }
    std::optional<node::SubmitReport> submission(const chain::Hash256& block) const override;
    std::int32_t tip_height() const override { return sources_.tip_height(); }
    std::int32_t maturity() const override { return sources_.maturity; }
    std::string why_no_payouts() const override { return sources_.why_no_payouts; }
    std::int64_t threshold_sat(std::string_view account) override;
    void kick_payouts() override;
    PayoutView payout_view() const override;
    void pause(std::int64_t ms, const std::stop_token& stop) override;

 private:
    const WorkflowSources sources_;
    const base::Clock& clock_;
    std::mutex pause_mutex_;
    std::condition_variable_any pause_changed_;  // by the stop token alone
};

}  // namespace adit::manager
