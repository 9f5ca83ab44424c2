#include "http/body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::http {
namespace {

using testing::HasSubstr;

std::optional<Response> read(std::string body) {
    Request request;
    request.body = std::move(body);
    base::JsonFields fields(json_body(request));
    fields.text("strategy", 10);
    return refusal_of(fields);
}

TEST(Body, RefusesWhatTheRouteDoesNotKnow) {
    EXPECT_FALSE(read(""));
    EXPECT_FALSE(read(R"({"strategy":"auto"})"));
    const auto refusal = read(R"({"stratgy":"auto"})");
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->status, 400U);
    EXPECT_EQ(refusal->body,
              R"({"error":{"code":"bad_body","message":)"
              R"("\"stratgy\" is no field of this request; did you mean \"strategy\"?"}})");
    EXPECT_TRUE(read("strategy=auto"));
}

TEST(Body, RefusesUnknownQueryParameters) {
    Request request;
    request.query = {{"limit", "1"}, {"ofset", "2"}};
    EXPECT_FALSE(refusal_of_query(request, {"limit", "ofset"}));
    const auto refusal = refusal_of_query(request, {"limit", "offset"});
    ASSERT_TRUE(refusal);
    EXPECT_THAT(refusal->body, HasSubstr("unknown query parameter ofset"));
}

}  // namespace
}  // namespace adit::http
