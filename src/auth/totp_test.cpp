#include "auth/totp.h"

#include <gtest/gtest.h>

namespace adit::auth {
namespace {

const base::ByteSpan kSecret = base::as_bytes("12345678901234567890");

// RFC 6238, appendix B, SHA-1.
TEST(Totp, MatchesTheStandardsVectors) {
    const std::vector<std::pair<std::int64_t, std::string_view>> rows{{59, "94287082"},
                                                                      {1'111'111'109, "07081804"},
                                                                      {1'111'111'111, "14050471"},
                                                                      {1'234'567'890, "89005924"},
                                                                      {2'000'000'000, "69279037"},
                                                                      {20'000'000'000, "65353130"}};
    for (const auto& [time, code] : rows) {
        EXPECT_EQ(totp_code(kSecret, time, 8), code) << time;
        EXPECT_EQ(totp_code(kSecret, time), code.substr(2)) << time;
    }
}

TEST(Totp, TakesTheNeighboursAndNothingElse) {
    constexpr std::int64_t kNow = 1'234'567'890;
    constexpr auto kStep = kNow / kTotpStep_s;
    for (const int off : {-1, 0, 1}) {
        const auto code = totp_code(kSecret, kNow + off * kTotpStep_s);
        EXPECT_EQ(totp_step(kSecret, code, kNow, 0), kStep + off);
    }
    for (const int off : {-2, 2}) {
        const auto code = totp_code(kSecret, kNow + off * kTotpStep_s);
        EXPECT_FALSE(totp_step(kSecret, code, kNow, 0));
    }
}

TEST(Totp, TakesNoStepTwiceAndNoneBeforeAUsedOne) {
    constexpr std::int64_t kNow = 1'234'567'890;
    const auto step = kNow / kTotpStep_s;
    const auto code = totp_code(kSecret, kNow);
    EXPECT_EQ(totp_step(kSecret, code, kNow, step - 1), step);
    EXPECT_FALSE(totp_step(kSecret, code, kNow, step));
    EXPECT_FALSE(totp_step(kSecret, code, kNow, step + 1));
}

TEST(Totp, RefusesWhatIsNoCode) {
    const auto code = totp_code(kSecret, 59);
    for (const auto& text : {std::string(), code.substr(1), code + "0", " " + code.substr(1),
                             std::string("28708a"), totp_code(kSecret, 59, 8)}) {
        EXPECT_FALSE(totp_step(kSecret, text, 59, 0)) << text;
    }
}

// RFC 4648, 10.
TEST(Totp, WritesBase32AsTheStandard) {
    EXPECT_EQ(to_base32(base::as_bytes("")), "");
    EXPECT_EQ(to_base32(base::as_bytes("f")), "MY");
    EXPECT_EQ(to_base32(base::as_bytes("fo")), "MZXQ");
    EXPECT_EQ(to_base32(base::as_bytes("foobar")), "MZXW6YTBOI");
}

TEST(Totp, MakesTheUriThatAppsRead) {
    EXPECT_EQ(totp_uri("my pool", "alice", "MZXW6"),
              "otpauth://totp/my%20pool:alice?secret=MZXW6&issuer=my%20pool&algorithm=SHA1&"
              "digits=6&period=30");
}

}  // namespace
}  // namespace adit::auth
