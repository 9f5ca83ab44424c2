#include "echo_servers.h"

#include <algorithm>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace adit::bench {
namespace {

int listen_on(const EchoOptions& options) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (bind(fd, raw, size) != 0 || listen(fd, 4096) != 0 || getsockname(fd, raw, &size) != 0) {
        throw std::runtime_error("cannot listen");
    }
    if (options.ready) options.ready(ntohs(address.sin_port));
    return fd;
}

}  // namespace

void serve_bare(const EchoOptions& options) {
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    const int listener = listen_on(options);
    epoll_event event{.events = EPOLLIN, .data = {.fd = listener}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    static char input[64 * 1024];
    std::string line(options.reply_size - 1, 'r');
    std::string replies;
    while (true) {
        epoll_event events[256];
        const int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; ++i) {
            const int fd = events[i].data.fd;
            if (fd == listener) {
                const int accepted = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (accepted < 0) continue;
                event.data.fd = accepted;
                epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
                continue;
            }
            const auto size = recv(fd, input, sizeof input, 0);
            if (size <= 0) {
                close(fd);
                continue;
            }
            replies.clear();
            for (auto lines = std::count(input, input + size, '\n'); lines > 0; --lines) {
                replies.append(line).push_back('\n');
            }
            if (!replies.empty() && send(fd, replies.data(), replies.size(), MSG_NOSIGNAL) < 0) {
                close(fd);
            }
        }
    }
}

}  // namespace adit::bench
