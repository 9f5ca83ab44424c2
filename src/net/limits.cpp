#include "net/limits.h"

#include "base/check.h"

namespace adit::net {
namespace {

constexpr std::int64_t kBurstNs = 1'000'000'000;

Address without_port(Address address) {
    address.port = 0;
    return address;
}

}  // namespace

bool ConnectionBudget::acquire() {
    const auto max = max_.load(std::memory_order_relaxed);
    auto open = open_.load(std::memory_order_relaxed);
    do {
        if (open >= max) return false;
    } while (!open_.compare_exchange_weak(open, open + 1, std::memory_order_relaxed));
    return true;
}

std::int64_t HandshakeRate::wait_ns(std::int64_t now_ns) const {
    const auto interval = interval_ns_.load(std::memory_order_relaxed);
    if (interval == 0) return 0;
    const auto next = next_ns_.load(std::memory_order_relaxed);
    return std::max<std::int64_t>(0, next - now_ns - (kBurstNs - interval));
}

void HandshakeRate::take(std::int64_t now_ns) {
    const auto interval = interval_ns_.load(std::memory_order_relaxed);
    auto next = next_ns_.load(std::memory_order_relaxed);
    while (!next_ns_.compare_exchange_weak(next, std::max(next, now_ns) + interval,
                                           std::memory_order_relaxed)) {
    }
}

bool PerAddressLimits::acquire(const Address& address) {
    const auto max = max_.load(std::memory_order_relaxed);
    const std::lock_guard lock(mutex_);
    auto& open = open_[without_port(address)];
    if (max != 0 && open >= max) return false;  // open > 0, so the entry is not left empty
    ++open;
    return true;
}

void PerAddressLimits::release(const Address& address) {
    const std::lock_guard lock(mutex_);
    const auto at = open_.find(without_port(address));
    ADIT_CHECK(at != open_.end(), "an address is released as often as it was acquired");
    if (--at->second == 0) open_.erase(at);
}

std::size_t PerAddressLimits::addresses() const {
    const std::lock_guard lock(mutex_);
    return open_.size();
}

}  // namespace adit::net
