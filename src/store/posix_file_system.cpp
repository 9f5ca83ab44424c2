#include "store/file_system.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace adit::store {
namespace {

using Path = std::filesystem::path;

std::unexpected<IoError> failed(std::string_view operation, const Path& path, int code = errno) {
    return std::unexpected(IoError{code, fmt::format("{} {}", operation, path.string())});
}

class PosixFile final : public File {
 public:
    PosixFile(int descriptor, Path path) : descriptor_(descriptor), path_(std::move(path)) {}
    ~PosixFile() override { ::close(descriptor_); }
    PosixFile(const PosixFile&) = delete;
    PosixFile& operator=(const PosixFile&) = delete;

    Io<std::size_t> read_at(std::span<std::uint8_t> out, std::uint64_t offset) override {
        std::size_t done = 0;
        while (done < out.size()) {
            const auto n = ::pread(descriptor_, out.data() + done, out.size() - done,
                                   static_cast<off_t>(offset + done));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failed("read", path_);
            if (n == 0) break;
            done += static_cast<std::size_t>(n);
        }
        return done;
    }

    Io<void> write_at(base::ByteSpan bytes, std::uint64_t offset) override {
        while (!bytes.empty()) {
            const auto n =
                ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return failed("write", path_);
            if (n == 0) return failed("write", path_, EIO);
            bytes = bytes.subspan(static_cast<std::size_t>(n));
            offset += static_cast<std::uint64_t>(n);
        }
        return {};
    }

    Io<void> sync() override {
        if (::fdatasync(descriptor_) != 0) return failed("fdatasync", path_);
        return {};
    }

    Io<void> truncate(std::uint64_t size) override {
        if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
            return failed("truncate", path_);
        }
        return {};
    }

    Io<void> allocate(std::uint64_t size) override {
        const int code = ::posix_fallocate(descriptor_, 0, static_cast<off_t>(size));
        if (code != 0) return failed("reserve space for", path_, code);
        return {};
    }

    Io<std::uint64_t> size() override {
        struct stat status{};
        if (::fstat(descriptor_, &status) != 0) return failed("stat", path_);
        return static_cast<std::uint64_t>(status.st_size);
    }

 private:
    int descriptor_;
    Path path_;
};

}  // namespace

std::string IoError::text() const {
    return fmt::format("{}: {}", what, std::strerror(code));
}

Io<std::unique_ptr<File>> PosixFileSystem::open(const Path& path, OpenMode mode) {
    int flags = O_CLOEXEC;
    switch (mode) {
        case OpenMode::read:
            flags |= O_RDONLY;
            break;
        case OpenMode::write:
            flags |= O_RDWR;
            break;
        case OpenMode::create_new:
            flags |= O_RDWR | O_CREAT | O_EXCL;
            break;
    }
    const int descriptor = ::open(path.c_str(), flags, 0640);
    if (descriptor < 0) return failed("open", path);
    return std::make_unique<PosixFile>(descriptor, path);
}

Io<void> PosixFileSystem::rename(const Path& from, const Path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename", from);
    return {};
}

Io<void> PosixFileSystem::remove(const Path& path) {
    if (::unlink(path.c_str()) != 0) return failed("remove", path);
    return {};
}

Io<void> PosixFileSystem::sync_dir(const Path& directory) {
    const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return failed("open", directory);
    const int result = ::fsync(descriptor);
    const int code = errno;
    ::close(descriptor);
    if (result != 0) return failed("fsync", directory, code);
    return {};
}

Io<void> PosixFileSystem::create_directories(const Path& directory) {
    std::error_code code;
    std::filesystem::create_directories(directory, code);
    if (code) return failed("create directory", directory, code.value());
    return {};
}

Io<std::vector<std::string>> PosixFileSystem::list(const Path& directory) {
    std::vector<std::string> names;
    std::error_code code;
    std::filesystem::directory_iterator at(directory, code);
    for (; !code && at != std::filesystem::directory_iterator(); at.increment(code)) {
        names.push_back(at->path().filename().string());
    }
    if (code) return failed("list", directory, code.value());
    std::sort(names.begin(), names.end());
    return names;
}

bool PosixFileSystem::exists(const Path& path) {
    std::error_code code;
    return std::filesystem::exists(path, code);
}

}  // namespace adit::store
