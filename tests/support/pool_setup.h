// A pool's configuration for tests, as the TOML text that an operator would write. Plain values.
#pragma once

#include "base/bytes.h"
#include "node/node_settings.h"
#include "sim/sim_node.h"

#include <filesystem>
#include <string>
#include <vector>

namespace adit::tests {

struct NodeLogin {
    std::string name;
    std::string url;
    std::string user;
    std::string password;
    std::string zmq_hashblock;
};
NodeLogin login_of(const sim::SimNode& node, std::string name = "sim");
// As the pool talks to this node, without ZeroMQ.
node::NodeSettings settings_of(const NodeLogin& login);

struct ListenSetup {
    std::string address = "127.0.0.1:0";  // port 0: the system chooses
    std::filesystem::path certificate;    // empty: plain TCP
    std::filesystem::path key;
    bool proxy_protocol = false;
};

struct PoolSetup {
    std::filesystem::path data_dir;
    std::string address;                     // of the pool; empty: pool_address()
    std::string payout = "mode = \"none\"";  // lines of [payout]; empty: no section
    std::vector<NodeLogin> nodes;
    std::vector<ListenSetup> listen{ListenSetup{}};
    // Fixed difficulty: as start, minimum and maximum. About 2^32 times as many hashes a share; the
    // network's difficulty when that is lower.
    double difficulty = 1e-9;
    double difficulty_min = 0;     // another minimum than that; 0: none
    std::string extra_difficulty;  // further lines of [difficulty]
    int threads = 1;
    int miners = 1000;
    int handshakes_per_s = 10'000;
    std::string extra_limits;  // further lines of [limits]
    std::string extra;         // further sections
    std::string log_level = "info";

    std::string toml() const;
    // Writes the text to a file and returns its name.
    std::string write_to(const std::filesystem::path& file) const;
};

// The pool's regtest address, its output script, and addresses of miners ("a", "b", ...).
std::string pool_address();
base::Bytes pool_script();
std::string miner_address(std::string_view name);
// Somebody else's script, for blocks that are not ours.
base::Bytes other_script();

}  // namespace adit::tests
