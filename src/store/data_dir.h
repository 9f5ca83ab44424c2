// The pool's data directory: where everything lies in it, and the lock that keeps a second pool
// out. The lock is the kernel's (flock): it ends with the process however that dies.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

namespace adit::store {

class DataDir {
 public:
    // Creates the directory and its folders where missing and takes the lock. The error is a
    // sentence for the operator; a held lock names the process that holds it.
    static std::expected<DataDir, std::string> open(const std::filesystem::path& root);
    ~DataDir();
    DataDir(DataDir&& other) noexcept;
    DataDir& operator=(DataDir&&) = delete;

    const std::filesystem::path& root() const { return root_; }
    std::filesystem::path log_dir() const { return root_ / "log"; }
    std::filesystem::path blocks_dir() const { return root_ / "blocks"; }
    std::filesystem::path scan_file() const { return root_ / "scan"; }
    std::filesystem::path history_file() const { return root_ / "history"; }
    std::filesystem::path extranonce_file() const { return root_ / "extranonce"; }

 private:
    DataDir(std::filesystem::path root, int lock) : root_(std::move(root)), lock_(lock) {}
    std::filesystem::path root_;
    int lock_;
};

}  // namespace adit::store
