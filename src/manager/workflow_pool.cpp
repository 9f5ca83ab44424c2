#include "manager/workflow_pool.h"

#include "store/log_reader.h"

namespace adit::manager {
namespace {

constexpr std::int64_t kMostWaitMs = 3'600'000;

}  // namespace

Stored<WorkerIds> LiveWorkflowPool::ids(const std::string& account, const std::string& worker) {
    WorkerIds ids;
    ids.account = sources_.log.account(account);
    if (ids.account != 0) ids.worker = sources_.log.worker(ids.account, worker);
    if (ids.worker == 0) return std::unexpected("the log takes no more accounts or workers");
    return ids;
}

Stored<std::vector<LoggedShare>> LiveWorkflowPool::logged(const share::LogPoint& from,
                                                          share::WorkerId worker,
                                                          const CallLimits& limits) {
    auto reader = store::LogReader::open(sources_.files, sources_.log_dir, from);
    if (!reader) return std::unexpected(reader.error().text());
    const auto end = sources_.log.durable_position();
    std::vector<LoggedShare> found;
    while (true) {
        if (limits.stop.stop_requested() || clock_.steady_ms() >= limits.deadline_ms) {
            return std::unexpected("the time allowed was over before the log was read");
        }
        const auto batch = reader->next(end);
        if (!batch) return std::unexpected(batch.error().text());
        if (!*batch) return found;
        base::ByteReader records((*batch)->payload);
        while (records.left() > 0) {
            const auto record = share::read_record(records);
            if (!record) return std::unexpected(std::string(share::describe(record.error())));
            const auto* share = std::get_if<share::ShareRecord>(&*record);
            if (share == nullptr || share->worker != worker) continue;
            found.push_back({share->choice, (*batch)->after.position, share->difficulty,
                             !share->uncredited && !share->stale});
        }
    }
}

Stored<void> LiveWorkflowPool::wait_folded(share::LogPosition position, const CallLimits& limits) {
    const auto left_ms =
        std::clamp<std::int64_t>(limits.deadline_ms - clock_.steady_ms(), 0, kMostWaitMs);
    if (sources_.tally.wait_folded(position, left_ms, limits.stop)) return {};
    const auto why = sources_.tally.error();
    return std::unexpected(
        fmt::format("the tally stands at {} of the log and has not reached {}{}{}",
                    sources_.tally.folded_position(), position, why.empty() ? "" : ": ", why));
}

Stored<BookedWork> LiveWorkflowPool::booked(const WorkerIds& ids, std::int64_t since_s) {
    const auto worker = sources_.ledger.worker_work_since(ids.worker, since_s);
    if (!worker) return std::unexpected(worker.error());
    const auto account = sources_.ledger.account_work_since(ids.account, since_s);
    if (!account) return std::unexpected(account.error());
    return BookedWork{*worker, *account};
}

std::optional<node::SubmitReport> LiveWorkflowPool::submission(const chain::Hash256& block) const {
    const auto reports = sources_.submissions();
    const auto found = std::ranges::find_if(reports, [&](const node::SubmitReport& report) {
        return report.candidate && report.candidate->hash == block;
    });
    if (found == reports.end()) return std::nullopt;
    return *found;
}

std::int64_t LiveWorkflowPool::threshold_sat(std::string_view account) {
    const auto settings = sources_.ledger.settings_of(account);
    const bool has_own = settings && *settings && (*settings)->threshold_sat != 0;
    return has_own ? (*settings)->threshold_sat : sources_.threshold_sat();
}

void LiveWorkflowPool::kick_payouts() {
    if (sources_.payouts != nullptr) sources_.payouts->kick();
}

PayoutView LiveWorkflowPool::payout_view() const {
    return sources_.payouts == nullptr ? PayoutView{} : sources_.payouts->view();
}

void LiveWorkflowPool::pause(std::int64_t ms, const std::stop_token& stop) {
    std::unique_lock lock(pause_mutex_);
    pause_changed_.wait_for(lock, stop, std::chrono::milliseconds(ms), [] { return false; });
}

}  // namespace adit::manager
