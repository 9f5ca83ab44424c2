// What the HTTP server counts. Safe from any thread.
#pragma once

#include "metrics/registry.h"

#include <cstdint>
#include <string_view>

namespace adit::http {

// Why a connection or request was turned away without a handler; adit_http_rejected_total{reason}.
enum class Rejection : std::uint8_t {
    max_connections = 0,
    per_address = 1,
    rate = 2,
    strict_rate = 3,
    queue_full = 4,
    header_size = 5,
    body_size = 6,
    malformed = 7,
    header_timeout = 8,
    body_timeout = 9,
    no_descriptor = 10,
};
inline constexpr std::size_t kRejections = 11;
std::string_view name_of(Rejection rejection);

class ServerMetrics {
 public:
    explicit ServerMetrics(metrics::Registry& registry);

    metrics::Gauge& connections;
    metrics::Gauge& streams;
    metrics::Histogram& request_ms;  // from the first byte to the answer's
    metrics::Counter& handler_timeouts;
    metrics::Counter& disconnects;   // the peer left while a handler ran
    metrics::Counter& slow_readers;  // the peer did not read its answer in time

    void rejected(Rejection rejection) { rejected_[static_cast<std::size_t>(rejection)]->add(); }
    // `route`: its pattern, or "none"; `method`: one that routes can have, or "other".
    void answered(std::string_view method, std::string_view route, unsigned status);

 private:
    metrics::Registry& registry_;
    std::array<metrics::Counter*, kRejections> rejected_{};
};

}  // namespace adit::http
