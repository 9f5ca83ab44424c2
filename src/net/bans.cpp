#include "net/bans.h"

#include <algorithm>

namespace adit::net {

void Bans::ban(std::string_view key, std::int64_t now_ms, std::int64_t duration_ms) {
    if (max_entries_ == 0 || duration_ms <= 0) return;
    const auto until = now_ms + duration_ms;
    if (const auto at = until_ms_.find(key); at != until_ms_.end()) {
        at->second = std::max(at->second, until);
        return;
    }
    if (until_ms_.size() >= max_entries_) expire(now_ms);
    if (until_ms_.size() >= max_entries_) {
        until_ms_.erase(
            std::min_element(until_ms_.begin(), until_ms_.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; }));
    }
    until_ms_.emplace(key, until);
}

bool Bans::banned(std::string_view key, std::int64_t now_ms) const {
    const auto at = until_ms_.find(key);
    return at != until_ms_.end() && now_ms < at->second;
}

bool Bans::lift(std::string_view key) {
    const auto at = until_ms_.find(key);
    if (at == until_ms_.end()) return false;
    until_ms_.erase(at);
    return true;
}

std::size_t Bans::expire(std::int64_t now_ms) {
    std::erase_if(until_ms_, [now_ms](const auto& ban) { return ban.second <= now_ms; });
    return until_ms_.size();
}

}  // namespace adit::net
