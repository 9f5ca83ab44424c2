#include "store/log_recovery.h"

#include "base/random.h"
#include "store/log_reader.h"
#include "store/log_scan.h"

namespace adit::store {
namespace {

constexpr std::uint64_t kSealLimit = 1 << 30;
constexpr std::uint8_t kShareType = 1;

LogError io_error(std::string name, const IoError& error) {
    return {LogErrorKind::io, std::move(name), 0, error.text()};
}

// Adds what one batch holds to a segment's summary. Shares are passed over: the checksum has
// vouched for them.
std::expected<void, LogError> summarize(const share::LogBatch& batch, Seal& seal) {
    base::ByteReader reader(batch.payload);
    while (reader.left() > 0) {
        auto ahead = reader;
        if (ahead.le<std::uint8_t>() == kShareType) {
            reader.take(share::kShareRecordSize);
            if (!reader.ok()) break;
            continue;
        }
        auto record = share::read_record(reader);
        if (!record) {
            return std::unexpected(
                LogError{LogErrorKind::damaged, segment_name(seal.number),
                         kSegmentHeaderSize + (batch.before.position - seal.begin.position),
                         std::string(describe(record.error()))});
        }
        if (auto* account = std::get_if<share::AccountRecord>(&*record)) {
            seal.accounts.push_back(std::move(*account));
        } else if (auto* worker = std::get_if<share::WorkerRecord>(&*record)) {
            seal.workers.push_back(std::move(*worker));
        } else if (const auto* job = std::get_if<share::JobRecord>(&*record)) {
            seal.last_job = std::max(seal.last_job, job->id);
        }
    }
    seal.shares += batch.shares;
    seal.end = batch.after;
    seal.last_time_ms = batch.time_ms;
    return {};
}

Seal begin_of(const SegmentHeader& header) {
    Seal seal;
    seal.log_id = header.log_id;
    seal.number = header.number;
    seal.begin = seal.end = header.base;
    seal.last_time_ms = header.last_time_ms;
    return seal;
}

// Reads a segment that has a successor beginning at `end`, and writes its seal again.
std::expected<Seal, LogError> rebuild_seal(FileSystem& files, const std::filesystem::path& log_dir,
                                           std::uint64_t number, share::LogPosition end) {
    auto opened = open_segment(files, log_dir, number, OpenMode::read);
    if (!opened) return std::unexpected(opened.error());
    auto seal = begin_of(opened->header);
    auto reader = LogReader::open(files, log_dir, opened->header.base);
    if (!reader) return std::unexpected(reader.error());
    while (reader->point().position < end) {
        const auto batch = reader->next(end);
        if (!batch) return std::unexpected(batch.error());
        if (!*batch) break;
        if (auto done = summarize(**batch, seal); !done) return std::unexpected(done.error());
    }
    return seal;
}

// The summaries of all segments before the last, from their seals where those are sound.
std::expected<std::vector<Seal>, LogError> read_seals(FileSystem& files,
                                                      const std::filesystem::path& log_dir,
                                                      const SegmentHeader& last,
                                                      std::uint64_t& rebuilt) {
    std::vector<Seal> seals;
    share::LogPoint begin{0, first_chain_value(last.log_id)};
    job::JobId last_job = 0;
    for (std::uint64_t number = 1; number < last.number; ++number) {
        auto bytes = read_file(files, log_dir / seal_name(number), kSealLimit);
        auto seal = bytes ? decode_seal(*bytes) : std::nullopt;
        if (!seal || seal->log_id != last.log_id || seal->number != number ||
            seal->begin != begin || (number + 1 == last.number && seal->end != last.base)) {
            auto end = last.base;
            if (number + 1 < last.number) {
                auto next = open_segment(files, log_dir, number + 1, OpenMode::read);
                if (!next) return std::unexpected(next.error());
                end = next->header.base;
            }
            auto made = rebuild_seal(files, log_dir, number, end.position);
            if (!made) return std::unexpected(made.error());
            if (made->begin != begin || made->end != end) {
                return std::unexpected(
                    LogError{LogErrorKind::damaged, segment_name(number), 40,
                             "the segment does not end where its successor begins"});
            }
            seal = std::move(*made);
            seal->last_job = std::max(seal->last_job, last_job);
            // Only an index: without it the next start reads the segment again.
            (void)replace_file(files, log_dir / seal_name(number), encode(*seal));
            ++rebuilt;
        }
        begin = seal->end;
        last_job = seal->last_job;
        seals.push_back(std::move(*seal));
    }
    return seals;
}

// The last batch may be readable only because the system still caches it: writing the same bytes
// again and syncing proves it durable. Then what was torn behind it is cleared away.
std::expected<std::uint64_t, LogError> settle(File& file, const SegmentHeader& header,
                                              const Seal& seal, std::uint64_t last_begin) {
    const auto name = segment_name(header.number);
    const auto end = offset_of(header, seal.end.position);
    const auto tail = look_at_tail(file, header, end);
    if (!tail) return std::unexpected(tail.error());
    base::Bytes bytes(static_cast<std::size_t>(tail->dirty_end - last_begin));
    const auto got = file.read_at(bytes, last_begin);
    if (!got) return std::unexpected(io_error(name, got.error()));
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(end - last_begin), bytes.end(),
              std::uint8_t{0});
    if (!bytes.empty()) {
        if (auto done = file.write_at(bytes, last_begin); !done) {
            return std::unexpected(io_error(name, done.error()));
        }
    }
    if (auto done = file.sync(); !done) return std::unexpected(io_error(name, done.error()));
    return tail->dirty_end - end;
}

RecoveredLog new_log(std::uint32_t slice_s) {
    RecoveredLog log;
    base::fill_random(log.segment.log_id);
    log.segment.end.chain = first_chain_value(log.segment.log_id);
    log.segment.begin = log.segment.end;
    log.slice_s = slice_s;
    return log;
}

// Restores the tables; ids must run from 1 without a gap.
std::expected<void, LogError> add_names(RecoveredLog& log, const Seal& seal) {
    for (const auto& account : seal.accounts) {
        if (account.id != log.accounts.size() + 1) {
            return std::unexpected(
                LogError{LogErrorKind::damaged, segment_name(seal.number), 0,
                         fmt::format("account {} is recorded out of order", account.id)});
        }
        log.accounts.push_back(account);
    }
    for (const auto& worker : seal.workers) {
        if (worker.id != log.workers.size() + 1 || worker.account > log.accounts.size()) {
            return std::unexpected(
                LogError{LogErrorKind::damaged, segment_name(seal.number), 0,
                         fmt::format("worker {} is recorded out of order", worker.id)});
        }
        log.workers.push_back(worker);
    }
    log.shares += seal.shares;
    return {};
}

}  // namespace

