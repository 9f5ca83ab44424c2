// A load for line servers: N connections from one thread with K requests in flight on each, and the
// CPU time that the server's process spent meanwhile. For benchmarks only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace adit::bench {

struct LoadOptions {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    std::uint32_t connections = 1000;
    // Requests sent together on a connection; the next ones follow when all are answered, so with 8
    // the server sees eight lines per packet.
    std::uint32_t in_flight = 1;
    std::uint64_t requests = 200'000;  // measured, over all connections
    std::uint64_t warm_up = 20'000;    // before that
    pid_t server = 0;                  // whose CPU time is measured; 0: nobody's
    // Answers that are no replies (notifications) are recognised by this; nullptr: every line is a
    // reply.
    std::function<bool(std::string_view line)> is_reply;
    // Called once per connection before the load: blocking use of the descriptor (handshakes).
    std::function<void(std::uint32_t connection, int fd)> prepare;
    // Appends the n-th request line (with line feed) of a connection.
    std::function<void(std::uint32_t connection, std::uint64_t n, std::string& out)> request;
    // Called with every reply; may be empty.
    std::function<void(std::uint32_t connection, std::string_view line)> reply;
};

struct LoadResult {
    std::uint64_t requests = 0;
    double wall_s = 0;
    double server_cpu_s = 0;  // user and system time of all threads
    double server_us_per_request() const {
        return server_cpu_s * 1e6 / static_cast<double>(requests);
    }
    double requests_per_s() const { return static_cast<double>(requests) / wall_s; }
};

// Throws std::runtime_error when a connection fails or the server is silent for 30 s.
LoadResult run_load(const LoadOptions& options);

// User and system seconds of a process so far, from /proc/PID/schedstat of its threads (to the
// nanosecond), without those of threads that have ended.
double cpu_seconds(pid_t process);
// Resident bytes of a process.
std::uint64_t resident_bytes(pid_t process);

// A connected blocking TCP_NODELAY socket; throws std::runtime_error.
int connect_to(const std::string& host, std::uint16_t port);

// A server in a child process. `serve` gets a function that tells the parent the port, and serves
// until it is killed by the destructor.
class ChildServer {
 public:
    using Ready = std::function<void(std::uint16_t port)>;
    explicit ChildServer(const std::function<void(const Ready&)>& serve);
    ~ChildServer();
    ChildServer(const ChildServer&) = delete;
    ChildServer& operator=(const ChildServer&) = delete;
    pid_t pid() const { return pid_; }
    std::uint16_t port() const { return port_; }

 private:
    pid_t pid_ = 0;
    std::uint16_t port_ = 0;
};

}  // namespace adit::bench
