// Gives out extranonce1 values and session tokens, and keeps what belongs to an extranonce1 for ten
// minutes after its connection has gone, so that a miner can resume. Shared by all shards; safe
// from any thread. A SessionMemory belongs to the shard that owns it and is never touched here.
#pragma once

#include "net/connection.h"
#include "stratum/session_memory.h"

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <unordered_map>
#include <unordered_set>

namespace adit::stratum {

// Durable ranges of a counter; implemented over store by the manager. A value is never given twice,
// not even after a crash. nullopt: storage cannot promise that now.
class ExtranonceSource {
 public:
    struct Range {
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
    };
    virtual ~ExtranonceSource() = default;
    virtual std::optional<Range> reserve(std::uint64_t count) = 0;
};

// Where a live session is.
struct SessionPlace {
    std::size_t shard = 0;
    net::ConnectionId connection{};
    friend bool operator==(const SessionPlace&, const SessionPlace&) = default;
};

class SessionRegistry {
 public:
    static constexpr std::int64_t kResumeMs = 600'000;
    static constexpr unsigned kInstanceBits = 6;  // of the 32 of an extranonce1; the rest counts
    static constexpr std::uint64_t kRangeSize = 4096;
    // Values of one instance; those of live and of released sessions are in use.
    static constexpr std::uint64_t kExtranonces = std::uint64_t{1} << (32 - kInstanceBits);

    // instance: 0..63, distinct among pools that share a chain of jobs. max_released bounds what is
    // kept for a resume; the longest gone gives way. Reserves the first range.
    SessionRegistry(ExtranonceSource& source, std::uint32_t instance, std::size_t max_released);

    // Reserving waits for the disk, so the registry does it ahead of need, never while a shard
    // waits for it. reserve_ahead() takes the next range once half of the present one is used;
    // false when storage refused. keep_ahead() does so whenever it is due, on a thread of its own,
    // and after a refusal again in a second.
    bool reserve_ahead();
    void keep_ahead(std::stop_token stop);

    // A new extranonce1 and token for this connection; null when there is none to give.
    std::shared_ptr<SessionMemory> open(const SessionPlace& place);

    // Where the session of this token lives; nullopt when it is unknown or its connection is gone.
    std::optional<SessionPlace> find_live(const SessionToken& token) const;
    // Takes over the memory of a session that was released at most kResumeMs ago; null otherwise.
    std::shared_ptr<SessionMemory> resume(const SessionToken& token, const SessionPlace& place,
                                          std::int64_t now_ms);
    // The connection of this memory has gone. `keep`: it may be resumed. Nothing happens when the
    // session has moved to another place meanwhile.
    void release(const std::shared_ptr<SessionMemory>& memory, const SessionPlace& place, bool keep,
                 std::int64_t now_ms);
    // Forgets what was released too long ago.
    void expire(std::int64_t now_ms);

    std::size_t live() const;
    std::size_t released() const;

 private:
    struct TokenHash {
        std::size_t operator()(const SessionToken& token) const {
            return base::load_le<std::size_t>(token.bytes.data());
        }
    };
    struct Entry {
        std::shared_ptr<SessionMemory> memory;  // only while released
        SessionPlace place;
        std::int64_t released_ms = kLive;
    };
    static constexpr std::int64_t kLive = -1;
    using Entries = std::unordered_map<SessionToken, Entry, TokenHash>;

    std::optional<std::uint32_t> take_extranonce1();
    bool reserve_is_due() const {
        return !next_range_ && range_.end - range_.begin <= kRangeSize / 2;
    }
    void forget(Entries::iterator entry, std::uint32_t extranonce1);

    ExtranonceSource& source_;
    const std::uint32_t instance_;
    const std::size_t max_released_;
    mutable std::mutex mutex_;
    ExtranonceSource::Range range_;
    std::optional<ExtranonceSource::Range> next_range_;
    std::condition_variable_any due_;
    Entries entries_;
    std::unordered_set<std::uint32_t> in_use_;
    std::deque<std::pair<std::int64_t, SessionToken>> release_order_;
    std::size_t released_ = 0;
};

}  // namespace adit::stratum
