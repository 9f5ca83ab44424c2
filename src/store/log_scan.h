// What a segment's end looks like when it is read without knowing how far it was committed, and
// which segments a directory holds. Used by recovery and by readers of logs at rest.
#pragma once

#include "store/log_format.h"

#include <expected>
#include <vector>

namespace adit::store {

// The numbers of the segments in a directory, ascending. They must run from 1 without a gap; none
// at all is a new log.
std::expected<std::vector<std::uint64_t>, LogError> list_segments(
    FileSystem& files, const std::filesystem::path& log_dir);

struct SegmentTail {
    // Behind the last byte that is not zero; the offset asked about when there is none.
    std::uint64_t dirty_end = 0;
    // An intact batch behind the first bad one: then this is damage, not a torn write, because a
    // batch is only written once the one before is durable.
    std::optional<std::uint64_t> intact_batch;
};

// Looks at everything in a segment from `offset` on, where no valid batch begins.
std::expected<SegmentTail, LogError> look_at_tail(File& file, const SegmentHeader& header,
                                                  std::uint64_t offset);

// Offset in its segment's file of a position, and back.
inline std::uint64_t offset_of(const SegmentHeader& header, share::LogPosition position) {
    return kSegmentHeaderSize + (position - header.base.position);
}
inline share::LogPosition position_of(const SegmentHeader& header, std::uint64_t offset) {
    return header.base.position + (offset - kSegmentHeaderSize);
}

}  // namespace adit::store
