// IP addresses of peers and the "host:port" texts of the configuration. Pure values, except
// resolve(), which asks the system's resolver and may block: call it at start only.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct sockaddr;
struct sockaddr_storage;

namespace adit::net {

// An IPv4 address (kept as ::ffff:a.b.c.d) or an IPv6 address, and a port.
struct Address {
    std::array<std::uint8_t, 16> ip{};
    std::uint16_t port = 0;

    static Address v4(std::uint32_t host_order_ip, std::uint16_t port);
    // All zero for families other than AF_INET and AF_INET6.
    static Address from(const sockaddr* address);

    // "192.0.2.1" or "2001:db8::1", with port 0; nullopt: no IP address.
    static std::optional<Address> parse_ip(std::string_view text);

    bool is_v4() const;
    // "192.0.2.1" or "2001:db8::1": what limits and bans count by.
    std::string ip_text() const;
    // "192.0.2.1:3333" or "[2001:db8::1]:3333".
    std::string text() const;
    // Fills out and returns the length that bind() and connect() take.
    std::uint32_t to(sockaddr_storage& out) const;

    bool operator==(const Address&) const = default;
};

enum class EndpointError { no_port, bad_port, no_host, unclosed_bracket, too_many_colons };
std::string_view describe(EndpointError error);

// A host name or address and a port, as in `listen = "0.0.0.0:3333"`.
struct Endpoint {
    std::string host;  // without brackets
    std::uint16_t port = 0;

    // "host:port" or "[v6]:port"; "*:port" and ":port" mean every address ("::").
    // Port 0 is legal (the system picks one).
    static std::expected<Endpoint, EndpointError> parse(std::string_view text);
    std::string text() const;
};

// The addresses of a host, at least one; or the resolver's words.
std::expected<std::vector<Address>, std::string> resolve(const Endpoint& endpoint);

}  // namespace adit::net

template <>
struct std::hash<adit::net::Address> {
    std::size_t operator()(const adit::net::Address& address) const noexcept {
        return std::hash<std::string_view>{}(
                   {reinterpret_cast<const char*>(address.ip.data()), address.ip.size()}) ^
               address.port;
    }
};
