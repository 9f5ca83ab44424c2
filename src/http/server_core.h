// What a server and its connections share. Private to this layer. Lives until the last connection
// is gone; safe from any thread.
#pragma once

#include "http/server.h"
#include "http/server_metrics.h"
#include "http/worker_pool.h"
#include "net/limits.h"

#include <boost/asio/ip/tcp.hpp>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace adit::http {

class Connection;

struct ServerCore {
    ServerCore(ServerSettings server_settings, const Router& server_router,
               const base::Clock& server_clock, metrics::Registry& registry,
               base::Logger& server_log);

    ServerSettings settings;
    const Router& router;
    const base::Clock& clock;
    base::Logger& log;
    ServerMetrics metrics;
    RateLimiter limiter;
    RateLimiter strict_limiter;
    net::ConnectionBudget budget;
    net::PerAddressLimits per_address;
    std::unique_ptr<WorkerPool> workers;
    std::unique_ptr<WorkerPool> slow_workers;
    std::atomic<bool> draining{false};

    void enter(Connection* key, std::weak_ptr<Connection> connection);
    void leave(Connection* key);
    std::vector<std::shared_ptr<Connection>> connections();
    // False when some are left after `most`.
    bool wait_for_none(std::chrono::milliseconds most);

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::unordered_map<Connection*, std::weak_ptr<Connection>> open_;
};

// One peer, from accept to close. Its functions may be called from any thread; they are carried out
// on the connection's strand.
class Connection {
 public:
    virtual ~Connection() = default;
    // No further request: closes when it is idle or streams events, else after the answer.
    virtual void drain() = 0;
    // Asks the handler to stop.
    virtual void cancel() = 0;
    // Now.
    virtual void close() = 0;
};

// Takes over a socket whose executor is a strand, and a place in the core's limits.
void open_connection(std::shared_ptr<ServerCore> core, boost::asio::ip::tcp::socket socket,
                     net::Address peer);

}  // namespace adit::http
