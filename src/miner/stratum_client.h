// A connection to a Stratum V1 pool that keeps itself alive: connects (TCP or TLS), speaks through
// ClientProtocol, and after a loss comes back with growing pauses and resumes its session. Runs on
// one thread of its own; events are called there. submit() is safe from any thread.
#pragma once

#include "base/clock.h"
#include "miner/client_protocol.h"
#include "miner/pool_url.h"

#include <functional>

namespace adit::miner {

struct ConnectionSettings {
    PoolUrl pool;
    ClientSettings client;
    bool verify_tls = true;  // check the certificate against ca_file or the system's authorities
    std::string ca_file;
    std::string preamble;  // bytes that go before everything else, such as a PROXY header
    std::uint32_t connect_timeout_ms = 10'000;   // connecting, TLS handshake and subscription, each
    std::uint32_t silence_timeout_ms = 180'000;  // without a line from the pool: dead
    std::uint32_t first_pause_ms = 500;          // doubles with every failure in a row
    std::uint32_t longest_pause_ms = 30'000;
};

// All on the client's thread. Unset functions are not called. None may call stop().
struct ClientEvents {
    // TCP and, where it is wanted, TLS stand; nothing was said yet.
    std::function<void()> on_connected;
    std::function<void(bool resumed)> on_ready;
    std::function<void(PoolJobRef)> on_job;
    std::function<void(const ShareReply&)> on_reply;
    std::function<void(std::string_view text)> on_message;
    // The connection ended or could not be made; why, in words, and the pause before the next try.
    std::function<void(std::string_view why, std::uint32_t pause_ms)> on_lost;
    // The pool broke the protocol or refused the name; on_lost follows.
    std::function<void(ProtocolError error, std::string_view detail)> on_refused;
};

class StratumClient {
 public:
    StratumClient(ConnectionSettings settings, ClientEvents events);
    ~StratumClient();  // stops
    StratumClient(const StratumClient&) = delete;
    StratumClient& operator=(const StratumClient&) = delete;

    void start();
    // Waits up to drain_ms for answers to submitted shares, reports the rest as lost, closes and
    // joins. Idempotent. Not from an event.
    void stop(std::uint32_t drain_ms = 0);
    // False, and the share untouched, when kMaxQueued wait already.
    bool submit(Share&& share);
    static constexpr std::size_t kMaxQueued = 4096;
    // Cuts the TCP connection as a network failure would (tests of resuming).
    void drop_connection();

 private:
    struct Shell;
    std::unique_ptr<Shell> shell_;
};

}  // namespace adit::miner
