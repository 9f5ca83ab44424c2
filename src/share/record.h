// The bytes of everything that the share log holds (docs/share-log.md). A record is its type, then
// its fields in little-endian order; a share is 52 bytes, all other records carry their size.
// Decoding is strict: an unknown type, a stray bit or a byte too many is an error. Pure, safe from
// any thread.
#pragma once

#include "share/money_records.h"
#include "share/recorder.h"

#include <expected>
#include <string>
#include <variant>

namespace adit::share {

using LogId = std::array<std::uint8_t, 16>;  // random, one per log

inline constexpr std::size_t kShareRecordSize = 52;
inline constexpr std::size_t kNameLimit = 255;  // bytes of an account, worker or file name
inline constexpr std::size_t kRecordBodyLimit = 1'000'000;  // bytes of a record that is no share

// All that it takes to hash the shares of a job and to tell its reward.
struct JobRecord {
    job::JobId id = 0;
    std::uint64_t tip = 0;
    std::int32_t height = 0;  // of the block to be found
    chain::Network network = chain::Network::main;
    bool segwit = false;
    // The snapshot that the coinbase's outputs follow (0: the whole reward goes to one script), and
    // whether they pay its dues as well as the parts.
    std::uint64_t snapshot = 0;
    bool pays_dues = false;
    // The first output pays the account of each share instead of the recorded script.
    bool pays_finder = false;
    chain::Hash256 previous;
    base::Bytes coinbase_head;
    base::Bytes coinbase_tail;
    std::vector<chain::Hash256> branches;
    std::uint32_t version = 0;
    std::uint32_t bits = 0;
    std::uint32_t ntime = 0;
    std::uint32_t min_time = 0;
    std::int64_t coinbase_value_sat = 0;
    std::int64_t created_wall_ms = 0;
    friend bool operator==(const JobRecord&, const JobRecord&) = default;
};

struct AccountRecord {
    AccountId id = 0;
    std::string name;
    friend bool operator==(const AccountRecord&, const AccountRecord&) = default;
};

struct WorkerRecord {
    WorkerId id = 0;
    AccountId account = 0;
    std::string name;  // may be empty: an account without worker names
    friend bool operator==(const WorkerRecord&, const WorkerRecord&) = default;
};

// A header that met the network target. It closes the slice it lies in.
struct BlockRecord {
    chain::Hash256 hash;
    std::int32_t height = 0;
    std::uint32_t bits = 0;  // of its header: its work measures the PPLNS window
    job::JobId job = 0;
    AccountId account = 0;
    WorkerId worker = 0;
    // As in its job's record.
    std::uint64_t snapshot = 0;
    bool pays_dues = false;
    bool pays_finder = false;
    std::int64_t coinbase_value_sat = 0;
    std::int64_t found_wall_ms = 0;
    bool stale = false;
    std::string file;  // name in the blocks folder
    friend bool operator==(const BlockRecord&, const BlockRecord&) = default;
};

// The pool was started.
struct RunRecord {
    std::int64_t started_wall_ms = 0;
    std::string pool_version;
    friend bool operator==(const RunRecord&, const RunRecord&) = default;
};

using Record =
    std::variant<ShareRecord, JobRecord, AccountRecord, WorkerRecord, BlockRecord, RunRecord,
                 RulesRecord, SettingsRecord, BlockFactRecord, PayoutIntentRecord,
                 PayoutSignedRecord, PayoutFactRecord, ExplainRecord, SnapshotRecord>;

enum class RecordError {
    truncated,
    unknown_type,
    too_large,
    trailing_bytes,
    reserved_bits,   // a bit or byte that must be zero is not
    bad_id,          // an account, worker or job number of zero
    bad_difficulty,  // no legal difficulty
    bad_network,
    bad_bits,    // a compact target that encodes none
    bad_name,    // an empty account name, or a name above kNameLimit
    bad_amount,  // outside of what an amount of its kind may be
    bad_value,   // an enumerator, a fraction or a count outside its range
};
std::string_view describe(RecordError error);

void append_record(base::Bytes& out, const ShareRecord& share);
// The record bodies must be within kRecordBodyLimit and names within kNameLimit.
void append_record(base::Bytes& out, const JobRecord& job);
void append_record(base::Bytes& out, const AccountRecord& account);
void append_record(base::Bytes& out, const WorkerRecord& worker);
void append_record(base::Bytes& out, const BlockRecord& block);
void append_record(base::Bytes& out, const RunRecord& run);
void append_record(base::Bytes& out, const RulesRecord& rules);
void append_record(base::Bytes& out, const SettingsRecord& settings);
void append_record(base::Bytes& out, const BlockFactRecord& fact);
void append_record(base::Bytes& out, const PayoutIntentRecord& intent);
void append_record(base::Bytes& out, const PayoutSignedRecord& payout);
void append_record(base::Bytes& out, const PayoutFactRecord& fact);
void append_record(base::Bytes& out, const ExplainRecord& explained);
void append_record(base::Bytes& out, const SnapshotRecord& snapshot);

// The record at the front of the reader, which is left behind it.
std::expected<Record, RecordError> read_record(base::ByteReader& reader);

// A job as it is recorded, and a job to hash with from its record. The restored job has no
// transactions: it judges shares, but no block can be built from it.
JobRecord record_of(const job::Job& job, std::int64_t created_wall_ms);
job::JobRef restore_job(const JobRecord& record);

// A point between two batches of a log.
struct LogPoint {
    LogPosition position = 0;
    chain::Hash256 chain;  // hash over all batches before (the log's first value at position 0)
    friend bool operator==(const LogPoint&, const LogPoint&) = default;
};

// One committed batch as it is read back. The payload is valid until the reader moves on.
struct LogBatch {
    LogPoint before;
    LogPoint after;
    std::int64_t time_ms = 0;  // never less than the previous batch's
    std::uint32_t records = 0;
    std::uint32_t shares = 0;
    base::ByteSpan payload;
};

}  // namespace adit::share
