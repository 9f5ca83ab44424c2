#include "job/job_book.h"

#include "base/check.h"

namespace adit::job {

namespace {
constexpr std::uint64_t kStaleTips = 2;
}

void JobBook::add(JobRef job, std::int64_t now_ms) {
    ADIT_CHECK(job != nullptr, "a job book keeps jobs");
    if (latest_ != nullptr && job->id <= latest_->id) return;
    if (!jobs_.empty()) jobs_.rbegin()->second.replaced_ms = now_ms;
    if (latest_ != nullptr && job->tip != latest_->tip) {
        expire(now_ms);
        for (auto& [id, kept] : jobs_) {
            if (kept.tip_ended_ms == kNever) kept.tip_ended_ms = now_ms;
        }
    }
    latest_ = job;
    const auto id = job->id;
    jobs_.emplace_hint(jobs_.end(), id, Kept{std::move(job)});
    expire(now_ms);
    while (jobs_.size() > kMaxJobs)
        jobs_.erase(jobs_.begin());
}

std::optional<JobState> JobBook::state_of(const Kept& kept, std::int64_t now_ms) const {
    const auto age_ms = kept.replaced_ms == kNever ? 0 : now_ms - kept.replaced_ms;
    if (kept.job->tip == latest_->tip) {
        if (age_ms <= kLifetimeMs) return JobState::current;
        return age_ms <= kExpiredLifetimeMs ? std::optional(JobState::expired) : std::nullopt;
    }
    const auto tips_ago = latest_->tip - kept.job->tip;
    if (tips_ago > kStaleTips || now_ms - kept.tip_ended_ms > kLifetimeMs) return std::nullopt;
    return JobState::stale;
}

void JobBook::expire(std::int64_t now_ms) {
    std::erase_if(jobs_, [&](const auto& entry) { return !state_of(entry.second, now_ms); });
}

std::optional<FoundJob> JobBook::find(JobId id, std::int64_t now_ms) const {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return std::nullopt;
    const auto state = state_of(found->second, now_ms);
    if (!state) return std::nullopt;
    return FoundJob{&found->second.job, *state};
}

JobId JobBook::oldest_current(std::int64_t now_ms) const {
    for (const auto& [id, kept] : jobs_) {
        if (state_of(kept, now_ms) == JobState::current) return id;
    }
    return 0;
}

}  // namespace adit::job
