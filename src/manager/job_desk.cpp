#include "manager/job_desk.h"

namespace adit::manager {
namespace {

job::TemplateRef without_transactions(const job::BlockTemplate& source) {
    auto bare = std::make_shared<job::BlockTemplate>(source);
    bare->transactions.clear();
    bare->coinbase_value_sat =
        chain::block_subsidy_sat(chain::params(source.network), source.height);
    bare->complete = false;
    return bare;
}

}  // namespace

JobDesk::JobDesk(job::JobMakerSettings settings, job::JobId next_id, share::Recorder& recorder,
                 stratum::StratumServer& server, metrics::Registry& registry,
                 const base::Clock& clock, base::Logger& logger)
    : maker_(std::move(settings), next_id),
      recorder_(recorder),
      server_(server),
      clock_(clock),
      logger_(logger),
      jobs_(registry.counter("adit_jobs_total", "Jobs sent to miners")),
      failures_(
          registry.counter("adit_job_failures_total", "Templates from which no job could be made")),
      height_metric_(registry.gauge("adit_height", "Height of the block being mined")),
      difficulty_metric_(registry.gauge("adit_network_difficulty", "Difficulty of that block")),
      make_ms_(registry.histogram("adit_job_make_ms",
                                  "From a template to its job on the way to miners, milliseconds",
                                  metrics::latency_bounds_ms())) {}

bool JobDesk::on_template(job::TemplateRef source) {
    const std::lock_guard lock(mutex_);
    last_template_ = source;
    return make_locked(std::move(source));
}

void JobDesk::set_snapshot(job::PayoutSnapshotRef snapshot) {
    const std::lock_guard lock(mutex_);
    const bool is_at_tip =
        last_template_ && (!snapshot || snapshot->previous == last_template_->previous);
    maker_.set_snapshot(std::move(snapshot));
    if (is_at_tip) make_locked(last_template_);
}

bool JobDesk::make_locked(job::TemplateRef source) {
    const auto started_ns = clock_.steady_ns();
    auto made = maker_.make(source, clock_.steady_ms());
    if (!made) {
        failures_.add();
        logger_.error("job", "no job can be made from this template",
                      {{"node", source->node},
                       {"height", source->height},
                       {"why", job::describe(made.error())}});
        // Better a block without transactions than work on a block that somebody has found.
        if (source->previous == full_previous_) return false;
        source = without_transactions(*source);
        made = maker_.make(source, clock_.steady_ms());
        if (!made) return false;
    } else if (source->complete) {
        full_previous_ = source->previous;
    }
    const auto& job = *made;
    // The log has the job before any share of it, because both go through one queue in this order.
    recorder_.record_job(job);
    server_.set_job(job);
    make_ms_.observe(static_cast<double>(clock_.steady_ns() - started_ns) / 1e6);
    jobs_.add();
    height_ = source->height;
    difficulty_ = job->network_difficulty.value();
    last_job_ms_ = clock_.steady_ms();
    height_metric_.set(source->height);
    difficulty_metric_.set(job->network_difficulty.value());
    const base::Logger::Fields fields{{"height", source->height},
                                      {"previous", source->previous.rpc_hex()},
                                      {"transactions", source->transactions.size()},
                                      {"value_sat", source->coinbase_value_sat},
                                      {"node", source->node}};
    if (job->clean) {
        logger_.info("job", source->complete ? "new block" : "new block, job without transactions",
                     fields);
    } else {
        logger_.debug("job", "job refreshed", fields);
    }
    return job->clean;
}

job::JobId JobDesk::take_id() {
    const std::lock_guard lock(mutex_);
    return maker_.take_id();
}

}  // namespace adit::manager
