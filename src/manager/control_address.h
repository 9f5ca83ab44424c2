// The address of a data directory's control socket, for its two ends. Internal to the manager;
// pure.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <sys/un.h>

namespace adit::manager {

// The error is a sentence: the path of a Unix socket is limited by the system.
std::expected<sockaddr_un, std::string> control_address(const std::filesystem::path& path);

}  // namespace adit::manager
