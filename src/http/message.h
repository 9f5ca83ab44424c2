// What a route's handler gets and gives. Values: a request belongs to the worker thread that
// handles it, a response to whoever made it.
#pragma once

#include "auth/principal.h"
#include "net/address.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace adit::http {

class EventStream;

enum class Method : std::uint8_t { get, head, post, put, patch, delete_, options };
inline constexpr std::size_t kMethods = 7;
std::string_view name_of(Method method);
// Case matters, as in HTTP; nullopt for methods that no route can have.
std::optional<Method> parse_method(std::string_view name);

// Name and value, in the order in which they came. Names of headers compare without case.
using Fields = std::vector<std::pair<std::string, std::string>>;

struct Request {
    Method method = Method::get;
    std::string path;    // decoded, such as "/api/v1/blocks/00ab"
    Fields path_params;  // what the braces of the route's pattern matched
    Fields query;        // decoded; a name occurs at most once
    Fields headers;
    std::string body;
    net::Address peer;
    std::optional<auth::Principal> principal;  // present when a valid credential was sent
    // Requested when the client has gone, the route's time is up, or the server stops. A handler
    // that takes longer than a moment heeds it.
    std::stop_token stop;

    // Empty when there is none.
    std::string_view param(std::string_view name) const;
    std::string_view header(std::string_view name) const;
    // nullopt when it is absent.
    std::optional<std::string_view> query_value(std::string_view name) const;
    // The first name in the query that is none of these; nullopt: all are known.
    std::optional<std::string_view> unknown_query(
        std::initializer_list<std::string_view> known) const;
    bool may(auth::Permission permission) const;
};

struct Response {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    // Added to, and stronger than, what the server sends by itself (security, caching).
    Fields headers;
    // Instead of a body: events until either side ends.
    std::shared_ptr<EventStream> events;
    // Asked at every heartbeat of the events; false ends them. The router sets it.
    std::function<bool()> still_allowed;

    std::string_view header(std::string_view name) const;
};

// {"error":{"code":...,"message":...}}
Response error_response(unsigned status, std::string_view code, std::string_view message);
// The same with "Retry-After", at least one second.
Response retry_response(unsigned status, std::string_view code, std::string_view message,
                        std::chrono::milliseconds after);
// `json` is the whole body.
Response json_response(std::string json, unsigned status = 200);

// Text as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD.
std::string json_text(std::string_view text);

// "Not Found" for 404.
std::string_view reason_of(unsigned status);

// ASCII only, as in names of headers.
bool equal_without_case(std::string_view a, std::string_view b);

}  // namespace adit::http
