#include "load_client.h"

#include <arpa/inet.h>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace adit::bench {
namespace {

constexpr int kSilenceMs = 30'000;

struct Peer {
    int fd = -1;
    std::uint32_t waiting = 0;  // replies
    std::uint64_t sent = 0;
    std::string rest;  // an incomplete line
};

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

class Load {
 public:
    explicit Load(const LoadOptions& options) : options_(options), epoll_(epoll_create1(0)) {
        peers_.resize(options.connections);
        for (std::uint32_t i = 0; i < options.connections; ++i) {
            peers_[i].fd = connect_to(options.host, options.port);
            if (options.prepare) options.prepare(i, peers_[i].fd);
            epoll_event event{.events = EPOLLIN, .data = {.u32 = i}};
            if (epoll_ctl(epoll_, EPOLL_CTL_ADD, peers_[i].fd, &event) != 0) fail("epoll_ctl");
        }
        buffer_.resize(256 * 1024);
    }
    ~Load() {
        for (const auto& peer : peers_) {
            if (peer.fd >= 0) close(peer.fd);
        }
        close(epoll_);
    }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    // Sends until `count` requests went out, and returns when all are answered.
    void run(std::uint64_t count) {
        left_ = count;
        unanswered_ = 0;
        for (std::uint32_t i = 0; i < peers_.size(); ++i)
            send_group(i);
        while (unanswered_ != 0) {
            std::array<epoll_event, 512> events;
            const int n = epoll_wait(epoll_, events.data(), events.size(), kSilenceMs);
            if (n == 0) throw std::runtime_error("the server is silent");
            for (int i = 0; i < n; ++i)
                receive(events[static_cast<std::size_t>(i)].data.u32);
        }
    }

 private:
    void send_group(std::uint32_t i) {
        auto& peer = peers_[i];
        const auto group = std::min<std::uint64_t>(left_, options_.in_flight);
        if (group == 0) return;
        request_.clear();
        for (std::uint64_t k = 0; k < group; ++k)
            options_.request(i, peer.sent++, request_);
        left_ -= group;
        unanswered_ += group;
        peer.waiting = static_cast<std::uint32_t>(group);
        if (send(peer.fd, request_.data(), request_.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(request_.size())) {
            fail("send");
        }
    }

    void receive(std::uint32_t i) {
        auto& peer = peers_[i];
        const auto n = recv(peer.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) fail("the server closed a connection");
        std::string_view bytes(buffer_.data(), static_cast<std::size_t>(n));
        if (!peer.rest.empty()) {
            peer.rest.append(bytes);
            joined_.swap(peer.rest);
            peer.rest.clear();
            bytes = joined_;
        }
        std::size_t begin = 0;
        for (auto end = bytes.find('\n'); end != bytes.npos; end = bytes.find('\n', begin)) {
            const auto line = bytes.substr(begin, end - begin);
            begin = end + 1;
            if (options_.is_reply && !options_.is_reply(line)) continue;
            if (options_.reply) options_.reply(i, line);
            --peer.waiting;
            --unanswered_;
            if (peer.waiting == 0) send_group(i);
        }
        peer.rest.assign(bytes.substr(begin));
    }

    const LoadOptions& options_;
    int epoll_;
    std::vector<Peer> peers_;
    std::vector<char> buffer_;
    std::string request_;
    std::string joined_;
    std::uint64_t left_ = 0;
    std::uint64_t unanswered_ = 0;
};

}  // namespace

LoadResult run_load(const LoadOptions& options) {
    Load load(options);
    load.run(options.warm_up);
    const auto cpu = options.server != 0 ? cpu_seconds(options.server) : 0;
    const auto begin = std::chrono::steady_clock::now();
    load.run(options.requests);
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
    const auto spent = options.server != 0 ? cpu_seconds(options.server) - cpu : 0;
    return {options.requests, wall.count(), spent};
}

double cpu_seconds(pid_t process) {
    std::uint64_t total_ns = 0;
    std::error_code ignored;
    const auto tasks = fmt::format("/proc/{}/task", process);
    for (const auto& task : std::filesystem::directory_iterator(tasks, ignored)) {
        std::ifstream file(task.path() / "schedstat");
        std::uint64_t ns = 0;
        if (file >> ns) total_ns += ns;
    }
    return static_cast<double>(total_ns) / 1e9;
}

std::uint64_t resident_bytes(pid_t process) {
    std::ifstream file(fmt::format("/proc/{}/statm", process));
    std::uint64_t pages = 0;
    file >> pages >> pages;
    return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

int connect_to(const std::string& host, std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
        throw std::runtime_error("not an IPv4 address: " + host);
    }
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        fail("connect");
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

ChildServer::ChildServer(const std::function<void(const Ready&)>& serve) {
    int ends[2];
    if (pipe(ends) != 0) fail("pipe");
    pid_ = fork();
    if (pid_ < 0) fail("fork");
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ends[0]);
        serve([&ends](std::uint16_t port) {
            if (write(ends[1], &port, sizeof port) != sizeof port) _exit(1);
        });
        _exit(0);
    }
    close(ends[1]);
    const bool told = read(ends[0], &port_, sizeof port_) == sizeof port_;
    close(ends[0]);
    if (!told) throw std::runtime_error("the server did not start");
}

ChildServer::~ChildServer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

}  // namespace adit::bench
