#include "http/router.h"

#include "base/check.h"
#include "http/url.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace adit::http {

namespace {

bool is_param(std::string_view segment) {
    return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::string_view param_name(std::string_view segment) {
    return segment.substr(1, segment.size() - 2);
}

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
    return std::ranges::equal(pattern, path, [](const auto& expected, const auto& given) {
        return is_param(expected) ? !given.empty() : expected == given;
    });
}

// True when every path of the one is matched by the same words of the other.
bool same_shape(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    return std::ranges::equal(a, b, [](const auto& left, const auto& right) {
        return (is_param(left) && is_param(right)) || left == right;
    });
}

// Literal segments win over parameters, the earlier ones first.
bool more_specific(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (is_param(a[i]) != is_param(b[i])) return is_param(b[i]);
    }
    return false;
}

Response denied(auth::Denial denial) {
    if (denial == auth::Denial::unavailable) {
        return retry_response(503, "unavailable", "the accounts cannot be read at the moment",
                              std::chrono::seconds(5));
    }
    const bool missing = denial == auth::Denial::missing;
    const auto sentence =
        missing
            ? std::string(
                  "send a token as \"Authorization: Bearer ...\" or an API key as \"X-Api-Key\"")
            : fmt::format("the credential was not accepted: {}", name_of(denial));
    auto response =
        error_response(401, missing ? "unauthenticated" : "invalid_credential", sentence);
    response.headers.emplace_back(
        "WWW-Authenticate", missing ? std::string("Bearer realm=\"adit\"")
                                    : fmt::format("Bearer realm=\"adit\", error=\"invalid_token\", "
                                                  "error_description=\"{}\"",
                                                  name_of(denial)));
    return response;
}

Response forbidden(auth::Permission permission) {
    auto response = error_response(
        403, "forbidden", fmt::format("this needs the permission {}", name_of(permission)));
    response.headers.emplace_back(
        "WWW-Authenticate",
        fmt::format("Bearer realm=\"adit\", error=\"insufficient_scope\", scope=\"{}\"",
                    name_of(permission)));
    return response;
}

struct Credential {
    std::string_view text;
    bool other_scheme = false;
};

// nullopt: more than one was sent.
std::optional<Credential> credential_of(const Request& request) {
    Credential credential;
    std::size_t sent = 0;
    for (const auto& [name, value] : request.headers) {
        if (equal_without_case(name, "x-api-key")) {
            ++sent;
            credential.text = value;
        } else if (equal_without_case(name, "authorization")) {
            ++sent;
            const std::string_view all = value;
            constexpr std::string_view kScheme = "Bearer ";
            if (!equal_without_case(all.substr(0, kScheme.size()), kScheme)) {
                credential.other_scheme = true;
                continue;
            }
            credential.text = all.substr(kScheme.size());
            const auto begin = credential.text.find_first_not_of(' ');
            credential.text.remove_prefix(std::min(begin, credential.text.size()));
        }
    }
    if (sent > 1) return std::nullopt;
    return credential;
}

}  // namespace

void Router::add(Route route) {
    auto pattern = parse_target(route.pattern);
    ADIT_CHECK(pattern && pattern->query.empty() && route.handler, "a route must be complete");
    std::set<std::string_view> names;
    for (const auto& segment : pattern->segments) {
        ADIT_CHECK(is_param(segment) || segment.find_first_of("{}") == std::string::npos,
                   "a parameter is a whole segment");
        if (is_param(segment)) {
            ADIT_CHECK(names.insert(param_name(segment)).second,
                       "a parameter has a name of its own");
        }
    }
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        ADIT_CHECK(
            routes_[i].method != route.method || !same_shape(segments_[i], pattern->segments),
            "a route may be added once");
    }
    segments_.push_back(std::move(pattern->segments));
    routes_.push_back(std::move(route));
}

std::expected<const Route*, Response> Router::match(std::string_view method,
                                                    std::string_view target,
                                                    Request& request) const {
    const auto known = parse_method(method);
    request.method = known.value_or(Method::get);
    if (known == Method::options && target == "*") {
        auto response = json_response("", 204);
        response.headers.emplace_back("Allow", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
        return std::unexpected(std::move(response));
    }
    auto parsed = parse_target(target);
    if (!parsed)
        return std::unexpected(error_response(400, "bad_target", describe(parsed.error())));
    request.path = parsed->path();
    request.query = std::move(parsed->query);

    const auto wanted = known == Method::head ? Method::get : known;
    std::optional<std::size_t> best;
    std::set<std::string_view> allowed;
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        if (!matches(segments_[i], parsed->segments)) continue;
        allowed.insert(name_of(routes_[i].method));
        if (routes_[i].method != wanted) continue;
        if (!best || more_specific(segments_[i], segments_[*best])) best = i;
    }
    if (allowed.empty())
        return std::unexpected(
            error_response(404, "not_found", "there is nothing at this path; see docs/http.md"));
    if (!best) {
        if (allowed.contains("GET")) allowed.insert("HEAD");
        allowed.insert("OPTIONS");
        const auto list = fmt::format("{}", fmt::join(allowed, ", "));
        auto response = known == Method::options
                            ? json_response("", 204)
                            : error_response(405, "method_not_allowed",
                                             fmt::format("this path takes {}", list));
        response.headers.emplace_back("Allow", list);
        return std::unexpected(std::move(response));
    }
    const auto& pattern = segments_[*best];
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (!is_param(pattern[i])) continue;
        request.path_params.emplace_back(param_name(pattern[i]), std::move(parsed->segments[i]));
    }
    return &routes_[*best];
}

std::optional<Response> Router::authorize(const Route& route, Request& request) const {
    const auto credential = credential_of(request);
    if (!credential) return error_response(400, "two_credentials", "send one credential only");
    const bool open = route.permission == auth::Permission::anyone;
    if (credential->text.empty()) {
        if (open) return std::nullopt;
        return denied(credential->other_scheme ? auth::Denial::invalid : auth::Denial::missing);
    }
    auto principal = gatekeeper_.identify(credential->text);
    if (!principal) {
        if (open) return std::nullopt;
        return denied(principal.error());
    }
    const bool allowed = principal->permissions.allows(route.permission);
    request.principal = std::move(*principal);
    if (!allowed) return forbidden(route.permission);
    return std::nullopt;
}

Response Router::run(const Route& route, const Request& request, std::string* what) const {
    try {
        auto response = route.handler(request);
        if (response.events && !response.still_allowed &&
            route.permission != auth::Permission::anyone) {
            const auto credential = credential_of(request);
            response.still_allowed = [&gatekeeper = gatekeeper_, permission = route.permission,
                                      text = std::string(credential ? credential->text : "")] {
                const auto principal = gatekeeper.identify(text);
                return principal && principal->permissions.allows(permission);
            };
        }
        return response;
    } catch (const std::exception& error) {
        if (what != nullptr) *what = error.what();
    } catch (...) {
        if (what != nullptr) *what = "an exception of unknown type";
    }
    return error_response(500, "internal", "the pool failed to answer; its log says why");
}

Response Router::handle(std::string_view method, std::string_view target, Request request) const {
    auto route = match(method, target, request);
    if (!route) return std::move(route.error());
    if (auto refusal = authorize(**route, request)) return std::move(*refusal);
    return run(**route, request);
}

}  // namespace adit::http
