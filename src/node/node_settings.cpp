#include "node/node_settings.h"

#include <charconv>

namespace adit::node {

std::expected<RpcEndpoint, std::string> parse_rpc_url(std::string_view url) {
    const auto bad = [&](std::string_view why) {
        return std::unexpected(
            fmt::format("\"{}\" is no RPC address: {}; write http://HOST:PORT", url, why));
    };
    constexpr std::string_view kScheme = "http://";
    if (url.starts_with("https://")) {
        return bad("bitcoind speaks no TLS, use a tunnel for a node on another machine");
    }
    if (!url.starts_with(kScheme)) return bad("it does not begin with http://");
    std::string_view rest = url.substr(kScheme.size());
    RpcEndpoint endpoint;
    if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
        endpoint.path = rest.substr(slash);
        rest = rest.substr(0, slash);
    }
    for (const char c : endpoint.path) {
        if (c <= ' ' || c > '~') return bad("the path has a space or control character");
    }
    if (rest.find('@') != std::string_view::npos) return bad("user and password have own settings");
    std::string_view port;
    if (rest.starts_with('[')) {
        const auto close = rest.find(']');
        if (close == std::string_view::npos) return bad("the bracket is not closed");
        endpoint.host = rest.substr(1, close - 1);
        port = rest.substr(close + 1);
        if (!port.empty() && !port.starts_with(':')) return bad("a port follows after ':'");
    } else {
        const auto colon = rest.find(':');
        endpoint.host = rest.substr(0, colon);
        if (colon != std::string_view::npos) port = rest.substr(colon);
    }
    if (endpoint.host.empty()) return bad("the host is missing");
    for (const char c : endpoint.host) {
        if (c <= ' ' || c > '~') return bad("the host has a space or control character");
    }
    if (!port.empty()) {
        port.remove_prefix(1);
        const auto [end, error] =
            std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
        if (error != std::errc{} || end != port.data() + port.size() || endpoint.port == 0) {
            return bad("the port is not a number from 1 to 65535");
        }
    }
    return endpoint;
}

NodeSettings at_wallet(NodeSettings node, std::string_view wallet) {
    constexpr std::string_view kWalletPath = "/wallet/";
    constexpr std::string_view kUnreserved = "-._~";
    if (node.name.empty()) node.name = node.label();
    node.rpc.resize(std::min(node.rpc.find(kWalletPath), node.rpc.size()));
    while (node.rpc.ends_with('/'))
        node.rpc.pop_back();
    node.rpc += kWalletPath;
    for (const char c : wallet) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                           (c >= 'a' && c <= 'z') || kUnreserved.contains(c);
        if (plain) {
            node.rpc += c;
        } else {
            node.rpc += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return node;
}

std::string NodeSettings::label() const {
    if (!name.empty()) return name;
    const auto endpoint = parse_rpc_url(rpc);
    if (!endpoint) return rpc;
    const bool v6 = endpoint->host.find(':') != std::string::npos;
    return v6 ? fmt::format("[{}]:{}", endpoint->host, endpoint->port)
              : fmt::format("{}:{}", endpoint->host, endpoint->port);
}

}  // namespace adit::node
