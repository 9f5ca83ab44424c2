// Host names to addresses. Literal addresses are answered at once; a name is looked up on a thread
// of its own, because getaddrinfo() can neither be interrupted nor bounded.
#pragma once

#include <atomic>
#include <condition_variable>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace adit::node {

// Used by one thread; cancel() from any.
class Resolver {
 public:
    // Literal addresses of the host, at least one. The error says why there is none. Waits for at
    // most timeout_ms; a look-up that takes longer is picked up by the next call.
    std::expected<std::vector<std::string>, std::string> resolve(const std::string& host,
                                                                 int timeout_ms);
    // Ends a resolve() under way; later ones of names fail until reset().
    void cancel();
    void reset();

 private:
    struct LookUp {
        std::mutex mutex;
        std::condition_variable done_or_cancelled;
        bool done = false;
        bool cancelled = false;
        std::vector<std::string> addresses;
        std::string error;
    };
    std::mutex mutex_;                 // guards the pointer and the flag
    std::shared_ptr<LookUp> look_up_;  // under way, or null
    bool cancelled_ = false;
};

}  // namespace adit::node
