#include "http/rate_limit.h"

namespace adit::http {

namespace {

// Whoever has one IPv6 address has its whole /64.
net::Address counted(net::Address peer) {
    peer.port = 0;
    if (!peer.is_v4()) std::fill(peer.ip.begin() + 8, peer.ip.end(), std::uint8_t{0});
    return peer;
}

}  // namespace

RateLimiter::RateLimiter(Rate rate, const base::Clock& clock, std::size_t most_addresses)
    : interval_ns_(static_cast<std::int64_t>(1e9 / std::max(rate.per_s, 0.001))),
      ahead_ns_(static_cast<std::int64_t>(static_cast<double>(interval_ns_) *
                                          (std::max(rate.burst, 1.0) - 1))),
      clock_(clock),
      most_(most_addresses) {}

std::optional<std::int64_t> RateLimiter::take(const net::Address& peer) {
    const auto now_ns = clock_.steady_ns();
    const std::scoped_lock lock(mutex_);
    auto& due_ns = due_of(counted(peer), now_ns);
    const auto early_ns = std::max(due_ns - now_ns, std::int64_t{0});
    if (early_ns > ahead_ns_) return (early_ns - ahead_ns_ + 999'999) / 1'000'000;
    due_ns = now_ns + early_ns + interval_ns_;
    return std::nullopt;
}

std::size_t RateLimiter::addresses() const {
    const std::scoped_lock lock(mutex_);
    return due_ns_.size();
}

std::int64_t& RateLimiter::due_of(const net::Address& peer, std::int64_t now_ns) {
    const auto found = due_ns_.find(peer);
    if (found != due_ns_.end()) return found->second;
    if (due_ns_.size() >= most_) forget_due(now_ns);
    if (due_ns_.size() >= most_) return shared_due_ns_;
    return due_ns_.emplace(peer, 0).first->second;
}

// Who is due is no different from a stranger. At most once a second, so that a flood of addresses
// does not buy a walk over the table with every request.
void RateLimiter::forget_due(std::int64_t now_ns) {
    if (now_ns - swept_ns_ < 1'000'000'000) return;
    swept_ns_ = now_ns;
    std::erase_if(due_ns_, [&](const auto& entry) { return entry.second <= now_ns; });
}

}  // namespace adit::http
