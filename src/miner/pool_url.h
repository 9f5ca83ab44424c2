// Where a pool listens: stratum+tcp://host:port, stratum+ssl://host:port (also stratum+tls://,
// ssl://, tls://, tcp://) or plain host:port. IPv6 literals stand in brackets.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace adit::miner {

struct PoolUrl {
    std::string host;
    std::uint16_t port = 0;
    bool tls = false;
    friend bool operator==(const PoolUrl&, const PoolUrl&) = default;
};

enum class PoolUrlError : std::uint8_t {
    empty,
    unknown_scheme,
    missing_host,
    missing_port,
    bad_port,
    trailing_text,
};
inline constexpr std::size_t kPoolUrlErrorCount = 6;
std::string_view describe(PoolUrlError error);

std::expected<PoolUrl, PoolUrlError> parse_pool_url(std::string_view text);
// The spelling with scheme.
std::string to_string(const PoolUrl& url);

// Whether a client.reconnect from `from` may lead to `to`: the same host, or a host of the same
// registered domain (its last two labels). Anything else could be a hijack.
bool may_redirect(std::string_view from, std::string_view to);

}  // namespace adit::miner
