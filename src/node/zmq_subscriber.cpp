#include "node/zmq_subscriber.h"

#include <zmq.h>

namespace adit::node {
namespace {

constexpr int kReceiveTimeoutMs = 200;  // how long stop() may have to wait
constexpr std::string_view kTopic = "hashblock";

}  // namespace

class ZmqSubscriber::Core {
 public:
    Core(std::string endpoint, const std::string& node, metrics::Registry& registry,
         base::Logger& log, Listener listener)
        : endpoint_(std::move(endpoint)),
          node_(node),
          log_(log),
          listener_(std::move(listener)),
          received_(registry.counter("adit_node_zmq_blocks_total", "New blocks announced by ZMQ.",
                                     {{"node", node}})),
          malformed_(registry.counter("adit_node_zmq_malformed_total",
                                      "ZMQ messages that were no block announcement.",
                                      {{"node", node}})) {}
    ~Core() { stop(); }

    void start() {
        if (thread_.joinable()) return;
        stopping_ = false;
        thread_ = std::thread([this] { run(); });
    }
    void stop() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
    }

 private:
    struct EndContext {
        void operator()(void* context) const { zmq_ctx_term(context); }
    };
    struct CloseSocket {
        void operator()(void* socket) const { zmq_close(socket); }
    };
    using Socket = std::unique_ptr<void, CloseSocket>;

    void run() {
        const std::unique_ptr<void, EndContext> context(zmq_ctx_new());
        const Socket socket(context ? zmq_socket(context.get(), ZMQ_SUB) : nullptr);
        if (!socket || !connect(socket.get())) {
            log_.error("node",
                       fmt::format("zmq_hashblock cannot be used: {}; new blocks are found "
                                   "by long poll and probing",
                                   zmq_strerror(zmq_errno())),
                       {{"node", node_}, {"endpoint", endpoint_}});
            return;
        }
        while (!stopping_)
            receive(socket.get());
    }

    bool connect(void* socket) const {
        const int linger = 0, timeout = kReceiveTimeoutMs, keepalive = 1, heartbeat_ms = 10'000;
        const int high_water = 64, most_wait_ms = 5'000;
        const std::int64_t largest = 1'024;
        return zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest) == 0 &&
               zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) == 0 &&
               zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
               zmq_setsockopt(socket, ZMQ_TCP_KEEPALIVE, &keepalive, sizeof keepalive) == 0 &&
               zmq_setsockopt(socket, ZMQ_HEARTBEAT_IVL, &heartbeat_ms, sizeof heartbeat_ms) == 0 &&
               zmq_setsockopt(socket, ZMQ_RCVHWM, &high_water, sizeof high_water) == 0 &&
               zmq_setsockopt(socket, ZMQ_RECONNECT_IVL_MAX, &most_wait_ms, sizeof most_wait_ms) ==
                   0 &&
               zmq_setsockopt(socket, ZMQ_SUBSCRIBE, kTopic.data(), kTopic.size()) == 0 &&
               zmq_connect(socket, endpoint_.c_str()) == 0;
    }

    // One message: topic, 32 bytes of hash as people write it, a counter.
    void receive(void* socket) {
        std::array<char, 64> part{};
        const int topic_size = zmq_recv(socket, part.data(), part.size(), 0);
        if (topic_size < 0) return;
        const bool topic_fits =
            std::string_view(
                part.data(),
                std::min<std::size_t>(static_cast<std::size_t>(topic_size), part.size())) == kTopic;
        std::array<std::uint8_t, 64> bytes{};
        int hash_size = -1;
        for (int index = 0; more(socket); ++index) {
            std::array<std::uint8_t, 64>& into = index == 0 ? bytes : scratch_;
            const int size = zmq_recv(socket, into.data(), into.size(), 0);
            if (size < 0) break;
            if (index == 0) hash_size = size;
        }
        if (!topic_fits || hash_size != 32) return malformed_.add();
        chain::Hash256 hash;
        std::reverse_copy(bytes.begin(), bytes.begin() + 32, hash.bytes.begin());
        received_.add();
        listener_(hash);
    }

    static bool more(void* socket) {
        int value = 0;
        std::size_t size = sizeof value;
        return zmq_getsockopt(socket, ZMQ_RCVMORE, &value, &size) == 0 && value != 0;
    }

    const std::string endpoint_;
    const std::string node_;
    base::Logger& log_;
    Listener listener_;
    metrics::Counter& received_;
    metrics::Counter& malformed_;
    std::array<std::uint8_t, 64> scratch_{};
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

ZmqSubscriber::ZmqSubscriber(std::string endpoint, const std::string& node,
                             metrics::Registry& registry, base::Logger& log, Listener listener)
    : core_(std::make_unique<Core>(std::move(endpoint), node, registry, log, std::move(listener))) {
}
ZmqSubscriber::~ZmqSubscriber() = default;
void ZmqSubscriber::start() {
    core_->start();
}
void ZmqSubscriber::stop() {
    core_->stop();
}

}  // namespace adit::node
