#include "manager/scan_position.h"

#include <charconv>

namespace adit::manager {
namespace {

constexpr std::uint64_t kFileLimit = 16;

std::optional<std::int32_t> parse(std::string_view text) {
    std::int32_t height = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), height);
    if (error != std::errc{} || height < 0 ||
        std::string_view(end, text.data() + text.size()) != "\n")
        return std::nullopt;
    return height;
}

}  // namespace

ScanPosition::ScanPosition(store::FileSystem& files, std::filesystem::path file,
                           base::Logger& logger)
    : files_(files), file_(std::move(file)), logger_(logger) {
    if (!files_.exists(file_)) return;
    const auto bytes = store::read_file(files_, file_, kFileLimit);
    const auto height = bytes ? parse(base::as_text(*bytes)) : std::nullopt;
    if (height) {
        height_ = *height;
        return;
    }
    logger_.warning(
        "node", "how far the chain was searched for own blocks cannot be read",
        {{"file", file_.string()}, {"why", bytes ? "it is not a height" : bytes.error().text()}});
}

void ScanPosition::save(std::int32_t height) {
    if (height < 0 || height == height_) return;
    const auto text = fmt::format("{}\n", height);
    const auto saved = store::replace_file(files_, file_, base::as_bytes(text));
    if (saved) {
        height_ = height;
    } else if (!failed_) {
        logger_.warning("node", "how far the chain was searched for own blocks cannot be kept",
                        {{"why", saved.error().text()}});
    }
    failed_ = !saved;
}

}  // namespace adit::manager
