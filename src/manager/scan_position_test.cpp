#include "manager/scan_position.h"

#include "store/faulty_file_system.h"

#include <gtest/gtest.h>

namespace adit::manager {
namespace {

const std::filesystem::path kFile = "/data/scan";

class ScanPositionTest : public ::testing::Test {
 protected:
    ScanPosition open() { return {files_, kFile, logger_}; }
    store::FaultyFileSystem files_{1};
    int lines_ = 0;
    base::Logger logger_{base::LogLevel::warning, base::LogFormat::text,
                         [this](std::string_view) { ++lines_; }};
};

TEST_F(ScanPositionTest, SurvivesAPowerCut) {
    EXPECT_EQ(open().height(), -1);
    auto position = open();
    position.save(-1);
    EXPECT_FALSE(files_.exists(kFile));
    position.save(840'000);
    position.save(840'006);
    files_.cut_power();
    files_.restore_power();
    EXPECT_EQ(open().height(), 840'006);
    EXPECT_EQ(lines_, 0);
}

TEST_F(ScanPositionTest, IsUnknownWhenTheFileCannotBeUnderstood) {
    for (const std::string_view text : {"", "840000", "-5\n", "x\n", "1\n2\n", "99999999999\n"}) {
        lines_ = 0;
        files_.overwrite(kFile, base::as_bytes(text));
        EXPECT_EQ(open().height(), -1) << text;
        EXPECT_EQ(lines_, 1) << text;
    }
}

TEST_F(ScanPositionTest, SaysOnceThatItCannotBeKeptAndTriesAgain) {
    auto position = open();
    files_.fail(store::FaultyFileSystem::Call::open, ENOSPC, 2);
    position.save(5);
    position.save(5);
    EXPECT_EQ(position.height(), -1);
    EXPECT_EQ(lines_, 1);
    position.save(5);
    EXPECT_EQ(open().height(), 5);
}

}  // namespace
}  // namespace adit::manager
