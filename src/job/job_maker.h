// Turns templates into jobs. Pure: time and ids are passed in. Not thread-safe: one owner (the
// manager's template thread).
#pragma once

#include "job/job.h"

#include <expected>

namespace adit::job {

struct JobMakerSettings {
    base::Bytes payout_script;         // receives the whole reward
    std::string signature = "/Adit/";  // at most kSignatureLimit bytes
};

enum class JobError {
    signature_too_long,
    no_payout_script,  // anybody could spend the reward
    bad_height,        // below 1
    bad_bits,          // no target: zero, negative or overflowing
    bad_value,         // negative or more than all coins
    template_too_heavy,
};
// A sentence for the log.
std::string_view describe(JobError error);

class JobMaker {
 public:
    // next_id: the first job id to give out (the log's high-water mark + 1).
    JobMaker(JobMakerSettings settings, JobId next_id);

    // `now_ms` is the steady clock. The job is `clean` when the template's previous block differs
    // from the last job's. An id is used up only by a job that was made.
    std::expected<JobRef, JobError> make(TemplateRef source, std::int64_t now_ms);

    JobId next_id() const { return next_id_; }
    // Uses up an id without a job.
    JobId take_id() { return next_id_++; }

 private:
    JobMakerSettings settings_;
    JobId next_id_;
    std::uint64_t tip_ = 0;
    chain::Hash256 previous_;
    std::int32_t height_ = 0;
};

}  // namespace adit::job
