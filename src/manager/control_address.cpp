#include "manager/control_address.h"

#include "manager/control_socket.h"

#include <cstring>
#include <sys/socket.h>

namespace adit::manager {

std::filesystem::path control_path(const std::filesystem::path& data_dir) {
    return data_dir / "control";
}

std::expected<sockaddr_un, std::string> control_address(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto& text = path.native();
    constexpr std::size_t kMost = sizeof(address.sun_path) - 1;
    if (text.size() > kMost) {
        return std::unexpected(fmt::format(
            "the path {} has {} bytes, but the system takes at most {} for a socket; choose a "
            "shorter data_dir",
            text, text.size(), kMost));
    }
    std::memcpy(address.sun_path, text.data(), text.size());
    return address;
}

}  // namespace adit::manager
