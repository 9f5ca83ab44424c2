// The sender of notifications against a real HTTP server.
#include "net/webhook_sender.h"

#include "base/wait.h"
#include "http/server_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::http {
namespace {

using net::WebhookFormat;
using net::WebhookOutcome;
using testing::HasSubstr;

class WebhookSenderTest : public ServerFixture {
 protected:
    WebhookSenderTest() {
        webhook_.first_wait = std::chrono::milliseconds(2);
        webhook_.longest_wait = std::chrono::milliseconds(10);
        webhook_.attempts = 4;
        add(Method::post, "/hook", [this](const Request& request) {
            const std::scoped_lock lock(mutex_);
            received_.push_back(request);
            if (statuses_.empty()) return json_response("{}");
            auto response = json_response("{}", statuses_.front());
            response.headers = {{"Location", "/elsewhere"}, {"Retry-After", "3600"}};
            statuses_.pop_front();
            return response;
        });
        add(Method::post, "/elsewhere", [this](const Request&) {
            entered_.raise();
            return json_response("{}");
        });
        add(Method::post, "/gated", [this](const Request&) {
            entered_.raise();
            EXPECT_TRUE(go_.wait());
            return json_response("{}");
        });
    }
    void start_both() {
        start();
        sender_.emplace(webhook_, clock_, registry_, log_);
    }
    net::WebhookTarget target(std::string_view path, std::string secret = {}) {
        return {.name = "test",
                .url = fmt::format("http://127.0.0.1:{}{}", address_.port, path),
                .format = WebhookFormat::json,
                .secret = std::move(secret)};
    }
    bool send(net::WebhookTarget to) {
        const net::WebhookMessage message{.title = "Title",
                                          .text = "Text",
                                          .severity = "info",
                                          .state = "firing",
                                          .time_ms = 1'700'000'000'000,
                                          .labels = {}};
        return sender_->send(std::move(to), message, [this](const WebhookOutcome& outcome) {
            {
                const std::scoped_lock lock(mutex_);
                outcomes_.push_back(outcome);
            }
            done_.raise();
        });
    }
    WebhookOutcome outcome(std::size_t which = 0) {
        EXPECT_TRUE(done_.wait(which + 1));
        const std::scoped_lock lock(mutex_);
        return which < outcomes_.size() ? outcomes_[which] : WebhookOutcome();
    }
    std::size_t received() {
        const std::scoped_lock lock(mutex_);
        return received_.size();
    }

