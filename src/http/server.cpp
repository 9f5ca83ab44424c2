#include "http/server.h"

#include "http/server_core.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <fmt/format.h>

namespace adit::http {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds kDescriptorPause{100};
constexpr std::chrono::milliseconds kLastWords{1'000};

constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nServer: Adit\r\nContent-Type: application/json\r\n"
    "Content-Length: 90\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
    R"({"error":{"code":"too_many_connections","message":"too many connections; try again soon"}})";

std::string cannot_listen(const std::string& where, const error_code& error) {
    if (error == asio::error::address_in_use)
        return fmt::format(
            "cannot listen on {}: another program uses this port; stop it or set http.listen to a "
            "free one",
            where);
    if (error == asio::error::access_denied)
        return fmt::format(
            "cannot listen on {}: not allowed; ports below 1024 need CAP_NET_BIND_SERVICE, or set "
            "http.listen to a higher one",
            where);
    if (error == boost::system::errc::address_not_available)
        return fmt::format(
            "cannot listen on {}: this machine has no such address; set http.listen to one of its "
            "own",
            where);
    return fmt::format("cannot listen on {}: {}", where, error.message());
}

// One listening socket; on its own strand.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
    Acceptor(asio::io_context& io, std::shared_ptr<ServerCore> core)
        : io_(io),
          core_(std::move(core)),
          acceptor_(asio::make_strand(io)),
          pause_(acceptor_.get_executor()) {}

    error_code open(const net::Address& address) {
        error_code error;
        const auto ip = asio::ip::make_address(address.ip_text(), error);
        if (error) return error;
        const tcp::endpoint endpoint(ip, address.port);
        acceptor_.open(endpoint.protocol(), error);
        if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error && ip.is_v6() && ip.is_unspecified())
            acceptor_.set_option(asio::ip::v6_only(false), error);
        if (!error) acceptor_.bind(endpoint, error);
        if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
        return error;
    }

    net::Address address() const {
        error_code ignored;
        const auto endpoint = acceptor_.local_endpoint(ignored);
        return net::Address::from(endpoint.data());
    }

    void accept() {
        acceptor_.async_accept(asio::make_strand(io_),
                               [self = shared_from_this()](error_code error, tcp::socket socket) {
                                   self->accepted(error, std::move(socket));
                               });
    }

    void close() {
        asio::post(acceptor_.get_executor(), [self = shared_from_this()] { self->close_now(); });
    }
    // For when no thread runs any longer.
    void close_now() {
        error_code ignored;
        acceptor_.close(ignored);
        pause_.cancel();
    }

 private:
    void accepted(error_code error, tcp::socket socket) {
        if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
        if (!error) {
            admit(std::move(socket));
            return accept();
        }
        const bool exhausted = error == asio::error::no_descriptors ||
                               error == boost::system::errc::too_many_files_open_in_system ||
                               error == asio::error::no_memory ||
                               error == asio::error::no_buffer_space;
        if (!exhausted) return accept();
        // Trying again at once would spin until somebody closes a descriptor.
        core_->metrics.rejected(Rejection::no_descriptor);
        pause_.expires_after(kDescriptorPause);
        pause_.async_wait([self = shared_from_this()](error_code stopped) {
            if (!stopped && self->acceptor_.is_open()) self->accept();
        });
    }

    void admit(tcp::socket socket) {
        error_code error;
        const auto endpoint = socket.remote_endpoint(error);
        if (error) return;
        const auto peer = net::Address::from(endpoint.data());
        if (!core_->budget.acquire()) return turn_away(socket, Rejection::max_connections);
        if (!core_->per_address.acquire(peer)) {
            core_->budget.release();
            return turn_away(socket, Rejection::per_address);
        }
        socket.set_option(tcp::no_delay(true), error);
        open_connection(core_, std::move(socket), peer);
    }

    void turn_away(tcp::socket& socket, Rejection why) {
        core_->metrics.rejected(why);
        error_code ignored;
        socket.non_blocking(true, ignored);
        socket.write_some(asio::buffer(kFull), ignored);
        socket.shutdown(tcp::socket::shutdown_send, ignored);
    }

    asio::io_context& io_;
    std::shared_ptr<ServerCore> core_;
    tcp::acceptor acceptor_;
    asio::steady_timer pause_;
};

}  // namespace

ServerCore::ServerCore(ServerSettings server_settings, const Router& server_router,
                       const base::Clock& server_clock, metrics::Registry& registry,
                       base::Logger& server_log)
    : settings(std::move(server_settings)),
      router(server_router),
      clock(server_clock),
      log(server_log),
      metrics(registry),
      limiter(settings.rate, clock),
      strict_limiter(settings.strict_rate, clock),
      budget(settings.max_connections),
      per_address(settings.max_connections_per_address) {}

