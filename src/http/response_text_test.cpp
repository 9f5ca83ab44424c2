#include "http/response_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string head(const Response& response, bool keep_alive = true) {
    return head_text(response, {.keep_alive = keep_alive, .wall_ms = 784'111'777'000});
}

TEST(ResponseText, IsAWholeHead) {
    EXPECT_EQ(head(json_response("{}")),
              "HTTP/1.1 200 OK\r\n"
              "Server: Adit\r\n"
              "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
              "Content-Type: application/json\r\n"
              "Content-Length: 2\r\n"
              "Cache-Control: no-store\r\n"
              "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
              "Referrer-Policy: no-referrer\r\n"
              "X-Content-Type-Options: nosniff\r\n"
              "X-Frame-Options: DENY\r\n"
              "\r\n");
    EXPECT_THAT(head(json_response("{}"), false), EndsWith("\r\nConnection: close\r\n\r\n"));
}

TEST(ResponseText, LetsAHandlerReplaceCachingAndPolicy) {
    auto page = json_response("x");
    page.headers = {{"cache-control", "max-age=60"},
                    {"Content-Security-Policy", "default-src 'self'"},
                    {"ETag", "\"1\""}};
    const auto text = head(page);
    EXPECT_THAT(text, HasSubstr("cache-control: max-age=60\r\n"));
    EXPECT_THAT(text, HasSubstr("ETag: \"1\"\r\n"));
    EXPECT_THAT(text, Not(HasSubstr("no-store")));
    EXPECT_THAT(text, Not(HasSubstr("default-src 'none'")));
    EXPECT_THAT(text, HasSubstr("X-Frame-Options: DENY\r\n"));
}

TEST(ResponseText, SendsNoHeaderThatCouldEndTheHeadOrBelongsToTheServer) {
    auto response = json_response("x");
    for (const auto& [name, value] : Fields{{"X-A", "1\r\nSet-Cookie: a=b"},
                                            {"X-B", "1\n"},
                                            {"X: C", "1"},
                                            {"", "1"},
                                            {"X-D", std::string("1\0", 2)},
                                            {"Content-Length", "0"},
                                            {"transfer-encoding", "chunked"},
                                            {"Connection", "upgrade"},
                                            {"Server", "Adit/0.1"}}) {
        response.headers.emplace_back(name, value);
    }
    EXPECT_EQ(head(response), head(json_response("x")));
    response.content_type = "text/html\r\nX: y";
    EXPECT_THAT(head(response), HasSubstr("Content-Type: application/octet-stream\r\n"));
}

TEST(ResponseText, HasNoLengthWithoutABody) {
    const auto text = head(json_response("", 204));
    EXPECT_THAT(text, StartsWith("HTTP/1.1 204 No Content\r\n"));
    EXPECT_THAT(text, Not(HasSubstr("\nContent-Length")));
    EXPECT_THAT(text, Not(HasSubstr("\nContent-Type")));
}

TEST(Message, EscapesWhatItQuotes) {
    EXPECT_EQ(json_text("a\"b\\\n\x01"), R"("a\"b\\\n\u0001")");
    EXPECT_EQ(json_text("\xff"), "\"\xEF\xBF\xBD\"");
    EXPECT_EQ(error_response(404, "c", "say \"x\"").body,
              R"({"error":{"code":"c","message":"say \"x\""}})");
}

TEST(Message, RoundsRetryAfterUpToSeconds) {
    const auto after = [](std::int64_t ms) {
        return std::string(
            retry_response(429, "c", "m", std::chrono::milliseconds(ms)).header("Retry-After"));
    };
    EXPECT_EQ(after(0), "1");
    EXPECT_EQ(after(1'000), "1");
    EXPECT_EQ(after(1'001), "2");
}

TEST(Message, ParsesMethodsByTheirExactNames) {
    for (std::size_t i = 0; i < kMethods; ++i) {
        const auto method = static_cast<Method>(i);
        EXPECT_EQ(parse_method(name_of(method)), method);
    }
    for (const auto* other : {"", "get", "TRACE", "CONNECT", "GET "})
        EXPECT_FALSE(parse_method(other)) << other;
}

}  // namespace
}  // namespace adit::http
