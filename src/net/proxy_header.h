// The PROXY protocol header, versions 1 (text) and 2 (binary), by which a load balancer tells the
// client's address. Source: https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt
// Pure function of the bytes so far; strict; bounded.
#pragma once

#include "net/address.h"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

namespace adit::net {

inline constexpr std::size_t kMaxProxyV1 = 107;  // bytes, line end included
inline constexpr std::size_t kMaxProxyV2 =
    536;  // 16 of header, 216 at most for addresses, and TLVs

enum class ProxyError : std::uint8_t {
    no_signature,  // neither version's
    too_long,
    bad_line,    // version 1: fields, spaces, line end
    bad_family,  // version 1: not TCP4, TCP6, UNKNOWN
    bad_address,
    bad_port,
    bad_version,    // version 2: not version 2
    bad_command,    // version 2: neither LOCAL nor PROXY
    bad_transport,  // version 2: not a TCP stream
    bad_length,     // version 2: too short for its addresses
};
std::string_view describe(ProxyError error);

struct ProxyHeader {
    std::size_t size = 0;           // bytes that belong to the header
    std::optional<Address> source;  // empty for LOCAL and UNKNOWN: keep the socket's address
};

// The header at the start of `bytes`; nullopt when more bytes are needed (then all of `bytes`
// belong to the header).
std::expected<std::optional<ProxyHeader>, ProxyError> parse_proxy_header(std::string_view bytes);

}  // namespace adit::net
