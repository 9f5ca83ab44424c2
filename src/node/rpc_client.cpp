#include "node/rpc_client.h"

#include "node/http_connection.h"
#include "node/json.h"

#include <fstream>

namespace adit::node {
namespace {

std::string base64(std::string_view text) {
    static constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            group = group << 8 | (i + j < text.size() ? static_cast<std::uint8_t>(text[i + j]) : 0);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            out += i + j <= text.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=';
        }
    }
    return out;
}

// A name or text from the node, short enough and safe for a log line.
std::string excerpt(std::string_view text, std::size_t limit = 200) {
    std::string out(text.substr(0, limit));
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    }
    return out;
}

RpcErrorKind kind_of_code(int code) {
    switch (code) {
        case -28:
            return RpcErrorKind::warming_up;
        case -9:
            return RpcErrorKind::not_connected;
        case -10:
            return RpcErrorKind::initial_download;
    }
    return RpcErrorKind::rpc;
}

std::string advice(RpcErrorKind kind, std::string_view node_says, int code) {
    const auto said = excerpt(node_says);
    switch (kind) {
        case RpcErrorKind::warming_up:
            return fmt::format("the node is still starting ({}); it is asked again", said);
        case RpcErrorKind::not_connected:
            return fmt::format("the node has no peers ({}); check its network connection", said);
        case RpcErrorKind::initial_download:
            return fmt::format("the node is still downloading the chain ({}); wait for it", said);
        case RpcErrorKind::unreachable:
        case RpcErrorKind::timeout:
        case RpcErrorKind::cancelled:
        case RpcErrorKind::unauthorized:
        case RpcErrorKind::forbidden:
        case RpcErrorKind::http_status:
        case RpcErrorKind::malformed:
        case RpcErrorKind::too_large:
        case RpcErrorKind::rpc:
            break;
    }
    return fmt::format("the node answered error {}: {}", code, said);
}

}  // namespace

std::string_view name_of(RpcErrorKind kind) {
    switch (kind) {
        case RpcErrorKind::unreachable:
            return "unreachable";
        case RpcErrorKind::timeout:
            return "timeout";
        case RpcErrorKind::cancelled:
            return "cancelled";
        case RpcErrorKind::unauthorized:
            return "unauthorized";
        case RpcErrorKind::forbidden:
            return "forbidden";
        case RpcErrorKind::http_status:
            return "http_status";
        case RpcErrorKind::malformed:
            return "malformed";
        case RpcErrorKind::too_large:
            return "too_large";
        case RpcErrorKind::warming_up:
            return "warming_up";
        case RpcErrorKind::not_connected:
            return "not_connected";
        case RpcErrorKind::initial_download:
            return "initial_download";
        case RpcErrorKind::rpc:
            return "rpc";
    }
    return "?";
}

RpcMetrics::RpcMetrics(metrics::Registry& registry, const std::string& node)
    : calls(registry.counter("adit_node_rpc_calls_total", "JSON-RPC calls made to a node.",
                             {{"node", node}})) {
    for (std::size_t i = 0; i < kRpcErrorKinds; ++i) {
        errors_[i] = &registry.counter(
            "adit_node_rpc_errors_total", "Failed JSON-RPC calls by kind of failure.",
            {{"node", node}, {"kind", std::string(name_of(static_cast<RpcErrorKind>(i)))}});
    }
}

std::string RpcReply::text() const {
    return simdjson::minify(*result_);
}

class RpcClient::Connection {
 public:
    Connection(NodeSettings node, RpcLimits limits, RpcMetrics* metrics)
        : node_(std::move(node)), limits_(limits), metrics_(metrics) {
        auto endpoint = parse_rpc_url(node_.rpc);
        if (!endpoint) url_error_ = endpoint.error();
        http_ = std::make_unique<HttpConnection>(endpoint.value_or(RpcEndpoint{}),
                                                 limits_.connect_timeout_ms,
                                                 limits_.max_response_bytes);
    }

