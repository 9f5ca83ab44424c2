// What a share, a connection and a new block cost, against bare loops in the same run.
//
//   pool_bench shares     accepted and durable shares against an echo of the same bytes
//   pool_bench idle       memory and processor time of connections that only wait
//   pool_bench broadcast  a new block to every connection against a bare send loop
//   pool_bench restart    opening a log of many shares
//   pool_bench --help     options; --quick for a run of a second or two
#include "bench_program.h"
#include "echo_servers.h"
#include "net/file_limit.h"
#include "pool_server.h"
#include "store/file_share_log.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace adit;
using Clock = std::chrono::steady_clock;

struct Options {
    std::uint32_t connections = 0;  // 0: what the subcommand's target names
    std::uint64_t requests = 300'000;
    std::uint64_t shares = 10'000'000;
    std::uint32_t rounds = 3;
    std::string dir = std::filesystem::current_path().string();
    std::int64_t gather_us = 2000;
    bool quick = false;
};

bench::ChildServer start_pool(const Options& options, const bench::ScratchDir& folder,
                              std::uint32_t connections) {
    return bench::ChildServer([&](const bench::ChildServer::Ready& ready) {
        bench::serve_pool({folder.path(), connections + 100, options.gather_us}, ready);
    });
}

double share_cost(const Options& options, std::uint32_t connections, std::uint32_t in_flight) {
    const bench::ScratchDir folder(options.dir);
    const auto server = start_pool(options, folder, connections);
    std::vector<bench::FirstJob> jobs(connections);
    bench::LoadOptions load;
    load.port = server.port();
    load.server = server.pid();
    load.connections = connections;
    load.in_flight = in_flight;
    load.requests = options.requests;
    load.warm_up = connections * std::uint64_t{8};
    load.is_reply = bench::is_share_reply;
    load.prepare = [&](std::uint32_t i, int fd) { jobs[i] = bench::open_session(fd, i); };
    load.request = [&](std::uint32_t i, std::uint64_t n, std::string& out) {
        bench::append_share(jobs[i], n, out);
    };
    std::uint64_t refused = 0;
    load.reply = [&](std::uint32_t, std::string_view line) {
        if (line.find("\"result\":true") != std::string_view::npos) return;
        if (refused++ == 0)
            std::printf("  refused: %.*s\n", static_cast<int>(line.size()), line.data());
    };
    const auto result = bench::run_load(load);
    if (refused != 0) throw std::runtime_error(fmt::format("{} shares were refused", refused));
    std::printf(
        "  pool  %6u connections, %u in flight: %8.0f shares/s, %6.2f us of server CPU each\n",
        connections, in_flight, result.requests_per_s(), result.server_us_per_request());
    return result.server_us_per_request();
}

double echo_cost(const Options& options, std::uint32_t connections, std::uint32_t in_flight) {
    const bench::ChildServer server(
        [&](const bench::ChildServer::Ready& ready) { bench::serve_bare({0, 38, ready}); });
    bench::FirstJob job{"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.w100", "1.0", "65000000"};
    bench::LoadOptions load;
    load.port = server.port();
    load.server = server.pid();
    load.connections = connections;
    load.in_flight = in_flight;
    load.requests = options.requests;
    load.warm_up = connections * std::uint64_t{8};
    load.request = [&](std::uint32_t, std::uint64_t n, std::string& out) {
        bench::append_share(job, n, out);
    };
    const auto result = bench::run_load(load);
    std::printf(
        "  echo  %6u connections, %u in flight: %8.0f lines/s,  %6.2f us of server CPU each\n",
        connections, in_flight, result.requests_per_s(), result.server_us_per_request());
    return result.server_us_per_request();
}

void shares(const Options& options) {
    std::vector<std::uint32_t> counts{100, 1000, 8000};
    if (options.quick) counts = {50};
    if (options.connections != 0) counts = {options.connections};
    for (const auto connections : counts) {
        for (const auto in_flight : {1u, 8u}) {
            double pool = 1e9;
            double echo = 1e9;
            for (std::uint32_t round = 0; round < options.rounds; ++round) {
                echo = std::min(echo, echo_cost(options, connections, in_flight));
                pool = std::min(pool, share_cost(options, connections, in_flight));
            }
            std::printf(
                "shares %u connections, %u in flight: pool %.2f us, echo %.2f us, ratio "
                "%.2f, above the echo %.2f us\n",
                connections, in_flight, pool, echo, pool / echo, pool - echo);
            std::fflush(stdout);
        }
    }
}

// Connected and working descriptors.
class Miners {
 public:
    Miners(std::uint16_t port, std::uint32_t count, bool handshake) {
        for (std::uint32_t i = 0; i < count; ++i) {
            fds_.push_back(bench::connect_to("127.0.0.1", port));
            if (handshake) bench::open_session(fds_.back(), i);
        }
    }
    ~Miners() {
        for (const int fd : fds_)
            ::close(fd);
    }
    Miners(const Miners&) = delete;
    Miners& operator=(const Miners&) = delete;
    const std::vector<int>& fds() const { return fds_; }

 private:
    std::vector<int> fds_;
};

void idle(const Options& options) {
    const std::uint32_t count = options.connections != 0 ? options.connections
                                : options.quick          ? 200
                                                         : 9'000;
    const bench::ScratchDir folder(options.dir);
    const auto server = start_pool(options, folder, count);
    const Miners first(server.port(), 10, true);  // what the first connections allocate for all
    const auto memory = bench::resident_bytes(server.pid());
    const auto cpu = bench::cpu_seconds(server.pid());
    const Miners miners(server.port(), count, true);
    const auto used = bench::cpu_seconds(server.pid()) - cpu;
    const auto grown = bench::resident_bytes(server.pid()) - memory;
    std::printf(
        "idle %u connections: %.2f KiB of resident memory each, %.3f s of server CPU to open "
        "them all (%.1f us each)\n",
        count, static_cast<double>(grown) / 1024 / count, used, used * 1e6 / count);
}

