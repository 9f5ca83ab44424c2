#include "net/line_client.h"

#include "base/clock.h"
#include "net/tls.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace adit::net {
namespace {

constexpr std::size_t kRead = 16 * 1024;

std::int64_t now_ms() {
    return base::SystemClock().steady_ms();
}

std::unexpected<LineClient::Failure> fail(LineClient::Error error, std::string detail = {}) {
    return std::unexpected(LineClient::Failure{error, std::move(detail)});
}

std::unexpected<LineClient::Failure> fail_with_errno(int code) {
    const auto kind =
        code == ECONNRESET || code == EPIPE ? LineClient::Error::reset : LineClient::Error::refused;
    return fail(kind, std::strerror(code));
}

}  // namespace

std::string_view describe(LineClient::Error error) {
    switch (error) {
        case LineClient::Error::resolve:
            return "the host has no address";
        case LineClient::Error::refused:
            return "cannot connect";
        case LineClient::Error::timeout:
            return "no answer in time";
        case LineClient::Error::closed:
            return "the other side closed the connection";
        case LineClient::Error::reset:
            return "the connection was reset";
        case LineClient::Error::tls:
            return "TLS failed";
        case LineClient::Error::too_long:
            return "the line is too long";
        case LineClient::Error::cancelled:
            return "cancelled";
    }
    return "";
}

LineClient::Result<std::unique_ptr<LineClient>> LineClient::connect(const Endpoint& endpoint,
                                                                    int timeout_ms) {
    return connect(endpoint, timeout_ms, Options());
}

LineClient::Result<std::unique_ptr<LineClient>> LineClient::connect(const Endpoint& endpoint,
                                                                    int timeout_ms,
                                                                    const Options& options) {
    const auto deadline = now_ms() + timeout_ms;
    const auto addresses = resolve(endpoint);
    if (!addresses) return fail(Error::resolve, addresses.error());
    Result<void> last = fail(Error::refused);
    for (const auto& address : *addresses) {
        std::unique_ptr<LineClient> client(new LineClient);
        client->options_ = options;
        last = client->open(address, deadline);
        if (!last) continue;
        if (options.tls) last = client->handshake(endpoint.host, deadline);
        if (!last) return std::unexpected(last.error());
        return client;
    }
    return std::unexpected(last.error());
}

LineClient::Result<void> LineClient::open(const Address& address, std::int64_t deadline_ms) {
    peer_ = address;
    cancel_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fd_ =
        socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0 || cancel_ < 0) return fail_with_errno(errno);
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd_, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    sockaddr_storage storage;
    const auto size = address.to(storage);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&storage), size) == 0) return {};
    if (errno != EINPROGRESS) return fail_with_errno(errno);
    if (auto waited = wait(POLLOUT, deadline_ms); !waited) return waited;
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return fail_with_errno(error);
    return {};
}

LineClient::~LineClient() {
    tls_.reset();
    if (fd_ >= 0) close(fd_);
    if (cancel_ >= 0) close(cancel_);
}

LineClient::Result<void> LineClient::wait(short events, std::int64_t deadline_ms) {
    while (true) {
        if (cancelled_) return fail(Error::cancelled);
        std::array<pollfd, 2> fds{pollfd{fd_, events, 0}, pollfd{cancel_, POLLIN, 0}};
        const auto left = deadline_ms - now_ms();
        if (left <= 0) return fail(Error::timeout);
        const int n = poll(fds.data(), fds.size(), static_cast<int>(left));
        if (n < 0 && errno != EINTR) return fail_with_errno(errno);
        if (cancelled_) return fail(Error::cancelled);
        if (n > 0 && fds[0].revents != 0) return {};
    }
}

LineClient::Result<void> LineClient::handshake(const std::string& host, std::int64_t deadline_ms) {
    tls_ = options_.tls->connect(fd_, host);
    if (!tls_) return fail(Error::tls, "out of memory");
    while (true) {
        const auto status = tls_->handshake();
        if (status == TlsStatus::done) return {};
        if (status == TlsStatus::closed || status == TlsStatus::failed) {
            return fail(Error::tls, tls_->failure());
        }
        const short events = status == TlsStatus::want_read ? POLLIN : POLLOUT;
        if (auto waited = wait(events, deadline_ms); !waited) return waited;
    }
}

