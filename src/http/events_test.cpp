#include "http/events.h"

#include "base/wait.h"
#include "http/server_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

std::vector<std::string> take(EventStream& stream) {
    std::vector<std::string> out;
    for (const auto& text : stream.take().texts)
        out.push_back(*text);
    return out;
}

// "name data" of an event's text.
std::string brief(std::string_view text) {
    const auto field = [&](std::string_view name) {
        const auto at = text.find(name);
        if (at == std::string_view::npos) return std::string_view("?");
        const auto begin = at + name.size();
        return text.substr(begin, text.find('\n', begin) - begin);
    };
    return fmt::format("{} {}", field("event: "), field("data: "));
}

std::vector<std::string> take_brief(EventStream& stream) {
    auto texts = take(stream);
    for (auto& text : texts)
        text = brief(text);
    return texts;
}

std::string id_of(std::string_view text) {
    const auto end = text.find('\n');
    return std::string(text.substr(4, end - 4));
}

class EventHubTest : public testing::Test {
 protected:
    std::shared_ptr<EventStream> subscribe(std::vector<std::string> topics,
                                           std::string last_id = {}) {
        Request request;
        if (!last_id.empty()) request.headers.emplace_back("Last-Event-ID", last_id);
        const auto response = hub().subscribe(request, topics);
        status_ = response.status;
        return response.events;
    }
    EventHub& hub() {
        if (!hub_) hub_.emplace(settings_, registry_);
        return *hub_;
    }
    EventSettings settings_;
    metrics::Registry registry_;
    std::optional<EventHub> hub_;
    unsigned status_ = 0;
};

TEST(EventText, KeepsLineEndsWithinTheData) {
    EXPECT_EQ(event_text("7", "block", "{}"), "id: 7\nevent: block\ndata: {}\n\n");
    EXPECT_EQ(event_text("", "a", "1\n2\r\n3\r4"),
              "event: a\ndata: 1\ndata: 2\ndata: 3\ndata: 4\n\n");
    EXPECT_EQ(event_text("", "a", ""), "event: a\ndata: \n\n");
}

TEST_F(EventHubTest, DeliversTheTopicsThatWereAskedFor) {
    const auto blocks = subscribe({"block"});
    const auto both = subscribe({"block", "alert"});
    hub().publish("block", "1");
    hub().publish("alert", "2");
    hub().publish("share", "3");
    EXPECT_THAT(take_brief(*blocks), ElementsAre("block 1"));
    EXPECT_THAT(take_brief(*both), ElementsAre("block 1", "alert 2"));
    EXPECT_THAT(take_brief(*both), ElementsAre());
}

TEST_F(EventHubTest, LetsGoOfWhoDoesNotKeepUp) {
    settings_.queue_events = 3;
    const auto slow = subscribe({"a"});
    const auto quick = subscribe({"a"});
    for (int i = 0; i < 4; ++i) {
        hub().publish("a", "1");
        EXPECT_EQ(take(*quick).size(), 1U);
    }
    EXPECT_EQ(hub().subscribers(), 1U);
    const auto batch = slow->take();
    EXPECT_TRUE(batch.finished);
    ASSERT_EQ(batch.texts.size(), 1U);
    EXPECT_THAT(*batch.texts[0], StartsWith("event: lagging\n"));
    hub().publish("a", "2");
    EXPECT_TRUE(take(*slow).empty());
    EXPECT_EQ(registry_
                  .counter("adit_http_events_lagging_total",
                           "Subscribers let go because they did not keep up")
                  .value(),
              1U);
}

TEST_F(EventHubTest, BoundsWhatWaitsByBytesToo) {
    settings_.queue_bytes = 1'000;
    const auto stream = subscribe({"a"});
    hub().publish("a", std::string(900, 'x'));
    EXPECT_FALSE(stream->finished());
    hub().publish("a", std::string(900, 'x'));
    EXPECT_TRUE(stream->finished());
}

TEST_F(EventHubTest, ResumesBehindTheLastEventSeen) {
    const auto first = subscribe({"a", "b"});
    for (const auto* data : {"1", "2", "3"})
        hub().publish("a", data);
    hub().publish("b", "4");
    const auto texts = take(*first);
    const auto resumed = subscribe({"a"}, id_of(texts[0]));
    EXPECT_THAT(take_brief(*resumed), ElementsAre("a 2", "a 3"));
    EXPECT_THAT(take_brief(*subscribe({"a", "b"}, id_of(texts[3]))), ElementsAre());
    hub().publish("a", "5");
    EXPECT_THAT(take_brief(*resumed), ElementsAre("a 5"));
}

TEST_F(EventHubTest, SaysWhenItNoLongerKnowsWhatWasMissed) {
    settings_.ring_events = 3;
    const auto first = subscribe({"a"});
    for (int i = 0; i < 6; ++i)
        hub().publish("a", std::to_string(i));
    const auto texts = take(*first);
    EXPECT_THAT(take_brief(*subscribe({"a"}, id_of(texts[2]))), ElementsAre("a 3", "a 4", "a 5"));
    for (const auto& unknown : {id_of(texts[1]), std::string("00000000-3"), std::string("x"),
                                id_of(texts[5]) + "0", id_of(texts[5]) + "x"}) {
        EXPECT_THAT(take(*subscribe({"a"}, unknown)), ElementsAre(HasSubstr("event: reset\n")))
            << unknown;
    }
    // The id of "reset" is one to resume from.
    const auto reset = take(*subscribe({"a"}, "x"));
    hub().publish("a", "6");
    EXPECT_THAT(take_brief(*subscribe({"a"}, id_of(reset[0]))), ElementsAre("a 6"));
}

