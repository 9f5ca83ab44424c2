// A Stratum server with a real share log, in a child process, for the benchmarks. Every header is a
// share (the difficulty is that low) and none is a block, so the load needs no hashing.
#pragma once

#include "load_client.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace adit::bench {

struct PoolServerOptions {
    std::filesystem::path data_dir;  // for the log; must exist
    std::uint32_t miners = 12'000;
    std::int64_t gather_us = 2000;  // the configuration's default
};

// Serves on the calling thread's process until it is killed. SIGUSR1 publishes a new block.
void serve_pool(const PoolServerOptions& options, const ChildServer::Ready& ready);

// Accepts connections and sends each the same notify on SIGUSR1, in one plain loop: the floor of
// the broadcast. Lines that arrive are answered as a pool would, by a fixed reply.
void serve_bare_broadcast(std::uint32_t connections, const ChildServer::Ready& ready);

// Subscribes and authorizes on a connected descriptor and reads up to the first job; its id and
// ntime in hex. Throws std::runtime_error.
struct FirstJob {
    std::string worker;  // the authorized name
    std::string id;
    std::string ntime;
};
FirstJob open_session(int fd, std::uint32_t connection);

// The n-th share of a connection, with line feed.
void append_share(const FirstJob& job, std::uint64_t n, std::string& out);

bool is_share_reply(std::string_view line);

}  // namespace adit::bench