// Milliseconds from the first connection that hears of a new block to the last.
double spread_ms(pid_t server, const std::vector<int>& fds) {
    const int epoll = ::epoll_create1(0);
    for (const int fd : fds) {
        epoll_event event{EPOLLIN | EPOLLONESHOT, {.fd = fd}};
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
    ::kill(server, SIGUSR1);
    std::vector<epoll_event> events(1024);
    std::size_t heard = 0;
    Clock::time_point first{};
    std::vector<char> buffer(1 << 16);
    while (heard < fds.size()) {
        const int ready =
            ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 10'000);
        if (ready <= 0) throw std::runtime_error("a connection did not hear of the block");
        if (heard == 0) first = Clock::now();
        for (int i = 0; i < ready; ++i) {
            ::recv(events[static_cast<std::size_t>(i)].data.fd, buffer.data(), buffer.size(), 0);
        }
        heard += static_cast<std::size_t>(ready);
    }
    const auto last = Clock::now();
    ::close(epoll);
    return std::chrono::duration<double, std::milli>(last - first).count();
}

void broadcast(const Options& options) {
    const std::uint32_t count = options.connections != 0 ? options.connections
                                : options.quick          ? 200
                                                         : 9'000;
    const bench::ScratchDir folder(options.dir);
    const auto pool = start_pool(options, folder, count);
    const Miners pool_miners(pool.port(), count, true);
    const bench::ChildServer bare(
        [&](const bench::ChildServer::Ready& ready) { bench::serve_bare_broadcast(count, ready); });
    const Miners bare_miners(bare.port(), count, false);
    std::vector<char> buffer(1 << 16);
    for (const int fd : bare_miners.fds())
        ::recv(fd, buffer.data(), buffer.size(), 0);
    double pool_ms = 1e9;
    double bare_ms = 1e9;
    for (std::uint32_t round = 0; round < options.rounds * 2; ++round) {
        bare_ms = std::min(bare_ms, spread_ms(bare.pid(), bare_miners.fds()));
        pool_ms = std::min(pool_ms, spread_ms(pool.pid(), pool_miners.fds()));
    }
    std::printf("broadcast to %u connections: pool %.1f ms, bare send loop %.1f ms, ratio %.2f\n",
                count, pool_ms, bare_ms, pool_ms / bare_ms);
}

void restart(const Options& options) {
    const auto count = options.quick ? std::uint64_t{100'000} : options.shares;
    const bench::ScratchDir folder(options.dir);
    base::SystemClock clock;
    base::Logger logger(base::LogLevel::error);
    metrics::Registry registry;
    store::PosixFileSystem files;
    store::ShareLogSettings settings;
    settings.dir = folder.path() / "log";
    const auto open = [&] {
        auto log = store::FileShareLog::open(files, settings, clock, registry, logger);
        if (!log) throw std::runtime_error(log.error().text());
        return std::move(*log);
    };
    class Waiter final : public share::CommitListener {
     public:
        void on_commit(std::uint64_t, share::CommitResult result) override {
            if (result != share::CommitResult::committed) failed = true;
            done.fetch_add(1);
            done.notify_one();
        }
        std::atomic<std::uint64_t> done{0};
        std::atomic<bool> failed{false};
    } waiter;
    {
        const auto log = open();
        const auto account = log->account("bench");
        const auto worker = log->worker(account, "w");
        constexpr std::uint64_t kBatch = 10'000;
        for (std::uint64_t written = 0, ticket = 0; written < count; written += kBatch) {
            share::ShareBatch batch;
            for (std::uint64_t i = 0; i < kBatch; ++i) {
                share::ShareRecord record;
                record.job = 1;
                record.account = account;
                record.worker = worker;
                record.choice.nonce = static_cast<std::uint32_t>(written + i);
                batch.shares.push_back(record);
            }
            batch.listener = &waiter;
            batch.ticket = ++ticket;
            if (!log->submit(batch)) throw std::runtime_error("the log refused a batch");
            waiter.done.wait(ticket - 1);
        }
        if (waiter.failed) throw std::runtime_error("a commit failed");
    }
    const auto begin = Clock::now();
    const auto log = open();
    const auto took = std::chrono::duration<double>(Clock::now() - begin).count();
    std::printf("restart with %llu shares in the log: open in %.3f s\n",
                static_cast<unsigned long long>(log->shares_recorded()), took);
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("Benchmarks of the pool against bare loops");
    app.require_subcommand(1);
    app.fallthrough();
    app.add_option("--connections", options.connections);
    app.add_option("--requests", options.requests, "measured shares")->check(CLI::PositiveNumber);
    app.add_option("--shares", options.shares, "shares in the log for restart");
    app.add_option("--rounds", options.rounds, "the best of so many is taken")
        ->check(CLI::PositiveNumber);
    app.add_option("--dir", options.dir, "where the log is written (default: here)");
    app.add_option("--gather-us", options.gather_us, "share.gather_us of the pool");
    app.add_flag("--quick", options.quick, "small numbers: only shows that it runs");
    app.add_subcommand("shares")->callback([&] { shares(options); });
    app.add_subcommand("idle")->callback([&] { idle(options); });
    app.add_subcommand("broadcast")->callback([&] { broadcast(options); });
    app.add_subcommand("restart")->callback([&] { restart(options); });
    try {
        net::raise_file_limit(20'000);
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "pool_bench: %s\n", error.what());
        return 1;
    }
    return 0;
}
