// Hands out ranges of the counter from which extranonce1 values are made, so that none is given
// twice even when the pool dies: a range is durable before it is used; what is left of it after a
// crash is skipped. Safe from any thread.
#pragma once

#include "store/file_system.h"

#include <expected>
#include <mutex>
#include <string>

namespace adit::store {

// [begin, end)
struct ExtranonceRange {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

class ExtranonceStore {
 public:
    // A missing file begins at 0; a damaged one is an error (a sentence for the operator).
    static std::expected<std::unique_ptr<ExtranonceStore>, std::string> open(
        FileSystem& files, std::filesystem::path file);

    // The next `count` values. On error nothing was reserved.
    Io<ExtranonceRange> reserve(std::uint64_t count);
    // The first value that was never reserved.
    std::uint64_t high_water() const;

 private:
    ExtranonceStore(FileSystem& files, std::filesystem::path file, std::uint64_t high_water)
        : files_(files), file_(std::move(file)), high_water_(high_water) {}
    FileSystem& files_;
    std::filesystem::path file_;
    mutable std::mutex mutex_;
    std::uint64_t high_water_;
};

}  // namespace adit::store
