#include "metrics/state_form.h"

#include "base/crc32c.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace adit::metrics {
namespace {

constexpr std::array<std::uint8_t, 8> kMagic{'A', 'D', 'I', 'T', 'M', 'E', 'T', '\n'};
constexpr std::size_t kHeadSize = 24;
constexpr std::uint32_t kMaxSections = 16;

}  // namespace

base::Bytes encode_state(const Sections& sections, std::int64_t wall_ms) {
    base::Bytes out(kMagic.begin(), kMagic.end());
    base::append_le(out, kStateVersion);
    base::append_le(out, static_cast<std::uint32_t>(sections.size()));
    base::append_le(out, wall_ms);
    for (const auto& [id, bytes] : sections) {
        base::append_le(out, static_cast<std::uint32_t>(id));
        base::append_le(out, static_cast<std::uint64_t>(bytes.size()));
        base::append(out, bytes);
    }
    base::append_le(out, base::crc32c(out));
    return out;
}

std::expected<State, std::string> decode_state(base::ByteSpan bytes) {
    if (bytes.size() < kMagic.size() || !std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) {
        return std::unexpected("it is not a history of metrics");
    }
    if (bytes.size() < kHeadSize + sizeof(std::uint32_t)) {
        return std::unexpected("it is cut short");
    }
    base::ByteReader head(bytes.subspan(kMagic.size()));
    const auto version = head.le<std::uint32_t>();
    // Before the checksum: a newer version may keep it elsewhere.
    if (version > kStateVersion) {
        return std::unexpected(
            fmt::format("a newer version of adit wrote it (format {}, this one reads {})", version,
                        kStateVersion));
    }
    const auto body = bytes.first(bytes.size() - sizeof(std::uint32_t));
    if (base::crc32c(body) != base::load_le<std::uint32_t>(bytes.data() + body.size())) {
        return std::unexpected("it is damaged or cut short (its checksum is wrong)");
    }
    State state;
    const auto count = head.le<std::uint32_t>();
    state.wall_ms = head.le<std::int64_t>();
    base::ByteReader reader(body.subspan(kHeadSize));
    for (std::uint32_t i = 0; i < std::min(count, kMaxSections + 1); ++i) {
        const auto id = reader.le<std::uint32_t>();
        const auto section = reader.take(reader.le<std::uint64_t>());
        if (id < 1 || id > static_cast<std::uint32_t>(Section::forecasts)) continue;
        state.sections[static_cast<Section>(id)].assign(section.begin(), section.end());
    }
    if (version == 0 || count > kMaxSections || !reader.finished()) {
        return std::unexpected("its sections are damaged");
    }
    return state;
}

}  // namespace adit::metrics
