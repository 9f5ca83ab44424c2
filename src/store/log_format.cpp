#include "store/log_format.h"

#include "base/crc32c.h"

#include <charconv>
#include <cstring>

namespace adit::store {
namespace {

constexpr std::array<std::uint8_t, 8> kSegmentMagic{'A', 'D', 'I', 'T', 'L', 'O', 'G', '\n'};
constexpr std::array<std::uint8_t, 8> kSealMagic{'A', 'D', 'I', 'T', 'S', 'E', 'A', 'L'};
constexpr std::size_t kHeaderFields = 108;  // the bytes that the header's checksum covers

void append_point(base::Bytes& out, const share::LogPoint& point) {
    base::append_le(out, point.position);
    base::append(out, point.chain.bytes);
}

template <std::size_t N>
std::array<std::uint8_t, N> read_array(base::ByteReader& reader) {
    std::array<std::uint8_t, N> array{};
    const auto bytes = reader.take(N);
    if (!bytes.empty()) std::memcpy(array.data(), bytes.data(), N);
    return array;
}

share::LogPoint read_point(base::ByteReader& reader) {
    share::LogPoint point;
    point.position = reader.le<std::uint64_t>();
    point.chain.bytes = read_array<32>(reader);
    return point;
}

std::string numbered(std::uint64_t number, std::string_view extension) {
    return fmt::format("{:08}.{}", number, extension);
}

LogError io_error(const std::string& name, const IoError& error) {
    return {LogErrorKind::io, name, 0, error.text()};
}

}  // namespace

std::string LogError::text() const {
    return fmt::format("{} at byte {}: {}", file, offset, what);
}

std::string segment_name(std::uint64_t number) {
    return numbered(number, "seg");
}

std::string seal_name(std::uint64_t number) {
    return numbered(number, "seal");
}

std::optional<std::uint64_t> segment_number(std::string_view file_name) {
    if (!file_name.ends_with(".seg")) return std::nullopt;
    const auto digits = file_name.substr(0, file_name.size() - 4);
    std::uint64_t number = 0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (code != std::errc{} || number == 0 || segment_name(number) != file_name)
        return std::nullopt;
    return number;
}

base::Bytes encode(const SegmentHeader& header) {
    base::Bytes out;
    out.reserve(kSegmentHeaderSize);
    base::append(out, kSegmentMagic);
    base::append_le(out, kLogVersion);
    base::append_le(out, static_cast<std::uint32_t>(kSegmentHeaderSize));
    base::append(out, header.log_id);
    base::append_le(out, header.number);
    append_point(out, header.base);
    base::append_le(out, header.last_time_ms);
    base::append_le(out, header.created_wall_ms);
    base::append_le(out, header.slice_s);
    base::append_le(out, std::uint32_t{0});
    base::append_le(out, std::uint32_t{0});
    base::append_le(out, base::crc32c(out));
    out.resize(kSegmentHeaderSize);
    return out;
}

std::expected<SegmentHeader, LogError> read_segment_header(File& file, const std::string& name) {
    base::Bytes bytes(kSegmentHeaderSize);
    const auto got = file.read_at(bytes, 0);
    if (!got) return std::unexpected(io_error(name, got.error()));
    const auto refuse = [&](LogErrorKind kind, std::uint64_t at, std::string what) {
        return std::unexpected(LogError{kind, name, at, std::move(what)});
    };
    if (*got < kSegmentHeaderSize ||
        !std::equal(kSegmentMagic.begin(), kSegmentMagic.end(), bytes.begin())) {
        return refuse(LogErrorKind::not_a_log, 0, "this is no segment of a share log");
    }
    base::ByteReader reader(bytes);
    reader.take(kSegmentMagic.size());
    const auto version = reader.le<std::uint32_t>();
    if (version != kLogVersion) {
        return refuse(LogErrorKind::not_a_log, 8,
                      fmt::format("the log's format is version {}, this program reads version {}",
                                  version, kLogVersion));
    }
    const auto fields = base::ByteSpan(bytes).first(kHeaderFields);
    if (base::crc32c(fields) != base::load_le<std::uint32_t>(bytes.data() + kHeaderFields)) {
        return refuse(LogErrorKind::damaged, 0, "the segment header's checksum is wrong");
    }
    SegmentHeader header;
    const auto header_size = reader.le<std::uint32_t>();
    header.log_id = read_array<16>(reader);
    header.number = reader.le<std::uint64_t>();
    header.base = read_point(reader);
    header.last_time_ms = reader.le<std::int64_t>();
    header.created_wall_ms = reader.le<std::int64_t>();
    header.slice_s = reader.le<std::uint32_t>();
    if (header_size != kSegmentHeaderSize || header.slice_s == 0) {
        return refuse(LogErrorKind::not_a_log, 12, "the segment header has impossible values");
    }
    return header;
}

std::expected<OpenSegment, LogError> open_segment(FileSystem& files,
                                                  const std::filesystem::path& log_dir,
                                                  std::uint64_t number, OpenMode mode) {
    const auto name = segment_name(number);
    auto file = files.open(log_dir / name, mode);
    if (!file) return std::unexpected(io_error(name, file.error()));
    auto header = read_segment_header(**file, name);
    if (!header) return std::unexpected(header.error());
    if (header->number != number) {
        return std::unexpected(
            LogError{LogErrorKind::foreign, name, 32,
                     fmt::format("this is segment {} under the name of segment {}", header->number,
                                 number)});
    }
    return OpenSegment{std::move(*file), *header};
}

FrameHeader decode_frame_header(base::ByteSpan bytes) {
    base::ByteReader reader(bytes);
    FrameHeader header;
    header.crc = reader.le<std::uint32_t>();
    header.size = reader.le<std::uint32_t>();
    header.position = reader.le<std::uint64_t>();
    header.time_ms = reader.le<std::int64_t>();
    header.records = reader.le<std::uint32_t>();
    header.shares = reader.le<std::uint32_t>();
    header.previous.bytes = read_array<32>(reader);
    return header;
}

namespace {

std::uint32_t frame_checksum(base::ByteSpan frame, const share::LogId& log_id) {
    return base::crc32c(frame.subspan(4), base::crc32c(log_id));
}

}  // namespace

void seal_frame(base::Bytes& frame, const share::LogId& log_id, FrameHeader header) {
    auto* at = frame.data();
    base::store_le(at + 4, static_cast<std::uint32_t>(frame.size()));
    base::store_le(at + 8, header.position);
    base::store_le(at + 16, header.time_ms);
    base::store_le(at + 24, header.records);
    base::store_le(at + 28, header.shares);
    std::memcpy(at + 32, header.previous.bytes.data(), header.previous.bytes.size());
    base::store_le(at, frame_checksum(frame, log_id));
}

bool frame_intact(base::ByteSpan frame, const share::LogId& log_id) {
    return frame.size() >= kFrameHeaderSize &&
           base::load_le<std::uint32_t>(frame.data() + 4) == frame.size() &&
           base::load_le<std::uint32_t>(frame.data()) == frame_checksum(frame, log_id);
}

chain::Hash256 chain_after(base::ByteSpan frame) {
    return chain::sha256(frame.subspan(4));
}

chain::Hash256 first_chain_value(const share::LogId& log_id) {
    return chain::sha256(log_id);
}

base::Bytes encode(const Seal& seal) {
    base::Bytes out;
    base::append(out, kSealMagic);
    base::append_le(out, kLogVersion);
    base::append(out, seal.log_id);
    base::append_le(out, seal.number);
    append_point(out, seal.begin);
    append_point(out, seal.end);
    base::append_le(out, seal.last_time_ms);
    base::append_le(out, seal.shares);
    base::append_le(out, seal.last_job);
    base::append_le(out, static_cast<std::uint32_t>(seal.accounts.size()));
    base::append_le(out, static_cast<std::uint32_t>(seal.workers.size()));
    for (const auto& account : seal.accounts)
        append_record(out, account);
    for (const auto& worker : seal.workers)
        append_record(out, worker);
    base::append_le(out, base::crc32c(out));
    return out;
}

std::optional<Seal> decode_seal(base::ByteSpan bytes) {
    if (bytes.size() < kSealMagic.size() + 4) return std::nullopt;
    const auto body = bytes.first(bytes.size() - 4);
    if (base::crc32c(body) != base::load_le<std::uint32_t>(bytes.data() + body.size())) {
        return std::nullopt;
    }
    base::ByteReader reader(body);
    if (read_array<8>(reader) != kSealMagic) return std::nullopt;
    if (reader.le<std::uint32_t>() != kLogVersion) return std::nullopt;
    Seal seal;
    seal.log_id = read_array<16>(reader);
    seal.number = reader.le<std::uint64_t>();
    seal.begin = read_point(reader);
    seal.end = read_point(reader);
    seal.last_time_ms = reader.le<std::int64_t>();
    seal.shares = reader.le<std::uint64_t>();
    seal.last_job = reader.le<std::uint64_t>();
    const std::uint64_t accounts = reader.le<std::uint32_t>();
    const std::uint64_t workers = reader.le<std::uint32_t>();
    for (std::uint64_t i = 0; i < accounts + workers; ++i) {
        auto record = share::read_record(reader);
        if (!record) return std::nullopt;
        if (i < accounts) {
            auto* account = std::get_if<share::AccountRecord>(&*record);
            if (account == nullptr) return std::nullopt;
            seal.accounts.push_back(std::move(*account));
        } else {
            auto* worker = std::get_if<share::WorkerRecord>(&*record);
            if (worker == nullptr) return std::nullopt;
            seal.workers.push_back(std::move(*worker));
        }
    }
    if (!reader.finished()) return std::nullopt;
    return seal;
}

}  // namespace adit::store