TEST_F(EventHubTest, LimitsSubscribers) {
    settings_.most_subscribers = 2;
    auto first = subscribe({"a"});
    const auto second = subscribe({"a"});
    EXPECT_FALSE(subscribe({"a"}));
    EXPECT_EQ(status_, 503U);
    second->close();
    const auto third = subscribe({"a"});
    EXPECT_TRUE(third);
    EXPECT_FALSE(subscribe({"a"}));
    // An answer that was never sent holds no place.
    first.reset();
    EXPECT_TRUE(subscribe({"a"}));
}

TEST_F(EventHubTest, EndsEveryStreamWhenItCloses) {
    const auto stream = subscribe({"a"});
    std::size_t calls = 0;
    stream->on_ready([&] { ++calls; });
    EXPECT_EQ(calls, 0U);
    hub().publish("a", "1");
    EXPECT_EQ(calls, 1U);
    hub().close();
    EXPECT_EQ(calls, 2U);
    EXPECT_THAT(take(*stream), ElementsAre(HasSubstr("data: 1"), HasSubstr("event: closing")));
    EXPECT_FALSE(subscribe({"a"}));
    hub().publish("a", "2");
}

// --- over sockets ------------------------------------------------------------------------------

class EventServerTest : public ServerFixture {
 protected:
    void start_with_events(EventSettings settings = {}) {
        hub_.emplace(settings, registry_);
        add(
            Method::get, "/events",
            [this](const Request& request) { return hub_->subscribe(request, {"a"}); },
            auth::Permission::view_pool);
        start();
    }
    void subscribe(RawClient& client, std::string_view credential, std::string_view more = {}) {
        client.send(
            fmt::format("GET /events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n{}\r\n",
                        credential, more));
        EXPECT_THAT(client.read_until("\r\n\r\n"),
                    HasSubstr("Content-Type: text/event-stream\r\n"));
    }
    bool wait_for_streams(double count) {
        auto& streams =
            registry_.gauge("adit_http_event_streams", "Connections that receive events");
        return base::wait_until(clock_, clock_.steady_ms() + 20'000,
                                [&] { return streams.value() == count; });
    }
    std::optional<EventHub> hub_;
};

TEST_F(EventServerTest, SendsEventsAsTheyCome) {
    start_with_events();
    RawClient client(address_);
    subscribe(client, "operator");
    hub_->publish("a", "1");
    const auto text = client.read_until("\n\n");
    EXPECT_EQ(brief(text), "a 1");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([this] {
            for (int n = 0; n < 50; ++n)
                hub_->publish("a", "2");
        });
    }
    for (int i = 0; i < 200; ++i)
        EXPECT_EQ(brief(client.read_until("\n\n")), "a 2");
    for (auto& thread : threads)
        thread.join();
    RawClient back(address_);
    subscribe(back, "operator", fmt::format("Last-Event-ID: {}\r\n", id_of(text)));
    for (int i = 0; i < 200; ++i)
        EXPECT_EQ(brief(back.read_until("\n\n")), "a 2");
}

TEST_F(EventServerTest, ForgetsWhoLeaves) {
    start_with_events();
    RawClient client(address_);
    subscribe(client, "operator");
    EXPECT_TRUE(wait_for_streams(1));
    client.close();
    EXPECT_TRUE(wait_for_streams(0));
    EXPECT_EQ(hub_->subscribers(), 0U);
    RawClient stranger(address_);
    EXPECT_EQ(stranger.get("/events").status, 401U);
    stranger.send("HEAD /events HTTP/1.1\r\nHost: a\r\nX-Api-Key: operator\r\n\r\n");
    EXPECT_EQ(stranger.read_answer(false).status, 200U);
    EXPECT_EQ(hub_->subscribers(), 0U);
}

TEST_F(EventServerTest, SendsHeartbeatsUntilTheCredentialIsNoLongerValid) {
    settings_.heartbeat = std::chrono::milliseconds(20);
    gatekeeper_.let_in("token", auth::Role::operator_);
    start_with_events();
    RawClient client(address_);
    subscribe(client, "token");
    EXPECT_EQ(client.read_until("\n\n"), ": \n\n");
    EXPECT_EQ(client.read_until("\n\n"), ": \n\n");
    gatekeeper_.put_out("token");
    const auto rest = client.read_all();
    EXPECT_THAT(rest, HasSubstr("event: expired\n"));
    EXPECT_TRUE(wait_for_streams(0));
    EXPECT_EQ(hub_->subscribers(), 0U);
}

TEST_F(EventServerTest, LetsGoOfAPeerThatDoesNotRead) {
    start_with_events({.queue_events = 100});
    RawClient client(address_, 4'096);
    subscribe(client, "operator");
    ASSERT_TRUE(wait_for_streams(1));
    const std::string large(20'000, 'x');
    EXPECT_TRUE(base::wait_until(clock_, clock_.steady_ms() + 20'000, [&] {
        for (int i = 0; i < 100; ++i)
            hub_->publish("a", large);
        return hub_->subscribers() == 0;
    }));
    EXPECT_THAT(client.read_all(), HasSubstr("event: lagging\n"));
}

TEST_F(EventServerTest, EndsStreamsWhenItStops) {
    start_with_events();
    RawClient client(address_);
    subscribe(client, "operator");
    hub_->publish("a", "1");
    EXPECT_EQ(brief(client.read_until("\n\n")), "a 1");
    server_->stop(std::chrono::seconds(20));
    EXPECT_THAT(client.read_all(), StartsWith("event: closing\n"));
    EXPECT_EQ(open_connections(), 0);
}

}  // namespace
}  // namespace adit::http
