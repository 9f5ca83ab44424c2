// The numbers that the share log shows of itself. Internal to file_share_log.cpp; safe from any
// thread.
#pragma once

#include "metrics/registry.h"

#include <vector>

namespace adit::store {

inline std::vector<double> batch_bounds() {
    return {1, 2, 5, 10, 20, 50, 100, 200, 500, 1'000, 2'000, 5'000, 10'000, 20'000, 50'000};
}

struct LogMetrics {
    explicit LogMetrics(metrics::Registry& registry)
        : commits(registry.counter("adit_log_commits_total", "Batches made durable.")),
          shares(registry.counter("adit_log_shares_total", "Shares made durable.")),
          failed(registry.counter("adit_log_failed_shares_total",
                                  "Shares answered with a storage failure.")),
          refused(registry.counter("adit_log_refused_batches_total",
                                   "Batches refused because the log was stalled or full.")),
          io_failures(registry.counter("adit_log_io_failures_total",
                                       "Failed writes, fdatasyncs and segment creations.")),
          batch_size(
              registry.histogram("adit_log_batch_shares", "Shares in one commit.", batch_bounds())),
          commit_ms(registry.histogram("adit_log_commit_ms", "Write and fdatasync of one batch.",
                                       metrics::latency_bounds_ms())),
          queue(registry.gauge("adit_log_queue_shares", "Shares waiting for the log.")),
          available(registry.gauge("adit_log_available", "1 while the log takes shares.")),
          segment(registry.gauge("adit_log_segment", "Number of the segment being written.")),
          position(registry.gauge("adit_log_durable_bytes", "Durable position of the log.")) {}

    metrics::Counter &commits, &shares, &failed, &refused, &io_failures;
    metrics::Histogram &batch_size, &commit_ms;
    metrics::Gauge &queue, &available, &segment, &position;
};

}  // namespace adit::store
