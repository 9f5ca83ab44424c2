// The format as docs/share-log.md has it, and readers that follow a log while it is written.
#include "store/log_reader.h"

#include "store/log_test_support.h"

#include <fstream>

namespace adit::store {
namespace {

base::Bytes stored(const std::string& name) {
    std::ifstream file(std::string(ADIT_SOURCE_DIR "/tests/fuzz/corpus/log_reader/") + name,
                       std::ios::binary);
    file.get();  // the fuzz target's choice
    return {std::istreambuf_iterator<char>(file), {}};
}

// The file was made by an independent program from the documented layout.
TEST(LogReader, ReadsALogMadeFromTheDocumentation) {
    FaultyFileSystem files(1);
    files.overwrite(testing::kDir / segment_name(1), stored("whole"));
    const auto all = testing::read_log(files);
    EXPECT_EQ(all.error, "");
    EXPECT_EQ(all.batches.size(), 4u);
    ASSERT_EQ(all.shares.size(), 3u);
    EXPECT_EQ(all.shares[0].choice.variant, 7);
    EXPECT_EQ(all.shares[0].choice.extranonce1, 77u);
    EXPECT_EQ(all.shares[0].difficulty.value(), 2.0);
    EXPECT_TRUE(all.shares[0].block);
    ASSERT_EQ(all.jobs.size(), 1u);
    EXPECT_EQ(all.jobs[0].height, 7);
    EXPECT_EQ(all.jobs[0].network, chain::Network::regtest);
    EXPECT_EQ(all.accounts.at(0).name, "alice");
    EXPECT_EQ(all.workers.at(0).name, "rig");
    EXPECT_EQ(all.blocks.at(0).coinbase_value_sat, 50);
    EXPECT_EQ(all.runs.at(0).pool_version, "1.0");
}

TEST(LogReader, TellsATornTailFromDamage) {
    FaultyFileSystem files(1);
    files.overwrite(testing::kDir / segment_name(1), stored("torn"));
    auto all = testing::read_log(files);
    EXPECT_EQ(all.error, "");
    EXPECT_EQ(all.batches.size(), 3u);
    files.overwrite(testing::kDir / segment_name(1), stored("damaged"));
    EXPECT_NE(testing::read_log(files).error, "");
}

// Segments change under the reader, some of them after failures that leave a void end behind.
TEST(LogReader, FollowsALogThroughSegmentsAndFailures) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        FaultyFileSystem files(seed);
        testing::LogBench bench(files);
        bench.settings.segment_bytes = 8 << 10;
        ASSERT_TRUE(bench.open());
        std::map<std::uint64_t, int> seen;
        std::jthread follower([&](std::stop_token stop) {
            auto reader = LogReader::open(files, testing::kDir);
            ASSERT_TRUE(reader);
            for (bool last = false; !last;) {
                last = stop.stop_requested();
                const auto limit = bench.log->durable_position();
                for (;;) {
                    const auto batch = reader->next(limit);
                    ASSERT_TRUE(batch) << "seed " << seed << ": " << batch.error().text();
                    if (!*batch) break;
                    base::ByteReader records((*batch)->payload);
                    while (records.left() > 0) {
                        const auto record = share::read_record(records);
                        ASSERT_TRUE(record);
                        if (const auto* share = std::get_if<share::ShareRecord>(&*record)) {
                            ++seen[testing::mark_of(*share)];
                        }
                    }
                }
                ASSERT_EQ(reader->point().position, limit);
                if (!last) bench.log->wait_past(limit, stop, 1);
            }
        });
        for (std::uint64_t mark = 1; mark <= 300; ++mark) {
            if (mark % 10 == seed % 10) {
                files.fail(
                    mark % 3 == 0 ? FaultyFileSystem::Call::write : FaultyFileSystem::Call::sync,
                    EIO, 1 + mark % 4);
            }
            if (bench.submit(mark)) (void)bench.answers.await(mark);
        }
        bench.await_running();
        follower.request_stop();
        follower.join();
        std::uint64_t committed = 0;
        for (const auto& [mark, result] : bench.answers.results()) {
            const bool there = result == share::CommitResult::committed;
            committed += there;
            EXPECT_EQ(seen.contains(mark), there) << "seed " << seed << " mark " << mark;
        }
        EXPECT_EQ(seen.size(), committed);
    }
}

}  // namespace
}  // namespace adit::store
