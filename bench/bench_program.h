// What the benchmarks that write to disk have in common: a stopwatch, a folder of their own that is
// gone afterwards, and numbers of the command line.
#pragma once

#include "base/clock.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string_view>

namespace adit::bench {

class Stopwatch {
 public:
    double ms() const { return static_cast<double>(clock_.steady_ns() - start_) * 1e-6; }
    double seconds() const { return ms() * 1e-3; }

 private:
    base::SystemClock clock_;
    std::int64_t start_ = clock_.steady_ns();
};

class ScratchDir {
 public:
    // Throws std::runtime_error when no folder can be made in `parent`.
    explicit ScratchDir(const std::filesystem::path& parent) {
        auto pattern = (parent / "adit-bench-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) {
            throw std::runtime_error("cannot make a directory in " + parent.string());
        }
        path_ = pattern;
    }
    ~ScratchDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    ScratchDir(const ScratchDir&) = delete;
    ScratchDir& operator=(const ScratchDir&) = delete;
    const std::filesystem::path& path() const { return path_; }

 private:
    std::filesystem::path path_;
};

// False: no number.
template <class T>
bool read_number(std::string_view text, T& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
}

}  // namespace adit::bench
