#include "share/record.h"

#include "share/validator.h"

#include <gtest/gtest.h>

namespace adit::share {
namespace {

ShareRecord a_share() {
    ShareRecord share;
    share.job = 0x1122334455667788;
    share.choice = {7, 0xa1b2c3d4, {1, 2, 3, 4, 5, 6, 7, 8}, 1'700'000'001, 0xdeadbeef, 0x20000000};
    share.account = 9;
    share.worker = 10;
    share.difficulty = *chain::Difficulty::from_double(1024);
    share.block = true;
    return share;
}

JobRecord a_job() {
    JobRecord job;
    job.id = 5;
    job.tip = 2;
    job.height = 840'000;
    job.network = chain::Network::signet;
    job.segwit = true;
    job.snapshot = 4;
    job.pays_finder = true;
    job.previous.bytes[3] = 3;
    job.coinbase_head = base::Bytes(100, 1);
    job.coinbase_tail = base::Bytes(70, 2);
    job.branches.resize(3);
    job.version = 0x20000000;
    job.bits = 0x1d00ffff;
    job.ntime = 1'700'000'000;
    job.min_time = 1'699'999'000;
    job.coinbase_value_sat = 312'500'000;
    job.created_wall_ms = 1'700'000'000'123;
    return job;
}

BlockRecord a_block() {
    BlockRecord block;
    block.hash.bytes[0] = 1;
    block.height = 840'000;
    block.bits = 0x1d00ffff;
    block.job = 5;
    block.snapshot = 77;
    block.pays_dues = true;
    block.account = 1;
    block.worker = 2;
    block.coinbase_value_sat = 312'500'000;
    block.found_wall_ms = 1'700'000'000'999;
    block.stale = true;
    block.file = "00840000.block";
    return block;
}

template <class R>
base::Bytes encode(const R& record) {
    base::Bytes bytes;
    append_record(bytes, record);
    return bytes;
}

std::expected<Record, RecordError> decode(base::ByteSpan bytes) {
    base::ByteReader reader(bytes);
    return read_record(reader);
}

// The bytes of docs/share-log.md.
TEST(Record, LaysAShareOutAsDocumented) {
    const auto bytes = encode(a_share());
    EXPECT_EQ(bytes.size(), kShareRecordSize);
    EXPECT_EQ(base::to_hex(bytes),
              "01020700"
              "d4c3b2a1"
              "0102030405060708"
              "8877665544332211"
              "01f15365"
              "efbeadde"
              "00000020"
              "09000000"
              "0a000000"
              "0000000000009040");
}

TEST(Record, ReadsBackEverySort) {
    const auto share = std::get<ShareRecord>(*decode(encode(a_share())));
    EXPECT_EQ(encode(share), encode(a_share()));
    EXPECT_EQ(std::get<JobRecord>(*decode(encode(a_job()))), a_job());
    EXPECT_EQ(std::get<BlockRecord>(*decode(encode(a_block()))), a_block());
    const AccountRecord account{3, "bc1q"};
    EXPECT_EQ(std::get<AccountRecord>(*decode(encode(account))), account);
    const WorkerRecord worker{4, 3, ""};
    EXPECT_EQ(std::get<WorkerRecord>(*decode(encode(worker))), worker);
    const RunRecord run{17, "1.0"};
    EXPECT_EQ(std::get<RunRecord>(*decode(encode(run))), run);
}

TEST(Record, LeavesTheReaderBehindTheRecord) {
    auto bytes = encode(a_share());
    append_record(bytes, a_job());
    append_record(bytes, a_share());
    base::ByteReader reader(bytes);
    EXPECT_TRUE(std::holds_alternative<ShareRecord>(*read_record(reader)));
    EXPECT_TRUE(std::holds_alternative<JobRecord>(*read_record(reader)));
    EXPECT_TRUE(std::holds_alternative<ShareRecord>(*read_record(reader)));
    EXPECT_TRUE(reader.finished());
}

// One row a reason.
TEST(Record, RefusesForEveryReason) {
    struct Case {
        RecordError error;
        base::Bytes bytes;
    };
    const auto with = [](base::Bytes bytes, std::size_t at, std::uint8_t value) {
        bytes.at(at) = value;
        return bytes;
    };
    const auto share = encode(a_share());
    const auto job = encode(a_job());
    auto longer = encode(AccountRecord{3, "x"});
    longer.push_back(0);
    longer[4] += 1;
    auto account_zero = encode(AccountRecord{0, "x"});
    auto short_name = with(encode(AccountRecord{3, "xyz"}), 12, 4);
    const std::vector<Case> cases{
        {RecordError::truncated, {}},
        {RecordError::truncated, {share.begin(), share.end() - 1}},
        {RecordError::truncated, {job.begin(), job.end() - 1}},
        {RecordError::truncated, {job.begin(), job.begin() + 5}},
        {RecordError::truncated, short_name},
        {RecordError::unknown_type, with(share, 0, 0)},
        {RecordError::unknown_type, with(share, 0, 15)},
        {RecordError::too_large, with(job, 7, 1)},
        {RecordError::trailing_bytes, longer},
        {RecordError::reserved_bits, with(share, 1, 8)},
        {RecordError::reserved_bits, with(share, 3, 1)},
        {RecordError::reserved_bits, with(job, 2, 1)},
        {RecordError::reserved_bits, with(job, 8 + 21, 8)},
        {RecordError::reserved_bits, with(encode(a_block()), 8 + 80, 8)},
        {RecordError::bad_id, with(share, 36, 0)},
        {RecordError::bad_id, with(share, 40, 0)},
        {RecordError::bad_id, account_zero},
        {RecordError::bad_id, encode(WorkerRecord{1, 0, "w"})},
        {RecordError::bad_difficulty, with(share, 51, 0xff)},
        {RecordError::bad_network, with(job, 8 + 20, 4)},
        {RecordError::bad_bits, with(job, 8 + 30 + 32 + 7, 0)},
        {RecordError::bad_name, encode(AccountRecord{1, ""})},
    };
    for (const auto& [error, bytes] : cases) {
        const auto decoded = decode(bytes);
        ASSERT_FALSE(decoded) << describe(error) << " " << base::to_hex(bytes);
        EXPECT_EQ(decoded.error(), error) << describe(error) << " but " << describe(decoded.error())
                                          << " " << base::to_hex(bytes);
    }
}

TEST(Record, RestoresAJobThatHashesAsTheOriginalDid) {
    const auto job = restore_job(a_job());
    EXPECT_EQ(record_of(*job, a_job().created_wall_ms), a_job());
    const job::HeaderChoice choice{3, 77, {9, 9, 9}, 1'700'000'005, 1234, 0x20000000};
    const CheckRequest request{job.get(), choice, chain::Target{base::U256::max()}};
    CheckResult result;
    Validator().check({&request, 1}, {&result, 1});
    EXPECT_EQ(result.hash, job::header_of(*job, choice).hash());
}

}  // namespace
}  // namespace adit::share