LineClient::Result<void> LineClient::send_line(std::string_view line, int timeout_ms) {
    std::string bytes;
    bytes.reserve(line.size() + 1);
    bytes.append(line).push_back('\n');
    return send_bytes(bytes, timeout_ms);
}

LineClient::Result<void> LineClient::send_bytes(std::string_view bytes, int timeout_ms) {
    const auto deadline = now_ms() + timeout_ms;
    while (!bytes.empty()) {
        if (cancelled_) return fail(Error::cancelled);
        short events = POLLOUT;
        if (tls_) {
            const auto io = tls_->write(bytes);
            bytes.remove_prefix(io.bytes);
            if (io.status == TlsStatus::done) continue;
            if (io.status == TlsStatus::failed) return fail(Error::reset);
            if (io.status == TlsStatus::closed) return fail(Error::closed);
            if (io.status == TlsStatus::want_read) events = POLLIN;
        } else {
            const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
            if (n >= 0 || errno == EINTR) continue;
            if (errno != EAGAIN) return fail_with_errno(errno);
        }
        if (auto waited = wait(events, deadline); !waited) return waited;
    }
    return {};
}

// Appends to buffer_; 0 at the peer's end.
LineClient::Result<std::size_t> LineClient::read_some(std::int64_t deadline_ms) {
    const auto before = buffer_.size();
    while (true) {
        if (cancelled_) return fail(Error::cancelled);
        short events = POLLIN;
        buffer_.resize(before + kRead);
        if (tls_) {
            const auto io = tls_->read(buffer_.data() + before, kRead);
            buffer_.resize(before + io.bytes);
            if (io.status == TlsStatus::done) return io.bytes;
            if (io.status == TlsStatus::closed) return 0;
            if (io.status == TlsStatus::failed) return fail(Error::reset);
            if (io.status == TlsStatus::want_write) events = POLLOUT;
        } else {
            const auto n = recv(fd_, buffer_.data() + before, kRead, 0);
            buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
            if (n >= 0) return static_cast<std::size_t>(n);
            if (errno == EINTR) continue;
            if (errno != EAGAIN) return fail_with_errno(errno);
        }
        if (auto waited = wait(events, deadline_ms); !waited) {
            return std::unexpected(waited.error());
        }
    }
}

LineClient::Result<std::string> LineClient::receive_line(int timeout_ms) {
    const auto deadline = now_ms() + timeout_ms;
    while (true) {
        const auto end = buffer_.find('\n', searched_);
        if (end != buffer_.npos) {
            auto line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            searched_ = 0;
            if (line.ends_with('\r')) line.pop_back();
            return line;
        }
        searched_ = buffer_.size();
        if (searched_ > options_.max_line) return fail(Error::too_long);
        const auto n = read_some(deadline);
        if (!n) return std::unexpected(n.error());
        if (*n == 0) return fail(Error::closed);
    }
}

LineClient::Result<std::string> LineClient::receive_rest(int timeout_ms) {
    const auto deadline = now_ms() + timeout_ms;
    while (true) {
        const auto n = read_some(deadline);
        if (!n) return std::unexpected(n.error());
        if (*n == 0) return std::exchange(buffer_, {});
        if (buffer_.size() > (std::size_t{64} << 20)) return fail(Error::too_long);
    }
}

LineClient::Result<void> LineClient::start_tls(std::shared_ptr<TlsContext> tls,
                                               const std::string& host, int timeout_ms) {
    options_.tls = std::move(tls);
    return handshake(host, now_ms() + timeout_ms);
}

void LineClient::reset() {
    const linger immediate{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &immediate, sizeof immediate);
    tls_.reset();
    close(std::exchange(fd_, -1));
    cancelled_ = true;
}

void LineClient::cancel() {
    cancelled_ = true;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(cancel_, &one, sizeof one);
}

void LineClient::shutdown_send() {
    if (tls_) tls_->close_notify();
    shutdown(fd_, SHUT_WR);
}

}  // namespace adit::net
