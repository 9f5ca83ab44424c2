#include "auth/base64url.h"

#include <gtest/gtest.h>

namespace adit::auth {
namespace {

// RFC 4648, 10.
TEST(Base64, MatchesTheStandardsVectors) {
    const std::vector<std::pair<std::string_view, std::string_view>> rows{{"", ""},
                                                                          {"f", "Zg=="},
                                                                          {"fo", "Zm8="},
                                                                          {"foo", "Zm9v"},
                                                                          {"foob", "Zm9vYg=="},
                                                                          {"fooba", "Zm9vYmE="},
                                                                          {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, coded] : rows) {
        EXPECT_EQ(to_base64(base::as_bytes(plain)), coded);
        EXPECT_EQ(base::as_text(from_base64(coded).value()), plain);
        const auto bare = coded.substr(0, coded.find('='));
        EXPECT_EQ(to_base64url(base::as_bytes(plain)), bare);
        EXPECT_EQ(base::as_text(from_base64url(bare).value()), plain);
    }
}

TEST(Base64, HasTwoAlphabets) {
    const base::Bytes bytes{0xfb, 0xff};
    EXPECT_EQ(to_base64url(bytes), "-_8");
    EXPECT_EQ(to_base64(bytes), "+/8=");
    EXPECT_FALSE(from_base64url("+/8"));
    EXPECT_FALSE(from_base64("-_8="));
}

TEST(Base64, HasOneSpellingForEveryText) {
    for (const auto* text : {"A", "Zh", "Zg=", "Zg==", "Z g", "Zg\n", "Zm9vA", "ZZZZ=", "Zm9="}) {
        EXPECT_FALSE(from_base64url(text)) << text;
    }
    for (const auto* text :
         {"Zg", "Zg=", "Zh==", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm9vYg== "}) {
        EXPECT_FALSE(from_base64(text)) << text;
    }
}

TEST(Base64, GivesBackAnyBytes) {
    base::Bytes bytes;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
        EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
        bytes.push_back(static_cast<std::uint8_t>(i * 37));
    }
}

}  // namespace
}  // namespace adit::auth
