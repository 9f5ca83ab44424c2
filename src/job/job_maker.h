// Turns templates into jobs. Pure: time and ids are passed in. Not thread-safe: one owner (the
// manager's template thread).
//
// With a snapshot the coinbase has an output for every account that plan_coinbase() pays, the
// largest first, then what is carried to the payout script, unless that is nothing. Without one all
// of it goes to the payout script. A job on another block than the snapshot's pays parts but no
// dues.
#pragma once

#include "job/job.h"
#include "job/payout_snapshot.h"

#include <expected>

namespace adit::job {

struct JobMakerSettings {
    base::Bytes payout_script;         // receives what no snapshot gives to others
    std::string signature = "/Adit/";  // at most kSignatureLimit bytes
    // Set: coinbases pay their finder (Job::pays_finder), less this fee in millionths, which is an
    // output to the payout script of its own. Snapshots are not looked at then.
    std::optional<std::uint32_t> finder_fee_ppm = {};
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
    // from the last job's. An id is used up only by a job that was made. A full template that
    // leaves too little room for a snapshot's outputs loses its last transactions, and the job's
    // source is then a template without them.
    std::expected<JobRef, JobError> make(TemplateRef source, std::int64_t now_ms);

    // For the jobs made from now on; null: none. One without weights is none.
    void set_snapshot(PayoutSnapshotRef snapshot);
    const PayoutSnapshotRef& snapshot() const { return snapshot_; }

    JobId next_id() const { return next_id_; }
    // Uses up an id without a job.
    JobId take_id() { return next_id_++; }

 private:
    JobMakerSettings settings_;
    JobId next_id_;
    PayoutSnapshotRef snapshot_;
    std::uint64_t tip_ = 0;
    chain::Hash256 previous_;
    std::int32_t height_ = 0;
};

}  // namespace adit::job
