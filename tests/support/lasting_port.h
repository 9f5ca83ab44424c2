// A TCP port on loopback that a program can come back to after a restart: below the range from
// which the system takes ports for connections, so that no other test has it meanwhile.
#pragma once

#include "base/random.h"

#include <array>
#include <cstdint>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace adit::tests {

// One that nobody listens on at this moment. Throws std::runtime_error when none is found.
inline std::uint16_t lasting_port() {
    constexpr std::uint16_t kLowest = 10'240;
    constexpr std::uint16_t kPorts = 20'000;
    for (int tries = 0; tries < 100; ++tries) {
        std::array<std::uint8_t, 2> bytes{};
        base::fill_random(bytes);
        const auto port = static_cast<std::uint16_t>(
            kLowest + base::load_le<std::uint16_t>(bytes.data()) % kPorts);
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0) break;
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const bool bound =
            ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        ::close(fd);
        if (bound) return port;
    }
    throw std::runtime_error("no free loopback port");
}

}  // namespace adit::tests
