#include "http/events.h"

#include "base/check.h"
#include "base/random.h"

#include <fmt/format.h>

#include <charconv>

namespace adit::http {

namespace {

bool is_topic(std::string_view topic) {
    return !topic.empty() && std::ranges::all_of(topic, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '.' || c == '-';
    });
}

bool holds(const std::vector<std::string>& topics, std::string_view topic) {
    return std::ranges::find(topics, topic) != topics.end();
}

}  // namespace

std::string event_text(std::string_view id, std::string_view event, std::string_view json) {
    std::string out;
    if (!id.empty()) out += fmt::format("id: {}\n", id);
    out += fmt::format("event: {}\n", event);
    // A line end of any kind within the data would end the field.
    while (true) {
        const auto end = json.find_first_of("\r\n");
        out += fmt::format("data: {}\n", json.substr(0, end));
        if (end == std::string_view::npos) break;
        const bool pair = json.substr(end).starts_with("\r\n");
        json.remove_prefix(end + (pair ? 2 : 1));
    }
    return out += '\n';
}

void EventStream::on_ready(std::function<void()> ready) {
    const std::scoped_lock lock(mutex_);
    ready_ = std::move(ready);
    if (ready_ && (finished_ || !waiting_.empty())) ready_();
}

EventStream::Batch EventStream::take() {
    const std::scoped_lock lock(mutex_);
    Batch batch;
    batch.texts.assign(waiting_.begin(), waiting_.end());
    waiting_.clear();
    bytes_ = 0;
    batch.finished = finished_;
    return batch;
}

void EventStream::finish(std::string_view event, std::string_view json) {
    auto text = std::make_shared<const std::string>(event_text("", event, json));
    const std::scoped_lock lock(mutex_);
    if (!finished_) end_with(std::move(text));
}

void EventStream::close() {
    const std::scoped_lock lock(mutex_);
    finished_ = true;
    waiting_.clear();
    bytes_ = 0;
    ready_ = nullptr;
}

bool EventStream::finished() const {
    const std::scoped_lock lock(mutex_);
    return finished_;
}

bool EventStream::push(const EventText& text) {
    const std::scoped_lock lock(mutex_);
    if (finished_) return false;
    if (waiting_.size() >= most_events_ || bytes_ + text->size() > most_bytes_) {
        // What waits would be sent late and with a hole behind it.
        waiting_.clear();
        end_with(std::make_shared<const std::string>(event_text(
            "", "lagging", R"({"message":"events came faster than they were read; reconnect"})")));
        return false;
    }
    waiting_.push_back(text);
    bytes_ += text->size();
    if (ready_) ready_();
    return true;
}

void EventStream::end_with(EventText last) {
    bytes_ += last->size();
    waiting_.push_back(std::move(last));
    finished_ = true;
    if (ready_) ready_();
}

EventHub::EventHub(EventSettings settings, metrics::Registry& registry)
    : settings_(settings),
      epoch_(base::random_hex(4)),
      published_(registry.counter("adit_http_events_total", "Events published")),
      lagging_(registry.counter("adit_http_events_lagging_total",
                                "Subscribers let go because they did not keep up")) {}

EventHub::~EventHub() {
    close();
}

void EventHub::publish(std::string_view topic, std::string_view json) {
    ADIT_CHECK(is_topic(topic), "a topic is a word");
    const std::scoped_lock lock(mutex_);
    if (closed_) return;
    published_.add();
    const auto id = ++last_id_;
    const auto text = std::make_shared<const std::string>(
        event_text(fmt::format("{}-{}", epoch_, id), topic, json));
    bool ended = false;
    for (auto& subscriber : subscribers_) {
        if (!holds(subscriber.topics, topic)) continue;
        const auto stream = subscriber.stream.lock();
        const bool had_ended = !stream || stream->finished();
        if (!had_ended && stream->push(text)) continue;
        ended = true;
        if (!had_ended) lagging_.add();
    }
    if (ended) forget_finished();
    keep({id, std::string(topic), text});
}

void EventHub::keep(Kept event) {
    ring_bytes_ += event.text->size();
    ring_.push_back(std::move(event));
    while (ring_.size() > settings_.ring_events || ring_bytes_ > settings_.ring_bytes) {
        ring_bytes_ -= ring_.front().text->size();
        ring_.pop_front();
    }
}

Response EventHub::subscribe(const Request& request, const std::vector<std::string>& topics) {
    const std::scoped_lock lock(mutex_);
    forget_finished();
    if (closed_ || subscribers_.size() >= settings_.most_subscribers) {
        return retry_response(503, "too_many_subscribers",
                              closed_ ? "the pool is stopping"
                                      : "too many clients receive events; close some or wait",
                              std::chrono::seconds(30));
    }
    auto stream = std::make_shared<EventStream>(settings_.queue_events, settings_.queue_bytes);
    resume(*stream, request.header("last-event-id"), topics);
    Response response;
    response.content_type = "text/event-stream";
    response.events = stream;
    if (!stream->finished()) subscribers_.push_back({stream, topics});
    return response;
}

void EventHub::resume(EventStream& stream, std::string_view last_id,
                      const std::vector<std::string>& topics) const {
    if (last_id.empty()) return;
    const auto dash = last_id.find('-');
    std::uint64_t id = 0;
    bool known = last_id.substr(0, dash) == epoch_ && dash != std::string_view::npos;
    if (known) {
        const auto digits = last_id.substr(dash + 1);
        const auto* end = digits.data() + digits.size();
        const auto read = std::from_chars(digits.data(), end, id);
        known = read.ec == std::errc() && read.ptr == end && id <= last_id_;
    }
    const auto oldest = ring_.empty() ? last_id_ + 1 : ring_.front().id;
    if (!known || id + 1 < oldest) {
        stream.push(std::make_shared<const std::string>(event_text(
            fmt::format("{}-{}", epoch_, last_id_), "reset",
            R"({"message":"what came in between is no longer known; load everything anew"})")));
        return;
    }
    for (const auto& event : ring_) {
        if (event.id <= id || !holds(topics, event.topic)) continue;
        if (!stream.push(event.text)) return;
    }
}

void EventHub::close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    for (auto& subscriber : subscribers_) {
        if (const auto stream = subscriber.stream.lock())
            stream->finish("closing", R"({"message":"the pool is stopping"})");
    }
    subscribers_.clear();
}

std::size_t EventHub::subscribers() const {
    const std::scoped_lock lock(mutex_);
    return subscribers_.size() -
           static_cast<std::size_t>(std::ranges::count_if(subscribers_, has_gone));
}

bool EventHub::has_gone(const Subscriber& subscriber) {
    const auto stream = subscriber.stream.lock();
    return !stream || stream->finished();
}

void EventHub::forget_finished() {
    std::erase_if(subscribers_, has_gone);
}

}  // namespace adit::http
