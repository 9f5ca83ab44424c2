#include "manager/workflow_desk.h"

namespace adit::manager {

Outcome<std::stop_source> WorkflowDesk::take_place() {
    const std::lock_guard lock(mutex_);
    if (ended_) {
        return std::unexpected(
            OperationRefusal{RefusalKind::wrong_state, "the pool is stopping, not running"});
    }
    if (busy_) {
        return std::unexpected(OperationRefusal{
            RefusalKind::unavailable,
            fmt::format("run {} of the workflow has not ended; try again then", runs_)});
    }
    busy_ = true;
    stop_ = std::stop_source();
    last_ = WorkflowReport{};
    last_->run = ++runs_;
    return stop_;
}

Outcome<WorkflowReport> WorkflowDesk::carry_out(const WorkflowRequest& request,
                                                const CallLimits& limits) {
    const auto run = [this] {
        const std::lock_guard lock(mutex_);
        return runs_;
    }();
    auto report = [&]() -> Outcome<WorkflowReport> {
        try {
            return work_(request, limits, [&](const WorkflowReport& so_far) {
                const std::lock_guard lock(mutex_);
                last_ = so_far;
                last_->run = run;
            });
        } catch (const std::exception& error) {  // such as no more threads or descriptors
            return std::unexpected(OperationRefusal{RefusalKind::failed, error.what()});
        }
    }();
    if (report) report->run = run;
    const std::lock_guard lock(mutex_);
    last_ = report;
    busy_ = false;
    changed_.notify_all();
    return report;
}

Outcome<WorkflowReport> WorkflowDesk::run(const WorkflowRequest& request,
                                          const CallLimits& limits) {
    auto place = take_place();
    if (!place) return std::unexpected(place.error());
    const std::stop_callback on_stop(limits.stop, [&place] { place->request_stop(); });
    return carry_out(request, {limits.deadline_ms, place->get_token()});
}

Outcome<WorkflowReport> WorkflowDesk::begin(const WorkflowRequest& request, std::int64_t limit_ms) {
    const auto place = take_place();
    if (!place) return std::unexpected(place.error());
    const CallLimits limits{clock_.steady_ms() + limit_ms, place->get_token()};
    const std::lock_guard lock(mutex_);
    auto first = last_;
    try {
        // The thread of the run before has ended or is about to, and needs the mutex no more.
        thread_ = std::jthread([this, request, limits] { carry_out(request, limits); });
    } catch (const std::system_error& error) {
        busy_ = false;
        return std::unexpected(OperationRefusal{RefusalKind::failed, error.what()});
    }
    return first;
}

Outcome<WorkflowReport> WorkflowDesk::report_locked(std::uint64_t run) const {
    if (run != runs_ || run == 0) {
        return std::unexpected(
            OperationRefusal{RefusalKind::bad_request,
                             fmt::format("there is no run {}; the last one was {}", run, runs_)});
    }
    return last_;
}

Outcome<WorkflowReport> WorkflowDesk::report(std::uint64_t run) const {
    const std::lock_guard lock(mutex_);
    return report_locked(run);
}

Outcome<WorkflowReport> WorkflowDesk::cancel(std::uint64_t run) {
    const std::lock_guard lock(mutex_);
    auto report = report_locked(run);
    if (report && busy_) stop_.request_stop();
    return report;
}

void WorkflowDesk::request_stop() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    stop_.request_stop();
}

void WorkflowDesk::stop() {
    request_stop();
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !busy_; });
    }
    if (thread_.joinable()) thread_.join();
}

}  // namespace adit::manager
