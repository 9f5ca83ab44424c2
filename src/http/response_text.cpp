#include "http/response_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace adit::http {

namespace {

constexpr std::pair<std::string_view, std::string_view> kDefaults[] = {
    {"Cache-Control", "no-store"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
};

// These are the server's to decide.
constexpr std::string_view kReserved[] = {
    "connection", "content-length", "content-type",      "date",
    "server",     "trailer",        "transfer-encoding", "upgrade"};

bool is_token(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
}

bool clean(std::string_view value) {
    return std::ranges::none_of(
        value, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool may_be_sent(std::string_view name, std::string_view value) {
    const auto reserved = std::ranges::any_of(
        kReserved, [&](std::string_view own) { return equal_without_case(own, name); });
    return !reserved && is_token(name) && clean(value);
}

}  // namespace

std::string http_date(std::int64_t wall_ms) {
    const auto seconds = static_cast<std::time_t>(wall_ms / 1'000);
    return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(seconds));
}

std::string head_text(const Response& response, const HeadOptions& options) {
    std::string out = fmt::format("HTTP/1.1 {} {}\r\nServer: Adit\r\nDate: {}\r\n", response.status,
                                  reason_of(response.status), http_date(options.wall_ms));
    const bool bodiless = response.status == 204 || response.status == 304;
    if (!bodiless) {
        const std::string_view type = response.content_type;
        out += fmt::format("Content-Type: {}\r\n",
                           clean(type) ? type : std::string_view("application/octet-stream"));
        if (!response.events) out += fmt::format("Content-Length: {}\r\n", response.body.size());
    }
    for (const auto& [name, value] : kDefaults) {
        if (response.header(name).empty()) out += fmt::format("{}: {}\r\n", name, value);
    }
    for (const auto& [name, value] : response.headers) {
        if (may_be_sent(name, value)) out += fmt::format("{}: {}\r\n", name, value);
    }
    if (!options.keep_alive) out += "Connection: close\r\n";
    return out += "\r\n";
}

}  // namespace adit::http
