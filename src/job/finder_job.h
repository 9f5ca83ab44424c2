// Jobs whose coinbase pays whoever finds the block (Job::pays_finder). What everybody shares has
// the pool's script in the first output's place; what one connection hashes has its account's
// there. Both are the same job by id. Pure.
#pragma once

#include "job/job.h"

namespace adit::job {

// The job with this script in its coinbase's first output, ready to be sent, judged and built from.
// The script must not be empty. Null when the job's coinbase has no output.
JobRef job_for_finder(const Job& job, base::ByteSpan script);

}  // namespace adit::job
