#include "sim/http_server.h"

#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

namespace adit::sim {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

namespace {

constexpr std::uint64_t kMaxBody = 32U << 20U;  // the largest block in hex, with room
constexpr std::size_t kMaxSessions = 256;

}  // namespace

// One connection: reads a request, waits for its answer, writes it, and reads the next.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
    using Registry = std::shared_ptr<std::set<HttpSession*>>;

    HttpSession(tcp::socket socket, std::shared_ptr<const HttpServer::Handlers> handlers,
                Registry registry)
        : socket_(std::move(socket)),
          handlers_(std::move(handlers)),
          registry_(std::move(registry)) {
        registry_->insert(this);
    }
    ~HttpSession() { registry_->erase(this); }

    void close() {
        beast::error_code ignored;
        socket_.close(ignored);
        pending_.reset();
    }

    void read() {
        parser_.emplace();
        parser_->body_limit(kMaxBody);
        http::async_read(socket_, buffer_, *parser_,
                         [self = shared_from_this()](beast::error_code error, std::size_t) {
                             if (error) return self->close();
                             self->handle();
                         });
    }

 private:
    void handle() {
        ++request_;
        auto request = parser_->release();
        keep_alive_ = request.keep_alive();
        if (request.method() != http::verb::post) {
            return write({405, "JSONRPC server handles only POST requests", {}});
        }
        if (!handlers_->authorized(request[http::field::authorization])) {
            return write({401, "", {}});
        }
        watch();
        handlers_->request(std::string(request.target()), std::move(request.body()),
                           [weak = weak_from_this()](HttpAnswer answer) {
                               if (const auto self = weak.lock()) self->write(std::move(answer));
                           });
    }

    // Keeps the session while its answer is pending, and ends it when the peer goes meanwhile.
    void watch() {
        pending_ = shared_from_this();
        socket_.async_wait(tcp::socket::wait_read,
                           [self = shared_from_this(), number = request_](beast::error_code error) {
                               if (error || !self->pending_ || number != self->request_) return;
                               beast::error_code failed;
                               const auto waiting = self->socket_.available(failed);
                               if (failed || waiting == 0) self->close();
                           });
    }

    void write(HttpAnswer answer) {
        const auto self_kept = std::move(pending_);
        if (answer.delivery == HttpDelivery::none) return close();
        response_ = {};
        response_.version(11);
        response_.result(answer.status);
        response_.set(http::field::content_type, "application/json");
        if (answer.status == 401) {
            response_.set(http::field::www_authenticate, "Basic realm=\"jsonrpc\"");
        }
        response_.keep_alive(keep_alive_);
        response_.body() = std::move(answer.body);
        response_.prepare_payload();
        if (answer.delivery == HttpDelivery::truncated) return write_half();
        http::async_write(socket_, response_,
                          [self = shared_from_this()](beast::error_code error, std::size_t) {
                              if (error || !self->keep_alive_) return self->close();
                              self->read();
                          });
    }

    void write_half() {
        half_ =
            fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", response_.body().size(),
                        response_.body().substr(0, response_.body().size() / 2));
        asio::async_write(
            socket_, asio::buffer(half_),
            [self = shared_from_this()](beast::error_code, std::size_t) { self->close(); });
    }

    tcp::socket socket_;
    std::shared_ptr<const HttpServer::Handlers> handlers_;
    Registry registry_;
    beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    http::response<http::string_body> response_;
    std::string half_;
    bool keep_alive_ = false;
    std::uint64_t request_ = 0;             // counts requests
    std::shared_ptr<HttpSession> pending_;  // itself, while an answer is due
};

HttpServer::HttpServer(asio::io_context& io, std::uint16_t port, Handlers handlers)
    : io_(io),
      acceptor_(io),
      port_(port),
      handlers_(std::make_shared<const Handlers>(std::move(handlers))),
      sessions_(std::make_shared<std::set<HttpSession*>>()) {
    try {
        open();
    } catch (const boost::system::system_error& error) {
        throw std::runtime_error(
            fmt::format("cannot listen on 127.0.0.1:{}: {}", port, error.what()));
    }
}

HttpServer::~HttpServer() {
    close();
}

void HttpServer::open() {
    if (acceptor_.is_open()) return;
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), port_);
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
    port_ = acceptor_.local_endpoint().port();
    accept();
}

void HttpServer::close() {
    beast::error_code ignored;
    acceptor_.close(ignored);
    // A copy: a session that loses its last reference leaves the set.
    const auto sessions = *sessions_;
    for (auto* session : sessions) {
        if (sessions_->contains(session)) session->close();
    }
}

void HttpServer::accept() {
    acceptor_.async_accept([this](beast::error_code error, tcp::socket socket) {
        if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
        if (!error && sessions_->size() < kMaxSessions) {
            beast::error_code ignored;
            socket.set_option(tcp::no_delay(true), ignored);
            std::make_shared<HttpSession>(std::move(socket), handlers_, sessions_)->read();
        }
        accept();
    });
}

}  // namespace adit::sim
