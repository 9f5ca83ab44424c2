// A file system of a few megabytes that a test fills up and empties again. Needs the right to mount
// (root); mounted() says whether that worked. One owner.
#pragma once

#include "tests/support/temp_dir.h"

#include <cstdint>

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

}  // namespace adit::tests
