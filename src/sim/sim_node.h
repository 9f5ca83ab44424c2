// A node for tests and the demo: JSON-RPC over HTTP on a loopback port, answering as Bitcoin Core
// does over a SimChain, and optionally a ZeroMQ hashblock publisher. Owns its chain and one thread
// on which everything happens. start(), stop(), with_chain() and the settings are for the owner's
// thread; the accessors are safe from any thread after start().
#pragma once

#include "base/log.h"
#include "sim/sim_chain.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace adit::sim {

struct SimNodeSettings {
    std::uint16_t port = 0;  // 0: any free one
    std::string user = "adit";
    std::string password = "adit";
    // Also accepted: a random password that is written here (as "__cookie__:...") at start and
    // removed at stop. Empty: none.
    std::filesystem::path cookie_file;
    std::string zmq_hashblock;  // such as "tcp://127.0.0.1:*"; empty: none
};

// How the node misbehaves, for tests of whatever talks to it.
enum class SimFault {
    none,
    hang,                // reads requests and never answers
    warming_up,          // -28 to everything
    refuse_connections,  // closes the listener and all connections
    lag,                 // tells a height and tip five blocks back
    wrong_height,        // claims blocks and headers that are not there
    drop_transaction,    // templates lack one transaction but keep its fee
    truncated_reply,     // half of each answer, then the connection ends
    absurd_json,         // answers 200 with bytes that are no JSON
    wrong_credentials,   // 401 to everybody
    wrong_chain,         // calls itself "main"
    initial_download,    // -10 to getblocktemplate, initialblockdownload true
    no_peers,            // -9 to getblocktemplate
};

class SimNode {
 public:
    // Throws std::runtime_error when the port, the cookie file or the ZeroMQ endpoint cannot be
    // used.
    SimNode(SimNodeSettings settings, SimParams params, const base::Clock& clock,
            base::Logger& log);
    ~SimNode();
    SimNode(const SimNode&) = delete;
    SimNode& operator=(const SimNode&) = delete;

    void start();
    void stop();

    std::uint16_t port() const;
    std::string url() const;  // "http://127.0.0.1:PORT"
    const SimNodeSettings& settings() const;
    std::string zmq_endpoint() const;  // the bound one; empty: none

    // Runs `work` on the node's thread and waits for it. Never from that thread.
    void with_chain(const std::function<void(SimChain&)>& work);
    // Mines n blocks that pay to this script (real hashing); fewer when a block needs more than
    // max_tries hashes.
    std::vector<chain::Hash256> generate(int n, base::ByteSpan script,
                                         std::uint64_t max_tries = 100'000'000);
    std::int32_t height();

    void set_fault(SimFault fault);
    // Every block that this node takes is handed to `peer` too, as over a connection. The peer must
    // outlive this node's thread.
    void relay_to(SimNode& peer);
    // Takes a block from a peer, without waiting.
    void receive(std::shared_ptr<const chain::Block> block);

    // Requests answered since start, by anybody.
    std::uint64_t requests() const;

 private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace adit::sim
