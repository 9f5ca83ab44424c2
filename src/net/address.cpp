#include "net/address.h"

#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace adit::net {
namespace {

constexpr std::array<std::uint8_t, 12> kV4Prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

Address Address::v4(std::uint32_t host_order_ip, std::uint16_t port) {
    Address address;
    std::copy(kV4Prefix.begin(), kV4Prefix.end(), address.ip.begin());
    const auto big_endian = htonl(host_order_ip);
    std::memcpy(address.ip.data() + 12, &big_endian, 4);
    address.port = port;
    return address;
}

Address Address::from(const sockaddr* address) {
    Address out;
    if (address->sa_family == AF_INET) {
        sockaddr_in in;
        std::memcpy(&in, address, sizeof in);
        return v4(ntohl(in.sin_addr.s_addr), ntohs(in.sin_port));
    }
    if (address->sa_family == AF_INET6) {
        sockaddr_in6 in;
        std::memcpy(&in, address, sizeof in);
        std::memcpy(out.ip.data(), &in.sin6_addr, 16);
        out.port = ntohs(in.sin6_port);
    }
    return out;
}

std::optional<Address> Address::parse_ip(std::string_view text) {
    const std::string terminated(text.substr(0, text.find('\0')));
    if (terminated.size() != text.size()) return std::nullopt;
    in_addr v4_ip{};
    if (inet_pton(AF_INET, terminated.c_str(), &v4_ip) == 1) return v4(ntohl(v4_ip.s_addr), 0);
    Address out;
    if (inet_pton(AF_INET6, terminated.c_str(), out.ip.data()) != 1) return std::nullopt;
    return out;
}

bool Address::is_v4() const {
    return std::equal(kV4Prefix.begin(), kV4Prefix.end(), ip.begin());
}

std::string Address::ip_text() const {
    char text[INET6_ADDRSTRLEN];
    const bool v4 = is_v4();
    inet_ntop(v4 ? AF_INET : AF_INET6, ip.data() + (v4 ? 12 : 0), text, sizeof text);
    return text;
}

std::string Address::text() const {
    return is_v4() ? fmt::format("{}:{}", ip_text(), port)
                   : fmt::format("[{}]:{}", ip_text(), port);
}

std::uint32_t Address::to(sockaddr_storage& out) const {
    out = {};
    if (is_v4()) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        std::memcpy(&in.sin_addr, ip.data() + 12, 4);
        std::memcpy(&out, &in, sizeof in);
        return sizeof in;
    }
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, ip.data(), 16);
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
}

std::string_view describe(EndpointError error) {
    switch (error) {
        case EndpointError::no_port:
            return "the port is missing; write host:port";
        case EndpointError::bad_port:
            return "the port must be a number from 0 to 65535";
        case EndpointError::no_host:
            return "the brackets hold no address";
        case EndpointError::unclosed_bracket:
            return "']' and ':port' must follow '[address'";
        case EndpointError::too_many_colons:
            return "write an IPv6 address in brackets: [::1]:3333";
    }
    return "";
}

std::expected<Endpoint, EndpointError> Endpoint::parse(std::string_view text) {
    std::string_view host;
    std::string_view port;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == text.npos) return std::unexpected(EndpointError::unclosed_bracket);
        host = text.substr(1, end - 1);
        if (host.empty()) return std::unexpected(EndpointError::no_host);
        const auto after = text.substr(end + 1);
        if (after.empty()) return std::unexpected(EndpointError::no_port);
        if (after[0] != ':') return std::unexpected(EndpointError::unclosed_bracket);
        port = after.substr(1);
    } else {
        const auto colon = text.find(':');
        if (colon == text.npos) return std::unexpected(EndpointError::no_port);
        if (text.find(':', colon + 1) != text.npos) {
            return std::unexpected(EndpointError::too_many_colons);
        }
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        if (host.empty() || host == "*") host = "::";
    }
    if (port.empty()) return std::unexpected(EndpointError::no_port);
    Endpoint out{std::string(host), 0};
    const auto [rest, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc{} || rest != port.data() + port.size()) {
        return std::unexpected(EndpointError::bad_port);
    }
    return out;
}

std::string Endpoint::text() const {
    return host.find(':') == host.npos ? fmt::format("{}:{}", host, port)
                                       : fmt::format("[{}]:{}", host, port);
}

std::expected<std::vector<Address>, std::string> resolve(const Endpoint& endpoint) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int error = getaddrinfo(endpoint.host.c_str(), nullptr, &hints, &found);
    if (error != 0) {
        return std::unexpected(fmt::format("{}: {}", endpoint.host, gai_strerror(error)));
    }
    std::vector<Address> out;
    for (const auto* at = found; at != nullptr; at = at->ai_next) {
        auto address = Address::from(at->ai_addr);
        address.port = endpoint.port;
        out.push_back(address);
    }
    freeaddrinfo(found);
    if (out.empty()) return std::unexpected(fmt::format("{}: no address", endpoint.host));
    return out;
}

}  // namespace adit::net
