#include "tests/support/small_disk.h"

#include <fcntl.h>
#include <string>
#include <sys/mount.h>
#include <unistd.h>
#include <vector>

namespace adit::tests {
namespace {

constexpr const char* kFiller = "filler";

}  // namespace

SmallDisk::SmallDisk(std::uint64_t bytes) {
    const auto options = "size=" + std::to_string(bytes);
    mounted_ = ::mount("tmpfs", path().c_str(), "tmpfs", 0, options.c_str()) == 0;
}

SmallDisk::~SmallDisk() {
    if (mounted_) ::umount2(path().c_str(), MNT_DETACH);
}

void SmallDisk::fill() const {
    const int fd =
        ::open((path() / kFiller).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    for (std::size_t size = 64 * 1024; size > 0;) {
        const std::vector<char> bytes(size, 'x');
        if (::write(fd, bytes.data(), size) <= 0) size /= 2;
    }
    ::close(fd);
}

void SmallDisk::empty() const {
    ::unlink((path() / kFiller).c_str());
}

}  // namespace adit::tests
