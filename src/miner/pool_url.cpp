#include "miner/pool_url.h"

#include <charconv>

namespace adit::miner {

namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

bool is_literal_address(std::string_view host) {
    return host.find(':') != std::string_view::npos ||
           host.find_first_not_of("0123456789.") == std::string_view::npos;
}

// The last two labels of a host name, the whole of it when it has fewer.
std::string_view domain_of(std::string_view host) {
    const auto last = host.rfind('.');
    if (last == std::string_view::npos || last == 0) return host;
    const auto before = host.rfind('.', last - 1);
    return before == std::string_view::npos ? host : host.substr(before + 1);
}

}  // namespace

std::string_view describe(PoolUrlError error) {
    switch (error) {
        case PoolUrlError::empty:
            return "the pool's address is empty";
        case PoolUrlError::unknown_scheme:
            return "unknown scheme; use stratum+tcp://host:port or stratum+ssl://host:port";
        case PoolUrlError::missing_host:
            return "the host is missing before the port";
        case PoolUrlError::missing_port:
            return "the port is missing; write host:port";
        case PoolUrlError::bad_port:
            return "the port must be a number from 1 to 65535";
        case PoolUrlError::trailing_text:
            return "nothing may follow the port";
    }
    return "unknown";
}

std::expected<PoolUrl, PoolUrlError> parse_pool_url(std::string_view text) {
    if (text.empty()) return std::unexpected(PoolUrlError::empty);
    PoolUrl url;
    if (const auto colon = text.find("://"); colon != std::string_view::npos) {
        const auto scheme = lower(text.substr(0, colon));
        if (scheme == "stratum+ssl" || scheme == "stratum+tls" || scheme == "ssl" ||
            scheme == "tls") {
            url.tls = true;
        } else if (scheme != "stratum+tcp" && scheme != "stratum" && scheme != "tcp") {
            return std::unexpected(PoolUrlError::unknown_scheme);
        }
        text.remove_prefix(colon + 3);
    }
    if (text.ends_with('/')) text.remove_suffix(1);
    std::size_t colon = text.find(':');
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return std::unexpected(PoolUrlError::missing_host);
        url.host = text.substr(1, close - 1);
        colon =
            close + 1 < text.size() && text[close + 1] == ':' ? close + 1 : std::string_view::npos;
    } else {
        url.host = text.substr(0, colon);
    }
    if (url.host.empty()) return std::unexpected(PoolUrlError::missing_host);
    if (colon == std::string_view::npos) return std::unexpected(PoolUrlError::missing_port);
    const auto port = text.substr(colon + 1);
    if (port.empty()) return std::unexpected(PoolUrlError::missing_port);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc{} || url.port == 0) return std::unexpected(PoolUrlError::bad_port);
    if (end != port.data() + port.size()) return std::unexpected(PoolUrlError::trailing_text);
    return url;
}

std::string to_string(const PoolUrl& url) {
    const bool brackets = url.host.find(':') != std::string::npos;
    return fmt::format("stratum+{}://{}{}{}:{}", url.tls ? "ssl" : "tcp", brackets ? "[" : "",
                       url.host, brackets ? "]" : "", url.port);
}

bool may_redirect(std::string_view from, std::string_view to) {
    const auto a = lower(from);
    const auto b = lower(to);
    if (a == b) return true;
    if (is_literal_address(a) || is_literal_address(b)) return false;
    return domain_of(a) == domain_of(b);
}

}  // namespace adit::miner
