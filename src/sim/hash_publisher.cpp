#include "sim/hash_publisher.h"

#include <fmt/format.h>
#include <zmq.h>

#include <algorithm>
#include <stdexcept>

namespace adit::sim {

struct HashPublisher::Sockets {
    void* context = zmq_ctx_new();
    void* publisher = zmq_socket(context, ZMQ_PUB);

    ~Sockets() {
        zmq_close(publisher);
        zmq_ctx_term(context);
    }
};

HashPublisher::HashPublisher(const std::string& endpoint) : sockets_(std::make_unique<Sockets>()) {
    const int linger_ms = 0;
    zmq_setsockopt(sockets_->publisher, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    char bound[256] = {};
    std::size_t size = sizeof bound;
    if (zmq_bind(sockets_->publisher, endpoint.c_str()) != 0 ||
        zmq_getsockopt(sockets_->publisher, ZMQ_LAST_ENDPOINT, bound, &size) != 0) {
        throw std::runtime_error(
            fmt::format("cannot publish on {}: {}", endpoint, zmq_strerror(zmq_errno())));
    }
    endpoint_ = bound;
}

HashPublisher::~HashPublisher() = default;

void HashPublisher::publish(const chain::Hash256& hash) {
    constexpr std::string_view kTopic = "hashblock";
    auto reversed = hash.bytes;
    std::ranges::reverse(reversed);
    std::array<std::uint8_t, 4> counter{};
    base::store_le(counter.data(), sequence_++);
    // A publisher never blocks: a subscriber that does not keep up loses messages.
    zmq_send(sockets_->publisher, kTopic.data(), kTopic.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_send(sockets_->publisher, reversed.data(), reversed.size(), ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_send(sockets_->publisher, counter.data(), counter.size(), ZMQ_DONTWAIT);
}

}  // namespace adit::sim
