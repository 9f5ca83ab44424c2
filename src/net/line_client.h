// A blocking client for line protocols, plain or TLS, for the miner and for tests. One thread at a
// time, except that cancel() may come from any thread. Every call has a deadline.
#pragma once

#include "net/address.h"

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace adit::net {

class TlsContext;
class TlsStream;

class LineClient {
 public:
    enum class Error {
        resolve,  // no address for the host
        refused,  // nobody listens there, or no route
        timeout,
        closed,  // the peer ended the connection
        reset,
        tls,       // handshake or certificate
        too_long,  // a line above max_line
        cancelled,
    };
    struct Failure {
        Error error;
        std::string detail;  // the system's words, or empty
    };
    template <class T>
    using Result = std::expected<T, Failure>;

    struct Options {
        std::shared_ptr<TlsContext> tls;  // nullptr: plain
        std::size_t max_line = 1 << 20;   // bytes; a pool's notify may be long
    };

    static Result<std::unique_ptr<LineClient>> connect(const Endpoint& endpoint, int timeout_ms);
    static Result<std::unique_ptr<LineClient>> connect(const Endpoint& endpoint, int timeout_ms,
                                                       const Options& options);
    ~LineClient();
    LineClient(const LineClient&) = delete;
    LineClient& operator=(const LineClient&) = delete;

    // Adds the line feed.
    Result<void> send_line(std::string_view line, int timeout_ms);
    Result<void> send_bytes(std::string_view bytes, int timeout_ms);
    // The next line, without "\n" or "\r\n".
    Result<std::string> receive_line(int timeout_ms);
    // Up to the peer's end: what arrived before it. closed is success here, reset is not.
    Result<std::string> receive_rest(int timeout_ms);

    // Ends a call that waits, and every later one, with Error::cancelled.
    void cancel();
    // Goes on with TLS on a connection made without it (after a PROXY header). host: see
    // TlsContext::connect.
    Result<void> start_tls(std::shared_ptr<TlsContext> tls, const std::string& host,
                           int timeout_ms);
    // No more sending; receiving goes on.
    void shutdown_send();
    // Closes with RST, as a machine that loses power and comes back does.
    void reset();
    const Address& peer() const { return peer_; }
    int descriptor() const { return fd_; }

 private:
    LineClient() = default;
    Result<void> open(const Address& address, std::int64_t deadline_ms);
    Result<void> wait(short events, std::int64_t deadline_ms);
    Result<void> handshake(const std::string& host, std::int64_t deadline_ms);
    Result<std::size_t> read_some(std::int64_t deadline_ms);

    int fd_ = -1;
    int cancel_ = -1;  // eventfd
    std::atomic<bool> cancelled_{false};
    Address peer_;
    Options options_;
    std::unique_ptr<TlsStream> tls_;
    std::string buffer_;
    std::size_t searched_ = 0;
};

std::string_view describe(LineClient::Error error);

}  // namespace adit::net
