// Walks every route of a router the way a stranger would: without, with broken and with good
// credentials. For tests of whatever registers routes. Used by one thread.
#pragma once

#include "http/router.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace adit::http {

// One credential for each role that exists, with what the role may do.
struct WalkCredential {
    std::string text;
    auth::Permissions permissions;
};

struct Walk {
    std::vector<WalkCredential> good;
    std::string bad;  // what no gatekeeper accepts
    // The value of each path parameter, by its name; others get "1".
    std::map<std::string, std::string, std::less<>> params;
    // How a request is answered: Router::handle(), or a client of a real server.
    std::function<Response(std::string_view method, std::string_view target, Fields headers)> ask;
};

// A path that the route matches.
std::string walk_target(const Route& route, const Walk& walk);

// What is wrong, one sentence each: a route that answers without the permission it names, that
// refuses who has it, whose refusal says too little, or that has no summary.
std::vector<std::string> walk_routes(const std::vector<Route>& routes, const Walk& walk);

}  // namespace adit::http
