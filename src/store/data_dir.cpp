#include "store/data_dir.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace adit::store {
namespace {

std::unexpected<std::string> failed(std::string_view what, const std::filesystem::path& path) {
    return std::unexpected(
        fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

// Who holds the lock, as it wrote itself down.
std::string holder(int descriptor) {
    std::array<char, 32> text{};
    const auto n = ::pread(descriptor, text.data(), text.size(), 0);
    std::string pid(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    while (!pid.empty() && pid.back() == '\n')
        pid.pop_back();
    return pid.empty() ? "another process" : "the process with pid " + pid;
}

}  // namespace

std::expected<DataDir, std::string> DataDir::open(const std::filesystem::path& root) {
    std::error_code code;
    for (const auto& folder : {root, root / "log", root / "blocks"}) {
        std::filesystem::create_directories(folder, code);
        if (code) {
            return std::unexpected(
                fmt::format("cannot create the directory {}: {}", folder.string(), code.message()));
        }
    }
    const auto path = root / "lock";
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor < 0) return failed("open", path);
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        const bool held = errno == EWOULDBLOCK;
        auto error = held ? std::unexpected(fmt::format(
                                "the data directory {} is in use by {}; stop that pool first or "
                                "give this one another data_dir",
                                root.string(), holder(descriptor)))
                          : failed("lock", path);
        ::close(descriptor);
        return error;
    }
    const auto pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(descriptor, 0) != 0 ||
        ::pwrite(descriptor, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
        // Only the message to a second process gets poorer: the lock itself is held.
        (void)::ftruncate(descriptor, 0);
    }
    return DataDir(root, descriptor);
}

DataDir::~DataDir() {
    if (lock_ >= 0) ::close(lock_);
}

DataDir::DataDir(DataDir&& other) noexcept
    : root_(std::move(other.root_)), lock_(std::exchange(other.lock_, -1)) {}

}  // namespace adit::store
