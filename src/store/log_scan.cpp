#include "store/log_scan.h"

#include <cstring>

namespace adit::store {
namespace {

constexpr std::size_t kChunk = 1 << 20;

bool all_zero(base::ByteSpan bytes) {
    return bytes.empty() ||
           (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// True when a whole intact batch stands at this offset.
std::expected<bool, IoError> intact_at(File& file, const SegmentHeader& header,
                                       std::uint64_t offset, std::uint32_t size) {
    if (size < kFrameHeaderSize || size > kMaxFrameSize) return false;
    base::Bytes frame(size);
    const auto got = file.read_at(frame, offset);
    if (!got) return std::unexpected(got.error());
    return *got == size && frame_intact(frame, header.log_id);
}

}  // namespace

std::expected<std::vector<std::uint64_t>, LogError> list_segments(
    FileSystem& files, const std::filesystem::path& log_dir) {
    const auto names = files.list(log_dir);
    if (!names) {
        return std::unexpected(
            LogError{LogErrorKind::io, log_dir.string(), 0, names.error().text()});
    }
    std::vector<std::uint64_t> numbers;
    bool seals = false;
    for (const auto& name : *names) {
        if (const auto number = segment_number(name)) numbers.push_back(*number);
        seals = seals || name.ends_with(".seal");
    }
    std::sort(numbers.begin(), numbers.end());
    const auto missing = [&](std::uint64_t number) {
        return std::unexpected(LogError{LogErrorKind::missing, segment_name(number), 0,
                                        fmt::format("the segment is missing in {}; restore it from "
                                                    "a backup or the archive",
                                                    log_dir.string())});
    };
    if (numbers.empty() && seals) return missing(1);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (numbers[i] != i + 1) return missing(i + 1);
    }
    return numbers;
}

std::expected<SegmentTail, LogError> look_at_tail(File& file, const SegmentHeader& header,
                                                  std::uint64_t offset) {
    const auto failed = [&](const IoError& error) {
        return std::unexpected(
            LogError{LogErrorKind::io, segment_name(header.number), offset, error.text()});
    };
    SegmentTail tail{offset, std::nullopt};
    const auto file_size = file.size();
    if (!file_size) return failed(file_size.error());
    base::Bytes chunk(
        std::min<std::uint64_t>(kChunk, *file_size - std::min(*file_size, offset) + 16));
    // Chunks overlap by a frame's first fields, so that none is missed at a border.
    for (std::uint64_t at = offset;; at += chunk.size() - 16) {
        const auto got = file.read_at(chunk, at);
        if (!got) return failed(got.error());
        const auto bytes = base::ByteSpan(chunk).first(*got);
        const bool zero = all_zero(bytes);
        if (!zero) {
            const auto last =
                std::find_if(bytes.rbegin(), bytes.rend(), [](auto b) { return b != 0; });
            tail.dirty_end =
                std::max(tail.dirty_end, at + static_cast<std::uint64_t>(bytes.rend() - last));
        }
        for (std::size_t i = 0; i + 16 <= bytes.size() && !zero; ++i) {
            if (at + i == offset) continue;
            if (base::load_le<std::uint64_t>(bytes.data() + i + 8) != position_of(header, at + i)) {
                continue;
            }
            const auto size = base::load_le<std::uint32_t>(bytes.data() + i + 4);
            const auto intact = intact_at(file, header, at + i, size);
            if (!intact) return failed(intact.error());
            if (*intact) {
                tail.intact_batch = at + i;
                return tail;
            }
        }
        if (*got < chunk.size()) return tail;
    }
}

}  // namespace adit::store
