// The stores beside the log: data directory, extranonce ranges and found blocks.
#include "store/candidate_store.h"
#include "store/data_dir.h"
#include "store/extranonce_store.h"
#include "store/tally_test_support.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <sys/wait.h>
#include <unistd.h>

namespace adit::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Call = FaultyFileSystem::Call;

using testing::TemporaryDir;

TEST(DataDir, RefusesASecondPoolAndNamesTheFirst) {
    const TemporaryDir root;
    {
        const auto first = DataDir::open(root.path() / "data");
        ASSERT_TRUE(first);
        const auto second = DataDir::open(root.path() / "data");
        ASSERT_FALSE(second);
        EXPECT_THAT(second.error(), HasSubstr(fmt::format("pid {}", ::getpid())));
        EXPECT_TRUE(std::filesystem::is_directory(first->log_dir()));
        EXPECT_TRUE(std::filesystem::is_directory(first->blocks_dir()));
    }
    EXPECT_TRUE(DataDir::open(root.path() / "data"));
}

TEST(DataDir, IsFreeAgainWhenItsProcessWasKilled) {
    const TemporaryDir root;
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const auto child = ::fork();
    if (child == 0) {
        const auto held = DataDir::open(root.path());
        (void)!::write(ready[1], held ? "y" : "n", 1);
        ::pause();
        ::_exit(0);
    }
    char answer = 0;
    ASSERT_EQ(::read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    EXPECT_THAT(DataDir::open(root.path()).error(), HasSubstr(fmt::format("pid {}", child)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_TRUE(DataDir::open(root.path()));
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST(DataDir, SaysWhyItCannotBeMade) {
    EXPECT_THAT(DataDir::open("/dev/null/data").error(), HasSubstr("/dev/null/data"));
}

const std::filesystem::path kFile = "/data/extranonce";

TEST(ExtranonceStore, NeverRepeatsAcrossPowerCuts) {
    for (std::uint64_t seed = 1; seed <= 500; ++seed) {
        FaultyFileSystem files(seed);
        std::uint64_t given = 0;  // all below were handed out
        for (std::uint64_t life = 1; life <= 6; ++life) {
            auto store = ExtranonceStore::open(files, kFile);
            ASSERT_TRUE(store) << store.error();
            files.cut_power_at(1 + (seed * 7 + life * 3) % 20);
            for (;;) {
                const auto range = (*store)->reserve(100);
                if (!range) break;
                ASSERT_GE(range->begin, given) << "seed " << seed;
                ASSERT_EQ(range->end, range->begin + 100);
                given = range->end;
            }
            files.restore_power();
        }
    }
}

TEST(ExtranonceStore, GivesNothingAwayThatIsNotDurable) {
    FaultyFileSystem files(1);
    auto store = *ExtranonceStore::open(files, kFile);
    ASSERT_TRUE(store->reserve(5));
    files.fail(Call::sync, EIO);
    EXPECT_FALSE(store->reserve(5));
    EXPECT_EQ(store->high_water(), 5u);
    EXPECT_EQ(store->reserve(5)->begin, 5u);
}

TEST(ExtranonceStore, RefusesADamagedFile) {
    FaultyFileSystem files(1);
    ASSERT_TRUE((*ExtranonceStore::open(files, kFile))->reserve(5));
    auto bytes = files.contents(kFile);
    for (const std::size_t at : {std::size_t{0}, std::size_t{9}, bytes.size() - 1}) {
        auto bad = bytes;
        bad[at] ^= 1;
        files.overwrite(kFile, bad);
        EXPECT_THAT(ExtranonceStore::open(files, kFile).error(), HasSubstr("/data/extranonce"));
    }
}

const std::filesystem::path kBlocks = "/data/blocks";

job::BlockCandidate a_candidate(std::uint8_t mark) {
    job::BlockCandidate candidate;
    candidate.job = testing::small_job(3);
    candidate.hash.bytes.fill(mark);
    candidate.height = 100 + mark;
    candidate.block = base::Bytes(1'000, mark);
    candidate.account = "alice";
    candidate.worker = "rig";
    candidate.log_position = 4'711;
    candidate.found_wall_ms = 1'700'000'000'123;
    candidate.stale = mark % 2 != 0;
    return candidate;
}

void expect_same(const job::BlockCandidate& a, const job::BlockCandidate& b) {
    EXPECT_EQ(a.hash, b.hash);
    EXPECT_EQ(a.height, b.height);
    EXPECT_EQ(a.block, b.block);
    EXPECT_EQ(a.account, b.account);
    EXPECT_EQ(a.worker, b.worker);
    EXPECT_EQ(a.log_position, b.log_position);
    EXPECT_EQ(a.found_wall_ms, b.found_wall_ms);
    EXPECT_EQ(a.stale, b.stale);
    EXPECT_EQ(share::record_of(*a.job, 0), share::record_of(*b.job, 0));
}

class CandidateStoreTest : public ::testing::Test {
 protected:
    CandidateStoreTest() { reopen(); }
    void reopen() { store_ = std::move(*CandidateStore::open(files_, kBlocks, clock_)); }

    FaultyFileSystem files_{1};
    base::ManualClock clock_;
    std::unique_ptr<CandidateStore> store_;
};

TEST_F(CandidateStoreTest, KeepsABlockThroughAPowerCut) {
    const auto file = store_->save(a_candidate(1));
    ASSERT_TRUE(file);
    EXPECT_EQ(*file, CandidateStore::file_name(101, a_candidate(1).hash));
    files_.restore_power();
    reopen();
    const auto stored = store_->load(*file);
    ASSERT_TRUE(stored) << stored.error().text();
    expect_same(*stored->candidate, a_candidate(1));
    EXPECT_EQ(stored->state(), CandidateState::found);
}

TEST_F(CandidateStoreTest, KeepsTheSameBlockOnce) {
    EXPECT_EQ(*store_->save(a_candidate(1)), *store_->save(a_candidate(1)));
    EXPECT_EQ(store_->load_all()->size(), 1u);
}

TEST_F(CandidateStoreTest, RemembersWhatBecameOfABlock) {
    const auto file = *store_->save(a_candidate(1));
    ASSERT_TRUE(store_->mark(file, CandidateState::submitted, "to node a"));
    clock_.advance_ms(5);
    ASSERT_TRUE(store_->mark(file, CandidateState::refused, std::string(300, 'x')));
    ASSERT_TRUE(store_->mark(file, CandidateState::accepted, ""));
    files_.restore_power();
    reopen();
    const auto stored = *store_->load(file);
    ASSERT_EQ(stored.marks.size(), 3u);
    EXPECT_EQ(stored.marks[0].note, "to node a");
    EXPECT_EQ(stored.marks[1].note, std::string(kCandidateNoteLimit, 'x'));
    EXPECT_EQ(stored.marks[1].wall_ms, clock_.wall_ms());
    EXPECT_EQ(stored.state(), CandidateState::accepted);
}

TEST_F(CandidateStoreTest, OverwritesTheLastPlaceWhenAllAreUsed) {
    const auto file = *store_->save(a_candidate(1));
    for (int i = 0; i < 70; ++i) {
        ASSERT_TRUE(store_->mark(file, CandidateState::refused, std::to_string(i)));
    }
    ASSERT_TRUE(store_->mark(file, CandidateState::buried, "deep"));
    const auto stored = *store_->load(file);
    EXPECT_EQ(stored.marks.size(), 60u);
    EXPECT_EQ(stored.state(), CandidateState::buried);
    EXPECT_EQ(stored.candidate->block, a_candidate(1).block);
}

TEST_F(CandidateStoreTest, KeepsBlocksOnAFullDiskFromReservedSpace) {
    ASSERT_EQ(store_->reserves(), CandidateStore::kReserves);
    // What a saved block gives back is taken by others at once.
    for (std::uint8_t mark = 1; mark <= CandidateStore::kReserves; ++mark) {
        files_.set_capacity(files_.used());
        const auto file = store_->save(a_candidate(mark));
        ASSERT_TRUE(file) << file.error().text();
        ASSERT_TRUE(store_->mark(*file, CandidateState::submitted, "x"));
    }
    EXPECT_EQ(store_->reserves(), 0u);
    EXPECT_EQ(store_->load_all()->size(), CandidateStore::kReserves);
    files_.set_capacity(files_.used());
    EXPECT_EQ(store_->save(a_candidate(9)).error().code, ENOSPC);
    files_.clear_faults();
    ASSERT_TRUE(store_->save(a_candidate(9)));
    EXPECT_EQ(store_->reserves(), CandidateStore::kReserves);
}

TEST_F(CandidateStoreTest, TriesTheNextReserveWhenOneFails) {
    files_.fail(Call::sync, EIO, 1);
    const auto file = store_->save(a_candidate(2));
    ASSERT_TRUE(file);
    files_.restore_power();
    reopen();
    expect_same(*store_->load(*file)->candidate, a_candidate(2));
}

TEST_F(CandidateStoreTest, LeavesABlockWholeOrAbsentWhenThePowerGoes) {
    for (std::uint64_t seed = 1; seed <= 45; ++seed) {
        FaultyFileSystem files(seed);
        auto store = *CandidateStore::open(files, kBlocks, clock_);
        files.cut_power_at(1 + seed % 9);
        const auto saved = store->save(a_candidate(3));
        files.restore_power();
        store = *CandidateStore::open(files, kBlocks, clock_);
        std::vector<std::string> damaged;
        const auto all = store->load_all(&damaged);
        EXPECT_THAT(damaged, ElementsAre()) << "seed " << seed;
        ASSERT_GE(all->size(), saved ? 1u : 0u) << "seed " << seed;
        for (const auto& stored : *all)
            expect_same(*stored.candidate, a_candidate(3));
    }
}

TEST_F(CandidateStoreTest, NamesADamagedFileAndReadsTheOthers) {
    const auto bad = *store_->save(a_candidate(1));
    ASSERT_TRUE(store_->save(a_candidate(2)));
    auto bytes = files_.contents(kBlocks / bad);
    bytes[bytes.size() - 5] ^= 1;
    files_.overwrite(kBlocks / bad, bytes);
    std::vector<std::string> damaged;
    EXPECT_EQ(store_->load_all(&damaged)->size(), 1u);
    EXPECT_THAT(damaged, ElementsAre(bad));
    EXPECT_EQ(store_->load(bad).error().code, EBADMSG);
    EXPECT_EQ(store_->load("none.block").error().code, ENOENT);
}

// The system's own files answer like the model.
TEST_F(CandidateStoreTest, ListsNamesAndStatesWithoutTheBlocks) {
    const auto first = *store_->save(a_candidate(1));
    const auto second = *store_->save(a_candidate(2));
    ASSERT_TRUE(store_->mark(first, CandidateState::submitted, ""));
    ASSERT_TRUE(store_->mark(first, CandidateState::accepted, ""));
    files_.overwrite(kBlocks / "notes.block", base::Bytes(3, 1));
    std::vector<std::string> damaged;
    const auto index = store_->index(&damaged);
    ASSERT_TRUE(index);
    ASSERT_EQ(index->size(), 2u);
    EXPECT_EQ(index->at(0).file, first);
    EXPECT_EQ(index->at(0).hash, a_candidate(1).hash);
    EXPECT_EQ(index->at(0).height, 101);
    EXPECT_EQ(index->at(0).state, CandidateState::accepted);
    EXPECT_EQ(index->at(1).file, second);
    EXPECT_EQ(index->at(1).state, CandidateState::found);
    EXPECT_EQ(damaged, std::vector<std::string>{"notes.block"});
}

TEST_F(CandidateStoreTest, RemovesOnlyItsOwnUnfinishedFiles) {
    const auto name = CandidateStore::file_name(5, a_candidate(1).hash) + ".tmp";
    for (const auto& file : {std::string("README"), std::string("backup.tmp"), name})
        files_.overwrite(kBlocks / file, base::Bytes(3, 1));
    files_.overwrite(kBlocks / "reserve-1", base::Bytes(3, 1));  // cut short
    reopen();
    EXPECT_TRUE(files_.exists(kBlocks / "README"));
    EXPECT_TRUE(files_.exists(kBlocks / "backup.tmp"));
    EXPECT_FALSE(files_.exists(kBlocks / name));
    EXPECT_EQ(store_->reserves(), CandidateStore::kReserves);
}

TEST(PosixFileSystem, WritesReadsAndReplaces) {
    const TemporaryDir root;
    PosixFileSystem files;
    const auto path = root.path() / "a" / "file";
    ASSERT_TRUE(files.create_directories(path.parent_path()));
    ASSERT_TRUE(replace_file(files, path, base::as_bytes("one")));
    ASSERT_TRUE(replace_file(files, path, base::as_bytes("second")));
    EXPECT_EQ(base::as_text(*read_file(files, path, 100)), "second");
    EXPECT_EQ(read_file(files, path, 5).error().code, EFBIG);
    EXPECT_THAT(*files.list(path.parent_path()), ElementsAre("file"));
    {
        auto file = *files.open(path, OpenMode::write);
        ASSERT_TRUE(file->allocate(8'192));
        EXPECT_EQ(*file->size(), 8'192u);
        ASSERT_TRUE(file->write_at(base::as_bytes("tail"), 8'190));
        EXPECT_EQ(*file->size(), 8'194u);
        ASSERT_TRUE(file->truncate(3));
        ASSERT_TRUE(file->sync());
        base::Bytes out(10);
        EXPECT_EQ(*file->read_at(out, 1), 2u);
    }
    EXPECT_EQ(files.open(path, OpenMode::create_new).error().code, EEXIST);
    ASSERT_TRUE(files.rename(path, root.path() / "moved"));
    EXPECT_EQ(files.open(path, OpenMode::read).error().code, ENOENT);
    EXPECT_FALSE(files.exists(path));
    ASSERT_TRUE(files.sync_dir(root.path()));
    ASSERT_TRUE(files.remove(root.path() / "moved"));
    EXPECT_THAT(files.remove(root.path() / "moved").error().text(), HasSubstr("No such file"));
    EXPECT_FALSE(files.list(root.path() / "none"));
    EXPECT_FALSE(files.sync_dir(root.path() / "none"));
}

}  // namespace
}  // namespace adit::store
