#include "tests/support/rpc_gate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace adit::tests {
namespace {

constexpr int kLookMs = 50;  // how often a thread looks whether it is to end

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

bool send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

}  // namespace

RpcGate::RpcGate(std::uint16_t node_port, std::string watched, OnSeen on_seen)
    : node_port_(node_port), watched_(std::move(watched)), on_seen_(std::move(on_seen)) {
    auto address = loopback(0);
    socklen_t size = sizeof address;
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener_ < 0 ||
        ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        throw std::runtime_error("the gate cannot listen");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { accept_all(); });
}

RpcGate::~RpcGate() {
    stopping_ = true;
    acceptor_.join();
    threads_.clear();
    ::close(listener_);
}

std::string RpcGate::url() const {
    return fmt::format("http://127.0.0.1:{}", port_);
}

void RpcGate::accept_all() {
    while (!stopping_) {
        pollfd wait{listener_, POLLIN, 0};
        if (::poll(&wait, 1, kLookMs) <= 0) continue;
        const int pool = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (pool < 0) continue;
        const int node = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto address = loopback(node_port_);
        if (::connect(node, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            ::close(pool);
            ::close(node);
            continue;
        }
        const std::lock_guard lock(mutex_);
        threads_.emplace_back([this, pool, node] { serve(pool, node); });
    }
}

void RpcGate::serve(int pool, int node) {
    std::vector<char> buffer(1 << 20);
    while (!stopping_) {
        pollfd wait[2] = {{pool, POLLIN, 0}, {node, POLLIN, 0}};
        if (::poll(wait, 2, kLookMs) <= 0) continue;
        if (wait[0].revents != 0) {
            const auto size = ::recv(pool, buffer.data(), buffer.size(), 0);
            if (size <= 0) break;
            const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
            if (bytes.find(watched_) != std::string_view::npos) {
                ++seen_;
                if (on_seen_() == Order::swallow) continue;
            }
            if (!send_all(node, bytes)) break;
        }
        if (wait[1].revents != 0) {
            const auto size = ::recv(node, buffer.data(), buffer.size(), 0);
            if (size <= 0) break;
            // The pool may be dead by now; what it asked for is done all the same.
            send_all(pool, {buffer.data(), static_cast<std::size_t>(size)});
        }
    }
    ::close(pool);
    ::close(node);
}

}  // namespace adit::tests
