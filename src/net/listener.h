// A listening socket of one loop. Every shard has its own for each configured address
// (SO_REUSEPORT), so the kernel spreads connections and shards share nothing.
//
// Accepts a bounded number per turn. Out of descriptors (EMFILE, ENFILE) it closes one waiting
// connection with the help of a spare descriptor, waits 100 ms and counts; out of handshakes per
// second it leaves connections in the kernel's queue until there are some again. It never spins.
#pragma once

#include "net/address.h"
#include "net/connection.h"
#include "net/limits.h"
#include "net/loop.h"

#include <expected>
#include <memory>
#include <string>

namespace adit::net {

struct ListenerOptions {
    HandshakeRate* handshakes = nullptr;  // nullptr: no limit
    int backlog = 4096;
    // The kernel's buffers per connection in bytes; they bound what a peer that does not read, or
    // floods, can make the machine hold.
    int send_buffer = 128 * 1024;
    int receive_buffer = 64 * 1024;
};

// Whether nobody listens on this address. Asked before the first listener is opened, because
// sockets that share a port (SO_REUSEPORT) would silently take part of another pool's miners. The
// error is a sentence with the address and the system's words.
std::expected<void, std::string> check_free(const Address& address);

// On the loop's thread, or any one thread before run(). Connections may outlive
// their listener; a listener must not outlive its loop.
class Listener final : public Loop::Watcher {
 public:
    // Binds and listens; connections arrive as soon as the loop runs. The error says what failed,
    // with the address and the system's words.
    static std::expected<std::unique_ptr<Listener>, std::string> open(Loop& loop,
                                                                      const Address& address,
                                                                      ConnectionSettings settings,
                                                                      ListenerOptions options = {});
    ~Listener() override;

    // The bound address (with the port the system chose for port 0).
    const Address& address() const { return address_; }
    // Stops accepting for good: the first phase of a drain. Waiting connections are reset.
    void close();

 private:
    Listener(Loop& loop, int fd, const Address& address, ConnectionSettings settings,
             ListenerOptions options);
    void on_ready() override;
    void out_of_descriptors();
    void wait(std::int64_t ms);

    Loop& loop_;
    int fd_;
    int spare_;
    std::uint32_t watch_ = 0;
    Address address_;
    std::shared_ptr<const ConnectionSettings> settings_;
    ListenerOptions options_;
    TimerId resume_{};
};

}  // namespace adit::net
