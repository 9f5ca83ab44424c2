// Reads a share log front to back, batch by batch, across segments, checking every checksum and the
// hash chain. Works on a log that is being written (up to its durable position) and on one at rest.
// Owned by one thread; the file system must outlive it.
#pragma once

#include "share/record.h"
#include "store/log_format.h"

#include <expected>
#include <memory>
#include <string>

namespace adit::store {

class LogReader {
 public:
    // For next(): read whatever is there. A torn tail in the last segment then ends the log; only
    // for logs at rest.
    static constexpr share::LogPosition kToTheEnd = ~share::LogPosition{0};

    // From the beginning.
    static std::expected<LogReader, LogError> open(FileSystem& files,
                                                   std::filesystem::path log_dir);
    // From a point that was read before: position and chain value must be this log's.
    static std::expected<LogReader, LogError> open(FileSystem& files, std::filesystem::path log_dir,
                                                   const share::LogPoint& from);

    // The next batch that ends at or before `limit` (a durable position of the log, or kToTheEnd);
    // nullopt when there is none yet. After an error the reader stays where it is.
    std::expected<std::optional<share::LogBatch>, LogError> next(share::LogPosition limit);

    const share::LogPoint& point() const { return point_; }
    const share::LogId& log_id() const { return header_.log_id; }
    std::uint32_t slice_s() const { return header_.slice_s; }
    // The segment that the next batch is looked for in.
    const SegmentHeader& segment() const { return header_; }

 private:
    LogReader(FileSystem& files, std::filesystem::path log_dir);
    std::expected<void, LogError> enter(std::uint64_t number);
    // Learns where this segment ends when its successor exists by now.
    std::expected<void, LogError> look_for_successor();
    // Reads up to a known point, which must be between two batches of this log.
    std::expected<void, LogError> skip_to(const share::LogPoint& point);
    std::expected<std::optional<share::LogBatch>, LogError> read_batch(share::LogPosition limit);
    // What to say of bytes that are no batch: nullopt for the end of a log at rest.
    std::expected<std::optional<share::LogBatch>, LogError> no_batch(share::LogPosition limit,
                                                                     std::string what);
    std::expected<base::ByteSpan, LogError> window(std::uint64_t offset, std::size_t size,
                                                   share::LogPosition limit);
    LogError error_here(LogErrorKind kind, std::string what) const;

    FileSystem* files_;
    std::filesystem::path log_dir_;
    share::LogPoint point_;
    std::int64_t time_ms_ = 0;

    std::unique_ptr<File> file_;
    SegmentHeader header_;
    // Where the next segment begins, once it exists; what lies behind in this one is void.
    std::optional<share::LogPosition> segment_end_;
    // The largest limit for which it was known that no successor exists below it.
    share::LogPosition looked_for_ = 0;
    base::Bytes buffer_;
    std::uint64_t buffer_at_ = 0;
};

}  // namespace adit::store
