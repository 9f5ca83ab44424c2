// A TCP gate between a pool and its node, for tests that must act at the very moment a block is on
// its way. Passes bytes both ways on threads of its own; when a request with the watched text comes
// by, `on_seen` decides on the gate's thread whether it goes on. Owned by the test's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace adit::tests {

class RpcGate {
 public:
    enum class Order { pass, swallow };
    using OnSeen = std::function<Order()>;

    // Listens on a loopback port of the system's choice. Throws std::runtime_error.
    RpcGate(std::uint16_t node_port, std::string watched, OnSeen on_seen);
    ~RpcGate();
    RpcGate(const RpcGate&) = delete;
    RpcGate& operator=(const RpcGate&) = delete;

    std::string url() const;
    std::uint64_t seen() const { return seen_; }

 private:
    void accept_all();
    void serve(int pool, int node);

    std::uint16_t node_port_;
    std::string watched_;
    OnSeen on_seen_;
    std::atomic<std::uint64_t> seen_{0};
    std::atomic<bool> stopping_{false};
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::mutex mutex_;
    std::vector<std::jthread> threads_;  // under mutex_
    std::jthread acceptor_;
};

}  // namespace adit::tests
