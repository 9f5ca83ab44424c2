// Who may not come back for a while. A ban hits one canonical name (account and
// worker) at one address; the address itself only
// while none of its connections had an accepted share in the last hour, because thousands of honest
// machines may stand behind it. Shared by all shards; safe from any thread. Bounded.
#pragma once

#include "net/bans.h"
#include "stratum/worker_name.h"

#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace adit::stratum {

class BanList {
 public:
    static constexpr std::int64_t kGoodForMs = 3'600'000;

    explicit BanList(std::size_t max_entries) : bans_(max_entries), max_entries_(max_entries) {}

    // Bans each of these names at this address; the whole address, too, when no share of it was
    // accepted within kGoodForMs. Times are steady milliseconds.
    void ban(const std::string& ip, const std::vector<WorkerName>& names, std::int64_t now_ms,
             std::int64_t duration_ms);
    bool address_banned(const std::string& ip, std::int64_t now_ms) const;
    bool name_banned(const std::string& ip, const WorkerName& name, std::int64_t now_ms) const;
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
