// The HTTP server: sockets, limits and time-outs around a Router. It owns its threads: a few for
// sockets, a few on which handlers run. start() and stop() are for one thread; the router, the
// clock, the registry and the logger outlive it.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "http/rate_limit.h"
#include "http/router.h"
#include "metrics/registry.h"
#include "net/address.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace adit::http {

struct ServerSettings {
    std::vector<std::string> listen = {"127.0.0.1:8080"};  // "host:port"; port 0: any free one
    std::size_t threads = 2;                               // for sockets
    std::size_t slow_workers = 4;                          // for handlers of routes that are slow
    std::size_t workers = 4;                               // for handlers
    std::size_t most_waiting = 64;  // requests that wait for a worker; more get a 503
    std::uint32_t max_connections = 512;
    std::uint32_t max_connections_per_address = 128;  // 0: no limit
    std::uint32_t max_header_bytes = 16 * 1024;
    std::uint64_t max_body_bytes = 1024 * 1024;
    std::uint32_t max_requests_per_connection = 10'000;
    std::chrono::milliseconds header_timeout{10'000};  // for a whole header, from its first byte
    std::chrono::milliseconds body_timeout{30'000};
    std::chrono::milliseconds idle_timeout{60'000};   // between requests
    std::chrono::milliseconds write_timeout{30'000};  // for 1 MiB; larger answers have more
    std::chrono::milliseconds heartbeat{15'000};      // of event streams
    // Addresses, without port, of reverse proxies whose X-Forwarded-For is believed. The limits per
    // address and Request::peer then go by the address that they name; connections by the proxy's.
    std::vector<std::string> trusted_proxies;
    Rate rate{50, 200};
    Rate strict_rate{0.2, 10};  // for routes with strict_rate
};

struct ServerCore;

class Server {
 public:
    Server(ServerSettings settings, const Router& router, const base::Clock& clock,
           metrics::Registry& registry, base::Logger& log);
    // As stop() without time to drain.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Listens; or a sentence that says what is wrong and what to do. Once per object.
    std::expected<void, std::string> start();
    // Stops listening, ends idle connections and event streams, lets requests under way finish for
    // at most `drain`, then asks handlers to stop and waits for them.
    void stop(std::chrono::milliseconds drain);

    // What it listens on, with the ports that the system picked.
    std::vector<net::Address> addresses() const;
    net::Address address() const { return addresses().at(0); }

 private:
    struct Parts;
    std::shared_ptr<ServerCore> core_;
    std::unique_ptr<Parts> parts_;
};

}  // namespace adit::http
