#include "pool_server.h"

#include "job/job_maker.h"
#include "net/file_limit.h"
#include "store/file_share_log.h"
#include "stratum/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace adit::bench {
namespace {

constexpr char kAddress[] = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
constexpr double kEveryHash = 1e-12;  // difficulty whose target every hash meets

class CountingSource final : public stratum::ExtranonceSource {
 public:
    std::optional<Range> reserve(std::uint64_t count) override {
        next_ += count;
        return Range{next_ - count, next_};
    }

 private:
    std::uint64_t next_ = 0;
};

class NoBlocks final : public job::BlockSink {
 public:
    void submit(std::shared_ptr<const job::BlockCandidate>) override {}
};

job::TemplateRef make_template(const base::Clock& clock, std::uint8_t block) {
    auto source = std::make_shared<job::BlockTemplate>();
    source->network = chain::Network::regtest;
    source->height = 1000 + block;
    source->previous.bytes.fill(block);
    source->bits = 0x1d00ffff;
    source->current_time = static_cast<std::uint32_t>(clock.wall_ms() / 1000);
    source->min_time = source->current_time - 600;
    source->coinbase_value_sat = 312'500'000;
    source->segwit = true;
    // As many branches as a block of 3,000 transactions has.
    for (std::uint32_t i = 0; i < 3000; ++i) {
        auto transaction = std::make_shared<job::TemplateTransaction>();
        base::store_le(transaction->txid.bytes.data(), i + 1);
        transaction->wtxid = transaction->txid;
        transaction->raw.resize(64);
        transaction->weight = 1000;
        source->transactions.push_back(std::move(transaction));
    }
    return source;
}

sigset_t new_block_signal() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    return set;
}

void send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) throw std::runtime_error("send failed");
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
}

}  // namespace

void serve_pool(const PoolServerOptions& options, const ChildServer::Ready& ready) {
    const auto new_block = new_block_signal();
    pthread_sigmask(SIG_BLOCK, &new_block, nullptr);
    net::raise_file_limit(std::uint64_t{options.miners} + 256);
    base::SystemClock clock;
    base::Logger logger(base::LogLevel::error);
    metrics::Registry registry;
    store::PosixFileSystem files;
    store::ShareLogSettings log_settings;
    log_settings.dir = options.data_dir / "log";
    log_settings.gather_us = options.gather_us;
    auto log = store::FileShareLog::open(files, log_settings, clock, registry, logger);
    if (!log) throw std::runtime_error(log.error().text());
    CountingSource extranonces;
    NoBlocks blocks;
    auto session = std::make_shared<stratum::SessionSettings>();
    session->network = chain::Network::regtest;
    session->difficulty_start = session->difficulty_min = session->difficulty_max = kEveryHash;
    stratum::ServerSettings settings;
    settings.listen.push_back({"127.0.0.1:0", "", "", false});
    settings.limits.miners = options.miners;
    settings.limits.handshakes_per_s = 1'000'000;
    settings.session = session;
    stratum::Server server(settings, **log, blocks, extranonces, clock, registry, logger);
    job::JobMaker maker({base::Bytes{0x51}, "/bench/"}, (*log)->next_job_id());
    const auto publish = [&](std::uint8_t block) {
        const auto job = maker.make(make_template(clock, block), clock.steady_ms());
        if (!job) throw std::runtime_error(std::string(job::describe(job.error())));
        (*log)->record_job(*job);
        server.set_job(*job);
    };
    server.start();
    publish(1);
    ready(server.addresses().front().port);
    for (std::uint8_t block = 2;; ++block) {
        int signal = 0;
        sigwait(&new_block, &signal);
        publish(block);
    }
}

void serve_bare_broadcast(std::uint32_t connections, const ChildServer::Ready& ready) {
    const auto new_block = new_block_signal();
    pthread_sigmask(SIG_BLOCK, &new_block, nullptr);
    net::raise_file_limit(std::uint64_t{connections} + 64);
    base::SystemClock clock;
    job::JobMaker maker({base::Bytes{0x51}, "/bench/"}, 1);
    const auto job = *maker.make(make_template(clock, 1), clock.steady_ms());
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener, 4096) != 0) {
        throw std::runtime_error("cannot listen");
    }
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    ready(ntohs(address.sin_port));
    std::vector<int> miners;
    while (miners.size() < connections) {
        const int fd = ::accept(listener, nullptr, nullptr);
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        miners.push_back(fd);
        send_all(fd, job->broadcast_line);
    }
    while (true) {
        int signal = 0;
        sigwait(&new_block, &signal);
        for (const int fd : miners)
            send_all(fd, job->broadcast_line);
    }
}

FirstJob open_session(int fd, std::uint32_t connection) {
    FirstJob job;
    job.worker = fmt::format("{}.w{}", kAddress, connection);
    send_all(fd,
             fmt::format("{{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"bench\"]}}\n"
                         "{{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"{}\",\"x\"]}}"
                         "\n",
                         job.worker));
    std::string received;
    char buffer[4096];
    while (true) {
        const auto notify = received.find("mining.notify\",\"params\":[\"");
        if (notify != std::string::npos && received.find('\n', notify) != std::string::npos) {
            const auto begin = received.find("[\"", notify) + 2;
            job.id = received.substr(begin, received.find('"', begin) - begin);
            const auto end = received.find("\",true]", begin);
            job.ntime = received.substr(end - 8, 8);
            return job;
        }
        const auto got = ::recv(fd, buffer, sizeof buffer, 0);
        if (got <= 0) throw std::runtime_error("the server ended the connection");
        received.append(buffer, static_cast<std::size_t>(got));
    }
}

void append_share(const FirstJob& job, std::uint64_t n, std::string& out) {
    fmt::format_to(std::back_inserter(out),
                   "{{\"id\":{},\"method\":\"mining.submit\",\"params\":[\"{}\",\"{}\",\"{:016x}\","
                   "\"{}\",\"{:08x}\"]}}\n",
                   n + 10, job.worker, job.id, n, job.ntime, n & 0xffffffff);
}

bool is_share_reply(std::string_view line) {
    return line.find("\"id\":null") == std::string_view::npos;
}

}  // namespace adit::bench
