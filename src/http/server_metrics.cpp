#include "http/server_metrics.h"

namespace adit::http {

std::string_view name_of(Rejection rejection) {
    switch (rejection) {
        case Rejection::max_connections:
            return "max_connections";
        case Rejection::per_address:
            return "per_address";
        case Rejection::rate:
            return "rate";
        case Rejection::strict_rate:
            return "strict_rate";
        case Rejection::queue_full:
            return "queue_full";
        case Rejection::header_size:
            return "header_size";
        case Rejection::body_size:
            return "body_size";
        case Rejection::malformed:
            return "malformed";
        case Rejection::header_timeout:
            return "header_timeout";
        case Rejection::body_timeout:
            return "body_timeout";
        case Rejection::no_descriptor:
            return "no_descriptor";
    }
    return "unknown";
}

ServerMetrics::ServerMetrics(metrics::Registry& registry)
    : connections(registry.gauge("adit_http_connections", "Open HTTP connections")),
      streams(registry.gauge("adit_http_event_streams", "Connections that receive events")),
      request_ms(registry.histogram("adit_http_request_ms",
                                    "Time from a request's first byte to its answer",
                                    metrics::latency_bounds_ms())),
      handler_timeouts(registry.counter("adit_http_handler_timeouts_total",
                                        "Requests whose route's time was up")),
      disconnects(registry.counter("adit_http_disconnects_total",
                                   "Peers that left before they were answered")),
      slow_readers(registry.counter("adit_http_slow_readers_total",
                                    "Peers that did not read their answer in time")),
      registry_(registry) {
    for (std::size_t i = 0; i < kRejections; ++i) {
        rejected_[i] =
            &registry.counter("adit_http_rejected_total", "Connections and requests turned away",
                              {{"reason", std::string(name_of(static_cast<Rejection>(i)))}});
    }
}

void ServerMetrics::answered(std::string_view method, std::string_view route, unsigned status) {
    registry_
        .counter("adit_http_requests_total", "Answered HTTP requests",
                 {{"method", std::string(method)},
                  {"route", std::string(route)},
                  {"status", std::to_string(status)}})
        .add();
}

}  // namespace adit::http
