// Delivers notifications to webhooks, one at a time on a thread of its own, and tries again when a
// receiver is away. What waits is bounded. send() is safe from any thread; an address is never
// logged, for it often holds a token.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "metrics/registry.h"
#include "net/webhook_format.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace adit::net {

struct WebhookTarget {
    std::string name;  // in logs and metrics
    std::string url;   // http or https; certificates are verified, redirects not followed
    WebhookFormat format = WebhookFormat::json;
    std::string secret;  // of X-Adit-Signature; empty: none is sent
};

struct WebhookSettings {
    std::size_t most_waiting = 1'000;
    unsigned attempts = 6;
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds timeout{10'000};       // for a whole attempt
    std::chrono::milliseconds first_wait{1'000};     // before the second attempt; then doubled
    std::chrono::milliseconds longest_wait{60'000};  // also for a receiver's Retry-After
    std::string ca_file;  // PEM, of who vouches for receivers; empty: the system's
};

struct WebhookOutcome {
    std::string target;
    bool delivered = false;
    unsigned attempts = 0;
    long status = 0;    // of the last answer; 0: there was none
    std::string error;  // a sentence, empty when delivered
};

class WebhookSender {
 public:
    // Called on the sender's thread (by stop() for what is left), once for each message.
    using Done = std::function<void(const WebhookOutcome& outcome)>;

    // Clock, registry and logger outlive it. Starts the thread.
    WebhookSender(WebhookSettings settings, const base::Clock& clock, metrics::Registry& registry,
                  base::Logger& log);
    // As stop() without time to drain.
    ~WebhookSender();
    WebhookSender(const WebhookSender&) = delete;
    WebhookSender& operator=(const WebhookSender&) = delete;

    // False when too much waits already or the sender has stopped; `done` is then not called.
    bool send(WebhookTarget target, const WebhookMessage& message, Done done = {});
    // Tries everything that waits once more for at most `drain`, then gives up on the rest.
    void stop(std::chrono::milliseconds drain);
    std::size_t waiting() const;

 private:
    struct Item {
        WebhookTarget target;
        WebhookBody body;
        Done done;
        unsigned attempts = 0;
        std::int64_t due_ms = 0;
    };
    struct Attempt {
        long status = 0;
        std::string error;  // empty: there was an answer
        std::chrono::milliseconds retry_after{0};
    };
    void work();
    void try_one(std::list<Item>& item);
    Attempt post(const Item& item);
    void finish(const Item& item, WebhookOutcome outcome);
    bool out_of_time() const;

    const WebhookSettings settings_;
    const base::Clock& clock_;
    metrics::Registry& registry_;
    base::Logger& log_;
    metrics::Gauge& waiting_gauge_;
    metrics::Counter& dropped_;
    metrics::Counter& retries_;
    metrics::Histogram& attempt_ms_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::list<Item> waiting_;
    bool stopping_ = false;
    std::atomic<std::int64_t> end_ms_{INT64_MAX};  // of the time to drain
    std::thread thread_;
};

// What to wait before attempt `next` (from 2): doubled each time, between half and all of it by
// `random`, so that receivers that come back are not met by everybody at once.
std::chrono::milliseconds webhook_wait(const WebhookSettings& settings, unsigned next,
                                       std::uint32_t random);

// Whether another attempt may help; 0: there was no answer.
bool webhook_worth_retrying(long status);

}  // namespace adit::net
