// One message to every connection: Loop::for_each with Connection::send_now against a loop of plain
// send() over the same sockets with the same bytes, in turns. The ratio is what matters: the time
// of both is nearly all the kernel's.
//
//   broadcast_floor --connections 9900 --bytes 1500
#include "base/clock.h"
#include "load_client.h"
#include "net/file_limit.h"
#include "net/listener.h"
#include "net/loop.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <future>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace adit;

class SilentHandler final : public net::ConnectionHandler {
 public:
    bool on_open(net::Connection&) override {
        const std::lock_guard lock(mutex_);
        ++open_;
        changed_.notify_one();
        return true;
    }
    void on_line(net::Connection&, std::string_view) override {}
    void on_closed(net::Connection&, net::CloseReason) override {}
    void wait_for(std::uint32_t connections) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return open_ == connections; });
    }

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint32_t open_ = 0;
};

// CPU time of this thread: on a busy machine the wall clock measures others.
template <class Work>
double milliseconds(Work work) {
    const auto now = [] {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
    };
    const auto begin = now();
    work();
    return now() - begin;
}

// Reads what was sent, so that no socket fills up.
void drain(const std::vector<int>& clients, std::size_t bytes) {
    std::vector<char> buffer(bytes);
    for (const int fd : clients) {
        if (recv(fd, buffer.data(), bytes, MSG_WAITALL) != static_cast<ssize_t>(bytes)) {
            throw std::runtime_error("a broadcast did not arrive whole");
        }
    }
}

void measure(net::Loop& loop, const std::vector<int>& clients, std::size_t bytes, int rounds) {
    std::string message(bytes - 1, 'n');
    message.push_back('\n');
    double best_bare = 1e9;
    double best_net = 1e9;
    std::vector<int> sockets;
    for (int round = 0; round < rounds; ++round) {
        const auto on_loop = [&](auto work) {
            std::promise<double> spent;
            loop.post([&] { spent.set_value(milliseconds(work)); });
            const auto result = spent.get_future().get();
            drain(clients, bytes);
            return result;
        };
        sockets.clear();
        loop.post(
            [&] { loop.for_each([&](net::Connection& c) { sockets.push_back(c.descriptor()); }); });
        best_bare =
            std::min(best_bare, on_loop([&] {
                         for (const int fd : sockets)
                             send(fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
                     }));
        best_net = std::min(best_net, on_loop([&] {
                                loop.for_each([&](net::Connection& c) { c.send_now(message); });
                            }));
    }
    std::printf("%zu connections, %zu bytes: send() %.1f ms, send_now %.1f ms, ratio %.2f\n",
                clients.size(), bytes, best_bare, best_net, best_net / best_bare);
}

void run(std::uint32_t connections, std::size_t bytes, int rounds) {
    metrics::Registry registry;
    net::Metrics metrics(registry);
    base::SystemClock clock;
    net::ConnectionBudget budget(connections);
    SilentHandler handler;
    net::Loop loop(clock, metrics);
    net::ConnectionSettings settings;
    settings.handler = &handler;
    settings.metrics = &metrics;
    settings.budget = &budget;
    const auto listener = net::Listener::open(loop, net::Address::v4(0x7f000001, 0), settings);
    if (!listener) throw std::runtime_error(listener.error());
    std::jthread thread([&] { loop.run(); });
    std::vector<int> clients;
    for (std::uint32_t i = 0; i < connections; ++i) {
        clients.push_back(bench::connect_to("127.0.0.1", (*listener)->address().port));
    }
    handler.wait_for(connections);
    measure(loop, clients, bytes, rounds);
    loop.stop();
    thread.join();
    for (const int fd : clients)
        close(fd);
}

}  // namespace

int main(int argc, char** argv) {
    std::uint32_t connections = 9'900;  // with both ends in one process, under 20,000 files
    std::size_t bytes = 1500;
    int rounds = 5;
    CLI::App app("A broadcast through net::Loop against a bare send loop");
    app.add_option("--connections", connections)->check(CLI::PositiveNumber);
    app.add_option("--bytes", bytes, "of the message")->check(CLI::Range(1, 100'000));
    app.add_option("--rounds", rounds, "the best of so many is taken")->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    try {
        const auto wanted = std::uint64_t{connections} * 2 + 50;
        if (const auto limit = net::raise_file_limit(wanted); limit.now < wanted) {
            throw std::runtime_error(fmt::format("{} connections need {} descriptors, {} allowed",
                                                 connections, wanted, limit.now));
        }
        run(connections, bytes, rounds);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "broadcast_floor: %s\n", error.what());
        return 1;
    }
    return 0;
}
