// Server-sent events: a hub that anyone publishes to, and one stream for each subscriber.
// Everything is safe from any thread and bounded: a subscriber that does not keep up gets a last
// event, "lagging", and is let go.
#pragma once

#include "http/message.h"
#include "metrics/registry.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace adit::http {

struct EventSettings {
    std::size_t most_subscribers = 256;
    std::size_t queue_events = 256;  // that wait for one subscriber
    std::size_t queue_bytes = 256 * 1024;
    std::size_t ring_events = 1'024;  // kept for those who come back
    std::size_t ring_bytes = 1024 * 1024;
};

using EventText = std::shared_ptr<const std::string>;

// What waits for one subscriber. Made by the hub; the server sends it.
class EventStream {
 public:
    EventStream(std::size_t most_events, std::size_t most_bytes)
        : most_events_(most_events), most_bytes_(most_bytes) {}

    // Called, under a lock, whenever there is something to take or the stream has ended: it must
    // return at once and not call back. Called at once when that is so already.
    void on_ready(std::function<void()> ready);

    struct Batch {
        std::vector<EventText> texts;
        bool finished = false;  // nothing follows
    };
    Batch take();

    // Adds a last event and ends the stream. Without effect when it has ended.
    void finish(std::string_view event, std::string_view json);
    // The peer has gone: what waits is dropped.
    void close();
    bool finished() const;

 private:
    friend class EventHub;
    // False when the stream has ended, now or before.
    bool push(const EventText& text);
    void end_with(EventText last);

    const std::size_t most_events_;
    const std::size_t most_bytes_;
    mutable std::mutex mutex_;
    std::function<void()> ready_;
    std::deque<EventText> waiting_;
    std::size_t bytes_ = 0;
    bool finished_ = false;
};

class EventHub {
 public:
    // The registry outlives it.
    EventHub(EventSettings settings, metrics::Registry& registry);
    // As close().
    ~EventHub();
    EventHub(const EventHub&) = delete;
    EventHub& operator=(const EventHub&) = delete;

    // To every subscriber of the topic (letters, digits, "_", "." and "-"). `json` is the data.
    void publish(std::string_view topic, std::string_view json);

    // The answer to a request for events: a stream of these topics, which begins with what was
    // missed since the request's Last-Event-ID, or with the event "reset" when that is no longer
    // known (the subscriber should load everything anew). 503 when there are too many already.
    Response subscribe(const Request& request, const std::vector<std::string>& topics);

    // Ends all streams with the event "closing"; later subscribers get a 503.
    void close();
    std::size_t subscribers() const;

 private:
    struct Kept {
        std::uint64_t id;
        std::string topic;
        EventText text;
    };
    struct Subscriber {
        // Owned by the response and then the connection; gone when they are.
        std::weak_ptr<EventStream> stream;
        std::vector<std::string> topics;
    };
    void keep(Kept event);
    void resume(EventStream& stream, std::string_view last_id,
                const std::vector<std::string>& topics) const;
    void forget_finished();
    static bool has_gone(const Subscriber& subscriber);

    const EventSettings settings_;
    const std::string epoch_;  // tells the ids of this hub from those of an earlier run
    metrics::Counter& published_;
    metrics::Counter& lagging_;
    mutable std::mutex mutex_;
    std::uint64_t last_id_ = 0;
    std::deque<Kept> ring_;
    std::size_t ring_bytes_ = 0;
    std::vector<Subscriber> subscribers_;
    bool closed_ = false;
};

// One event as it goes over the wire. `id` may be empty.
std::string event_text(std::string_view id, std::string_view event, std::string_view json);

}  // namespace adit::http
