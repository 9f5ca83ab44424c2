// JSON-RPC to one node over one kept-alive HTTP/1.1 connection. A call blocks the calling thread
// until the answer is there, its time-out has passed, or cancel() was called.
//
// A client is used by one thread at a time; cancel() alone may be called from any thread. Every
// method the pool calls may be repeated harmlessly, so a call that meets a kept-alive connection
// which the node has closed meanwhile is sent once more on a new one. The cookie file is read at
// the first call and again when the node answers 401, since a restarted node writes a new one.
#pragma once

#include "metrics/registry.h"
#include "node/node_settings.h"

#include <array>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace simdjson::dom {
class element;
}

namespace adit::node {

enum class RpcErrorKind {
    unreachable,       // no connection: refused, reset, name unknown
    timeout,           // connected, but no complete answer in time
    cancelled,         // cancel() was called
    unauthorized,      // 401: wrong user, password or cookie
    forbidden,         // 403: the node does not allow this address (rpcallowip)
    http_status,       // any other HTTP status without a JSON-RPC answer
    malformed,         // cut short, no JSON, or JSON that is no JSON-RPC answer
    too_large,         // longer than RpcLimits::max_response_bytes
    warming_up,        // -28: the node is starting
    not_connected,     // -9: the node has no peers
    initial_download,  // -10: the node is downloading the chain
    rpc,               // any other JSON-RPC error; see RpcError::code
};
inline constexpr std::size_t kRpcErrorKinds = 12;
// The enumerator's name, as in metrics.
std::string_view name_of(RpcErrorKind kind);

struct RpcError {
    RpcErrorKind kind = RpcErrorKind::rpc;
    int code = 0;         // the JSON-RPC error code, the HTTP status, or 0
    std::string message;  // a sentence for the operator: what happened and what to do
};

struct RpcLimits {
    int connect_timeout_ms = 2'000;
    int timeout_ms = 10'000;  // of a whole call, unless the call names another
    std::size_t max_response_bytes = 64u << 20;
};

// Counters of one node, shared by all clients that talk to it.
class RpcMetrics {
 public:
    RpcMetrics(metrics::Registry& registry, const std::string& node);
    metrics::Counter& calls;
    metrics::Counter& errors(RpcErrorKind kind) { return *errors_[static_cast<std::size_t>(kind)]; }

 private:
    std::array<metrics::Counter*, kRpcErrorKinds> errors_;
};

// The "result" of an answer. Refers to the client's buffers: valid until its next call.
class RpcReply {
 public:
    explicit RpcReply(const simdjson::dom::element& result) : result_(&result) {}
    const simdjson::dom::element& result() const { return *result_; }
    // The result as compact JSON text.
    std::string text() const;

 private:
    const simdjson::dom::element* result_;
};

class RpcClient {
 public:
    // metrics may be null. A malformed URL shows as `unreachable` at every call.
    explicit RpcClient(NodeSettings node, RpcLimits limits = {}, RpcMetrics* metrics = nullptr);
    ~RpcClient();
    RpcClient(const RpcClient&) = delete;
    RpcClient& operator=(const RpcClient&) = delete;

    // params: a JSON array. timeout_ms 0: the limit's default.
    std::expected<RpcReply, RpcError> call(std::string_view method, std::string_view params = "[]",
                                           int timeout_ms = 0);

    // Ends the call under way at once and makes every later call fail with `cancelled`, until
    // reset(). From any thread.
    void cancel();
    // Allows calls again. Only while no call is under way.
    void reset();

    const NodeSettings& node() const;

 private:
    class Connection;
    std::unique_ptr<Connection> connection_;
};

}  // namespace adit::node
