// Limits that all shards share: connections in total, connections per address, and handshakes per
// second. Safe from any thread. They outlive the loops whose connections they count.
#pragma once

#include "net/address.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace adit::net {

// At most `max` open connections. May be changed while running (SIGHUP); connections above a
// lowered limit stay.
class ConnectionBudget {
 public:
    explicit ConnectionBudget(std::uint32_t max) : max_(max) {}
    bool acquire();
    void release() { open_.fetch_sub(1, std::memory_order_relaxed); }
    void set_max(std::uint32_t max) { max_ = max; }
    std::uint32_t open() const { return open_.load(std::memory_order_relaxed); }

 private:
    std::atomic<std::uint32_t> max_;
    std::atomic<std::uint32_t> open_{0};
};

// At most `per_s` handshakes a second on average, one second's worth at once. 0: no limit.
class HandshakeRate {
 public:
    explicit HandshakeRate(std::uint32_t per_s) { set_per_s(per_s); }
    // 0 when a handshake may start now, else the nanoseconds to wait. now_ns is Clock::steady_ns().
    std::int64_t wait_ns(std::int64_t now_ns) const;
    // Counts one that started.
    void take(std::int64_t now_ns);
    void set_per_s(std::uint32_t per_s) { interval_ns_ = per_s == 0 ? 0 : 1'000'000'000 / per_s; }

 private:
    std::atomic<std::int64_t> interval_ns_{0};
    std::atomic<std::int64_t> next_ns_{0};  // when the next handshake is due at an even pace
};

// At most `max` open connections from one IP (ports do not matter). 0: no limit. The table holds
// one entry per address with an open connection, so it is bounded by the ConnectionBudget.
class PerAddressLimits {
 public:
    explicit PerAddressLimits(std::uint32_t max) : max_(max) {}
    bool acquire(const Address& address);
    void release(const Address& address);
    void set_max(std::uint32_t max) { max_ = max; }
    std::size_t addresses() const;

 private:
    std::atomic<std::uint32_t> max_;
    mutable std::mutex mutex_;
    std::unordered_map<Address, std::uint32_t> open_;  // port 0
};

}  // namespace adit::net
