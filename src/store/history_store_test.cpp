#include "store/history_store.h"

#include "store/faulty_file_system.h"
#include "store/tally_test_support.h"

#include <gmock/gmock.h>

#include <cerrno>

namespace adit::store {
namespace {

using ::testing::HasSubstr;
using Call = FaultyFileSystem::Call;
using metrics::Section;
using metrics::Sections;

const std::filesystem::path kFile = "/data/history";
const std::filesystem::path kRefused = "/data/history.refused";

class HistoryStoreTest : public ::testing::Test {
 protected:
    HistoryStore open() { return {files_, kFile, registry_, logger_}; }
    metrics::Tick now() const { return {clock_.wall_ms(), clock_.steady_ms()}; }

    FaultyFileSystem files_{1};
    metrics::Registry registry_;
    base::ManualClock clock_;
    std::vector<std::string> lines_;
    base::Logger logger_{base::LogLevel::warning, base::LogFormat::text,
                         [this](std::string_view line) { lines_.emplace_back(line); }};
};

TEST_F(HistoryStoreTest, GivesBackARealHistoryAfterAPowerCut) {
    metrics::Registry before;
    metrics::History kept(before);
    auto& counter = before.counter("adit_a_total", "a");
    for (int i = 0; i < 90; ++i) {
        counter.add(2);
        clock_.advance_ms(1'000);
        kept.tick(now());
    }
    ASSERT_TRUE(open().save({{Section::history, kept.serialise()}, {Section::alerts, {7}}}, now()));
    files_.cut_power();
    files_.restore_power();
    const auto sections = open().load();
    EXPECT_EQ(sections.at(Section::alerts), base::Bytes{7});
    metrics::Registry after;
    metrics::History restored(after);
    ASSERT_TRUE(restored.restore(sections.at(Section::history)));
    EXPECT_EQ(restored.rate("adit_a_total", 60)->per_second, 2);
    EXPECT_TRUE(lines_.empty());
}

TEST_F(HistoryStoreTest, BeginsWithNothingWhenThereIsNoFile) {
    EXPECT_TRUE(open().load().empty());
    EXPECT_TRUE(lines_.empty());
}

TEST_F(HistoryStoreTest, MovesAFileTornAtAnyByteAsideAndBeginsAnew) {
    ASSERT_TRUE(open().save({{Section::history, {1, 2, 3}}}, now()));
    const auto whole = files_.contents(kFile);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto torn = base::Bytes(whole.begin(), whole.begin() + static_cast<long>(size));
        files_.overwrite(kFile, torn);
        lines_.clear();
        EXPECT_TRUE(open().load().empty()) << size;
        ASSERT_EQ(lines_.size(), 1u) << size;
        EXPECT_THAT(lines_[0], HasSubstr("begins anew"));
        EXPECT_FALSE(files_.exists(kFile));
        EXPECT_EQ(files_.contents(kRefused), torn);
        EXPECT_TRUE(open().save({{Section::history, {4}}}, now()));
        EXPECT_EQ(open().load().at(Section::history), base::Bytes{4});
    }
}

TEST_F(HistoryStoreTest, KeepsTheFileOfANewerVersionForIt) {
    auto newer = metrics::encode_state({}, 0);
    newer[8] = 9;
    files_.overwrite(kFile, newer);
    EXPECT_TRUE(open().load().empty());
    ASSERT_EQ(lines_.size(), 1u);
    EXPECT_THAT(lines_[0], HasSubstr("a newer version of adit wrote it"));
    EXPECT_EQ(files_.contents(kRefused), newer);
}

TEST_F(HistoryStoreTest, SaysWhenTheFileCannotBeRead) {
    ASSERT_TRUE(open().save({}, now()));
    files_.fail(Call::read, EIO);
    EXPECT_TRUE(open().load().empty());
    ASSERT_EQ(lines_.size(), 1u);
    EXPECT_THAT(lines_[0], HasSubstr("Input/output error"));
}

TEST_F(HistoryStoreTest, WritesOnceAMinute) {
    auto store = open();
    int made = 0;
    const auto make = [&] {
        ++made;
        return Sections{{Section::history, {static_cast<std::uint8_t>(made)}}};
    };
    for (int second = 0; second <= 180; ++second) {
        EXPECT_TRUE(store.keep(now(), make));
        EXPECT_EQ(made, second / 60);
        clock_.advance_ms(1'000);
    }
    EXPECT_EQ(open().load().at(Section::history), base::Bytes{3});
    EXPECT_EQ(registry_.counter("adit_history_saves_total", "").value(), 3u);
}

TEST_F(HistoryStoreTest, SaysOnceThatItCannotBeWrittenAndTriesAgainInAMinute) {
    auto store = open();
    files_.fail(Call::sync, EIO, 2);
    const auto make = [] { return Sections{}; };
    int failed = 0;
    for (int second = 0; second < 300; ++second) {
        failed += store.keep(now(), make) ? 0 : 1;
        clock_.advance_ms(1'000);
    }
    EXPECT_EQ(failed, 2);
    ASSERT_EQ(lines_.size(), 1u);
    EXPECT_THAT(lines_[0], HasSubstr("cannot be written"));
    EXPECT_EQ(registry_.counter("adit_history_save_failures_total", "").value(), 2u);
    EXPECT_TRUE(files_.exists(kFile));
}

TEST_F(HistoryStoreTest, HasTheOldOrTheNewContentsWheneverThePowerGoes) {
    int old = 0;
    int renewed = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        FaultyFileSystem files(seed);
        HistoryStore store(files, kFile, registry_, logger_);
        const auto first = Sections{{Section::history, base::Bytes(3'000, 1)}};
        const auto second = Sections{{Section::history, base::Bytes(5'000, 2)}};
        ASSERT_TRUE(store.save(first, now()));
        files.cut_power_at(1 + seed % 6);
        const bool saved = store.save(second, now());
        files.cut_power();
        files.restore_power();
        const auto found = HistoryStore(files, kFile, registry_, logger_).load();
        ASSERT_TRUE(found == second || (!saved && found == first)) << "seed " << seed;
        (found == first ? old : renewed) += 1;
    }
    EXPECT_GT(old, 0);
    EXPECT_GT(renewed, 0);
    EXPECT_THAT(lines_, ::testing::Each(HasSubstr("cannot be written")));
}

TEST_F(HistoryStoreTest, WorksOnTheSystemsOwnFiles) {
    const testing::TemporaryDir root;
    PosixFileSystem files;
    const Sections sections{{Section::forecasts, base::Bytes(100'000, 5)}};
    HistoryStore store(files, root.path() / "history", registry_, logger_);
    EXPECT_TRUE(store.load().empty());
    ASSERT_TRUE(store.save(sections, now()));
    EXPECT_EQ(store.load(), sections);
    store.refuse("a section is damaged");
    EXPECT_TRUE(std::filesystem::exists(root.path() / "history.refused"));
    EXPECT_TRUE(store.load().empty());
}

}  // namespace
}  // namespace adit::store
