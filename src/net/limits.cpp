#include "net/limits.h"

#include "base/check.h"

#include <algorithm>

namespace adit::net {
namespace {

constexpr std::int64_t kBurstNs = 1'000'000'000;

Address without_port(Address address) {
    address.port = 0;
    return address;
}

}  // namespace

bool ConnectionBudget::acquire() {
    const std::uint64_t max = max_.load(std::memory_order_relaxed);
    auto counts = counts_.load(std::memory_order_relaxed);
    do {
        if (std::uint64_t{open_of(counts)} + held_of(counts) >= max) return false;
    } while (!counts_.compare_exchange_weak(counts, counts + 1, std::memory_order_relaxed));
    return true;
}

// Counts one more open connection, whatever is held.
bool ConnectionBudget::borrow() {
    const auto max = max_.load(std::memory_order_relaxed);
    auto counts = counts_.load(std::memory_order_relaxed);
    do {
        if (open_of(counts) >= max) return false;
    } while (!counts_.compare_exchange_weak(counts, counts + 1, std::memory_order_relaxed));
    return true;
}

std::optional<Place> ConnectionBudget::acquire(const Address& peer, std::int64_t now_ms) {
    if (!holds_any()) return acquire() ? std::optional(Place{}) : std::nullopt;
    const std::lock_guard lock(mutex_);
    expire(now_ms);
    auto* const reservation = find_for(peer);
    if (reservation == nullptr) return acquire() ? std::optional(Place{}) : std::nullopt;
    if (!borrow()) return std::nullopt;  // the limit was lowered, or peers without a name are many
    --reservation->left;
    counts_.fetch_sub(kOneHeld, std::memory_order_relaxed);
    return Place{reservation->id, false};
}

std::optional<Place> ConnectionBudget::acquire_unnamed(std::int64_t now_ms) {
    if (acquire()) return Place{};
    if (!holds_any()) return std::nullopt;
    const std::lock_guard lock(mutex_);
    expire(now_ms);
    if (acquire()) return Place{};
    return borrow() ? std::optional(Place{{}, true}) : std::nullopt;
}

bool ConnectionBudget::settle(Place& place, const Address& peer, std::int64_t now_ms) {
    if (!place.is_borrowed && !holds_any()) return true;
    const std::lock_guard lock(mutex_);
    expire(now_ms);
    auto* const reservation = find_for(peer);
    if (reservation != nullptr) {
        --reservation->left;
        counts_.fetch_sub(kOneHeld, std::memory_order_relaxed);
        place = {reservation->id, false};
        return true;
    }
    if (!place.is_borrowed) return true;
    // Room for everybody may have come meanwhile.
    const auto counts = counts_.load(std::memory_order_relaxed);
    if (std::uint64_t{open_of(counts)} + held_of(counts) > max_.load(std::memory_order_relaxed)) {
        return false;
    }
    place.is_borrowed = false;
    return true;
}

void ConnectionBudget::release(const Place& place) {
    if (place.reservation == ReservationId{}) return release();
    const std::lock_guard lock(mutex_);
    const auto at = find(place.reservation);
    if (at == reservations_.end()) return release();
    ++at->left;
    counts_.fetch_add(kOneHeld - 1, std::memory_order_relaxed);
}

std::expected<ReservationId, ReserveFault> ConnectionBudget::reserve(const Address& peer,
                                                                     std::uint32_t count,
                                                                     std::int64_t until_ms,
                                                                     std::int64_t now_ms) {
    if (count == 0 || until_ms <= now_ms) return std::unexpected(ReserveFault::none_asked);
    if (until_ms - now_ms > kLongestMs) return std::unexpected(ReserveFault::too_long);
    const std::lock_guard lock(mutex_);
    expire(now_ms);
    if (reservations_.size() >= kMostReservations) return std::unexpected(ReserveFault::too_many);
    const std::uint64_t max = max_.load(std::memory_order_relaxed);
    auto counts = counts_.load(std::memory_order_relaxed);
    do {
        if (std::uint64_t{open_of(counts)} + held_of(counts) + count > max) {
            return std::unexpected(ReserveFault::no_room);
        }
    } while (!counts_.compare_exchange_weak(counts, counts + count * kOneHeld,
                                            std::memory_order_relaxed));
    const ReservationId id{++last_id_};
    reservations_.push_back({id, without_port(peer), count, count, until_ms});
    return id;
}

bool ConnectionBudget::cancel(ReservationId id, std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    expire(now_ms);
    const auto at = find(id);
    if (at == reservations_.end()) return false;
    give_up(*at);
    reservations_.erase(at);
    return true;
}

std::vector<Reservation> ConnectionBudget::reservations(std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    expire(now_ms);
    return reservations_;
}

ConnectionBudget::Counts ConnectionBudget::counts(std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    expire(now_ms);
    const auto counts = counts_.load(std::memory_order_relaxed);
    return {max_.load(std::memory_order_relaxed), open_of(counts), held_of(counts)};
}

void ConnectionBudget::expire(std::int64_t now_ms) {
    std::erase_if(reservations_, [&](const Reservation& reservation) {
        if (reservation.until_ms > now_ms) return false;
        give_up(reservation);
        return true;
    });
}

Reservation* ConnectionBudget::find_for(const Address& peer) {
    const auto at = std::ranges::find_if(
        reservations_, [peer = without_port(peer)](const Reservation& reservation) {
            return reservation.left > 0 && reservation.peer == peer;
        });
    return at == reservations_.end() ? nullptr : &*at;
}

std::vector<Reservation>::iterator ConnectionBudget::find(ReservationId id) {
    return std::ranges::find(reservations_, id, &Reservation::id);
}

void ConnectionBudget::give_up(const Reservation& reservation) {
    counts_.fetch_sub(reservation.left * kOneHeld, std::memory_order_relaxed);
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

std::uint32_t PerAddressLimits::open_from(const Address& address) const {
    const std::lock_guard lock(mutex_);
    const auto at = open_.find(without_port(address));
    return at == open_.end() ? 0 : at->second;
}

std::size_t PerAddressLimits::addresses() const {
    const std::lock_guard lock(mutex_);
    return open_.size();
}

}  // namespace adit::net
