// Who may not come back for a while. A ban hits one name at one address; the address itself only
// while none of its connections had an accepted share in the last hour, because thousands of honest
// machines may stand behind it. Shared by all shards; safe from any thread. Bounded.
#pragma once

#include "net/bans.h"

#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace adit::stratum {

class BanList {
 public:
    static constexpr std::int64_t kGoodForMs = 3'600'000;

    explicit BanList(std::size_t max_entries) : bans_(max_entries), max_entries_(max_entries) {}

    // Bans each of these accounts at this address; the whole address, too, when no share of it was
    // accepted within kGoodForMs. Times are steady milliseconds.
    void ban(const std::string& ip, const std::vector<std::string>& accounts, std::int64_t now_ms,
             std::int64_t duration_ms);
    bool address_banned(const std::string& ip, std::int64_t now_ms) const;
    bool account_banned(const std::string& ip, std::string_view account, std::int64_t now_ms) const;
    // An accepted share came from this address. Once a minute per connection is enough.
    void note_good(const std::string& ip, std::int64_t now_ms);
    // Drops what is over; returns how many bans are in force.
    std::size_t expire(std::int64_t now_ms);

 private:
    mutable std::mutex mutex_;
    net::Bans bans_;
    std::size_t max_entries_;
    std::unordered_map<std::string, std::int64_t> good_ms_;
};

}  // namespace adit::stratum
