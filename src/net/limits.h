// Limits that all shards share: connections in total and reserved, connections per address, and
// handshakes per second. Safe from any thread. They outlive the loops whose connections they count.
#pragma once

#include "net/address.h"

#include <atomic>
#include <cstdint>
#include <expected>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace adit::net {

enum class ReservationId : std::uint32_t {};  // 0: none

// Room held for connections that are expected from one IP.
struct Reservation {
    ReservationId id{};
    Address peer;             // port 0
    std::uint32_t count = 0;  // places
    std::uint32_t left = 0;   // of them not taken by a connection
    std::int64_t until_ms = 0;
};

enum class ReserveFault : std::uint8_t {
    none_asked,  // no connection or no time
    too_long,    // more than kLongestMs ahead
    too_many,    // kMostReservations are there
    no_room,     // open and held together would exceed the maximum
};

// The place of one connection in a ConnectionBudget.
struct Place {
    ReservationId reservation{};  // it came out of this one and goes back there
    bool is_borrowed = false;     // of what is held, until the peer's address is known
};

// At most `max` open connections. May be changed while running (SIGHUP); connections above a
// lowered limit stay. Part of the room can be held for peers that are expected: others are turned
// away once what is open and what is held reach the maximum together. A place that was taken from a
// reservation returns to it when its connection ends.
//
// Both numbers share one word, so that taking a place is one exchange; the table of reservations
// and its mutex are touched only while something is held. Times are Clock::steady_ms().
class ConnectionBudget {
 public:
    static constexpr std::size_t kMostReservations = 64;
    static constexpr std::int64_t kLongestMs = 86'400'000;

    struct Counts {
        std::uint32_t max = 0;
        std::uint32_t open = 0;
        std::uint32_t held = 0;  // reserved places that no connection has taken
    };

    explicit ConnectionBudget(std::uint32_t max) : max_(max) {}
    // A place that is held for nobody.
    bool acquire();
    void release() { counts_.fetch_sub(1, std::memory_order_relaxed); }

    // A place for this peer: of its reservation, or one that is held for nobody.
    std::optional<Place> acquire(const Address& peer, std::int64_t now_ms);
    // A place for a peer whose address is told later (PROXY header): one that is held for nobody,
    // or else a held one is borrowed until settle() decides.
    std::optional<Place> acquire_unnamed(std::int64_t now_ms);
    // The address is known. False: the place was borrowed and nothing is held for this peer; the
    // caller turns it away and still releases the place.
    bool settle(Place& place, const Address& peer, std::int64_t now_ms);
    void release(const Place& place);

    std::expected<ReservationId, ReserveFault> reserve(const Address& peer, std::uint32_t count,
                                                       std::int64_t until_ms, std::int64_t now_ms);
    // What is held is given up; connections stay. False: there is no such reservation (any more).
    bool cancel(ReservationId id, std::int64_t now_ms);
    // Those that have not expired, oldest first.
    std::vector<Reservation> reservations(std::int64_t now_ms);

    void set_max(std::uint32_t max) { max_ = max; }
    std::uint32_t open() const { return open_of(counts_.load(std::memory_order_relaxed)); }
    // As of now: what has expired is held no more.
    Counts counts(std::int64_t now_ms);

 private:
    static constexpr std::uint64_t kOneHeld = std::uint64_t{1} << 32;
    static std::uint32_t open_of(std::uint64_t counts) {
        return static_cast<std::uint32_t>(counts);
    }
    static std::uint32_t held_of(std::uint64_t counts) {
        return static_cast<std::uint32_t>(counts >> 32);
    }
    bool holds_any() const { return held_of(counts_.load(std::memory_order_relaxed)) != 0; }
    bool borrow();
    void expire(std::int64_t now_ms);            // with the mutex
    Reservation* find_for(const Address& peer);  // with the mutex; has a place left
    std::vector<Reservation>::iterator find(ReservationId id);
    void give_up(const Reservation& reservation);

    std::atomic<std::uint32_t> max_;
    std::atomic<std::uint64_t> counts_{0};  // held in the upper half, open in the lower
    std::mutex mutex_;
    std::vector<Reservation> reservations_;
    std::uint32_t last_id_ = 0;
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
    std::uint32_t max() const { return max_; }
    std::uint32_t open_from(const Address& address) const;

 private:
    std::atomic<std::uint32_t> max_;
    mutable std::mutex mutex_;
    std::unordered_map<Address, std::uint32_t> open_;  // port 0
};

}  // namespace adit::net
