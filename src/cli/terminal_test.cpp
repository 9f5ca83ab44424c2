#include "cli/terminal.h"

#include <gtest/gtest.h>

namespace adit::cli {
namespace {

std::string written(bool interactive) {
    char* text = nullptr;
    std::size_t size = 0;
    std::FILE* stream = open_memstream(&text, &size);
    {
        Terminal terminal(stream, interactive);
        terminal.set_status("1 miner");
        terminal.print("a log line");
    }
    std::fclose(stream);
    std::string result(text, size);
    std::free(text);
    return result;
}

TEST(Terminal, RedrawsTheStatusBelowEveryLine) {
    EXPECT_EQ(written(true), "\r\033[K1 miner\r\033[Ka log line\n1 miner\r\033[K");
}

TEST(Terminal, WritesNoControlSequenceToAFile) {
    EXPECT_EQ(written(false), "a log line\n");
}

TEST(Human, KeepsThreeDigits) {
    EXPECT_EQ(human(0, "H/s"), "0 H/s");
    EXPECT_EQ(human(999, "H/s"), "999 H/s");
    EXPECT_EQ(human(999.6, "H/s"), "1.00 kH/s");
    EXPECT_EQ(human(1'234'567, "H/s"), "1.23 MH/s");
    EXPECT_EQ(human(86.5e18, "H/s"), "86.5 EH/s");
    EXPECT_EQ(human(0.25, ""), "0.25 ");
}

TEST(Human, WritesDurations) {
    EXPECT_EQ(human_duration(61), "00:01:01");
    EXPECT_EQ(human_duration(90'061), "1d 01:01:01");
}

}  // namespace
}  // namespace adit::cli
