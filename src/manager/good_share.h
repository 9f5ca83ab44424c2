// Shares for the protocol check, made with the miner's own search: one that the pool has to take,
// when a processor finds it soon enough, and one that misses the share target. Pure but for the
// clock, on the caller's thread.
#pragma once

#include "base/clock.h"
#include "manager/operation.h"
#include "miner/pool_job.h"

#include <optional>
#include <string>

namespace adit::manager {

struct ShareSearch {
    std::optional<miner::Share> share;
    std::string why_none;  // a sentence, measured; empty when there is a share
};

// Looks for limit_ms at most, and not at all once it knows that it takes far longer. Ends early by
// the limits, then without a share.
ShareSearch find_good_share(const miner::PoolJobRef& job, int limit_ms, const CallLimits& limits,
                            const base::Clock& clock);

// A share whose hash does not meet the job's share target; nullopt: every hash of a few does.
std::optional<miner::Share> find_poor_share(const miner::PoolJobRef& job);

}  // namespace adit::manager
