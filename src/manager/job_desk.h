// Templates become jobs here: made, handed to the log, sent to the miners. From a template that is
// unfit (too heavy, a wrong reward) for a new tip comes a job without transactions. Called by the
// template source on its thread; one template at a time.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "job/job_maker.h"
#include "metrics/registry.h"
#include "share/recorder.h"
#include "stratum/stratum_server.h"

#include <atomic>
#include <mutex>

namespace adit::manager {

class JobDesk {
 public:
    JobDesk(job::JobMakerSettings settings, job::JobId next_id, share::Recorder& recorder,
            stratum::StratumServer& server, metrics::Registry& registry, const base::Clock& clock,
            base::Logger& logger);

    // True when it is for a new tip.
    bool on_template(job::TemplateRef source);
    // Whom coinbases pay from now on; null: the pool alone. When the tip is the snapshot's, or it
    // is null, miners get a job by it at once. Any thread.
    void set_snapshot(job::PayoutSnapshotRef snapshot);
    // An id that no job has or will have, for a job that is only written down. Any thread.
    job::JobId take_id();

    std::int32_t height() const { return height_; }  // of the block being mined; 0: none yet
    double network_difficulty() const { return difficulty_; }
    std::int64_t last_job_ms() const { return last_job_ms_; }  // steady; 0: none yet

 private:
    bool make_locked(job::TemplateRef source);

    std::mutex mutex_;  // sources change when the nodes do
    job::TemplateRef last_template_;
    job::JobMaker maker_;
    chain::Hash256 full_previous_;  // of the last job that had its template's transactions
    share::Recorder& recorder_;
    stratum::StratumServer& server_;
    const base::Clock& clock_;
    base::Logger& logger_;
    metrics::Counter& jobs_;
    metrics::Counter& failures_;
    metrics::Gauge& height_metric_;
    metrics::Gauge& difficulty_metric_;
    metrics::Histogram& make_ms_;
    std::atomic<std::int32_t> height_{0};
    std::atomic<double> difficulty_{0};
    std::atomic<std::int64_t> last_job_ms_{0};
};

}  // namespace adit::manager
