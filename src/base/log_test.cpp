#include "base/log.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <limits>
#include <vector>

namespace adit::base {
namespace {

struct Lines {
    explicit Lines(LogFormat format, LogLevel level = LogLevel::info)
        : logger(level, format, [this](std::string_view line) { lines.emplace_back(line); }) {}
    std::vector<std::string> lines;
    Logger logger;
};

constexpr std::size_t kStamp = std::string_view("2026-01-02T03:04:05.678Z ").size();

TEST(Log, WritesATextLineWithItsFields) {
    Lines log(LogFormat::text);
    log.logger.info("node", "connected", {{"url", "http://x"}, {"height", 840'000}});
    log.logger.warning("node", "odd", {{"said", "two words"}, {"empty", ""}, {"sum", "a=b"}});
    ASSERT_EQ(log.lines.size(), 2U);
    EXPECT_EQ(log.lines[0].substr(kStamp), "info    node: connected url=http://x height=840000");
    EXPECT_EQ(log.lines[1].substr(kStamp),
              R"(warning node: odd said="two words" empty="" sum="a=b")");
}

TEST(Log, WritesJsonThatOthersRead) {
    Lines log(LogFormat::json);
    log.logger.error("stratum", "bad \"line\"\n",
                     {{"count", 3},
                      {"rate", 1.5},
                      {"ok", true},
                      {"text", "\x01\xff\\"},
                      {"inf", std::numeric_limits<double>::infinity()},
                      {"nan", std::numeric_limits<double>::quiet_NaN()}});
    ASSERT_EQ(log.lines.size(), 1U);
    const auto json = nlohmann::json::parse(log.lines[0]);
    EXPECT_EQ(json["level"], "error");
    EXPECT_EQ(json["area"], "stratum");
    EXPECT_EQ(json["message"], "bad \"line\"\n");
    EXPECT_EQ(json["count"], 3);
    EXPECT_EQ(json["rate"], 1.5);
    EXPECT_EQ(json["ok"], true);
    EXPECT_EQ(json["text"], "\u0001\u00ff\\");
    EXPECT_EQ(json["inf"], "inf");
    EXPECT_TRUE(json["nan"].is_string());
    EXPECT_EQ(json["time"].get<std::string>().size() + 1, kStamp);
}

TEST(Log, NobodyForgesALine) {
    for (const auto format : {LogFormat::text, LogFormat::json}) {
        Lines log(format);
        log.logger.info("node", "it said x\ninfo    node: fine\r\x1b[2J", {{"name", "a\nb\r"}});
        ASSERT_EQ(log.lines.size(), 1U);
        for (const char c : log.lines[0])
            EXPECT_GE(static_cast<unsigned char>(c), 0x20) << log.lines[0];
    }
}

TEST(Log, TheLevelDecidesAndMayChangeWhileRunning) {
    Lines log(LogFormat::text, LogLevel::warning);
    log.logger.info("a", "no");
    log.logger.warning("a", "yes");
    log.logger.set_level(LogLevel::debug);
    log.logger.debug("a", "yes");
    log.logger.set_level(LogLevel::error);
    log.logger.warning("a", "no");
    EXPECT_EQ(log.lines.size(), 2U);
    for (const auto level :
         {LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error}) {
        EXPECT_EQ(parse_log_level(name_of(level)), level);
    }
    EXPECT_FALSE(parse_log_level("loud"));
}

}  // namespace
}  // namespace adit::base
