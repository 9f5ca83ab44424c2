#include "store/log_end.h"

#include "store/log_scan.h"

namespace adit::store {
namespace {

class EndFinder {
 public:
    EndFinder(FileSystem& files, const std::filesystem::path& log_dir, OpenSegment segment)
        : files_(files),
          log_dir_(log_dir),
          segment_(std::move(segment)),
          point_(segment_.header.base) {}

    std::expected<LogEnd, LogError> find() {
        for (;;) {
            auto passed = pass_batch();
            if (!passed) return std::unexpected(passed.error());
            if (*passed) continue;
            const auto follows = batch_follows();
            if (!follows) return std::unexpected(follows.error());
            if (!*follows) return LogEnd{std::min(point_.position, successor_base_), std::nullopt};
            // A batch is written only when the one before it is durable: what was half visible
            // before must be whole by now.
            passed = pass_batch();
            if (!passed) return std::unexpected(passed.error());
            if (*passed) continue;
            return LogEnd{point_.position,
                          LogError{LogErrorKind::damaged, segment_name(segment_.header.number),
                                   offset_of(segment_.header, point_.position),
                                   "a bad batch stands in front of intact ones"}};
        }
    }

 private:
    // Goes on behind the batch at the point, if an intact one is there now.
    std::expected<bool, LogError> pass_batch() {
        const auto offset = offset_of(segment_.header, point_.position);
        base::Bytes frame(kFrameHeaderSize);
        auto read = read_at(frame, offset);
        if (!read || !*read) return read;
        const auto head = decode_frame_header(frame);
        if (head.position != point_.position || head.previous != point_.chain ||
            head.size < kFrameHeaderSize || head.size > kMaxFrameSize) {
            return false;
        }
        frame.resize(head.size);
        read = read_at(frame, offset);
        if (!read || !*read) return read;
        if (!frame_intact(frame, segment_.header.log_id)) return false;
        // The two reads may have seen different bytes; what counts is what was checked.
        if (decode_frame_header(frame).previous != point_.chain) return false;
        point_ = {point_.position + head.size, chain_after(frame)};
        return true;
    }

    // False when the file ends before.
    std::expected<bool, LogError> read_at(base::Bytes& bytes, std::uint64_t offset) {
        const auto got = segment_.file->read_at(bytes, offset);
        if (got) return *got == bytes.size();
        return std::unexpected(LogError{LogErrorKind::io, segment_name(segment_.header.number),
                                        offset, got.error().text()});
    }

    // True when something behind the point proves that a whole batch stands at it.
    std::expected<bool, LogError> batch_follows() {
        const auto next = segment_.header.number + 1;
        if (files_.exists(log_dir_ / segment_name(next))) {
            auto successor = open_segment(files_, log_dir_, next, OpenMode::read);
            if (!successor) return std::unexpected(successor.error());
            // What this segment holds from there on is void.
            successor_base_ = successor->header.base.position;
            return successor_base_ > point_.position;
        }
        const auto tail = look_at_tail(*segment_.file, segment_.header,
                                       offset_of(segment_.header, point_.position));
        if (!tail) return std::unexpected(tail.error());
        return tail->intact_batch.has_value();
    }

    FileSystem& files_;
    const std::filesystem::path& log_dir_;
    OpenSegment segment_;
    share::LogPoint point_;
    share::LogPosition successor_base_ = ~share::LogPosition{0};
};

}  // namespace

std::expected<LogEnd, LogError> find_log_end(FileSystem& files,
                                             const std::filesystem::path& log_dir) {
    const auto segments = list_segments(files, log_dir);
    if (!segments) return std::unexpected(segments.error());
    if (segments->empty()) {
        return std::unexpected(LogError{LogErrorKind::missing, segment_name(1), 0,
                                        fmt::format("{} holds no share log", log_dir.string())});
    }
    auto last = open_segment(files, log_dir, segments->back(), OpenMode::read);
    if (!last) return std::unexpected(last.error());
    return EndFinder(files, log_dir, std::move(*last)).find();
}

}  // namespace adit::store
