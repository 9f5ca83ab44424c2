#include "http/router.h"

#include "http/http_testing.h"
#include "http/standard_routes.h"
#include "http/walk_testing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace adit::http {
namespace {

using auth::Permission;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Route route(Method method, std::string pattern, Permission permission = Permission::anyone) {
    return {.method = method,
            .pattern = pattern,
            .permission = permission,
            .summary = "For a test.",
            .handler = [pattern](const Request& request) {
                std::string out = pattern;
                for (const auto& [name, value] : request.path_params)
                    out += ' ' + name + '=' + value;
                for (const auto& [name, value] : request.query)
                    out += ' ' + name + ':' + value;
                return json_response(out);
            }};
}

class RouterTest : public testing::Test {
 protected:
    Response ask(std::string_view method, std::string_view target, Fields headers = {}) {
        Request request;
        request.headers = std::move(headers);
        return router_.handle(method, target, std::move(request));
    }
    NamedGatekeeper gatekeeper_;
    Router router_{gatekeeper_};
};

TEST_F(RouterTest, FindsRoutesByPathAndMethod) {
    router_.add(route(Method::get, "/"));
    router_.add(route(Method::get, "/api/v1/blocks"));
    router_.add(route(Method::get, "/api/v1/blocks/{hash}"));
    router_.add(route(Method::get, "/api/v1/blocks/latest"));
    router_.add(route(Method::post, "/api/v1/blocks/{hash}/audit"));
    struct Row {
        const char* method;
        const char* target;
        unsigned status;
        const char* body;
    };
    const Row rows[] = {
        {"GET", "/", 200, "/"},
        {"GET", "/api/v1/blocks", 200, "/api/v1/blocks"},
        {"GET", "http://pool:80/api/v1/blocks", 200, "/api/v1/blocks"},
        {"GET", "/api/v1/blocks/00ff", 200, "/api/v1/blocks/{hash} hash=00ff"},
        {"HEAD", "/api/v1/blocks/00ff", 200, "/api/v1/blocks/{hash} hash=00ff"},
        {"GET", "/api/v1/blocks/a%20b?x=1+2&y=%26", 200,
         "/api/v1/blocks/{hash} hash=a b x:1 2 y:&"},
        {"GET", "/api/v1/blocks/latest", 200, "/api/v1/blocks/latest"},
        {"POST", "/api/v1/blocks/00ff/audit", 200, "/api/v1/blocks/{hash}/audit hash=00ff"},
        {"GET", "/api/v1/blocks/", 404, "not_found"},
        {"GET", "/api/v1/Blocks", 404, "not_found"},
        {"GET", "/api//v1/blocks", 404, "not_found"},
        {"GET", "/api/v1", 404, "not_found"},
        {"GET", "/api/v1/../v1/blocks", 400, "bad_target"},
        {"GET", "/api/v1/blocks/%2e%2E", 400, "bad_target"},
        {"GET", "/api/v1/blocks/a%2Fb", 400, "bad_target"},
        {"GET", "/api/v1/blocks/%zz", 400, "bad_target"},
        {"GET", "/api/v1/blocks?a=1&a=2", 400, "bad_target"},
        {"GET", "", 400, "bad_target"},
        {"GET", "*", 400, "bad_target"},
        {"DELETE", "/api/v1/blocks", 405, "method_not_allowed"},
        {"BREW", "/api/v1/blocks", 405, "method_not_allowed"},
        {"get", "/api/v1/blocks", 405, "method_not_allowed"},
        {"BREW", "/nothing", 404, "not_found"},
    };
    for (const auto& row : rows) {
        const auto response = ask(row.method, row.target);
        EXPECT_EQ(response.status, row.status) << row.method << ' ' << row.target;
        EXPECT_THAT(response.body, HasSubstr(row.body)) << row.method << ' ' << row.target;
    }
}

TEST_F(RouterTest, SaysWhatAPathTakes) {
    router_.add(route(Method::get, "/a"));
    router_.add(route(Method::put, "/a"));
    EXPECT_EQ(ask("DELETE", "/a").header("allow"), "GET, HEAD, OPTIONS, PUT");
    const auto options = ask("OPTIONS", "/a");
    EXPECT_EQ(options.status, 204U);
    EXPECT_EQ(options.header("Allow"), "GET, HEAD, OPTIONS, PUT");
    EXPECT_EQ(ask("OPTIONS", "*").status, 204U);
    EXPECT_EQ(ask("OPTIONS", "/b").status, 404U);
}

TEST_F(RouterTest, ChecksTheCredentialBeforeTheHandler) {
    std::size_t calls = 0;
    auto counted = route(Method::post, "/pool/restart", Permission::operate_pool);
    counted.handler = [&calls](const Request& request) {
        ++calls;
        return json_response(request.principal ? request.principal->name : "nobody");
    };
    router_.add(counted);
    struct Row {
        Fields headers;
        unsigned status;
        const char* body;
        const char* challenge;
    };
    const Row rows[] = {
        {{}, 401, "unauthenticated", "Bearer realm=\"adit\""},
        {{{"Authorization", "Bearer "}}, 401, "unauthenticated", "Bearer realm=\"adit\""},
        {{{"Authorization", "Bearer nobody"}},
         401,
         "invalid_credential",
         "Bearer realm=\"adit\", error=\"invalid_token\", error_description=\"invalid\""},
        {{{"X-Api-Key", "expired"}},
         401,
         "expired",
         "Bearer realm=\"adit\", error=\"invalid_token\", error_description=\"expired\""},
        {{{"X-Api-Key", "no store"}}, 503, "unavailable", ""},
        {{{"Authorization", "Basic YWRtaW46"}},
         401,
         "invalid_credential",
         "Bearer realm=\"adit\", error=\"invalid_token\", error_description=\"invalid\""},
        {{{"Authorization", "Bearer miner"}},
         403,
         "operate_pool",
         "Bearer realm=\"adit\", error=\"insufficient_scope\", scope=\"operate_pool\""},
        {{{"Authorization", "Bearer admin"}, {"X-Api-Key", "admin"}}, 400, "two_credentials", ""},
        {{{"Authorization", "Bearer admin"}, {"authorization", "Bearer miner"}},
         400,
         "two_credentials",
         ""},
    };
    for (const auto& row : rows) {
        const auto response = ask("POST", "/pool/restart", row.headers);
        EXPECT_EQ(response.status, row.status) << row.body;
        EXPECT_THAT(response.body, HasSubstr(row.body));
        EXPECT_EQ(response.header("WWW-Authenticate"), row.challenge);
    }
    EXPECT_EQ(calls, 0U);
    EXPECT_EQ(ask("POST", "/pool/restart", {{"AUTHORIZATION", "bearer  admin"}}).body, "admin");
    EXPECT_EQ(ask("POST", "/pool/restart", {{"x-api-key", "admin"}}).body, "admin");
    EXPECT_EQ(calls, 2U);
}

TEST_F(RouterTest, HidesWhatAnExceptionSays) {
    auto failing = route(Method::get, "/a");
    failing.handler = [](const Request&) -> Response { throw std::runtime_error("password=x"); };
    router_.add(failing);
    const auto response = ask("GET", "/a");
    EXPECT_EQ(response.status, 500U);
    EXPECT_THAT(response.body, Not(HasSubstr("password")));
    std::string what;
    router_.run(router_.routes().front(), Request(), &what);
    EXPECT_EQ(what, "password=x");
}

TEST_F(RouterTest, StopsOnRoutesThatCannotWork) {
    router_.add(route(Method::get, "/a/{x}"));
    EXPECT_DEATH(router_.add(route(Method::get, "/a/{y}")), "once");
    EXPECT_DEATH(router_.add(route(Method::get, "a")), "complete");
    EXPECT_DEATH(router_.add(route(Method::get, "/a{x}/b")), "whole segment");
    EXPECT_DEATH(router_.add(route(Method::get, "/{x}/{x}")), "name of its own");
    router_.add(route(Method::post, "/a/{x}"));
    EXPECT_EQ(router_.routes().size(), 2U);
}

TEST_F(RouterTest, HealthTellsDetailsToWhomItMay) {
    Health health{HealthStatus::degraded, R"({"log":"slow"})"};
    router_.add(health_route([&] { return health; }));
    EXPECT_EQ(ask("GET", "/api/v1/health").body, R"({"status":"degraded"})");
    const auto asked_by = [&](const char* who) {
        return ask("GET", "/api/v1/health", {{"Authorization", fmt::format("Bearer {}", who)}});
    };
    EXPECT_EQ(asked_by("miner").body, R"({"status":"degraded"})");
    EXPECT_EQ(asked_by("expired").body, R"({"status":"degraded"})");
    EXPECT_EQ(asked_by("operator").body, R"({"status":"degraded","details":{"log":"slow"}})");
    EXPECT_EQ(asked_by("operator").status, 200U);
    health = {HealthStatus::unhealthy, ""};
    EXPECT_EQ(asked_by("operator").body, R"({"status":"unhealthy"})");
    EXPECT_EQ(asked_by("operator").status, 503U);
}

class WalkTest : public RouterTest {
 protected:
    std::vector<std::string> walk() {
        Walk walk;
        for (const auto role : {auth::Role::miner, auth::Role::operator_, auth::Role::admin})
            walk.good.push_back({std::string(name_of(role)), auth::Permissions::of(role)});
        walk.bad = "nonsense";
        walk.ask = [&](std::string_view method, std::string_view target, Fields headers) {
            return ask(method, target, std::move(headers));
        };
        return walk_routes(router_.routes(), walk);
    }
};

TEST_F(WalkTest, FindsNoFaultInRoutesOfEveryPermission) {
    metrics::Registry registry;
    router_.add(health_route([] { return Health(); }));
    router_.add(metrics_route(registry));
    for (std::size_t i = 0; i < auth::kPermissions; ++i) {
        const auto permission = static_cast<Permission>(i);
        router_.add(
            route(Method::post, fmt::format("/{}/{{id}}", name_of(permission)), permission));
    }
    EXPECT_THAT(walk(), IsEmpty());
}

TEST_F(WalkTest, NoticesWhatIsWrong) {
    auto mute = route(Method::get, "/mute");
    mute.summary.clear();
    router_.add(mute);
    // An own check that contradicts the route's permission.
    auto stricter = route(Method::get, "/stricter", Permission::view_pool);
    stricter.handler = [](const Request& request) {
        return request.may(Permission::manage_users) ? json_response("{}")
                                                     : error_response(403, "forbidden", "no");
    };
    router_.add(stricter);
    auto broken = route(Method::get, "/broken");
    broken.handler = [](const Request&) -> Response { throw std::runtime_error("x"); };
    router_.add(broken);
    const auto faults = walk();
    EXPECT_THAT(faults, testing::Contains("GET /mute has no summary"));
    EXPECT_THAT(faults, testing::Contains("GET /stricter answers 403 to operator, who may use it"));
    EXPECT_THAT(faults, testing::Contains("GET /broken fails with 500"));
}

}  // namespace
}  // namespace adit::http
