#include "net/metrics.h"

namespace adit::net {

std::string_view name_of(CloseReason reason) {
    switch (reason) {
        case CloseReason::peer:
            return "peer";
        case CloseReason::reset:
            return "reset";
        case CloseReason::server:
            return "server";
        case CloseReason::protocol_error:
            return "protocol_error";
        case CloseReason::timeout:
            return "timeout";
        case CloseReason::output_limit:
            return "output_limit";
        case CloseReason::banned:
            return "banned";
        case CloseReason::handshake_failed:
            return "handshake_failed";
        case CloseReason::shutdown:
            return "shutdown";
    }
    return "unknown";
}

std::string_view name_of(RefuseReason reason) {
    switch (reason) {
        case RefuseReason::max_connections:
            return "max_connections";
        case RefuseReason::per_address:
            return "per_address";
        case RefuseReason::filtered:
            return "filtered";
        case RefuseReason::no_descriptor:
            return "no_descriptor";
    }
    return "unknown";
}

Metrics::Metrics(metrics::Registry& registry)
    : accepted(registry.counter("adit_net_accepted_total", "Connections taken from the kernel")),
      open(registry.gauge("adit_net_open_connections", "Connections that hold a descriptor")),
      bytes_in(registry.counter("adit_net_received_bytes_total", "Bytes read from miners")),
      bytes_out(registry.counter("adit_net_sent_bytes_total", "Bytes the kernel took for miners")),
      descriptor_pauses(registry.counter("adit_net_descriptor_pauses_total",
                                         "Times accepting waited because descriptors ran out")),
      rate_pauses(registry.counter("adit_net_rate_pauses_total",
                                   "Times accepting waited because of limits.handshakes_per_s")),
      turns(registry.counter("adit_net_turns_total", "Turns of the event loops")) {
    for (std::size_t i = 0; i < kCloseReasons; ++i) {
        const std::string name(name_of(static_cast<CloseReason>(i)));
        closes_[i] = &registry.counter("adit_net_closes_total", "Connections ended, by reason",
                                       {{"reason", name}});
    }
    for (std::size_t i = 0; i < kRefuseReasons; ++i) {
        const std::string name(name_of(static_cast<RefuseReason>(i)));
        refused_[i] = &registry.counter("adit_net_refused_total",
                                        "Connections turned away, by reason", {{"reason", name}});
    }
}

}  // namespace adit::net
