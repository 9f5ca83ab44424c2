#include "auth/lockout.h"

#include <fmt/format.h>

#include <arpa/inet.h>

namespace adit::auth {

std::int64_t Lockout::until_ms(const Entry& entry) const {
    const int over = entry.failures - settings_.free_failures;
    if (over < 0) return 0;
    auto delay = settings_.first_delay_ms;
    for (int i = 0; i < over && delay < settings_.longest_delay_ms; ++i)
        delay *= 2;
    return entry.last_ms + std::min(delay, settings_.longest_delay_ms);
}

std::int64_t Lockout::wait_ms(std::string_view key, std::int64_t now_ms) const {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return 0;
    const auto& entry = *found->second;
    if (now_ms - entry.last_ms >= settings_.forget_after_ms) return 0;
    return std::max<std::int64_t>(0, until_ms(entry) - now_ms);
}

std::int64_t Lockout::attempt(std::string_view key, std::int64_t now_ms) {
    if (const auto wait = wait_ms(key, now_ms); wait > 0) return wait;
    const auto found = by_key_.find(key);
    if (found != by_key_.end()) {
        entries_.splice(entries_.begin(), entries_, found->second);
        auto& entry = entries_.front();
        if (now_ms - entry.last_ms >= settings_.forget_after_ms) entry.failures = 0;
    } else {
        // The one whose last attempt is longest ago is the least worth knowing.
        while (!entries_.empty() && entries_.size() >= settings_.most_keys) {
            by_key_.erase(entries_.back().key);
            entries_.pop_back();
        }
        entries_.push_front({std::string(key), 0, now_ms});
        by_key_.emplace(entries_.front().key, entries_.begin());
    }
    auto& entry = entries_.front();
    ++entry.failures;
    entry.last_ms = now_ms;
    return 0;
}

void Lockout::forgive(std::string_view key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    if (--found->second->failures <= 0) clear(key);
}

void Lockout::clear(std::string_view key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    const auto entry = found->second;
    by_key_.erase(found);
    entries_.erase(entry);
}

std::string lockout_peer(std::string_view address) {
    std::string text(address.substr(0, 64));
    ::in6_addr wide;
    if (::inet_pton(AF_INET6, text.c_str(), &wide) != 1) return text;
    if (IN6_IS_ADDR_V4MAPPED(&wide)) {
        const auto* at = wide.s6_addr + 12;
        return fmt::format("{}.{}.{}.{}", at[0], at[1], at[2], at[3]);
    }
    std::string network;
    for (int i = 0; i < 8; i += 2)
        network += fmt::format("{:02x}{:02x}:", wide.s6_addr[i], wide.s6_addr[i + 1]);
    return network + ":/64";
}

}  // namespace adit::auth
