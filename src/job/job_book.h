// The jobs that shares may still refer to: which are current, which are stale but could still be a
// block, and when they are forgotten. One per shard; no locks. Time (steady ms) is passed in.
#pragma once

#include "job/job.h"

#include <cstdint>
#include <map>
#include <optional>

namespace adit::job {

// A job's age counts from the moment the next one replaced it, so the newest job never ages: while
// the node is silent it stays the best work there is. Of an earlier tip all jobs that could still
// be submitted when the tip ended stay so for 10 minutes from then.
enum class JobState {
    current,  // of the present tip and at most 10 minutes old: shares count
    expired,  // of the present tip but older (at most 20 minutes): refused 21, may still be a block
    stale,    // of one of the last two previous tips, ended at most 10 minutes ago: the same
};

struct FoundJob {
    const JobRef* job;  // valid until the next add() or expire()
    JobState state;
};

class JobBook {
 public:
    static constexpr std::int64_t kLifetimeMs = 600'000;
    static constexpr std::int64_t kExpiredLifetimeMs = 2 * kLifetimeMs;
    static constexpr std::size_t kMaxJobs = 256;  // bound on kept jobs; the oldest go first

    // Jobs come in order of their ids; one that is known already or older than all is ignored.
    void add(JobRef job, std::int64_t now_ms);
    // Forgets what is too old. Called now and then (once a second is plenty).
    void expire(std::int64_t now_ms);
    // nullopt: unknown, forgotten or too old to be found.
    std::optional<FoundJob> find(JobId id, std::int64_t now_ms) const;
    // The newest job; null before the first.
    const JobRef& latest() const { return latest_; }
    std::size_t size() const { return jobs_.size(); }
    // The oldest id still kept. 0 when empty.
    JobId oldest() const { return jobs_.empty() ? 0 : jobs_.begin()->first; }
    // The oldest id whose shares may still count: a job never becomes current again, so duplicates
    // of older jobs may be forgotten. 0 when empty.
    JobId oldest_current(std::int64_t now_ms) const;

 private:
    struct Kept {
        JobRef job;
        std::int64_t replaced_ms = kNever;   // steady; when the next job came
        std::int64_t tip_ended_ms = kNever;  // steady; when the next job of another tip came
    };
    static constexpr std::int64_t kNever = INT64_MAX;

    std::optional<JobState> state_of(const Kept& kept, std::int64_t now_ms) const;

    std::map<JobId, Kept> jobs_;
    JobRef latest_;
};

}  // namespace adit::job
