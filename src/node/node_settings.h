// How to reach one node. Plain values, filled from the configuration's [[node]] tables.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace adit::node {

struct NodeSettings {
    std::string name;         // in logs and metrics; empty: "host:port" of the URL
    std::string rpc;          // "http://host:port" or "http://host:port/path"
    std::string cookie_file;  // either this ...
    std::string user;         // ... or user and password
    std::string password;
    std::string zmq_hashblock;  // "tcp://host:port"; empty: no ZMQ

    // The name to show: `name`, or else host and port of the URL.
    std::string label() const;
};

// Where an RPC URL points to.
struct RpcEndpoint {
    std::string host;  // name or literal address, without brackets
    std::uint16_t port = 8332;
    std::string path = "/";
};
// Takes http://host[:port][/path] with IPv6 literals in brackets. The error is a sentence that says
// what is wrong with the URL and what to write instead.
std::expected<RpcEndpoint, std::string> parse_rpc_url(std::string_view url);

// The same node with the address of one of its wallets, /wallet/NAME with the name percent-encoded
// (RFC 3986), for calls about that wallet. A /wallet/ that the address has already gives way.
NodeSettings at_wallet(NodeSettings node, std::string_view wallet);

}  // namespace adit::node
