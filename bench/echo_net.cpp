#include "base/clock.h"
#include "echo_servers.h"
#include "net/listener.h"
#include "net/loop.h"

#include <stdexcept>

namespace adit::bench {
namespace {

class EchoHandler final : public net::ConnectionHandler {
 public:
    explicit EchoHandler(std::uint32_t reply_size) : reply_(reply_size - 1, 'r') {
        reply_.push_back('\n');
    }
    bool on_open(net::Connection&) override { return true; }
    void on_line(net::Connection& connection, std::string_view) override {
        connection.expire_in(600'000);
        connection.send(reply_);
    }
    void on_closed(net::Connection&, net::CloseReason) override {}

 private:
    std::string reply_;
};

}  // namespace

void serve_net(const EchoOptions& options) {
    metrics::Registry registry;
    net::Metrics metrics(registry);
    base::SystemClock clock;
    net::ConnectionBudget budget(1'000'000);
    EchoHandler handler(options.reply_size);
    net::Loop loop(clock, metrics);
    net::ConnectionSettings settings;
    settings.handler = &handler;
    settings.metrics = &metrics;
    settings.budget = &budget;
    const auto listener =
        net::Listener::open(loop, net::Address::v4(0x7f000001, options.port), settings);
    if (!listener) throw std::runtime_error(listener.error());
    if (options.ready) options.ready((*listener)->address().port);
    loop.run();
}

}  // namespace adit::bench
