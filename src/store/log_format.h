// The share log's files: segment headers, batch frames and seals (docs/share-log.md). Encoding and
// decoding only; who writes and reads them is file_share_log and log_reader. Pure but for the
// functions that take a File; safe from any thread.
#pragma once

#include "share/record.h"
#include "store/file_system.h"

#include <expected>
#include <optional>
#include <string>

namespace adit::store {

inline constexpr std::uint32_t kLogVersion = 2;
inline constexpr std::size_t kSegmentHeaderSize = 4096;
inline constexpr std::size_t kFrameHeaderSize = 64;
inline constexpr std::size_t kMaxFrameSize = 16 << 20;

enum class LogErrorKind {
    io,          // the system refused
    not_a_log,   // no segment header, or of an unknown version
    missing,     // a segment is not there
    damaged,     // a checksum, a length or the hash chain is wrong where it must not be
    foreign,     // of another log, or not the point of this log that was asked for
    beyond_end,  // the point asked for lies behind the log's end
};
struct LogError {
    LogErrorKind kind = LogErrorKind::io;
    std::string file;
    std::uint64_t offset = 0;
    std::string what;
    // "00000002.seg at byte 8192: the batch's checksum is wrong"
    std::string text() const;
};

std::string segment_name(std::uint64_t number);  // "00000001.seg"
std::string seal_name(std::uint64_t number);     // "00000001.seal"
std::optional<std::uint64_t> segment_number(std::string_view file_name);
inline constexpr std::string_view kReserveName = "reserve";

struct SegmentHeader {
    share::LogId log_id{};
    std::uint64_t number = 1;
    share::LogPoint base;           // what the segments before it hold, and no more
    std::int64_t last_time_ms = 0;  // of the batch before
    std::int64_t created_wall_ms = 0;
    std::uint32_t slice_s = 600;
};
base::Bytes encode(const SegmentHeader& header);  // kSegmentHeaderSize bytes
std::expected<SegmentHeader, LogError> read_segment_header(File& file, const std::string& name);
// Opens log_dir/segment_name(number) and reads its header, which must bear this number.
struct OpenSegment {
    std::unique_ptr<File> file;
    SegmentHeader header;
};
std::expected<OpenSegment, LogError> open_segment(FileSystem& files,
                                                  const std::filesystem::path& log_dir,
                                                  std::uint64_t number, OpenMode mode);

// A batch: header, then records. The chain value behind it is SHA-256 of the frame without its
// first four bytes; each frame holds the value before it.
struct FrameHeader {
    std::uint32_t crc = 0;
    std::uint32_t size = 0;  // of the whole frame
    share::LogPosition position = 0;
    std::int64_t time_ms = 0;
    std::uint32_t records = 0;
    std::uint32_t shares = 0;
    chain::Hash256 previous;
};
FrameHeader decode_frame_header(base::ByteSpan bytes);  // at least kFrameHeaderSize bytes
// Fills in the first kFrameHeaderSize bytes of a frame whose payload is in place already.
void seal_frame(base::Bytes& frame, const share::LogId& log_id, FrameHeader header);
// True when the length and the checksum hold. `frame` is exactly the frame.
bool frame_intact(base::ByteSpan frame, const share::LogId& log_id);
chain::Hash256 chain_after(base::ByteSpan frame);

// The value that a log's chain begins with.
chain::Hash256 first_chain_value(const share::LogId& log_id);

// What a segment held, written beside it when it is full, so that a start need not read it again.
// Only an index: when it is missing or damaged it is made again from the segment.
struct Seal {
    share::LogId log_id{};
    std::uint64_t number = 0;
    share::LogPoint begin;
    share::LogPoint end;
    std::int64_t last_time_ms = 0;
    std::uint64_t shares = 0;
    job::JobId last_job = 0;                     // highest so far, in this segment or before
    std::vector<share::AccountRecord> accounts;  // first named in this segment
    std::vector<share::WorkerRecord> workers;
};
base::Bytes encode(const Seal& seal);
std::optional<Seal> decode_seal(base::ByteSpan bytes);

}  // namespace adit::store