std::expected<RecoveredLog, LogError> recover_log(FileSystem& files,
                                                  const std::filesystem::path& log_dir,
                                                  std::uint32_t slice_s) {
    if (auto made = files.create_directories(log_dir); !made) {
        return std::unexpected(io_error(log_dir.string(), made.error()));
    }
    // Names that are only in the system's cache yet must not vanish under what is added from now
    // on.
    for (const auto& directory : {log_dir, log_dir.parent_path()}) {
        if (auto done = files.sync_dir(directory); !done) {
            return std::unexpected(io_error(directory.string(), done.error()));
        }
    }
    const auto numbers = list_segments(files, log_dir);
    if (!numbers) return std::unexpected(numbers.error());
    if (numbers->empty()) return new_log(slice_s);

    auto opened = open_segment(files, log_dir, numbers->back(), OpenMode::write);
    if (!opened) return std::unexpected(opened.error());
    const auto& header = opened->header;
    RecoveredLog log;
    log.slice_s = header.slice_s;
    auto seals = read_seals(files, log_dir, header, log.rebuilt_seals);
    if (!seals) return std::unexpected(seals.error());
    for (const auto& seal : *seals) {
        if (auto done = add_names(log, seal); !done) return std::unexpected(done.error());
    }

    log.segment = begin_of(header);
    if (!seals->empty()) log.segment.last_job = seals->back().last_job;
    auto reader = LogReader::open(files, log_dir, header.base);
    if (!reader) return std::unexpected(reader.error());
    auto last_begin = offset_of(header, header.base.position);
    for (;;) {
        const auto batch = reader->next(LogReader::kToTheEnd);
        if (!batch) return std::unexpected(batch.error());
        if (!*batch) break;
        last_begin = offset_of(header, (*batch)->before.position);
        if (auto done = summarize(**batch, log.segment); !done) {
            return std::unexpected(done.error());
        }
    }
    auto torn = settle(*opened->file, header, log.segment, last_begin);
    if (!torn) return std::unexpected(torn.error());
    log.torn_bytes = *torn;
    if (auto done = add_names(log, log.segment); !done) return std::unexpected(done.error());
    log.file = std::move(opened->file);
    return log;
}

}  // namespace adit::store
