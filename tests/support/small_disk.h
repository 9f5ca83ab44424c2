// A file system of a few megabytes that a test fills up and empties again. Needs the right to mount
// (root); mounted() says whether that worked. One owner.
#pragma once

#include "tests/support/temp_dir.h"

#include <csignal>
#include <cstdint>
#include <sys/resource.h>

namespace adit::tests {

class SmallDisk {
 public:
    explicit SmallDisk(std::uint64_t bytes);
    ~SmallDisk();
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    bool mounted() const { return mounted_; }
    const std::filesystem::path& path() const { return dir_.path(); }
    // Takes all the space that is left, but for what files own already.
    void fill() const;
    // Gives it back.
    void empty() const;

 private:
    TempDir dir_;
    bool mounted_ = false;
};

// Files of this process can grow no more, or again. Writes fail with EFBIG as on a full disk with
// ENOSPC; unlike there, even reserved space is out of reach.
class FileSizeLimit {
 public:
    FileSizeLimit() {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        previous_ = std::signal(SIGXFSZ, SIG_IGN);
    }
    ~FileSizeLimit() {
        lift();
        std::signal(SIGXFSZ, previous_);
    }
    void impose() const {
        auto limit = before_;
        limit.rlim_cur = 1;
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    void lift() const { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
    rlimit before_{};
    void (*previous_)(int);
};

// A disk that can be full for this process: a mounted one, or where that is not allowed, the limit.
struct FullDisk {
    static constexpr std::uint64_t kBytes = 96 << 20;

    SmallDisk disk{kBytes};
    FileSizeLimit limit;

    void fill() const {
        if (disk.mounted()) {
            disk.fill();
        } else {
            std::printf("no right to mount: the full disk is a limit on file sizes instead\n");
            limit.impose();
        }
    }
    void make_room() const {
        disk.empty();
        limit.lift();
    }
};

}  // namespace adit::tests
