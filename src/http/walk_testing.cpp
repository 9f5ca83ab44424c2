#include "http/walk_testing.h"

#include <fmt/format.h>

namespace adit::http {

namespace {

class Walker {
 public:
    Walker(const Route& route, const Walk& walk, std::vector<std::string>& faults)
        : route_(route), walk_(walk), faults_(faults), target_(walk_target(route, walk)) {}

    void run() {
        if (route_.summary.empty()) fault("has no summary");
        const bool open = route_.permission == auth::Permission::anyone;
        for (const std::string_view credential :
             {std::string_view(), std::string_view(walk_.bad)}) {
            for (const auto* scheme : {"Authorization", "X-Api-Key"}) {
                const auto response = ask(scheme, credential);
                if (open) {
                    expect_admitted(response, "nobody");
                } else {
                    expect_unauthenticated(response, credential);
                }
            }
        }
        for (const auto& credential : walk_.good) {
            for (const auto* scheme : {"Authorization", "X-Api-Key"}) {
                const auto response = ask(scheme, credential.text);
                if (credential.permissions.allows(route_.permission)) {
                    expect_admitted(response, credential.text);
                } else {
                    expect_forbidden(response, credential.text);
                }
            }
        }
    }

 private:
    Response ask(std::string_view scheme, std::string_view credential) {
        Fields headers;
        if (!credential.empty()) {
            const auto prefix = scheme == "Authorization" ? "Bearer " : "";
            headers.emplace_back(scheme, fmt::format("{}{}", prefix, credential));
        }
        return walk_.ask(name_of(route_.method), target_, std::move(headers));
    }

    // The handler may refuse what it is asked, but nobody may be sent to the door.
    void expect_admitted(const Response& response, std::string_view who) {
        const bool turned_away =
            response.status == 403 ||
            (response.status == 401 && !response.header("WWW-Authenticate").empty());
        if (turned_away || response.status == 404 || response.status == 405)
            fault(fmt::format("answers {} to {}, who may use it", response.status, who));
        if (response.status == 500) fault("fails with 500");
    }

    void expect_unauthenticated(const Response& response, std::string_view credential) {
        const auto* what = credential.empty() ? "no credential" : "a bad credential";
        if (response.status != 401)
            return fault(fmt::format("answers {} to {}", response.status, what));
        const auto challenge = response.header("WWW-Authenticate");
        if (!challenge.starts_with("Bearer ")) fault("refuses without WWW-Authenticate: Bearer");
        const bool says_invalid =
            challenge.find("error=\"invalid_token\"") != std::string_view::npos;
        if (says_invalid == credential.empty())
            fault(fmt::format("names the wrong reason for {}", what));
        expect_error(response);
    }

    void expect_forbidden(const Response& response, std::string_view who) {
        if (response.status != 403)
            return fault(fmt::format("answers {} to {}, who may not use it", response.status, who));
        if (response.body.find(name_of(route_.permission)) == std::string::npos)
            fault("refuses without naming the permission");
        expect_error(response);
    }

    void expect_error(const Response& response) {
        if (!response.body.starts_with(R"({"error":{"code":")"))
            fault("refuses without a JSON error");
    }

    void fault(std::string_view what) {
        faults_.push_back(fmt::format("{} {} {}", name_of(route_.method), route_.pattern, what));
    }

    const Route& route_;
    const Walk& walk_;
    std::vector<std::string>& faults_;
    std::string target_;
};

}  // namespace

std::string walk_target(const Route& route, const Walk& walk) {
    std::string out;
    std::string_view rest = route.pattern;
    while (!rest.empty()) {
        const auto open = rest.find('{');
        out += rest.substr(0, open);
        if (open == std::string_view::npos) break;
        const auto close = rest.find('}', open);
        const auto found = walk.params.find(rest.substr(open + 1, close - open - 1));
        out += found == walk.params.end() ? std::string("1") : found->second;
        rest.remove_prefix(close + 1);
    }
    return out;
}

std::vector<std::string> walk_routes(const std::vector<Route>& routes, const Walk& walk) {
    std::vector<std::string> faults;
    for (const auto& route : routes)
        Walker(route, walk, faults).run();
    return faults;
}

}  // namespace adit::http
