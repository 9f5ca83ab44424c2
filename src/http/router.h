// Routes, and who may use them. Routes are added at start; from then on a router is constant and
// safe from any thread. It knows no sockets: the server asks it, and tests may.
#pragma once

#include "auth/principal.h"
#include "http/message.h"

#include <chrono>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace adit::http {

// Runs on a worker thread. An exception becomes a 500 without its words.
using Handler = std::function<Response(const Request& request)>;

struct Route {
    Method method = Method::get;
    std::string pattern;  // "/api/v1/blocks/{hash}": whole segments only, not empty
    auth::Permission permission = auth::Permission::manage_users;
    std::string summary;       // one sentence for the documentation
    bool strict_rate = false;  // the tighter limit per address, for logins and the like
    // May take seconds: runs on workers of its own, so that the quick routes always find one.
    bool slow = false;
    std::chrono::milliseconds timeout{10'000};
    Handler handler;
};

class Router {
 public:
    // Outlives the router.
    explicit Router(auth::Gatekeeper& gatekeeper) : gatekeeper_(gatekeeper) {}

    // Stops the process when the pattern is malformed or there already.
    void add(Route route);
    const std::vector<Route>& routes() const { return routes_; }

    // Finds the route for `method` (its name) and `target` (raw) and fills method, path,
    // path_params and query. Otherwise the answer: 400, 404, 405 with Allow, or 204 to OPTIONS.
    std::expected<const Route*, Response> match(std::string_view method, std::string_view target,
                                                Request& request) const;
    // Who asks, by the request's headers. With the principal filled in: nullopt when it may use the
    // route, else 400, 401 or 403. A route for anyone takes no offence at a bad credential and
    // simply knows nobody.
    std::optional<Response> authorize(const Route& route, Request& request) const;
    // Calls the handler; never throws. `what` (optional) gets the words of an exception.
    Response run(const Route& route, const Request& request, std::string* what = nullptr) const;

    // All three, for callers without a server. `request` brings headers, body and peer.
    Response handle(std::string_view method, std::string_view target, Request request) const;

 private:
    auth::Gatekeeper& gatekeeper_;
    std::vector<Route> routes_;
    std::vector<std::vector<std::string>> segments_;  // of each route's pattern
};

}  // namespace adit::http
