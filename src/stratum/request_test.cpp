#include "stratum/request.h"

#include <gtest/gtest.h>

#include <random>

namespace adit::stratum {
namespace {

constexpr std::string_view kUsual =
    R"({"params": ["bc1q.rig", "1f.0", "0000000000000001", "66201234", )"
    R"("deadbeef"], "id": 42, "method": "mining.submit"})";
constexpr std::string_view kRolling =
    R"({"id":"a","method":"mining.submit","params":["bc1q.rig","1f.0",)"
    R"("0000000000000001","66201234","DEADBEEF","00abc000"]})";

TEST(ScanSubmit, TakesTheUsualLines) {
    const auto usual = scan_submit(kUsual);
    ASSERT_TRUE(usual);
    EXPECT_EQ(usual->id, "42");
    EXPECT_EQ(usual->name, "bc1q.rig");
    EXPECT_EQ(usual->job, "1f.0");
    EXPECT_EQ(usual->extranonce2, "0000000000000001");
    EXPECT_EQ(usual->ntime, "66201234");
    EXPECT_EQ(usual->nonce, "deadbeef");
    EXPECT_EQ(usual->version_bits, std::nullopt);
    const auto rolling = scan_submit(kRolling);
    ASSERT_TRUE(rolling);
    EXPECT_EQ(rolling->id, "\"a\"");
    EXPECT_EQ(rolling->nonce, "DEADBEEF");
    EXPECT_EQ(rolling->version_bits, "00abc000");
    EXPECT_TRUE(scan_submit(fmt::format("{} \r", kUsual)));
    for (const auto* id : {"0", "-1", "null", "\"\"", "123456789012345678901234567890"}) {
        std::string line(kUsual);
        line.replace(line.find("42"), 2, id);
        const auto fields = scan_submit(line);
        ASSERT_TRUE(fields) << id;
        EXPECT_EQ(fields->id, id);
    }
}

TEST(ScanSubmit, LeavesTheUnusualToTheGeneralParser) {
    const auto with = [](std::string_view from, std::string_view to) {
        std::string line(kUsual);
        return line.replace(line.find(from), from.size(), to);
    };
    const std::string rows[] = {
        "",
        "{",
        "{}",
        "x",
        with("42", "042"),
        with("42", "-"),
        with("42", "4.2"),
        with("42", "[]"),
        with("42", "true"),
        with("bc1q", "bc\\u0031q"),
        with("bc1q", "bc\xc3\xa9q"),
        with("bc1q", "bc\x01q"),
        with("mining.submit", "mining.ping"),
        with("\"id\"", "\"di\""),
        with("\"id\": 42, ", ""),
        with("{", "{\"id\":1,"),
        with("{", "{\"x\":1,"),
        with("}", "},"),
        with("}", "}}"),
        with("}", ""),
        with("]", ",\"1\",\"2\"]"),
        with(", \"deadbeef\"", ""),
        with("\"deadbeef\"", "5"),
        with("]", ",]"),
        with("[\"bc1q.rig\",", "["),
        with("}", ",}"),
    };
    for (const auto& row : rows)
        EXPECT_FALSE(scan_submit(row)) << row;
}

void expect_agreement(std::string_view line) {
    const auto fields = scan_submit(line);
    if (!fields) return;
    const auto request = parse_request(line);
    ASSERT_EQ(request.kind, Request::Kind::request) << line;
    ASSERT_EQ(request.method, Method::submit) << line;
    EXPECT_EQ(request.id, fields->id) << line;
    JsonReader params(request.params);
    std::string buffer;
    for (const auto text :
         {fields->name, fields->job, fields->extranonce2, fields->ntime, fields->nonce}) {
        const auto value = params.element();
        ASSERT_TRUE(value);
        EXPECT_EQ(value->text(buffer), text) << line;
    }
    const auto sixth = params.element();
    ASSERT_EQ(sixth.has_value(), fields->version_bits.has_value());
    if (sixth) {
        EXPECT_EQ(sixth->text(buffer), fields->version_bits);
    }
    EXPECT_FALSE(params.element());
}

// Whatever the scanner takes, the general parser reads the same; over seeded mutations of real
// lines.
TEST(ScanSubmit, AgreesWithTheGeneralParser) {
    std::mt19937 random(7);
    constexpr std::string_view kBytes = "{}[]\",:\\ \t\r0129-.eau\x80\xff\x01n";
    int taken = 0;
    for (int round = 0; round < 200'000; ++round) {
        std::string line(round % 2 == 0 ? kUsual : kRolling);
        for (auto edits = random() % 3 + 1; edits > 0; --edits) {
            const auto at = random() % line.size();
            const char byte = kBytes[random() % kBytes.size()];
            switch (random() % 3) {
                case 0:
                    line[at] = byte;
                    break;
                case 1:
                    line.insert(at, 1, byte);
                    break;
                default:
                    line.erase(at, 1);
                    break;
            }
        }
        if (scan_submit(line)) ++taken;
        expect_agreement(line);
        if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
    EXPECT_GT(taken, 20'000);
}

TEST(ParseRequest, KnowsTheMethods) {
    const std::pair<const char*, Method> rows[] = {
        {"mining.submit", Method::submit},
        {"mining.subscribe", Method::subscribe},
        {"mining.authorize", Method::authorize},
        {"mining.configure", Method::configure},
        {"mining.suggest_difficulty", Method::suggest_difficulty},
        {"mining.suggest_target", Method::suggest_target},
        {"mining.extranonce.subscribe", Method::extranonce_subscribe},
        {"mining.get_transactions", Method::get_transactions},
        {"mining.ping", Method::ping},
        {"pong", Method::pong},
        {"Mining.Submit", Method::unknown},
        {"", Method::unknown},
    };
    for (const auto& [name, method] : rows) {
        const auto line = fmt::format(R"({{"method":"{}","params":[1],"id":7}})", name);
        const auto request = parse_request(line);
        EXPECT_EQ(request.kind, Request::Kind::request);
        EXPECT_EQ(request.method, method) << name;
        EXPECT_EQ(request.params, "[1]");
        EXPECT_EQ(request.id, "7");
    }
}

TEST(ParseRequest, TheLastOfRepeatedMembersCounts) {
    const auto request =
        parse_request(R"({"id":1,"id":2,"method":"x","m\u0065thod":"mining.ping"})");
    EXPECT_EQ(request.id, "2");
    EXPECT_EQ(request.method, Method::ping);
}

}  // namespace
}  // namespace adit::stratum
