// Who is banned until when. Keys are texts: "ip", or "ip name" for one miner behind a shared
// address. Pure: time is passed in. Not synchronised.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace adit::net {

class Bans {
 public:
    // Holds at most max_entries; when full, expired bans go first, then the one that ends soonest.
    explicit Bans(std::size_t max_entries) : max_entries_(max_entries) {}

    // Never shortens a ban. Times in milliseconds of one clock.
    void ban(std::string_view key, std::int64_t now_ms, std::int64_t duration_ms);
    bool banned(std::string_view key, std::int64_t now_ms) const;
    // False when it was not there.
    bool lift(std::string_view key);
    // Drops what has expired; returns how many bans are in force.
    std::size_t expire(std::int64_t now_ms);
    std::size_t size() const { return until_ms_.size(); }

 private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view key) const {
            return std::hash<std::string_view>{}(key);
        }
    };

    std::size_t max_entries_;
    std::unordered_map<std::string, std::int64_t, Hash, std::equal_to<>> until_ms_;
};

}  // namespace adit::net
