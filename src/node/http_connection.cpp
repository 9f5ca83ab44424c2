#include "node/http_connection.h"

#include "node/resolver.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

namespace adit::node {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

// Every operation is started asynchronously and then run to its end on the calling thread, so that
// a timer and cancel() (posted to the io_context) can end it.
class HttpConnection::Core {
 public:
    Core(RpcEndpoint endpoint, int connect_timeout_ms, std::size_t max_response_bytes)
        : endpoint_(std::move(endpoint)),
          connect_timeout_ms_(connect_timeout_ms),
          max_response_bytes_(max_response_bytes) {
        const bool v6 = endpoint_.host.find(':') != std::string::npos;
        host_header_ =
            fmt::format(fmt::runtime(v6 ? "[{}]:{}" : "{}:{}"), endpoint_.host, endpoint_.port);
    }

    std::expected<int, HttpError> post(const HttpRequest& request, int timeout_ms) {
        deadline_.expires_after(std::chrono::milliseconds(timeout_ms));
        const bool reused = socket_.is_open();
        auto result = exchange(request, timeout_ms);
        if (!result && reused && result.error().fault == HttpFault::unreachable) {
            result = exchange(request, timeout_ms);
        }
        if (!result) close();
        return result;
    }

    void close() {
        ErrorCode ignored;
        socket_.close(ignored);
        buffer_.clear();
    }

    void cancel() {
        cancelled_ = true;
        resolver_.cancel();
        asio::post(context_, [this] { close(); });
    }
    void reset() {
        context_.restart();
        context_.poll();  // what cancel() posted
        cancelled_ = false;
        resolver_.reset();
    }

    std::string body;

 private:
    // What ended one operation.
    struct Ended {
        ErrorCode error;
        bool timed_out = false;
    };

    // Runs the operation that `start(handler)` begins; whichever of operation, deadline and
    // cancel() is first ends it.
    template <class Start>
    Ended run(Start start) {
        Ended ended;
        bool finished = false;
        deadline_.async_wait([&](ErrorCode error) {
            if (error || finished) return;
            ended.timed_out = true;
            close();
        });
        start([&](ErrorCode error, auto&&...) {
            ended.error = error;
            finished = true;
            deadline_.cancel();
        });
        context_.restart();
        context_.run();
        return ended;
    }

    std::unexpected<HttpError> failed(HttpFault fault, std::string detail) {
        close();
        if (cancelled_) return std::unexpected(HttpError{HttpFault::cancelled, "cancelled"});
        return std::unexpected(HttpError{fault, std::move(detail)});
    }
    std::unexpected<HttpError> failed(const Ended& ended, HttpFault otherwise) {
        return failed(ended.timed_out ? HttpFault::timeout : otherwise, ended.error.message());
    }

    std::expected<void, HttpError> connect(int timeout_ms) {
        const int limit_ms = std::min(connect_timeout_ms_, timeout_ms);
        const auto addresses = resolver_.resolve(endpoint_.host, limit_ms);
        if (!addresses) return failed(HttpFault::unreachable, addresses.error());
        std::vector<Tcp::endpoint> endpoints;
        for (const auto& text : *addresses) {
            ErrorCode error;
            const auto address = asio::ip::make_address(text, error);
            if (!error) endpoints.emplace_back(address, endpoint_.port);
        }
        const auto whole_deadline = deadline_.expiry();
        deadline_.expires_after(std::chrono::milliseconds(limit_ms));
        const auto ended =
            run([&](auto handler) { asio::async_connect(socket_, endpoints, std::move(handler)); });
        deadline_.expires_at(whole_deadline);
        if (cancelled_ || ended.error || ended.timed_out) {
            return failed(HttpFault::unreachable, ended.timed_out
                                                      ? "no answer to the connection attempt"
                                                      : ended.error.message());
        }
        ErrorCode ignored;
        socket_.set_option(Tcp::no_delay(true), ignored);
        socket_.set_option(asio::socket_base::keep_alive(true), ignored);
        return {};
    }

    std::expected<int, HttpError> exchange(const HttpRequest& request, int timeout_ms) {
        if (cancelled_) return failed(HttpFault::cancelled, "cancelled");
        if (!socket_.is_open()) {
            if (const auto connected = connect(timeout_ms); !connected) {
                return std::unexpected(connected.error());
            }
        }
        if (const auto sent = send(request); !sent) return std::unexpected(sent.error());
        return receive();
    }

    std::expected<void, HttpError> send(const HttpRequest& request) {
        const auto size = request.body_head.size() + request.body.size() + request.body_tail.size();
        std::string head = fmt::format(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n"
            "Content-Length: {}\r\nConnection: keep-alive\r\n",
            endpoint_.path, host_header_, size);
        if (!request.authorization.empty()) {
            head += fmt::format("Authorization: {}\r\n", request.authorization);
        }
        head += "\r\n";
        const std::array<asio::const_buffer, 4> pieces{
            asio::buffer(head), asio::buffer(request.body_head), asio::buffer(request.body),
            asio::buffer(request.body_tail)};
        const auto ended =
            run([&](auto handler) { asio::async_write(socket_, pieces, std::move(handler)); });
        if (cancelled_ || ended.error || ended.timed_out) {
            return failed(ended, HttpFault::unreachable);
        }
        return {};
    }

    std::expected<int, HttpError> receive() {
        http::response_parser<http::string_body> parser;
        parser.body_limit(max_response_bytes_);
        body.clear();
        parser.get().body() = std::move(body);  // its capacity is used again
        const auto ended = run(
            [&](auto handler) { http::async_read(socket_, buffer_, parser, std::move(handler)); });
        if (cancelled_ || ended.timed_out) return failed(ended, HttpFault::unreachable);
        if (ended.error) return failed(fault_of(ended.error, parser), ended.error.message());
        const int status = static_cast<int>(parser.get().result_int());
        const bool keep = parser.get().keep_alive();
        body = std::move(parser.get().body());
        if (!keep) close();
        return status;
    }

    template <class Parser>
    static HttpFault fault_of(const ErrorCode& error, const Parser& parser) {
        if (error == http::error::body_limit || error == http::error::header_limit) {
            return HttpFault::too_large;
        }
        if (parser.is_header_done()) return HttpFault::cut_short;
        if (error == http::error::end_of_stream || error == http::error::partial_message) {
            return HttpFault::unreachable;
        }
        static const ErrorCode http_error = http::error::bad_version;
        return error.category() == http_error.category() ? HttpFault::malformed
                                                         : HttpFault::unreachable;
    }

    const RpcEndpoint endpoint_;
    const int connect_timeout_ms_;
    const std::size_t max_response_bytes_;
    std::string host_header_;
    Resolver resolver_;
    std::atomic<bool> cancelled_ = false;
    asio::io_context context_{1};
    Tcp::socket socket_{context_};
    asio::steady_timer deadline_{context_};
    boost::beast::flat_buffer buffer_;
};

HttpConnection::HttpConnection(RpcEndpoint endpoint, int connect_timeout_ms,
                               std::size_t max_response_bytes)
    : core_(std::make_unique<Core>(std::move(endpoint), connect_timeout_ms, max_response_bytes)) {}
HttpConnection::~HttpConnection() = default;

std::expected<int, HttpError> HttpConnection::post(const HttpRequest& request, int timeout_ms) {
    return core_->post(request, timeout_ms);
}
std::string& HttpConnection::body() {
    return core_->body;
}
void HttpConnection::close() {
    core_->close();
}
void HttpConnection::cancel() {
    core_->cancel();
}
void HttpConnection::reset() {
    core_->reset();
}

}  // namespace adit::node
