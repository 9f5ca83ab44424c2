// How failed attempts slow down whoever makes them: the first few are free, then each one doubles
// the wait. Keys are texts, such as a user's name or a peer's address. An attempt counts from its
// beginning, so that many at the same time do not slip through together. Pure: time is passed in.
// Not synchronised.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace adit::auth {

struct LockoutSettings {
    int free_failures = 5;
    std::int64_t first_delay_ms = 2'000;
    std::int64_t longest_delay_ms = 15 * 60'000;
    std::int64_t forget_after_ms = 60 * 60'000;  // without another attempt
    std::size_t most_keys = 10'000;
};

class Lockout {
 public:
    explicit Lockout(const LockoutSettings& settings) : settings_(settings) {}

    // 0: the attempt may be made and counts as failed until it is forgiven or cleared. Otherwise
    // the milliseconds to wait; such an attempt does not count.
    std::int64_t attempt(std::string_view key, std::int64_t now_ms);
    // One attempt was none: it succeeded, or could not be judged.
    void forgive(std::string_view key);
    // Forgets all failures of a key.
    void clear(std::string_view key);
    // How long the next attempt has to wait.
    std::int64_t wait_ms(std::string_view key, std::int64_t now_ms) const;
    std::size_t size() const { return entries_.size(); }

 private:
    struct Entry {
        std::string key;
        int failures = 0;
        std::int64_t last_ms = 0;
    };
    using Entries = std::list<Entry>;  // the latest attempt first

    std::int64_t until_ms(const Entry& entry) const;

    LockoutSettings settings_;
    Entries entries_;
    std::unordered_map<std::string_view, Entries::iterator> by_key_;  // views of the entries' keys
};

// The peer whose failures count together: an IPv4 address, or the /64 network of an IPv6 one, which
// is what one customer gets. Anything else as it is, cut to 64 characters.
std::string lockout_peer(std::string_view address);

}  // namespace adit::auth
