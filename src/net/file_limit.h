// The process's limit on open descriptors. Call at start.
#pragma once

#include <cstdint>

namespace adit::net {

struct FileLimit {
    std::uint64_t before = 0;
    std::uint64_t now = 0;   // the soft limit in force
    std::uint64_t hard = 0;  // above this only root, or the service manager, can raise it
};

// Raises RLIMIT_NOFILE to `wanted`, or as far as the system allows; never lowers it.
FileLimit raise_file_limit(std::uint64_t wanted);

}  // namespace adit::net
