#include "echo_servers.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <array>
#include <memory>

namespace adit::bench {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Waits for readiness, so that an idle connection owns no buffer.
class AsioEcho : public std::enable_shared_from_this<AsioEcho> {
 public:
    AsioEcho(tcp::socket socket, std::string& input, const std::string& line)
        : socket_(std::move(socket)), input_(input), line_(line) {}

    void wait() {
        socket_.async_wait(tcp::socket::wait_read,
                           [self = shared_from_this()](boost::system::error_code error) {
                               if (!error) self->serve();
                           });
    }

 private:
    void serve() {
        boost::system::error_code error;
        const auto size = socket_.read_some(asio::buffer(input_), error);
        if (error && error != asio::error::would_block) return;
        std::string replies;
        const auto end = input_.begin() + static_cast<std::ptrdiff_t>(size);
        for (auto lines = std::count(input_.begin(), end, '\n'); lines > 0; --lines) {
            replies.append(line_);
        }
        if (!replies.empty()) socket_.write_some(asio::buffer(replies), error);
        wait();
    }

    tcp::socket socket_;
    std::string& input_;
    const std::string& line_;
};

}  // namespace

void serve_asio(const EchoOptions& options) {
    asio::io_context context(1);
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), options.port});
    std::string input(64 * 1024, '\0');
    std::string line(options.reply_size - 1, 'r');
    line.push_back('\n');
    std::function<void()> accept = [&] {
        acceptor.async_accept([&](boost::system::error_code error, tcp::socket socket) {
            if (!error) {
                socket.non_blocking(true);
                socket.set_option(tcp::no_delay(true));
                std::make_shared<AsioEcho>(std::move(socket), input, line)->wait();
            }
            accept();
        });
    };
    accept();
    if (options.ready) options.ready(acceptor.local_endpoint().port());
    context.run();
}

}  // namespace adit::bench
