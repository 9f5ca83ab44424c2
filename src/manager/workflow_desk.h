// Where workflows are run, one at a time: for a caller who waits (run), or in the background for
// one who looks now and then (begin, report, cancel), so that the control socket is never held up
// by a miner. Remembers the last run. Owns one thread while a background run lasts. Safe from any
// thread.
#pragma once

#include "manager/workflow.h"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace adit::manager {

class WorkflowDesk {
 public:
    using Work = std::function<Outcome<WorkflowReport>(const WorkflowRequest&, const CallLimits&,
                                                       const Workflow::Progress&)>;

    WorkflowDesk(Work work, const base::Clock& clock) : work_(std::move(work)), clock_(clock) {}
    ~WorkflowDesk() { stop(); }
    WorkflowDesk(const WorkflowDesk&) = delete;
    WorkflowDesk& operator=(const WorkflowDesk&) = delete;

    // Refused while another one runs.
    Outcome<WorkflowReport> run(const WorkflowRequest& request, const CallLimits& limits);
    // Returns at once; the report has the run's number and no stage yet.
    Outcome<WorkflowReport> begin(const WorkflowRequest& request, std::int64_t limit_ms);
    // As far as it has come.
    Outcome<WorkflowReport> report(std::uint64_t run) const;
    // Asks it to end; what it was at fails, the rest is not tried.
    Outcome<WorkflowReport> cancel(std::uint64_t run);
    // Begins the end without waiting for it.
    void request_stop();
    // Ends what runs, waits for it, and refuses all later ones. Idempotent.
    void stop();

 private:
    // With the place taken by take_place().
    Outcome<WorkflowReport> carry_out(const WorkflowRequest& request, const CallLimits& limits);
    Outcome<std::stop_source> take_place();
    Outcome<WorkflowReport> report_locked(std::uint64_t run) const;

    const Work work_;
    const base::Clock& clock_;
    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable_any changed_;
    bool busy_ = false;
    bool ended_ = false;
    std::uint64_t runs_ = 0;
    std::stop_source stop_;  // of the run under way
    Outcome<WorkflowReport> last_ = WorkflowReport{};
    std::jthread thread_;
};

}  // namespace adit::manager
