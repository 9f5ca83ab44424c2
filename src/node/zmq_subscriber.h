// Listens to a node's ZMQ notifications of new blocks (topic hashblock, Bitcoin Core doc/zmq.md).
// The connection is made and remade by libzmq; a node without ZMQ merely stays silent, and the pool
// finds new blocks by long poll and probing.
#pragma once

#include "base/log.h"
#include "chain/hash.h"
#include "metrics/registry.h"

#include <functional>
#include <memory>
#include <string>

namespace adit::node {

class ZmqSubscriber {
 public:
    // Called on the subscriber's thread with the hash of the node's new best block.
    using Listener = std::function<void(const chain::Hash256&)>;

    ZmqSubscriber(std::string endpoint, const std::string& node, metrics::Registry& registry,
                  base::Logger& log, Listener listener);
    ~ZmqSubscriber();

    // An endpoint that ZMQ does not understand is logged and leaves the subscriber silent.
    void start();
    void stop();

 private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace adit::node
