#include "net/proxy_header.h"

#include "base/bytes.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <netinet/in.h>

namespace adit::net {
namespace {

using Result = std::expected<std::optional<ProxyHeader>, ProxyError>;

constexpr std::string_view kSignatureV1 = "PROXY ";
constexpr std::string_view kSignatureV2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixedV2 = 16;  // signature, version and command, family, length

bool starts_like(std::string_view bytes, std::string_view signature) {
    return signature.starts_with(bytes.substr(0, signature.size()));
}

// Cuts the next field off, up to a single space.
std::string_view next_field(std::string_view& rest) {
    const auto space = rest.find(' ');
    const auto field = rest.substr(0, space);
    rest = space == rest.npos ? std::string_view() : rest.substr(space + 1);
    return field;
}

bool read_ip(std::string_view text, bool v4, Address& out) {
    const std::string terminated(text);
    if (!v4) return inet_pton(AF_INET6, terminated.c_str(), out.ip.data()) == 1;
    in_addr ip{};
    if (inet_pton(AF_INET, terminated.c_str(), &ip) != 1) return false;
    out = Address::v4(ntohl(ip.s_addr), out.port);
    return true;
}

// Decimal without sign or leading zero.
bool read_port(std::string_view text, std::uint16_t& out) {
    if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
}

Result parse_v1(std::string_view bytes) {
    const auto feed = bytes.substr(0, kMaxProxyV1).find('\n');
    if (feed == bytes.npos) {
        if (bytes.size() >= kMaxProxyV1) return std::unexpected(ProxyError::too_long);
        return std::optional<ProxyHeader>();
    }
    if (bytes[feed - 1] != '\r') return std::unexpected(ProxyError::bad_line);
    const auto end = feed - 1;
    auto rest = bytes.substr(kSignatureV1.size(), end - kSignatureV1.size());
    const auto spaces = std::count(rest.begin(), rest.end(), ' ');
    const auto family = next_field(rest);
    ProxyHeader header{end + 2, std::nullopt};
    if (family == "UNKNOWN") return header;  // the rest of the line is to be ignored
    if (family != "TCP4" && family != "TCP6") return std::unexpected(ProxyError::bad_family);
    if (spaces != 4) return std::unexpected(ProxyError::bad_line);
    const bool v4 = family == "TCP4";
    Address source;
    Address destination;
    if (!read_ip(next_field(rest), v4, source) || !read_ip(next_field(rest), v4, destination)) {
        return std::unexpected(ProxyError::bad_address);
    }
    if (!read_port(next_field(rest), source.port) || !read_port(rest, destination.port)) {
        return std::unexpected(ProxyError::bad_port);
    }
    header.source = source;
    return header;
}

Result parse_v2(std::string_view text) {
    const auto bytes = base::as_bytes(text);
    if (bytes.size() < kFixedV2) return std::optional<ProxyHeader>();
    const auto version = bytes[12] >> 4;
    const auto command = bytes[12] & 0x0f;
    const auto family = bytes[13] >> 4;
    const auto transport = bytes[13] & 0x0f;
    const std::size_t length = std::size_t{bytes[14]} << 8 | bytes[15];
    if (version != 2) return std::unexpected(ProxyError::bad_version);
    if (command > 1) return std::unexpected(ProxyError::bad_command);
    ProxyHeader header{kFixedV2 + length, std::nullopt};
    if (header.size > kMaxProxyV2) return std::unexpected(ProxyError::too_long);
    constexpr int kV4 = 1;
    constexpr int kV6 = 2;
    const bool proxied = command == 1 && bytes[13] != 0;  // else LOCAL or UNSPEC
    if (proxied) {
        if ((family != kV4 && family != kV6) || transport != 1) {
            return std::unexpected(ProxyError::bad_transport);
        }
        if (length < (family == kV4 ? 12u : 36u)) return std::unexpected(ProxyError::bad_length);
    }
    if (bytes.size() < header.size) return std::optional<ProxyHeader>();
    if (!proxied) return header;
    const auto port_at = [&](std::size_t at) {
        return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
    };
    if (family == kV4) {
        header.source = Address::v4(base::load_be32(bytes.data() + kFixedV2), port_at(24));
    } else {
        header.source.emplace();
        std::copy_n(bytes.begin() + kFixedV2, 16, header.source->ip.begin());
        header.source->port = port_at(48);
    }
    return header;
}

}  // namespace

std::string_view describe(ProxyError error) {
    switch (error) {
        case ProxyError::no_signature:
            return "no PROXY header";
        case ProxyError::too_long:
            return "PROXY header too long";
        case ProxyError::bad_line:
            return "PROXY line malformed";
        case ProxyError::bad_family:
            return "PROXY family is not TCP4, TCP6 or UNKNOWN";
        case ProxyError::bad_address:
            return "PROXY address malformed";
        case ProxyError::bad_port:
            return "PROXY port malformed";
        case ProxyError::bad_version:
            return "PROXY version is not 1 or 2";
        case ProxyError::bad_command:
            return "PROXY command is not LOCAL or PROXY";
        case ProxyError::bad_transport:
            return "PROXY transport is not TCP over IP";
        case ProxyError::bad_length:
            return "PROXY header too short for its addresses";
    }
    return "";
}

Result parse_proxy_header(std::string_view bytes) {
    if (starts_like(bytes, kSignatureV1)) {
        if (bytes.size() < kSignatureV1.size()) return std::optional<ProxyHeader>();
        return parse_v1(bytes);
    }
    if (starts_like(bytes, kSignatureV2)) return parse_v2(bytes);
    return std::unexpected(ProxyError::no_signature);
}

}  // namespace adit::net
