// Publishes new tips as Bitcoin Core's zmqpubhashblock does: three frames, "hashblock", the hash in
// RPC byte order and a counter. Owned and used by SimNode's thread.
#pragma once

#include "chain/hash.h"

#include <memory>
#include <string>

namespace adit::sim {

class HashPublisher {
 public:
    // Binds; throws std::runtime_error when it cannot.
    explicit HashPublisher(const std::string& endpoint);
    ~HashPublisher();

    const std::string& endpoint() const { return endpoint_; }
    void publish(const chain::Hash256& hash);

 private:
    struct Sockets;
    std::unique_ptr<Sockets> sockets_;
    std::string endpoint_;
    std::uint32_t sequence_ = 0;
};

}  // namespace adit::sim
