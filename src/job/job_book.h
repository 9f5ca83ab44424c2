// The jobs that shares may still refer to: which are current, which are stale but could still be a
// block, and when they are forgotten. One per shard; no locks. Time (steady ms) is passed in.
#pragma once

#include <map>

#include "job/job.h"

namespace adit::job {

enum class JobState {
    current,  // of the present tip and at most 10 minutes old: shares count
    expired,  // of the present tip but older than 10 minutes: refused 21
    stale,    // of one of the last two previous tips, at most 10 minutes old: refused 21 unless a block
};

struct FoundJob {
    const JobRef* job;  // valid until the next add() or expire()
    JobState state;
};

class JobBook {
 public:
    static constexpr std::int64_t kLifetimeMs = 600'000;
    static constexpr std::size_t kMaxJobs = 256;  // bound on kept jobs; the oldest go first

    void add(JobRef job, std::int64_t now_ms);
    // Forgets what is too old. Called now and then (once a second is plenty).
    void expire(std::int64_t now_ms);
    // nullopt: unknown or forgotten.
    std::optional<FoundJob> find(JobId id, std::int64_t now_ms) const;
    // The newest job; null before the first.
    const JobRef& latest() const { return latest_; }
    std::size_t size() const { return jobs_.size(); }
    // The oldest id still kept: duplicates of older jobs may be forgotten. 0 when empty.
    JobId oldest() const { return jobs_.empty() ? 0 : jobs_.begin()->first; }

 private:
    std::map<JobId, JobRef> jobs_;
    JobRef latest_;
};

}  // namespace adit::job
