// What net counts, created once at start and shared by all shards. Safe from any thread.
#pragma once

#include "metrics/registry.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace adit::net {

// Why a connection ended, as on_closed and the metric adit_net_closes_total{reason} tell it.
enum class CloseReason : std::uint8_t {
    peer,              // the peer closed
    reset,             // the peer sent RST, or the network gave up on it
    server,            // close_gracefully() or abort() without another reason
    protocol_error,    // after on_protocol_error
    timeout,           // the deadline passed
    output_limit,      // it did not read what it asked for
    banned,            // the server's word
    handshake_failed,  // PROXY header or TLS handshake broken
    shutdown,          // the loop stopped
};
inline constexpr std::size_t kCloseReasons = 9;

// Why a connection was turned away before on_open; adit_net_refused_total{reason}.
enum class RefuseReason : std::uint8_t {
    max_connections,  // the pool is full
    per_address,      // too many from one address
    filtered,         // the admission filter (bans) or on_open said no
    no_descriptor,    // EMFILE or ENFILE
};
inline constexpr std::size_t kRefuseReasons = 4;

std::string_view name_of(CloseReason reason);
std::string_view name_of(RefuseReason reason);

class Metrics {
 public:
    explicit Metrics(metrics::Registry& registry);

    metrics::Counter& accepted;
    metrics::Gauge& open;
    metrics::Counter& bytes_in;
    metrics::Counter& bytes_out;
    metrics::Counter& descriptor_pauses;  // EMFILE/ENFILE made a listener wait 100 ms
    metrics::Counter& rate_pauses;        // handshakes_per_s made a listener wait
    metrics::Counter& turns;              // epoll_wait returns with something to do

    metrics::Counter& closes(CloseReason reason) {
        return *closes_[static_cast<std::size_t>(reason)];
    }
    metrics::Counter& refused(RefuseReason reason) {
        return *refused_[static_cast<std::size_t>(reason)];
    }

 private:
    std::array<metrics::Counter*, kCloseReasons> closes_{};
    std::array<metrics::Counter*, kRefuseReasons> refused_{};
};

}  // namespace adit::net
