#include "store/extranonce_store.h"

#include "base/crc32c.h"

#include <cerrno>

namespace adit::store {
namespace {

// Magic, the high-water mark, and a checksum over both.
constexpr std::array<std::uint8_t, 8> kMagic{'A', 'D', 'I', 'T', 'X', 'N', '1', '\n'};
constexpr std::size_t kFileSize = kMagic.size() + 8 + 4;

base::Bytes encode(std::uint64_t high_water) {
    base::Bytes bytes(kMagic.begin(), kMagic.end());
    base::append_le(bytes, high_water);
    base::append_le(bytes, base::crc32c(bytes));
    return bytes;
}

std::optional<std::uint64_t> decode(base::ByteSpan bytes) {
    if (bytes.size() != kFileSize || !std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) {
        return std::nullopt;
    }
    const auto body = bytes.first(kFileSize - 4);
    if (base::crc32c(body) != base::load_le<std::uint32_t>(bytes.data() + body.size())) {
        return std::nullopt;
    }
    return base::load_le<std::uint64_t>(bytes.data() + kMagic.size());
}

}  // namespace

std::expected<std::unique_ptr<ExtranonceStore>, std::string> ExtranonceStore::open(
    FileSystem& files, std::filesystem::path file) {
    std::uint64_t high_water = 0;
    const auto bytes = read_file(files, file, 4'096);
    if (bytes) {
        const auto decoded = decode(*bytes);
        if (!decoded) {
            return std::unexpected(fmt::format(
                "{} is damaged, so extranonces could repeat; when no miner has been connected for "
                "ten minutes it can be deleted",
                file.string()));
        }
        high_water = *decoded;
    } else if (bytes.error().code != ENOENT) {
        return std::unexpected(bytes.error().text());
    }
    return std::unique_ptr<ExtranonceStore>(
        new ExtranonceStore(files, std::move(file), high_water));
}

Io<ExtranonceRange> ExtranonceStore::reserve(std::uint64_t count) {
    const std::lock_guard lock(mutex_);
    const ExtranonceRange range{high_water_, high_water_ + count};
    if (auto done = replace_file(files_, file_, encode(range.end)); !done) {
        return std::unexpected(done.error());
    }
    high_water_ = range.end;
    return range;
}

std::uint64_t ExtranonceStore::high_water() const {
    const std::lock_guard lock(mutex_);
    return high_water_;
}

}  // namespace adit::store
