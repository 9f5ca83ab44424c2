// What it costs to move bytes, without anything of a pool: servers that answer each line with a
// line of fixed size, and a load on them. The floor for the ratios of the share benchmark, and the
// measurement behind docs/decisions/0001-sockets.md.
//
//   echo_floor                                   all engines, one table
//   echo_floor --engine bare --server 4444       serve until killed (for other drivers)
//   echo_floor --connections 10000 --in-flight 8 --requests 400000
#include "echo_servers.h"
#include "load_client.h"
#include "net/file_limit.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <string>

namespace {

using namespace adit;

struct Options {
    std::string engine = "all";
    int server = -1;
    std::uint32_t connections = 1000;
    std::uint32_t in_flight = 0;  // 0: both 1 and 8
    std::uint64_t requests = 300'000;
    std::uint32_t request_size = 110;
    std::uint32_t reply_size = 40;
    std::uint32_t rounds = 3;
};

void serve(const std::string& engine, const bench::EchoOptions& options) {
    if (engine == "net") return bench::serve_net(options);
    if (engine == "asio") return bench::serve_asio(options);
    bench::serve_bare(options);
}

double measure(const std::string& engine, const Options& options, std::uint32_t in_flight) {
    const bench::ChildServer server([&](const bench::ChildServer::Ready& ready) {
        serve(engine, {0, options.reply_size, ready});
    });
    const auto idle = bench::resident_bytes(server.pid());
    bench::LoadOptions load;
    load.port = server.port();
    load.server = server.pid();
    load.connections = options.connections;
    load.in_flight = in_flight;
    load.requests = options.requests;
    load.warm_up = options.connections * 8;
    std::string line(options.request_size - 1, 'q');
    line.push_back('\n');
    load.request = [&line](std::uint32_t, std::uint64_t, std::string& out) { out += line; };
    const auto result = bench::run_load(load);
    const auto grown = bench::resident_bytes(server.pid()) - idle;
    std::printf("%-5s %11u %9u %12.0f %14.2f %18.0f\n", engine.c_str(), options.connections,
                in_flight, result.requests_per_s(), result.server_us_per_request(),
                static_cast<double>(grown) / options.connections);
    std::fflush(stdout);
    return result.server_us_per_request();
}

void compare(const Options& options) {
    std::printf("%-5s %11s %9s %12s %14s %18s\n", "", "connections", "in flight", "requests/s",
                "server us each", "bytes/connection");
    for (const auto in_flight : {1u, 8u}) {
        if (options.in_flight != 0 && options.in_flight != in_flight) continue;
        double best[3] = {1e9, 1e9, 1e9};
        const std::string engines[3] = {"bare", "net", "asio"};
        for (std::uint32_t round = 0; round < options.rounds; ++round) {
            for (int i = 0; i < 3; ++i) {
                if (options.engine != "all" && options.engine != engines[i]) continue;
                best[i] = std::min(best[i], measure(engines[i], options, in_flight));
            }
        }
        if (options.engine != "all") continue;
        std::printf("best of %u, %u in flight: net %.2f x bare, asio %.2f x bare\n", options.rounds,
                    in_flight, best[1] / best[0], best[2] / best[0]);
    }
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("Line echo servers and a load on them");
    app.add_option("--engine", options.engine, "bare, net, asio or all")
        ->check(CLI::IsMember({"bare", "net", "asio", "all"}));
    app.add_option("--server", options.server, "serve on this port of 127.0.0.1 until killed");
    app.add_option("--connections", options.connections)->check(CLI::PositiveNumber);
    app.add_option("--in-flight", options.in_flight, "1 or 8; both when not given")
        ->check(CLI::IsMember({1, 8}));
    app.add_option("--requests", options.requests)->check(CLI::PositiveNumber);
    app.add_option("--request-size", options.request_size, "bytes with the line feed")
        ->check(CLI::PositiveNumber);
    app.add_option("--reply-size", options.reply_size, "bytes with the line feed")
        ->check(CLI::PositiveNumber);
    app.add_option("--rounds", options.rounds, "the best of so many is taken")
        ->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    try {
        net::raise_file_limit(std::uint64_t{options.connections} * 2 + 100);
        if (options.server >= 0) {
            serve(options.engine, {static_cast<std::uint16_t>(options.server), options.reply_size,
                                   [](std::uint16_t port) {
                                       std::printf("listening on %u\n", port);
                                       std::fflush(stdout);
                                   }});
        } else {
            compare(options);
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "echo_floor: %s\n", error.what());
        return 1;
    }
    return 0;
}