void ServerCore::enter(Connection* key, std::weak_ptr<Connection> connection) {
    const std::scoped_lock lock(mutex_);
    open_.emplace(key, std::move(connection));
}

void ServerCore::leave(Connection* key) {
    {
        const std::scoped_lock lock(mutex_);
        open_.erase(key);
    }
    changed_.notify_all();
}

std::vector<std::shared_ptr<Connection>> ServerCore::connections() {
    std::vector<std::shared_ptr<Connection>> all;
    const std::scoped_lock lock(mutex_);
    for (const auto& [key, weak] : open_) {
        if (auto connection = weak.lock()) all.push_back(std::move(connection));
    }
    return all;
}

bool ServerCore::wait_for_none(std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, most, [this] { return open_.empty(); });
}

struct Server::Parts {
    asio::io_context io;
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
    std::vector<std::shared_ptr<Acceptor>> acceptors;
    std::vector<net::Address> addresses;
    std::vector<std::thread> threads;
    bool stopped = false;

    std::expected<void, std::string> listen(const std::string& text,
                                            const std::shared_ptr<ServerCore>& core) {
        const auto endpoint = net::Endpoint::parse(text);
        if (!endpoint)
            return std::unexpected(fmt::format(
                "http.listen = \"{}\": {}; write it like \"127.0.0.1:8080\" or \"[::1]:8080\"",
                text, net::describe(endpoint.error())));
        const auto resolved = net::resolve(*endpoint);
        if (!resolved)
            return std::unexpected(
                fmt::format("http.listen = \"{}\": {}; give an address of this machine", text,
                            resolved.error()));
        for (const auto& address : *resolved) {
            auto acceptor = std::make_shared<Acceptor>(io, core);
            if (const auto error = acceptor->open(address))
                return std::unexpected(cannot_listen(address.text(), error));
            addresses.push_back(acceptor->address());
            acceptors.push_back(std::move(acceptor));
        }
        return {};
    }
};

Server::Server(ServerSettings settings, const Router& router, const base::Clock& clock,
               metrics::Registry& registry, base::Logger& log)
    : core_(std::make_shared<ServerCore>(std::move(settings), router, clock, registry, log)),
      parts_(std::make_unique<Parts>()) {}

Server::~Server() {
    stop(std::chrono::milliseconds(0));
}

std::expected<void, std::string> Server::start() {
    const auto& settings = core_->settings;
    for (const auto& text : settings.listen) {
        if (auto listening = parts_->listen(text, core_); !listening) {
            parts_->acceptors.clear();
            parts_->addresses.clear();
            return listening;
        }
    }
    const auto pool = [&](std::size_t threads) {
        return std::make_unique<WorkerPool>(std::max<std::size_t>(threads, 1),
                                            settings.most_waiting);
    };
    core_->workers = pool(settings.workers);
    core_->slow_workers = pool(settings.slow_workers);
    parts_->work.emplace(parts_->io.get_executor());
    for (const auto& acceptor : parts_->acceptors)
        acceptor->accept();
    for (std::size_t i = 0; i < std::max<std::size_t>(settings.threads, 1); ++i)
        parts_->threads.emplace_back([this] { parts_->io.run(); });
    for (const auto& address : parts_->addresses)
        core_->log.info("http", "listening", {{"address", address.text()}});
    return {};
}

void Server::stop(std::chrono::milliseconds drain) {
    if (parts_->threads.empty() || parts_->stopped) return;
    parts_->stopped = true;
    core_->draining = true;
    for (const auto& acceptor : parts_->acceptors)
        acceptor->close();
    for (const auto& connection : core_->connections())
        connection->drain();
    const bool drained = core_->wait_for_none(drain);
    if (!drained) {
        for (const auto& connection : core_->connections())
            connection->cancel();
    }
    core_->workers->stop();
    core_->slow_workers->stop();
    if (!drained && !core_->wait_for_none(kLastWords)) {
        for (const auto& connection : core_->connections())
            connection->close();
        core_->wait_for_none(kLastWords);
    }
    parts_->work.reset();
    parts_->io.stop();
    for (auto& thread : parts_->threads)
        thread.join();
    for (const auto& acceptor : parts_->acceptors)
        acceptor->close_now();
    parts_->acceptors.clear();
}

std::vector<net::Address> Server::addresses() const {
    return parts_->addresses;
}

}  // namespace adit::http
