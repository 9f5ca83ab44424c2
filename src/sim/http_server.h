// A small HTTP server on loopback for JSON-RPC: reads whole POST requests, hands authorized bodies
// to a handler, and writes what it answers, now or later. Everything on one io_context thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <functional>
#include <memory>
#include <set>
#include <string>

namespace adit::sim {

class HttpSession;

// How an answer leaves.
enum class HttpDelivery {
    whole,
    truncated,
    none,  // the connection ends without a byte
};

struct HttpAnswer {
    unsigned status = 200;
    std::string body;
    HttpDelivery delivery = HttpDelivery::whole;
};

class HttpServer {
 public:
    // Gives the answer; may be called later, once, on the server's thread. After the connection has
    // gone it does nothing.
    using Reply = std::function<void(HttpAnswer answer)>;
    struct Handlers {
        // `authorization` is the header's value, empty when there is none.
        std::function<bool(std::string_view authorization)> authorized;
        std::function<void(std::string path, std::string body, Reply reply)> request;
    };

    // Listens on 127.0.0.1; port 0: any free one. Throws std::runtime_error when it cannot.
    HttpServer(boost::asio::io_context& io, std::uint16_t port, Handlers handlers);
    ~HttpServer();

    std::uint16_t port() const { return port_; }
    // Closes the listener and all connections; opens the listener again on the same port.
    void close();
    void open();

 private:
    friend class HttpSession;
    void accept();

    boost::asio::io_context& io_;
    boost::asio::ip::tcp::acceptor acceptor_;
    std::uint16_t port_;
    std::shared_ptr<const Handlers> handlers_;
    // Sessions that are alive; each removes itself.
    std::shared_ptr<std::set<HttpSession*>> sessions_;
};

}  // namespace adit::sim
