#include "store/log_reader.h"

#include "store/log_scan.h"

namespace adit::store {
namespace {

constexpr std::size_t kReadAhead = 1 << 20;

}  // namespace

LogReader::LogReader(FileSystem& files, std::filesystem::path log_dir)
    : files_(&files), log_dir_(std::move(log_dir)) {}

std::expected<LogReader, LogError> LogReader::open(FileSystem& files,
                                                   std::filesystem::path log_dir) {
    const auto segments = list_segments(files, log_dir);
    if (!segments) return std::unexpected(segments.error());
    if (segments->empty()) {
        return std::unexpected(LogError{LogErrorKind::missing, segment_name(1), 0,
                                        fmt::format("{} holds no share log", log_dir.string())});
    }
    LogReader reader(files, std::move(log_dir));
    if (auto entered = reader.enter(1); !entered) return std::unexpected(entered.error());
    return reader;
}

std::expected<LogReader, LogError> LogReader::open(FileSystem& files, std::filesystem::path log_dir,
                                                   const share::LogPoint& from) {
    const auto segments = list_segments(files, log_dir);
    if (!segments) return std::unexpected(segments.error());
    LogReader reader(files, std::move(log_dir));
    for (auto number = segments->size(); number > 0; --number) {
        auto opened = open_segment(files, reader.log_dir_, number, OpenMode::read);
        if (!opened) return std::unexpected(opened.error());
        if (opened->header.base.position > from.position) continue;
        // Taking the segment's own word for its first value; skip_to() checks it against `from`.
        reader.point_ = opened->header.base;
        reader.header_ = opened->header;
        if (auto entered = reader.enter(number); !entered) return std::unexpected(entered.error());
        if (auto found = reader.skip_to(from); !found) return std::unexpected(found.error());
        return reader;
    }
    return std::unexpected(LogError{LogErrorKind::missing, segment_name(1), 0,
                                    "no segment holds the beginning of the log"});
}

std::expected<std::optional<share::LogBatch>, LogError> LogReader::next(share::LogPosition limit) {
    for (;;) {
        // Whatever the successor's beginning, it is not below a durable position that was known
        // before the successor was looked for.
        if (!segment_end_ && (limit > looked_for_ || limit == kToTheEnd)) {
            if (auto looked = look_for_successor(); !looked) return std::unexpected(looked.error());
            looked_for_ = limit;
        }
        if (point_.position >= limit) return std::nullopt;
        if (segment_end_ && point_.position >= *segment_end_) {
            const auto number = header_.number + 1;
            if (auto entered = enter(number); !entered) return std::unexpected(entered.error());
            continue;
        }
        return read_batch(limit);
    }
}

std::expected<std::optional<share::LogBatch>, LogError> LogReader::read_batch(
    share::LogPosition limit) {
    if (limit - point_.position < kFrameHeaderSize) return std::nullopt;
    const auto offset = offset_of(header_, point_.position);
    const auto head_bytes = window(offset, kFrameHeaderSize, limit);
    if (!head_bytes) return std::unexpected(head_bytes.error());
    if (head_bytes->size() < kFrameHeaderSize) return no_batch(limit, "the file ends too early");
    const auto head = decode_frame_header(*head_bytes);
    if (head.size < kFrameHeaderSize || head.size > kMaxFrameSize) {
        return no_batch(limit, "the batch has an impossible length");
    }
    if (head.position != point_.position) {
        return no_batch(limit, "the batch has another position than its place");
    }
    const auto end = point_.position + head.size;
    if (segment_end_ && end > *segment_end_) {
        return no_batch(limit, "the batch reaches behind the segment's end");
    }
    if (end > limit) return std::nullopt;
    const auto frame = window(offset, head.size, limit);
    if (!frame) return std::unexpected(frame.error());
    if (!frame_intact(*frame, header_.log_id)) {
        return no_batch(limit, "the batch's checksum is wrong");
    }
    if (head.previous != point_.chain) {
        return std::unexpected(error_here(LogErrorKind::damaged, "the hash chain is broken"));
    }
    if (head.time_ms < time_ms_) {
        return std::unexpected(error_here(LogErrorKind::damaged, "the batch's time goes back"));
    }
    share::LogBatch batch;
    batch.before = point_;
    batch.after = {end, chain_after(*frame)};
    batch.time_ms = head.time_ms;
    batch.records = head.records;
    batch.shares = head.shares;
    batch.payload = frame->subspan(kFrameHeaderSize);
    point_ = batch.after;
    time_ms_ = head.time_ms;
    return batch;
}

std::expected<std::optional<share::LogBatch>, LogError> LogReader::no_batch(
    share::LogPosition limit, std::string what) {
    if (limit != kToTheEnd || segment_end_) {
        return std::unexpected(error_here(LogErrorKind::damaged, std::move(what)));
    }
    const auto tail = look_at_tail(*file_, header_, offset_of(header_, point_.position));
    if (!tail) return std::unexpected(tail.error());
    if (tail->intact_batch) {
        what += fmt::format(", and an intact batch follows at byte {}", *tail->intact_batch);
        return std::unexpected(error_here(LogErrorKind::damaged, std::move(what)));
    }
    buffer_.clear();
    return std::nullopt;
}

std::expected<void, LogError> LogReader::enter(std::uint64_t number) {
    auto opened = open_segment(*files_, log_dir_, number, OpenMode::read);
    if (!opened) return std::unexpected(opened.error());
    const auto& header = opened->header;
    if (header_.slice_s != 0 && file_ && header.log_id != header_.log_id) {
        return std::unexpected(LogError{LogErrorKind::foreign, segment_name(number), 16,
                                        "the segment belongs to another log"});
    }
    if (!file_ && point_ == share::LogPoint{}) {
        point_ = {0, first_chain_value(header.log_id)};
    }
    if (header.base != point_) {
        return std::unexpected(
            LogError{LogErrorKind::damaged, segment_name(number), 40,
                     "the segment does not continue where the one before it ends"});
    }
    file_ = std::move(opened->file);
    header_ = header;
    time_ms_ = std::max(time_ms_, header.last_time_ms);
    segment_end_.reset();
    looked_for_ = 0;
    buffer_.clear();
    return {};
}

std::expected<void, LogError> LogReader::look_for_successor() {
    const auto number = header_.number + 1;
    if (!files_->exists(log_dir_ / segment_name(number))) return {};
    auto next = open_segment(*files_, log_dir_, number, OpenMode::read);
    if (!next) return std::unexpected(next.error());
    if (next->header.base.position < point_.position) {
        return std::unexpected(LogError{LogErrorKind::damaged, segment_name(number), 40,
                                        "the segment begins before the one before it ends"});
    }
    segment_end_ = next->header.base.position;
    return {};
}

std::expected<void, LogError> LogReader::skip_to(const share::LogPoint& point) {
    while (point_.position < point.position) {
        const auto batch = next(kToTheEnd);
        if (!batch) return std::unexpected(batch.error());
        if (!*batch) {
            return std::unexpected(error_here(
                LogErrorKind::beyond_end,
                fmt::format("the log ends at position {}, before position {}: it was cut or "
                            "restored from an older copy",
                            point_.position, point.position)));
        }
    }
    // The log may be in use: forget what was read ahead of its durable end.
    buffer_.clear();
    looked_for_ = 0;
    if (point_ == point) return {};
    return std::unexpected(error_here(
        LogErrorKind::foreign,
        fmt::format("position {} is not where a batch of this history ends", point.position)));
}

std::expected<base::ByteSpan, LogError> LogReader::window(std::uint64_t offset, std::size_t size,
                                                          share::LogPosition limit) {
    if (offset < buffer_at_ || offset + size > buffer_at_ + buffer_.size()) {
        const auto file_size = file_->size();
        if (!file_size) {
            return std::unexpected(error_here(LogErrorKind::io, file_size.error().text()));
        }
        const auto left = *file_size - std::min(*file_size, offset);
        auto wanted = std::max<std::uint64_t>(size, std::min<std::uint64_t>(kReadAhead, left));
        // Never ahead of the limit: what lies there may still be written.
        if (limit != kToTheEnd) {
            wanted = std::min<std::uint64_t>(wanted, limit - point_.position);
        }
        buffer_.resize(static_cast<std::size_t>(wanted));
        buffer_at_ = offset;
        const auto got = file_->read_at(buffer_, offset);
        if (!got) {
            buffer_.clear();
            return std::unexpected(error_here(LogErrorKind::io, got.error().text()));
        }
        buffer_.resize(*got);
    }
    const auto from = static_cast<std::size_t>(offset - buffer_at_);
    return base::ByteSpan(buffer_).subspan(from, std::min(size, buffer_.size() - from));
}

LogError LogReader::error_here(LogErrorKind kind, std::string what) const {
    return {kind, segment_name(header_.number), offset_of(header_, point_.position),
            std::move(what)};
}

}  // namespace adit::store