    std::expected<RpcReply, RpcError> call(std::string_view method, std::string_view params,
                                           int timeout_ms) {
        if (metrics_ != nullptr) metrics_->calls.add();
        auto reply = attempt(method, params, timeout_ms > 0 ? timeout_ms : limits_.timeout_ms);
        if (!reply && metrics_ != nullptr) metrics_->errors(reply.error().kind).add();
        return reply;
    }

    HttpConnection& http() { return *http_; }
    const NodeSettings& node() const { return node_; }

 private:
    using Reply = std::expected<RpcReply, RpcError>;

    static std::unexpected<RpcError> error(RpcErrorKind kind, std::string message, int code = 0) {
        return std::unexpected(RpcError{kind, code, std::move(message)});
    }

    Reply attempt(std::string_view method, std::string_view params, int timeout_ms) {
        if (!url_error_.empty()) return error(RpcErrorKind::unreachable, url_error_);
        if (!credentials_read_) read_credentials();
        auto status = post(method, params, timeout_ms);
        if (status && *status == 401 && !node_.cookie_file.empty()) {
            // A restarted node has written a new cookie.
            const auto before = authorization_;
            read_credentials();
            if (!authorization_.empty() && authorization_ != before) {
                status = post(method, params, timeout_ms);
            }
        }
        if (!status) return transport_error(status.error(), method, timeout_ms);
        return answer(*status);
    }

    std::expected<int, HttpError> post(std::string_view method, std::string_view params,
                                       int timeout_ms) {
        ++id_;
        const auto head =
            fmt::format(R"({{"jsonrpc":"1.0","id":{},"method":"{}","params":)", id_, method);
        return http_->post({authorization_, head, params, "}"}, timeout_ms);
    }

    void read_credentials() {
        credentials_read_ = true;
        cookie_error_.clear();
        if (node_.cookie_file.empty()) {
            authorization_ = node_.user.empty() && node_.password.empty()
                                 ? ""
                                 : "Basic " + base64(node_.user + ":" + node_.password);
            return;
        }
        std::ifstream file(node_.cookie_file, std::ios::binary);
        std::string line(1024, '\0');
        file.read(line.data(), static_cast<std::streamsize>(line.size()));
        line.resize(static_cast<std::size_t>(file.gcount()));
        line.resize(std::min(line.find_last_not_of("\r\n") + 1, line.size()));
        if (line.find(':') == std::string::npos || line.find('\n') != std::string::npos) {
            // The call goes out without credentials, so that a node which is not running shows as
            // unreachable rather than as a cookie that is not there.
            cookie_error_ = fmt::format("the cookie file {} cannot be read or holds no cookie",
                                        node_.cookie_file);
            authorization_.clear();
            credentials_read_ = false;
            return;
        }
        authorization_ = "Basic " + base64(line);
    }

    std::unexpected<RpcError> transport_error(const HttpError& fault, std::string_view method,
                                              int timeout_ms) {
        switch (fault.fault) {
            case HttpFault::unreachable:
                return error(RpcErrorKind::unreachable,
                             fmt::format("no connection to {} ({}); is bitcoind running with "
                                         "server=1, and are host and port right?",
                                         node_.rpc, fault.detail));
            case HttpFault::cut_short:
                return error(RpcErrorKind::malformed,
                             fmt::format("the answer to {} was cut short ({}); the node may have "
                                         "stopped meanwhile",
                                         method, fault.detail));
            case HttpFault::malformed:
                return error(
                    RpcErrorKind::malformed,
                    fmt::format("{} does not speak HTTP ({}); is this the node's RPC port?",
                                node_.rpc, fault.detail));
            case HttpFault::timeout:
                return error(RpcErrorKind::timeout,
                             fmt::format("{} was not answered within {} ms; the node hangs or is "
                                         "overloaded",
                                         method, timeout_ms));
            case HttpFault::too_large:
                return error(RpcErrorKind::too_large,
                             fmt::format("the answer to {} is longer than {} bytes; is {} a node?",
                                         method, limits_.max_response_bytes, node_.rpc));
            case HttpFault::cancelled:
                break;
        }
        return error(RpcErrorKind::cancelled, "the pool is stopping this connection");
    }

