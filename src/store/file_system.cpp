#include "store/file_system.h"

#include <cerrno>

namespace adit::store {

Io<base::Bytes> read_file(FileSystem& files, const FileSystem::Path& path, std::uint64_t limit) {
    auto file = files.open(path, OpenMode::read);
    if (!file) return std::unexpected(file.error());
    const auto size = (*file)->size();
    if (!size) return std::unexpected(size.error());
    if (*size > limit) return std::unexpected(IoError{EFBIG, "read " + path.string()});
    base::Bytes bytes(*size);
    const auto got = (*file)->read_at(bytes, 0);
    if (!got) return std::unexpected(got.error());
    bytes.resize(*got);
    return bytes;
}

Io<void> replace_file(FileSystem& files, const FileSystem::Path& path, base::ByteSpan contents) {
    auto temporary = path;
    temporary += ".tmp";
    if (files.exists(temporary)) {
        if (auto removed = files.remove(temporary); !removed) return removed;
    }
    {
        auto file = files.open(temporary, OpenMode::create_new);
        if (!file) return std::unexpected(file.error());
        if (auto done = (*file)->write_at(contents, 0); !done) return done;
        if (auto done = (*file)->sync(); !done) return done;
    }
    if (auto done = files.rename(temporary, path); !done) return done;
    return files.sync_dir(path.parent_path());
}

}  // namespace adit::store
