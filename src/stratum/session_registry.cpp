#include "stratum/session_registry.h"

#include "base/check.h"

namespace adit::stratum {
namespace {

constexpr auto kRetry = std::chrono::seconds(1);

}  // namespace

SessionRegistry::SessionRegistry(ExtranonceSource& source, std::uint32_t instance,
                                 std::size_t max_released)
    : source_(source), instance_(instance), max_released_(max_released) {
    ADIT_CHECK(instance < 1u << kInstanceBits, "the instance fits its bits");
    reserve_ahead();
}

bool SessionRegistry::reserve_ahead() {
    {
        const std::lock_guard lock(mutex_);
        if (!reserve_is_due()) return true;
    }
    const auto range = source_.reserve(kRangeSize);
    if (!range) return false;
    const std::lock_guard lock(mutex_);
    next_range_ = *range;
    return true;
}

void SessionRegistry::keep_ahead(std::stop_token stop) {
    while (!stop.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            due_.wait(lock, stop, [this] { return reserve_is_due(); });
        }
        if (stop.stop_requested() || reserve_ahead()) continue;
        std::unique_lock lock(mutex_);
        due_.wait_for(lock, stop, kRetry, [] { return false; });
    }
}

std::optional<std::uint32_t> SessionRegistry::take_extranonce1() {
    constexpr std::uint32_t kCounterBits = 32 - kInstanceBits;
    constexpr std::uint64_t kMask = (1u << kCounterBits) - 1;
    // The counter comes round after 67 million sessions; a value whose session still lives is
    // skipped then. Ranges may be in use in full, so both are tried.
    for (std::uint64_t tries = 0; tries < 4 * kRangeSize; ++tries) {
        if (range_.begin == range_.end) {
            if (!next_range_) return std::nullopt;
            range_ = *std::exchange(next_range_, std::nullopt);
        }
        const auto value =
            instance_ << kCounterBits | static_cast<std::uint32_t>(range_.begin++ & kMask);
        if (reserve_is_due()) due_.notify_one();
        if (in_use_.insert(value).second) return value;
    }
    return std::nullopt;
}

std::shared_ptr<SessionMemory> SessionRegistry::open(const SessionPlace& place) {
    const std::lock_guard lock(mutex_);
    const auto extranonce1 = take_extranonce1();
    if (!extranonce1) return nullptr;
    auto memory = std::make_shared<SessionMemory>();
    memory->token = SessionToken::random();
    memory->extranonce1 = *extranonce1;
    entries_[memory->token] = Entry{nullptr, place, kLive};
    return memory;
}

std::optional<SessionPlace> SessionRegistry::find_live(const SessionToken& token) const {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(token);
    if (entry == entries_.end() || entry->second.released_ms != kLive) return std::nullopt;
    return entry->second.place;
}

std::shared_ptr<SessionMemory> SessionRegistry::resume(const SessionToken& token,
                                                       const SessionPlace& place,
                                                       std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(token);
    if (found == entries_.end()) return nullptr;
    auto& entry = found->second;
    if (entry.released_ms == kLive || now_ms - entry.released_ms > kResumeMs) return nullptr;
    entry.released_ms = kLive;
    entry.place = place;
    --released_;
    return std::move(entry.memory);
}

void SessionRegistry::release(const std::shared_ptr<SessionMemory>& memory,
                              const SessionPlace& place, bool keep, std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(memory->token);
    if (entry == entries_.end() || entry->second.released_ms != kLive ||
        entry->second.place != place) {
        return;
    }
    if (!keep) return forget(entry, memory->extranonce1);
    entry->second.memory = memory;
    entry->second.released_ms = now_ms;
    release_order_.emplace_back(now_ms, memory->token);
    ++released_;
}

void SessionRegistry::forget(Entries::iterator entry, std::uint32_t extranonce1) {
    in_use_.erase(extranonce1);
    entries_.erase(entry);
}

void SessionRegistry::expire(std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    while (!release_order_.empty() &&
           (now_ms - release_order_.front().first > kResumeMs || released_ > max_released_ ||
            release_order_.size() > 2 * max_released_ + 1024)) {
        const auto [released_ms, token] = release_order_.front();
        release_order_.pop_front();
        const auto entry = entries_.find(token);
        // A session that was resumed meanwhile is live, or has been released again later.
        if (entry == entries_.end() || entry->second.released_ms != released_ms) continue;
        --released_;
        forget(entry, entry->second.memory->extranonce1);
    }
}

std::size_t SessionRegistry::live() const {
    const std::lock_guard lock(mutex_);
    return entries_.size() - released_;
}

std::size_t SessionRegistry::released() const {
    const std::lock_guard lock(mutex_);
    return released_;
}

}  // namespace adit::stratum