    Reply answer(int status) {
        if (status == 401) {
            return error(RpcErrorKind::unauthorized,
                         !cookie_error_.empty() ? cookie_error_
                         : node_.cookie_file.empty()
                             ? "the node refuses user and password; compare them with rpcuser and "
                               "rpcpassword or rpcauth in bitcoin.conf"
                             : fmt::format("the node refuses the cookie in {}; is it that node's "
                                           "data directory?",
                                           node_.cookie_file),
                         status);
        }
        if (status == 403) {
            return error(RpcErrorKind::forbidden,
                         "the node does not allow this address; add rpcallowip to bitcoin.conf",
                         status);
        }
        const auto parsed = parse_body();
        if (parsed != simdjson::SUCCESS || !document_.is_object()) {
            if (status != 200) return http_status(status);
            return error(RpcErrorKind::malformed,
                         fmt::format("the answer is no JSON object ({}): {}",
                                     simdjson::error_message(parsed), excerpt(text(), 60)));
        }
        return envelope(status);
    }

    Reply envelope(int status) {
        const auto fault = json_field(document_, "error");
        if (fault && !fault->is_null()) {
            const auto code = json_int(*fault, "code");
            const auto message = json_text(*fault, "message");
            if (!code || *code < INT32_MIN || *code > INT32_MAX) {
                return error(RpcErrorKind::malformed, "the answer's error has no code");
            }
            const int number = static_cast<int>(*code);
            const auto kind = kind_of_code(number);
            return error(kind, advice(kind, message.value_or("no message"), number), number);
        }
        if (status != 200) return http_status(status);
        const auto id = json_int(document_, "id");
        if (!id || *id != id_) {
            http_->close();
            return error(RpcErrorKind::malformed, "the answer belongs to another request");
        }
        const auto result = json_field(document_, "result");
        if (!result) return error(RpcErrorKind::malformed, "the answer has no result");
        result_ = *result;
        return RpcReply(result_);
    }

    std::unexpected<RpcError> http_status(int status) {
        const auto said = excerpt(text(), 60);
        if (status == 503) {
            return error(RpcErrorKind::http_status,
                         fmt::format("the node is overloaded (503 {}); raise rpcworkqueue and "
                                     "rpcthreads in bitcoin.conf",
                                     said),
                         status);
        }
        return error(RpcErrorKind::http_status,
                     fmt::format("HTTP status {} ({}); is {} a node's RPC address?", status, said,
                                 node_.rpc),
                     status);
    }

    std::string_view text() { return std::string_view(http_->body()).substr(0, text_size_); }

    simdjson::error_code parse_body() {
        auto& body = http_->body();
        text_size_ = body.size();
        body.resize(text_size_ + simdjson::SIMDJSON_PADDING);
        return parser_.parse(body.data(), text_size_, false).get(document_);
    }

    const NodeSettings node_;
    const RpcLimits limits_;
    RpcMetrics* const metrics_;
    std::string url_error_;
    std::unique_ptr<HttpConnection> http_;
    std::string authorization_;
    std::string cookie_error_;
    bool credentials_read_ = false;
    std::int64_t id_ = 0;
    simdjson::dom::parser parser_;
    std::size_t text_size_ = 0;
    Json document_;
    Json result_;
};

RpcClient::RpcClient(NodeSettings node, RpcLimits limits, RpcMetrics* metrics)
    : connection_(std::make_unique<Connection>(std::move(node), limits, metrics)) {}
RpcClient::~RpcClient() = default;

std::expected<RpcReply, RpcError> RpcClient::call(std::string_view method, std::string_view params,
                                                  int timeout_ms) {
    return connection_->call(method, params, timeout_ms);
}
void RpcClient::cancel() {
    connection_->http().cancel();
}
void RpcClient::reset() {
    connection_->http().reset();
}
const NodeSettings& RpcClient::node() const {
    return connection_->node();
}

}  // namespace adit::node
