// Servers that answer every line with a line of fixed size: the floors against which the Stratum
// server is measured. Each serves on the calling thread until the process ends.
#pragma once

#include <cstdint>
#include <functional>

namespace adit::bench {

struct EchoOptions {
    std::uint16_t port = 0;         // on 127.0.0.1; 0: the system picks
    std::uint32_t reply_size = 40;  // bytes, line feed included
    std::function<void(std::uint16_t port)> ready;
};

// One epoll, level-triggered; one recv and one send per ready descriptor; nothing else.
void serve_bare(const EchoOptions& options);
// net::Loop.
void serve_net(const EchoOptions& options);
// Boost.Asio: waits for readiness, then reads into one shared buffer, as docs/decisions/0001 says.
void serve_asio(const EchoOptions& options);

}  // namespace adit::bench