    net::WebhookSettings webhook_;
    std::mutex mutex_;
    std::vector<Request> received_;
    std::deque<unsigned> statuses_;
    std::vector<WebhookOutcome> outcomes_;
    Signal done_;
    std::optional<net::WebhookSender> sender_;
};

TEST_F(WebhookSenderTest, DeliversASignedBody) {
    start_both();
    ASSERT_TRUE(send(target("/hook", "secret")));
    const auto result = outcome();
    EXPECT_TRUE(result.delivered) << result.error;
    EXPECT_EQ(result.attempts, 1U);
    EXPECT_EQ(result.status, 200);
    ASSERT_EQ(received(), 1U);
    const auto& request = received_[0];
    EXPECT_THAT(request.body, HasSubstr(R"("time":"2023-11-14T22:13:20.000Z","title":"Title")"));
    EXPECT_EQ(request.header("Content-Type"), "application/json");
    EXPECT_EQ(request.header("User-Agent"), "Adit");
    EXPECT_EQ(request.header("X-Adit-Signature"), net::webhook_signature("secret", request.body));
    ASSERT_TRUE(send(target("/hook")));
    EXPECT_TRUE(outcome(1).delivered);
    EXPECT_EQ(received_[1].header("X-Adit-Signature"), "");
}

TEST_F(WebhookSenderTest, TriesAgainWhenTheReceiverIsUnwell) {
    statuses_ = {500, 503, 429};
    start_both();
    send(target("/hook"));
    const auto result = outcome();
    EXPECT_TRUE(result.delivered) << result.error;
    EXPECT_EQ(result.attempts, 4U);
    EXPECT_EQ(received(), 4U);
    EXPECT_EQ(registry_.counter("adit_webhook_retries_total", "Attempts after the first").value(),
              3U);
}

TEST_F(WebhookSenderTest, GivesUpAfterSoManyAttempts) {
    statuses_ = {500, 500, 500, 502, 500};
    start_both();
    send(target("/hook"));
    const auto result = outcome();
    EXPECT_FALSE(result.delivered);
    EXPECT_EQ(result.attempts, 4U);
    EXPECT_EQ(result.status, 502);
    EXPECT_THAT(result.error, HasSubstr("502"));
    EXPECT_EQ(
        registry_
            .counter("adit_webhook_sent_total", "Notifications that were delivered or given up",
                     {{"target", "test"}, {"result", "failed"}})
            .value(),
        1U);
}

TEST_F(WebhookSenderTest, DoesNotInsistWhenItIsRefused) {
    start_both();
    send(target("/nothing"));
    EXPECT_EQ(outcome().attempts, 1U);
    EXPECT_THAT(outcome().error, HasSubstr("404; check the webhook's url"));
    {
        const std::scoped_lock lock(mutex_);
        statuses_ = {302};
    }
    send(target("/hook"));
    const auto redirected = outcome(1);
    EXPECT_FALSE(redirected.delivered);
    EXPECT_EQ(redirected.attempts, 1U);
    EXPECT_THAT(redirected.error, HasSubstr("redirect"));
}

TEST_F(WebhookSenderTest, SaysWhenNobodyAnswers) {
    webhook_.attempts = 2;
    start_both();
    auto away = target("/hook");
    server_->stop(std::chrono::milliseconds(0));
    send(away);
    EXPECT_EQ(outcome().attempts, 2U);
    EXPECT_EQ(outcome().status, 0);
    EXPECT_THAT(outcome().error, HasSubstr("not reached"));
    away.url = "file:///etc/passwd";
    send(away);
    EXPECT_THAT(outcome(1).error, HasSubstr("not reached"));
}

TEST_F(WebhookSenderTest, DoesNotSpeakTlsWithWhoeverAnswers) {
    webhook_.attempts = 1;
    start_both();
    auto secure = target("/hook");
    secure.url.replace(0, 4, "https");
    send(secure);
    EXPECT_FALSE(outcome().delivered);
    EXPECT_EQ(received(), 0U);
}

TEST_F(WebhookSenderTest, EndsAnAttemptThatTakesTooLong) {
    webhook_.attempts = 1;
    webhook_.timeout = std::chrono::milliseconds(50);
    start_both();
    send(target("/gated"));
    const auto result = outcome();
    EXPECT_FALSE(result.delivered);
    EXPECT_EQ(result.status, 0);
    EXPECT_TRUE(entered_.wait());
    go_.raise();
}

TEST_F(WebhookSenderTest, BoundsWhatWaits) {
    webhook_.most_waiting = 2;
    start_both();
    ASSERT_TRUE(send(target("/gated")));
    ASSERT_TRUE(entered_.wait());
    EXPECT_TRUE(send(target("/hook")));
    EXPECT_TRUE(send(target("/hook")));
    EXPECT_FALSE(send(target("/hook")));
    EXPECT_EQ(sender_->waiting(), 2U);
    go_.raise();
    for (std::size_t i = 0; i < 3; ++i)
        EXPECT_TRUE(outcome(i).delivered);
    EXPECT_EQ(registry_
                  .counter("adit_webhook_dropped_total",
                           "Notifications not taken because too many waited")
                  .value(),
              1U);
}

TEST_F(WebhookSenderTest, DeliversWhatWaitsWhenItStops) {
    start_both();
    ASSERT_TRUE(send(target("/gated")));
    ASSERT_TRUE(entered_.wait());
    send(target("/hook"));
    std::thread stopping([&] { sender_->stop(std::chrono::seconds(20)); });
    go_.raise();
    stopping.join();
    EXPECT_TRUE(outcome(0).delivered);
    EXPECT_TRUE(outcome(1).delivered);
    EXPECT_FALSE(send(target("/hook")));
}

TEST_F(WebhookSenderTest, AnswersForWhatIsLeftWhenTheTimeIsUp) {
    start_both();
    ASSERT_TRUE(send(target("/gated")));
    ASSERT_TRUE(entered_.wait());
    send(target("/hook"));
    sender_->stop(std::chrono::milliseconds(0));
    EXPECT_FALSE(outcome(0).delivered);
    EXPECT_THAT(outcome(1).error, HasSubstr("stopped"));
    EXPECT_EQ(received(), 0U);
    go_.raise();
}

TEST(WebhookWait, DoublesUpToABoundWithJitter) {
    net::WebhookSettings settings;
    settings.first_wait = std::chrono::milliseconds(1'000);
    settings.longest_wait = std::chrono::milliseconds(10'000);
    const auto least = [&](unsigned next) { return net::webhook_wait(settings, next, 0).count(); };
    EXPECT_EQ(least(2), 500);
    EXPECT_EQ(least(3), 1'000);
    EXPECT_EQ(least(5), 4'000);
    EXPECT_EQ(least(6), 5'000);
    EXPECT_EQ(least(1'000'000), 5'000);
    for (std::uint32_t random = 0; random < 100'000; random += 7) {
        const auto wait = net::webhook_wait(settings, 2, random).count();
        EXPECT_TRUE(wait >= 500 && wait <= 1'000) << wait;
    }
    EXPECT_EQ(net::webhook_wait(settings, 2, 500).count(), 1'000);
}

TEST(WebhookWait, KnowsWhatIsWorthRetrying) {
    for (const long status : {0, 408, 425, 429, 500, 502, 503, 504})
        EXPECT_TRUE(net::webhook_worth_retrying(status)) << status;
    for (const long status : {200, 204, 301, 302, 400, 401, 403, 404, 410, 422})
        EXPECT_FALSE(net::webhook_worth_retrying(status)) << status;
}

}  // namespace
}  // namespace adit::http
