#include "share/record.h"

#include "share/record_coding.h"

namespace adit::share {

using namespace coding;

namespace {

// Whom a coinbase pays, in jobs and blocks alike.
template <class T>
std::uint8_t payment_flags(const T& record) {
    return static_cast<std::uint8_t>((record.pays_dues ? kPaysDues : 0) |
                                     (record.pays_finder ? kPaysFinder : 0));
}

template <class T>
void set_payment_flags(T& record, std::uint8_t flags) {
    record.pays_dues = flags & kPaysDues;
    record.pays_finder = flags & kPaysFinder;
}

Decoded<Record> decode_share(base::ByteSpan bytes) {
    const auto* at = bytes.data();
    ShareRecord share;
    const auto flags = at[1];
    if (flags > 7 || at[3] != 0) return std::unexpected(RecordError::reserved_bits);
    share.uncredited = flags & kUncredited;
    share.block = flags & kBlock;
    share.stale = flags & kStale;
    share.choice.variant = at[2];
    share.choice.extranonce1 = base::load_le<std::uint32_t>(at + 4);
    std::memcpy(share.choice.extranonce2.data(), at + 8, share.choice.extranonce2.size());
    share.job = base::load_le<std::uint64_t>(at + 16);
    share.choice.ntime = base::load_le<std::uint32_t>(at + 24);
    share.choice.nonce = base::load_le<std::uint32_t>(at + 28);
    share.choice.version = base::load_le<std::uint32_t>(at + 32);
    share.account = base::load_le<std::uint32_t>(at + 36);
    share.worker = base::load_le<std::uint32_t>(at + 40);
    if (share.job == 0 || share.account == 0 || share.worker == 0) {
        return std::unexpected(RecordError::bad_id);
    }
    const auto difficulty = chain::Difficulty::from_double(base::load_le<double>(at + 44));
    if (!difficulty) return std::unexpected(RecordError::bad_difficulty);
    share.difficulty = *difficulty;
    return share;
}

Decoded<Record> decode_job(base::ByteReader reader) {
    JobRecord job;
    job.id = reader.le<std::uint64_t>();
    job.tip = reader.le<std::uint64_t>();
    job.height = reader.le<std::int32_t>();
    const auto network = reader.le<std::uint8_t>();
    const auto flags = reader.le<std::uint8_t>();
    job.snapshot = reader.le<std::uint64_t>();
    job.previous = read_hash(reader);
    job.version = reader.le<std::uint32_t>();
    job.bits = reader.le<std::uint32_t>();
    job.ntime = reader.le<std::uint32_t>();
    job.min_time = reader.le<std::uint32_t>();
    job.coinbase_value_sat = reader.le<std::int64_t>();
    job.created_wall_ms = reader.le<std::int64_t>();
    job.coinbase_head = read_sized(reader);
    job.coinbase_tail = read_sized(reader);
    const auto branches = reader.le<std::uint8_t>();
    for (std::uint8_t i = 0; i < branches && reader.ok(); ++i) {
        job.branches.push_back(read_hash(reader));
    }
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    if (job.id == 0) return std::unexpected(RecordError::bad_id);
    if (network > static_cast<std::uint8_t>(chain::Network::regtest)) {
        return std::unexpected(RecordError::bad_network);
    }
    if (flags > (kSegwit | kPaysDues | kPaysFinder)) {
        return std::unexpected(RecordError::reserved_bits);
    }
    if (!chain::target_from_compact(job.bits)) return std::unexpected(RecordError::bad_bits);
    job.network = static_cast<chain::Network>(network);
    job.segwit = flags & kSegwit;
    set_payment_flags(job, flags);
    return job;
}

Decoded<Record> decode_account(base::ByteReader reader) {
    AccountRecord account;
    account.id = reader.le<std::uint32_t>();
    account.name = read_name(reader);
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    if (account.id == 0) return std::unexpected(RecordError::bad_id);
    if (account.name.empty()) return std::unexpected(RecordError::bad_name);
    return account;
}

Decoded<Record> decode_worker(base::ByteReader reader) {
    WorkerRecord worker;
    worker.id = reader.le<std::uint32_t>();
    worker.account = reader.le<std::uint32_t>();
    worker.name = read_name(reader);
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    if (worker.id == 0 || worker.account == 0) return std::unexpected(RecordError::bad_id);
    return worker;
}

Decoded<Record> decode_block(base::ByteReader reader) {
    BlockRecord block;
    block.hash = read_hash(reader);
    block.height = reader.le<std::int32_t>();
    block.bits = reader.le<std::uint32_t>();
    block.job = reader.le<std::uint64_t>();
    block.account = reader.le<std::uint32_t>();
    block.worker = reader.le<std::uint32_t>();
    block.snapshot = reader.le<std::uint64_t>();
    block.coinbase_value_sat = reader.le<std::int64_t>();
    block.found_wall_ms = reader.le<std::int64_t>();
    const auto flags = reader.le<std::uint8_t>();
    block.file = read_name(reader);
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    if (block.job == 0) return std::unexpected(RecordError::bad_id);
    if (flags > (kStaleBlock | kPaysDues | kPaysFinder)) {
        return std::unexpected(RecordError::reserved_bits);
    }
    if (!chain::target_from_compact(block.bits)) return std::unexpected(RecordError::bad_bits);
    block.stale = flags & kStaleBlock;
    set_payment_flags(block, flags);
    return block;
}

Decoded<Record> decode_run(base::ByteReader reader) {
    RunRecord run;
    run.started_wall_ms = reader.le<std::int64_t>();
    run.pool_version = read_name(reader);
    if (const auto error = rest_error(reader)) return std::unexpected(*error);
    return run;
}

}  // namespace

std::string_view describe(RecordError error) {
    switch (error) {
        case RecordError::truncated:
            return "the record ends too early";
        case RecordError::unknown_type:
            return "no such record type";
        case RecordError::too_large:
            return "the record is larger than any may be";
        case RecordError::trailing_bytes:
            return "the record is longer than its fields";
        case RecordError::reserved_bits:
            return "a reserved bit is set";
        case RecordError::bad_id:
            return "an id is zero";
        case RecordError::bad_difficulty:
            return "the difficulty is out of range";
        case RecordError::bad_network:
            return "no such network";
        case RecordError::bad_bits:
            return "the compact target encodes no target";
        case RecordError::bad_name:
            return "an account has no name, or a name that is too long";
        case RecordError::bad_amount:
            return "an amount is out of range";
        case RecordError::bad_value:
            return "a number or a list is out of range";
    }
    return "unknown";
}

void append_record(base::Bytes& out, const ShareRecord& share) {
    const auto start = out.size();
    out.resize(start + kShareRecordSize);
    auto* at = out.data() + start;
    at[0] = static_cast<std::uint8_t>(Type::share);
    at[1] = static_cast<std::uint8_t>((share.uncredited ? kUncredited : 0) |
                                      (share.block ? kBlock : 0) | (share.stale ? kStale : 0));
    at[2] = share.choice.variant;
    at[3] = 0;
    base::store_le(at + 4, share.choice.extranonce1);
    std::memcpy(at + 8, share.choice.extranonce2.data(), share.choice.extranonce2.size());
    base::store_le(at + 16, share.job);
    base::store_le(at + 24, share.choice.ntime);
    base::store_le(at + 28, share.choice.nonce);
    base::store_le(at + 32, share.choice.version);
    base::store_le(at + 36, share.account);
    base::store_le(at + 40, share.worker);
    base::store_le(at + 44, share.difficulty.value());
}

void append_record(base::Bytes& out, const JobRecord& job) {
    const Body body(out, Type::job);
    base::append_le(out, job.id);
    base::append_le(out, job.tip);
    base::append_le(out, job.height);
    base::append_le(out, static_cast<std::uint8_t>(job.network));
    base::append_le(out,
                    static_cast<std::uint8_t>((job.segwit ? kSegwit : 0) | payment_flags(job)));
    base::append_le(out, job.snapshot);
    append_hash(out, job.previous);
    base::append_le(out, job.version);
    base::append_le(out, job.bits);
    base::append_le(out, job.ntime);
    base::append_le(out, job.min_time);
    base::append_le(out, job.coinbase_value_sat);
    base::append_le(out, job.created_wall_ms);
    append_sized(out, job.coinbase_head);
    append_sized(out, job.coinbase_tail);
    ADIT_CHECK(job.branches.size() < 256, "a merkle tree is not that deep");
    base::append_le(out, static_cast<std::uint8_t>(job.branches.size()));
    for (const auto& branch : job.branches)
        append_hash(out, branch);
}

void append_record(base::Bytes& out, const AccountRecord& account) {
    const Body body(out, Type::account);
    base::append_le(out, account.id);
    append_name(out, account.name);
}

void append_record(base::Bytes& out, const WorkerRecord& worker) {
    const Body body(out, Type::worker);
    base::append_le(out, worker.id);
    base::append_le(out, worker.account);
    append_name(out, worker.name);
}

void append_record(base::Bytes& out, const BlockRecord& block) {
    const Body body(out, Type::block);
    append_hash(out, block.hash);
    base::append_le(out, block.height);
    base::append_le(out, block.bits);
    base::append_le(out, block.job);
    base::append_le(out, block.account);
    base::append_le(out, block.worker);
    base::append_le(out, block.snapshot);
    base::append_le(out, block.coinbase_value_sat);
    base::append_le(out, block.found_wall_ms);
    base::append_le(
        out, static_cast<std::uint8_t>((block.stale ? kStaleBlock : 0) | payment_flags(block)));
    append_name(out, block.file);
}

void append_record(base::Bytes& out, const RunRecord& run) {
    const Body body(out, Type::run);
    base::append_le(out, run.started_wall_ms);
    append_name(out, run.pool_version);
}

std::expected<Record, RecordError> read_record(base::ByteReader& reader) {
    auto ahead = reader;
    const auto type = ahead.le<std::uint8_t>();
    if (!ahead.ok()) return std::unexpected(RecordError::truncated);
    if (type == static_cast<std::uint8_t>(Type::share)) {
        const auto bytes = reader.take(kShareRecordSize);
        if (bytes.empty()) return std::unexpected(RecordError::truncated);
        return decode_share(bytes);
    }
    if (type < static_cast<std::uint8_t>(Type::job) ||
        type > static_cast<std::uint8_t>(Type::snapshot)) {
        return std::unexpected(RecordError::unknown_type);
    }
    const auto head = reader.le<std::uint32_t>();
    const auto size = reader.le<std::uint32_t>();
    if (!reader.ok()) return std::unexpected(RecordError::truncated);
    if (head >> 8 != 0) return std::unexpected(RecordError::reserved_bits);
    if (size > kRecordBodyLimit) return std::unexpected(RecordError::too_large);
    const auto bytes = reader.take(size);
    if (!reader.ok()) return std::unexpected(RecordError::truncated);
    const base::ByteReader body(bytes);
    switch (static_cast<Type>(type)) {
        case Type::job:
            return decode_job(body);
        case Type::account:
            return decode_account(body);
        case Type::worker:
            return decode_worker(body);
        case Type::block:
            return decode_block(body);
        case Type::run:
            return decode_run(body);
        case Type::rules:
        case Type::settings:
        case Type::block_fact:
        case Type::intent:
        case Type::signed_payout:
        case Type::payout_fact:
        case Type::explain:
        case Type::snapshot:
            return decode_money(static_cast<Type>(type), body);
        case Type::share:
            break;
    }
    return std::unexpected(RecordError::unknown_type);
}

JobRecord record_of(const job::Job& job, std::int64_t created_wall_ms) {
    JobRecord record;
    record.id = job.id;
    record.tip = job.tip;
    record.height = job.source->height;
    record.network = job.source->network;
    record.segwit = job.source->segwit;
    record.snapshot = job.snapshot;
    record.pays_dues = job.pays_dues;
    record.pays_finder = job.pays_finder;
    record.previous = job.source->previous;
    record.coinbase_head = job.coinbase_head;
    record.coinbase_tail = job.coinbase_tail;
    record.branches = job.branches;
    record.version = job.version;
    record.bits = job.bits;
    record.ntime = job.ntime;
    record.min_time = job.min_time;
    record.coinbase_value_sat = job.source->coinbase_value_sat;
    record.created_wall_ms = created_wall_ms;
    return record;
}

job::JobRef restore_job(const JobRecord& record) {
    auto source = std::make_shared<job::BlockTemplate>();
    source->network = record.network;
    source->height = record.height;
    source->previous = record.previous;
    source->version = record.version;
    source->bits = record.bits;
    source->min_time = record.min_time;
    source->current_time = record.ntime;
    source->coinbase_value_sat = record.coinbase_value_sat;
    source->segwit = record.segwit;
    source->complete = false;
    auto job = std::make_shared<job::Job>();
    job->id = record.id;
    job->snapshot = record.snapshot;
    job->pays_dues = record.pays_dues;
    job->pays_finder = record.pays_finder;
    job->source = std::move(source);
    job->coinbase_head = record.coinbase_head;
    job->coinbase_tail = record.coinbase_tail;
    job->branches = record.branches;
    job->version = record.version;
    job->bits = record.bits;
    job->ntime = record.ntime;
    job->min_time = record.min_time;
    job->tip = record.tip;
    ADIT_CHECK(job::derive(*job), "a decoded job has a target");
    return job;
}

}  // namespace adit::share
