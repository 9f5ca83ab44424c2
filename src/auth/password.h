// Passwords by Argon2id (libsodium). Hashing is slow and takes memory on purpose, so only a few run
// at once, a few more wait, and the rest is refused. Safe from any thread.
#pragma once

#include "auth/auth_store.h"
#include "base/clock.h"
#include "metrics/registry.h"

#include <condition_variable>
#include <mutex>

namespace adit::auth {

struct PasswordSettings {
    // libsodium's "moderate" is 3 and 256 MiB, its "interactive" 2 and 64 MiB.
    std::uint64_t operations = 3;
    std::uint64_t memory_bytes = 64 << 20;
    std::size_t at_once = 2;
    std::size_t waiting = 16;
};

inline constexpr std::size_t kPasswordMin = 12;
inline constexpr std::size_t kPasswordMax = 256;
inline bool is_password(std::string_view password) {
    return password.size() >= kPasswordMin && password.size() <= kPasswordMax;
}

class Passwords {
 public:
    // Throws std::runtime_error when the system does not give the memory that hashing takes.
    Passwords(const PasswordSettings& settings, const base::Clock& clock,
              metrics::Registry& registry);

    // nullopt: too many are under way, or there is no memory for it.
    std::optional<std::string> hash(std::string_view password);
    // Whether it is this password; with an empty hash the same work is done and the answer is no.
    std::optional<bool> check(std::string_view password, const std::string& hash);
    // Whether a hash was made with other parameters than today's.
    bool is_outdated(const std::string& hash) const;

 private:
    class Turn;

    PasswordSettings settings_;
    const base::Clock& clock_;
    metrics::Histogram& took_;
    metrics::Counter& refused_;
    std::string nobodys_;  // the hash of no password that anybody knows
    std::mutex mutex_;
    std::condition_variable freed_;
    std::size_t running_ = 0;
    std::size_t waiting_ = 0;
};

// 20 characters from an alphabet without look-alikes: 114 bits.
std::string random_password();

}  // namespace adit::auth
