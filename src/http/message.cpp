#include "http/message.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace adit::http {

namespace {

constexpr std::array<std::string_view, kMethods> kNames = {"GET",   "HEAD",   "POST",   "PUT",
                                                           "PATCH", "DELETE", "OPTIONS"};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

std::string_view find_header(const Fields& headers, std::string_view name) {
    for (const auto& [key, value] : headers) {
        if (equal_without_case(key, name)) return value;
    }
    return {};
}

}  // namespace

std::string_view name_of(Method method) {
    return kNames[static_cast<std::size_t>(method)];
}

std::optional<Method> parse_method(std::string_view name) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == name) return static_cast<Method>(i);
    }
    return std::nullopt;
}

bool equal_without_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view Request::param(std::string_view name) const {
    for (const auto& [key, value] : path_params) {
        if (key == name) return value;
    }
    return {};
}

std::string_view Request::header(std::string_view name) const {
    return find_header(headers, name);
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
    for (const auto& [key, value] : query) {
        if (key == name) return value;
    }
    return std::nullopt;
}

std::optional<std::string_view> Request::unknown_query(
    std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : query) {
        if (std::ranges::find(known, key) == known.end()) return key;
    }
    return std::nullopt;
}

bool Request::may(auth::Permission permission) const {
    return permission == auth::Permission::anyone ||
           (principal && principal->permissions.allows(permission));
}

std::string_view Response::header(std::string_view name) const {
    return find_header(headers, name);
}

std::string json_text(std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Response error_response(unsigned status, std::string_view code, std::string_view message) {
    return json_response(fmt::format(R"({{"error":{{"code":{},"message":{}}}}})", json_text(code),
                                     json_text(message)),
                         status);
}

Response retry_response(unsigned status, std::string_view code, std::string_view message,
                        std::chrono::milliseconds after) {
    auto response = error_response(status, code, message);
    const auto seconds = std::max<std::int64_t>(1, (after.count() + 999) / 1'000);
    response.headers.emplace_back("Retry-After", std::to_string(seconds));
    return response;
}

Response json_response(std::string json, unsigned status) {
    Response response;
    response.status = status;
    response.body = std::move(json);
    return response;
}

std::string_view reason_of(unsigned status) {
    static const std::map<unsigned, std::string_view> kReasons = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {423, "Locked"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };
    const auto found = kReasons.find(status);
    return found == kReasons.end() ? "Status" : found->second;
}

}  // namespace adit::http
