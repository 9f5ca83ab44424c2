#include "net/listener.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace adit::net {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr std::int64_t kDescriptorWaitMs = 100;

bool set(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// Accepted sockets inherit all of these on Linux, which saves a system call each per connection.
bool set_options(int fd, const Address& address, const ListenerOptions& options) {
    const bool any_v6 = address.ip == decltype(address.ip){};
    return set(fd, SOL_SOCKET, SO_REUSEADDR, 1) && set(fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
           (address.is_v4() || set(fd, IPPROTO_IPV6, IPV6_V6ONLY, any_v6 ? 0 : 1)) &&
           set(fd, IPPROTO_TCP, TCP_NODELAY, 1) && set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
           set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60) && set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10) &&
           set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3) && set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 90'000) &&
           set(fd, SOL_SOCKET, SO_SNDBUF, options.send_buffer) &&
           set(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
}

void reset(int fd) {
    const linger immediate{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &immediate, sizeof immediate);
    close(fd);
}

int open_spare() {
    return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

}  // namespace

std::expected<void, std::string> check_free(const Address& address) {
    const int fd = socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return {};  // Listener::open finds another way or says why
    sockaddr_storage storage;
    const auto size = address.to(storage);
    // Without SO_REUSEPORT the system refuses a port that another socket listens on.
    const bool free = set(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
                      bind(fd, reinterpret_cast<sockaddr*>(&storage), size) == 0 &&
                      listen(fd, 1) == 0;
    const int error = errno;
    ::close(fd);
    if (free || address.port == 0) return {};
    return std::unexpected(
        fmt::format("{}: cannot be used: {}", address.text(), std::strerror(error)));
}

std::expected<std::unique_ptr<Listener>, std::string> Listener::open(Loop& loop,
                                                                     const Address& wanted,
                                                                     ConnectionSettings settings,
                                                                     ListenerOptions options) {
    Address address = wanted;
    const auto failed = [&](const char* what, int fd) {
        auto text = fmt::format("{}: {}: {}", address.text(), what, std::strerror(errno));
        if (fd >= 0) ::close(fd);
        return std::unexpected(std::move(text));
    };
    constexpr int kType = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(address.is_v4() ? AF_INET : AF_INET6, kType, 0);
    if (fd < 0 && errno == EAFNOSUPPORT && address.ip == decltype(address.ip){}) {
        address = Address::v4(0, wanted.port);  // every address, on a machine without IPv6
        fd = socket(AF_INET, kType, 0);
    }
    if (fd < 0) return failed("cannot make a socket", fd);
    if (!set_options(fd, address, options)) return failed("cannot set socket options", fd);
    sockaddr_storage storage;
    const auto size = address.to(storage);
    auto* const bound = reinterpret_cast<sockaddr*>(&storage);
    if (bind(fd, bound, size) != 0) return failed("cannot bind", fd);
    if (listen(fd, options.backlog) != 0) return failed("cannot listen", fd);
    socklen_t length = sizeof storage;
    if (getsockname(fd, bound, &length) != 0) return failed("cannot read the bound address", fd);
    return std::unique_ptr<Listener>(
        new Listener(loop, fd, Address::from(bound), std::move(settings), options));
}

Listener::Listener(Loop& loop, int fd, const Address& address, ConnectionSettings settings,
                   ListenerOptions options)
    : loop_(loop),
      fd_(fd),
      spare_(open_spare()),
      address_(address),
      settings_(std::make_shared<const ConnectionSettings>(std::move(settings))),
      options_(options) {
    watch_ = loop_.watch(fd_, *this);
}

Listener::~Listener() {
    close();
}

void Listener::close() {
    if (fd_ < 0) return;
    loop_.cancel(resume_);
    loop_.unwatch(watch_, fd_);
    ::close(fd_);
    if (spare_ >= 0) ::close(spare_);
    fd_ = -1;
}

void Listener::on_ready() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
        if (options_.handshakes != nullptr) {
            const auto wait_ns = options_.handshakes->wait_ns(loop_.now_ns());
            if (wait_ns > 0) {
                loop_.metrics().rate_pauses.add();
                return wait(wait_ns / 1'000'000 + 1);
            }
        }
        sockaddr_storage storage;
        socklen_t size = sizeof storage;
        auto* const from = reinterpret_cast<sockaddr*>(&storage);
        const int fd = accept4(fd_, from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN) return;
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                return out_of_descriptors();
            }
            continue;  // that connection died in the queue (accept(2): treat as EAGAIN)
        }
        if (options_.handshakes != nullptr) options_.handshakes->take(loop_.now_ns());
        const auto peer = Address::from(from);
        auto& budget = *settings_->budget;
        // Behind a proxy the address that counts comes with the header.
        const auto place = settings_->proxy_protocol ? budget.acquire_unnamed(loop_.now_ms())
                                                     : budget.acquire(peer, loop_.now_ms());
        if (!place) {
            loop_.metrics().refused(RefuseReason::max_connections).add();
            reset(fd);
            continue;
        }
        loop_.adopt(fd, peer, settings_, *place);
    }
}

void Listener::out_of_descriptors() {
    loop_.metrics().descriptor_pauses.add();
    if (spare_ >= 0) {
        ::close(spare_);
        const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            loop_.metrics().refused(RefuseReason::no_descriptor).add();
            reset(fd);
        }
    }
    spare_ = open_spare();
    wait(kDescriptorWaitMs);
}

// The kernel's queue holds what arrives meanwhile.
void Listener::wait(std::int64_t ms) {
    loop_.pause(watch_, fd_, true);
    resume_ = loop_.after(ms, [this] {
        loop_.pause(watch_, fd_, false);
        if (spare_ < 0) spare_ = open_spare();
    });
}

}  // namespace adit::net
