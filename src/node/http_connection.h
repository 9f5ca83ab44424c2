// One kept-alive HTTP/1.1 connection for POST requests, blocking, with a deadline per exchange and
// a cancel() from any other thread. Knows nothing of JSON.
#pragma once

#include "node/node_settings.h"

#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace adit::node {

enum class HttpFault {
    unreachable,  // no connection, or lost before a whole response head was read
    cut_short,    // lost in the middle of the response
    malformed,    // no HTTP
    timeout,
    too_large,
    cancelled,
};
struct HttpError {
    HttpFault fault = HttpFault::unreachable;
    std::string detail;  // the system's words
};

struct HttpRequest {
    std::string_view authorization;  // value of the header; empty: none
    // The body in three pieces that are sent without being copied together.
    std::string_view body_head, body, body_tail;
};

class HttpConnection {
 public:
    HttpConnection(RpcEndpoint endpoint, int connect_timeout_ms, std::size_t max_response_bytes);
    ~HttpConnection();
    HttpConnection(const HttpConnection&) = delete;
    HttpConnection& operator=(const HttpConnection&) = delete;

    // Sends the request and reads the response into body(). The value is the HTTP status. A
    // kept-alive connection that turns out to be closed is replaced once.
    std::expected<int, HttpError> post(const HttpRequest& request, int timeout_ms);
    // The last response's body. Valid until the next post(); may be moved from.
    std::string& body();

    void close();
    // From any thread: closes the socket and makes post() fail at once until reset().
    void cancel();
    void reset();

 private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace adit::node
