// Token buckets by address: so many requests a second on average, so many at once. Safe from any
// thread. The table is bounded; addresses that find it full share one bucket.
#pragma once

#include "base/clock.h"
#include "net/address.h"

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace adit::http {

struct Rate {
    double per_s = 50;
    double burst = 100;  // at least 1
};

class RateLimiter {
 public:
    // The clock outlives it.
    RateLimiter(Rate rate, const base::Clock& clock, std::size_t most_addresses = 16'384);

    // nullopt: go ahead, and one token is taken. Else the milliseconds until there is one.
    std::optional<std::int64_t> take(const net::Address& peer);
    std::size_t addresses() const;

 private:
    // For each address when its next request would be due at an even pace; one that is due has its
    // whole burst (the generic cell rate algorithm).
    std::int64_t& due_of(const net::Address& peer, std::int64_t now_ns);
    void forget_due(std::int64_t now_ns);

    const std::int64_t interval_ns_;
    const std::int64_t ahead_ns_;  // how far before its due time a request may come
    const base::Clock& clock_;
    const std::size_t most_;
    mutable std::mutex mutex_;
    std::unordered_map<net::Address, std::int64_t> due_ns_;
    std::int64_t shared_due_ns_ = 0;
    std::int64_t swept_ns_ = 0;
};

}  // namespace adit::http
