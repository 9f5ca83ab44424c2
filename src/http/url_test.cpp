#include "http/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::http {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(Url, TakesTargetsApart) {
    const auto target = parse_target("/a%20b/%C3%A9/?q=x%3Dy&flag&e=&sum=1%2B1+2");
    ASSERT_TRUE(target);
    EXPECT_THAT(target->segments, ElementsAre("a b", "\xC3\xA9", ""));
    EXPECT_THAT(target->query, ElementsAre(Pair("q", "x=y"), Pair("flag", ""), Pair("e", ""),
                                           Pair("sum", "1+1 2")));
    EXPECT_EQ(target->path(), "/a b/\xC3\xA9/");
    EXPECT_EQ(parse_target("/")->path(), "/");
    EXPECT_TRUE(parse_target("/?a=b")->segments.empty());
    EXPECT_THAT(parse_target("/a+b")->segments, ElementsAre("a+b"));
    EXPECT_THAT(parse_target("https://pool/x?y=/z")->segments, ElementsAre("x"));
}

TEST(Url, RefusesWhatIsNotWellFormed) {
    struct Row {
        std::string target;
        TargetError error;
    };
    const Row rows[] = {
        {"", TargetError::not_a_path},
        {"a", TargetError::not_a_path},
        {"*", TargetError::not_a_path},
        {"http://", TargetError::not_a_path},
        {"http:///a", TargetError::not_a_path},
        {"/%", TargetError::bad_escape},
        {"/%4", TargetError::bad_escape},
        {"/%4g", TargetError::bad_escape},
        {"/?a=%", TargetError::bad_escape},
        {"/%00", TargetError::control_character},
        {"/?a=%0a", TargetError::control_character},
        {"/\x01", TargetError::control_character},
        {"/%7f", TargetError::control_character},
        {"/%ff", TargetError::not_utf8},
        {"/%c0%af", TargetError::not_utf8},
        {"/%ed%a0%80", TargetError::not_utf8},
        {"/%f4%90%80%80", TargetError::not_utf8},
        {"/a/./b", TargetError::dot_segment},
        {"/a/%2e%2e", TargetError::dot_segment},
        {"/a%2fb", TargetError::escaped_slash},
        {"/a%5cb", TargetError::escaped_slash},
        {"/?a=1&b=2&a=1", TargetError::repeated_name},
        {"/a b", TargetError::forbidden_raw},
        {"/\xC3\xA9", TargetError::forbidden_raw},
        {"/a#b", TargetError::forbidden_raw},
    };
    for (const auto& row : rows) {
        const auto target = parse_target(row.target);
        ASSERT_FALSE(target) << row.target;
        EXPECT_EQ(target.error(), row.error) << row.target << ": " << describe(target.error());
    }
}

TEST(Url, BoundsTheNumberOfParts) {
    std::string path;
    for (std::size_t i = 0; i < kMaxSegments; ++i)
        path += "/a";
    EXPECT_TRUE(parse_target(path));
    EXPECT_EQ(parse_target(path + "/a").error(), TargetError::too_many_parts);
    std::string query = "/?";
    for (std::size_t i = 0; i < kMaxQueryParams; ++i)
        query += fmt::format("p{}&", i);
    EXPECT_TRUE(parse_target(query));
    EXPECT_EQ(parse_target(query + "more").error(), TargetError::too_many_parts);
}

TEST(Url, KnowsUtf8) {
    for (const auto* good : {"", "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"})
        EXPECT_TRUE(valid_utf8(good)) << good;
    for (const auto* bad :
         {"\x80", "\xC3", "\xE2\x82", "\xE0\x80\x80", "\xF5\x80\x80\x80", "\xC3("})
        EXPECT_FALSE(valid_utf8(bad)) << bad;
}

}  // namespace
}  // namespace adit::http
