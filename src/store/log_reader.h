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
    const share::LogId& log_id() const { return log_id_; }
    std::uint32_t slice_s() const { return slice_s_; }

 private:
    LogReader(FileSystem& files, std::filesystem::path log_dir);
    std::expected<void, LogError> enter(std::uint64_t number);
    std::expected<bool, LogError> advance_segment();
    std::expected<void, LogError> find_end_of_segment();
    std::expected<base::ByteSpan, LogError> window(std::uint64_t offset, std::size_t size);
    LogError error_at(LogErrorKind kind, std::uint64_t offset, std::string what) const;

    FileSystem* files_;
    std::filesystem::path log_dir_;
    share::LogId log_id_{};
    std::uint32_t slice_s_ = 0;
    share::LogPoint point_;
    std::int64_t time_ms_ = 0;

    std::uint64_t segment_ = 0;
    share::LogPosition base_ = 0;
    // Where the next segment begins, once it exists; what lies behind in this one is void.
    std::optional<share::LogPosition> segment_end_;
    share::LogPosition checked_limit_ = 0;
    std::unique_ptr<File> file_;
    base::Bytes buffer_;
    std::uint64_t buffer_at_ = 0;
};

}  // namespace adit::store
