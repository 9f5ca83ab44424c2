#include "net/webhook_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace adit::net {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Pair;

WebhookMessage message() {
    return {.title = "Node <a> is away",
            .text = "no answer for 30 s & more",
            .severity = "critical",
            .state = "firing",
            .time_ms = 1'700'000'000'123,
            .labels = {{"node", "a"}, {"rule", "node_away"}}};
}

TEST(WebhookFormat, HasNames) {
    for (std::size_t i = 0; i < kWebhookFormats; ++i) {
        const auto format = static_cast<WebhookFormat>(i);
        EXPECT_EQ(parse_webhook_format(name_of(format)), format);
    }
    EXPECT_FALSE(parse_webhook_format("Slack"));
    EXPECT_FALSE(parse_webhook_format(""));
}

TEST(WebhookFormat, TellsProgramsEverything) {
    const auto body = format_webhook(WebhookFormat::json, message());
    EXPECT_EQ(body.content_type, "application/json");
    EXPECT_EQ(body.body,
              R"({"labels":{"node":"a","rule":"node_away"},"severity":"critical","state":"firing",)"
              R"("text":"no answer for 30 s & more","time":"2023-11-14T22:13:20.123Z",)"
              R"("title":"Node <a> is away"})");
}

TEST(WebhookFormat, EscapesWhatSlackWouldInterpret) {
    const auto body = format_webhook(WebhookFormat::slack, message());
    EXPECT_EQ(Json::parse(body.body),
              Json({{"text",
                     "*Node &lt;a&gt; is away*\nno answer for 30 s &amp; more\nnode: a\nrule: "
                     "node_away"}}));
}

TEST(WebhookFormat, MentionsNobodyOnDiscord) {
    auto alert = message();
    alert.text = "@everyone";
    const auto body = Json::parse(format_webhook(WebhookFormat::discord, alert).body);
    EXPECT_EQ(body["allowed_mentions"], Json({{"parse", Json::array()}}));
    ASSERT_EQ(body["embeds"].size(), 1U);
    const auto& embed = body["embeds"][0];
    EXPECT_EQ(embed["title"], "Node <a> is away");
    EXPECT_EQ(embed["description"], "@everyone\nnode: a\nrule: node_away");
    EXPECT_EQ(embed["color"], 0xd03535);
    EXPECT_EQ(embed["timestamp"], "2023-11-14T22:13:20.123Z");
    alert.state = "resolved";
    const auto resolved = Json::parse(format_webhook(WebhookFormat::discord, alert).body);
    EXPECT_EQ(resolved["embeds"][0]["title"], "resolved: Node <a> is away");
    EXPECT_EQ(resolved["embeds"][0]["color"], 0x2e9e5b);
}

TEST(WebhookFormat, SendsTelegramPlainText) {
    const auto body = Json::parse(format_webhook(WebhookFormat::telegram, message()).body);
    EXPECT_EQ(body["text"],
              "Node <a> is away\nno answer for 30 s & more\nnode: a\nrule: node_away");
    EXPECT_FALSE(body.contains("parse_mode"));
}

TEST(WebhookFormat, PutsNtfysTitleIntoHeaders) {
    auto alert = message();
    auto body = format_webhook(WebhookFormat::ntfy, alert);
    EXPECT_EQ(body.body, "no answer for 30 s & more\nnode: a\nrule: node_away");
    EXPECT_EQ(body.content_type, "text/plain; charset=utf-8");
    EXPECT_THAT(body.headers,
                ElementsAre(Pair("Title", "Node <a> is away"), Pair("Priority", "urgent"),
                            Pair("Tags", "rotating_light")));
    alert.state = "resolved";
    EXPECT_EQ(format_webhook(WebhookFormat::ntfy, alert).headers[1].second, "default");
    alert.severity = "warning";
    alert.state = "firing";
    EXPECT_EQ(format_webhook(WebhookFormat::ntfy, alert).headers[1].second, "high");
    // No line end and nothing but ASCII reaches a header.
    alert.title =
        "Z\xC3\xBC"
        "rich\r\nX: y";
    EXPECT_EQ(format_webhook(WebhookFormat::ntfy, alert).headers[0].second,
              "=?UTF-8?B?WsO8cmljaA0KWDogeQ==?=");
}

TEST(WebhookFormat, CutsLongTextsBetweenCharacters) {
    auto alert = message();
    alert.text.clear();
    for (int i = 0; i < 5'000; ++i)
        alert.text += "\xE2\x82\xAC";
    alert.title = "x" + alert.text;
    for (int i = 0; i < 100; ++i)
        alert.labels[fmt::format("l{:03}", i)] = alert.text;
    for (std::size_t i = 0; i < kWebhookFormats; ++i) {
        const auto format = static_cast<WebhookFormat>(i);
        if (format == WebhookFormat::json) continue;  // its labels are whole
        const auto body = format_webhook(format, alert);
        EXPECT_LT(body.body.size(), 6'000U) << name_of(format);
        EXPECT_THAT(body.body, HasSubstr("\xE2\x82\xAC...")) << name_of(format);
        EXPECT_THAT(body.body, Not(HasSubstr("\xEF\xBF\xBD"))) << name_of(format);
    }
}

TEST(WebhookFormat, SurvivesWhatIsNoUtf8) {
    auto alert = message();
    alert.title = "\xff\xfe";
    alert.labels["\xff"] = "\xff";
    for (std::size_t i = 0; i < kWebhookFormats; ++i)
        EXPECT_FALSE(format_webhook(static_cast<WebhookFormat>(i), alert).body.empty());
}

// RFC 4231, test case 2.
TEST(WebhookSignature, IsHmacSha256) {
    EXPECT_EQ(webhook_signature("Jefe", "what do ya want for nothing?"),
              "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

}  // namespace
}  // namespace adit::net
