// The file layer under everything that must be durable, handed in so that tests can take the power
// away. Every call says what it makes durable and what not; nothing else is assumed. A FileSystem
// is safe from any thread, a File belongs to one thread at a time.
#pragma once

#include "base/bytes.h"

#include <expected>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace adit::store {

// What the system answered. `code` is an errno value.
struct IoError {
    int code = 0;
    std::string what;  // "write /data/log/00000001.seg"
    // "write /data/log/00000001.seg: No space left on device"
    std::string text() const;
};
template <class T>
using Io = std::expected<T, IoError>;

enum class OpenMode {
    read,
    write,       // an existing file, for reading and writing
    create_new,  // fails when the file exists
};

class File {
 public:
    virtual ~File() = default;
    // Reads up to out.size() bytes; fewer only at the end of the file.
    virtual Io<std::size_t> read_at(std::span<std::uint8_t> out, std::uint64_t offset) = 0;
    // Writes all bytes. After an error any part of them may have been written.
    virtual Io<void> write_at(base::ByteSpan bytes, std::uint64_t offset) = 0;
    // Makes the contents and the size durable (fdatasync). After an error nothing may be assumed of
    // what was written since the last success, and a later success says nothing about it either.
    virtual Io<void> sync() = 0;
    virtual Io<void> truncate(std::uint64_t size) = 0;
    // Reserves space and grows the file with zeroes to at least this size (posix_fallocate).
    virtual Io<void> allocate(std::uint64_t size) = 0;
    virtual Io<std::uint64_t> size() = 0;
};

class FileSystem {
 public:
    using Path = std::filesystem::path;
    virtual ~FileSystem() = default;
    virtual Io<std::unique_ptr<File>> open(const Path& path, OpenMode mode) = 0;
    // Atomic; replaces an existing target. Durable after sync_dir().
    virtual Io<void> rename(const Path& from, const Path& to) = 0;
    virtual Io<void> remove(const Path& path) = 0;
    // Makes creations, renames and removals in this directory durable.
    virtual Io<void> sync_dir(const Path& directory) = 0;
    virtual Io<void> create_directories(const Path& directory) = 0;
    // Names (not paths) of the files in a directory, sorted.
    virtual Io<std::vector<std::string>> list(const Path& directory) = 0;
    virtual bool exists(const Path& path) = 0;
};

// The system's own files.
class PosixFileSystem final : public FileSystem {
 public:
    Io<std::unique_ptr<File>> open(const Path& path, OpenMode mode) override;
    Io<void> rename(const Path& from, const Path& to) override;
    Io<void> remove(const Path& path) override;
    Io<void> sync_dir(const Path& directory) override;
    Io<void> create_directories(const Path& directory) override;
    Io<std::vector<std::string>> list(const Path& directory) override;
    bool exists(const Path& path) override;
};

// The whole file; `limit` bounds what is taken into memory (EFBIG above it).
Io<base::Bytes> read_file(FileSystem& files, const FileSystem::Path& path, std::uint64_t limit);

// Replaces a file so that after a crash either the old or the new contents are there: temporary
// file, sync, rename, directory sync. Durable on success.
Io<void> replace_file(FileSystem& files, const FileSystem::Path& path, base::ByteSpan contents);

}  // namespace adit::store
